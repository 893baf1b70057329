"""Decisions without I/O: time, tasks, the fleet, requests and answers. Standard library only."""
