"""Reports: one model of a run, made from its events, and a module per form in which it is written."""
