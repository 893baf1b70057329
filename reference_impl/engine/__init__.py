"""Draws pictures with torch and diffusers; knows nothing of HTTP. Nothing here is imported by the HTTP process."""
