"""What img2img and inpainting begin from: the source at its size, its mask, and what part of it is drawn."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from reference_impl.engine import pictures
from reference_impl.engine.plan import Canvas, whole_canvas
from reference_impl.jobs import Job, Mask, MaskStart, Resize


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A source, made ready.

    Attributes:
        canvas: what is generated.
        picture: the source at the size asked for, RGB; what is kept comes from it in the end.
        mask: of the same size, white where it is drawn, with its soft edge; None: everywhere.
        start: RGB, what the latents begin from: of the canvas' size, or of its own where it is scaled as latents.
        start_mask: the mask on the canvas.
    """

    canvas: Canvas
    picture: Image.Image
    mask: Image.Image | None
    start: Image.Image
    start_mask: Image.Image | None

    def finished(self, drawn: Image.Image) -> Image.Image:
        """The picture to hand out: what was drawn on the canvas, over the source where the mask lets it."""
        placed = self.canvas.placed(drawn, self.picture)
        return placed if self.mask is None else Image.composite(placed, self.picture, self.mask)


def scene_of(job: Job, factor: int) -> Scene | Image.Image:
    """The scene of a job with a source, or the finished picture where nothing is to be drawn.

    Args:
        job: with a source.
        factor: pixels along one side of a latent.

    Raises:
        CannotDraw: source or mask cannot be read.
    """
    assert job.source is not None
    size = (job.width, job.height)
    source = pictures.opened(job.source)
    picture = pictures.fitted(source, size, job.resize)
    if job.strength <= 0:
        return picture
    canvas = whole_canvas(size, factor)
    if job.mask is None:
        start = canvas.shown(picture)
        if job.resize is Resize.LATENT:
            start = whole_canvas(source.size, factor).shown(source)
        return Scene(canvas=canvas, picture=picture, mask=None, start=start, start_mask=None)
    mask = _soft_mask(job.mask, source.size, size, job.resize)
    box = pictures.around(mask, job.mask.padding, (canvas.width, canvas.height))
    if box is None:
        return picture
    if not job.mask.whole:
        canvas = Canvas(width=canvas.width, height=canvas.height, picture=size, area=box)
    start_mask = canvas.shown(mask)
    start = canvas.shown(picture)
    if job.mask.start is MaskStart.FILL:
        start = pictures.filled(start, start_mask)
    return Scene(canvas=canvas, picture=picture, mask=mask, start=start, start_mask=start_mask)


def _soft_mask(mask: Mask, source: pictures.Size, size: pictures.Size, mode: Resize) -> Image.Image:
    """The mask as it lies on the finished picture: it goes through the same fitting as the source."""
    plain = pictures.resized(pictures.opened_mask(mask.file), source)
    if mask.invert:
        plain = pictures.inverted(plain)
    return pictures.softened(pictures.fitted(plain, size, mode), mask.blur)
