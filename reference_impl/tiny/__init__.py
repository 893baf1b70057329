"""The tiny world: coloured shapes, small models trained on them, and a judge that knows them by their pixels.

Scenes, the tokenizer and the judge need no torch; drawing, models and training do. No module here is imported by the
server: it loads what this package writes, as it loads anybody's models.
"""
