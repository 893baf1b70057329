"""A program run once without trouble, then once per single failure, and what became of it each time."""
