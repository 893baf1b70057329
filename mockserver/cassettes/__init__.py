"""Recorded jobs: a submit, its polls, its result and pictures, kept without secrets, and played again in any time."""
