"""Failures on demand: where something goes wrong (point), when (trigger) and what then happens (effect).

Nothing here does any harm itself: a plan decides, and whoever asked it carries the effect out. Off by default.
"""
