"""Servers with exactly one defect each, made by a proxy in front of any correct one: the proof that the checks judge.

`proxy` carries a defect out, `values` says what one is made of, `making` builds the usual ones in a few lines, and the
modules named after areas hold the catalogue. `matrix` runs the suite against each and tells which check saw it.
"""
