"""Calls that the mock makes: the only place that opens connections, and the guard that says to whom."""
