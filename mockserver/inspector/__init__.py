"""The inspector: the page at `/__mock/`, the story of a task behind it, and its pictures without a download.

Nothing here is loaded before somebody asks for it; a server that nobody looks into pays nothing.
"""
