"""Draws pictures."""

from __future__ import annotations

from typing import Protocol

from mockserver.core.recipe import ImageType, Recipe


class Renderer(Protocol):
    """Draws the pictures of a recipe; equal arguments give equal bytes."""

    def render(self, recipe: Recipe, index: int, image_type: ImageType) -> bytes:
        """The file of picture `index`, exactly `recipe.size` pixels."""

    def preview(self, recipe: Recipe, index: int, progress: float) -> bytes:
        """A small JPEG of picture `index` at a share of the work in [0, 1]."""


class ReceiptRenderer:
    """Draws receipts (`mockserver.pictures`); the drawing library is imported at the first picture, not at start."""

    __slots__ = ()

    def render(self, recipe: Recipe, index: int, image_type: ImageType) -> bytes:
        """See `Renderer.render`."""
        from mockserver.pictures import render

        return render(recipe, index, image_type)

    def preview(self, recipe: Recipe, index: int, progress: float) -> bytes:
        """See `Renderer.preview`."""
        from mockserver.pictures import preview

        return preview(recipe, index, progress)
