"""What becomes of a control picture before a ControlNet sees it: one table of names, and the way through it.

The table is also what docs/reference/features.md says (`python docs/make_features.py`). No torch here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from reference_impl.engine import preprocessors_colour as colours
from reference_impl.engine import preprocessors_lines as lines
from reference_impl.engine.pictures import opened
from reference_impl.engine.preprocessors_lines import Picture
from reference_impl.jobs import CannotDraw, Control, Resize

if TYPE_CHECKING:
    from reference_impl.engine.plan import Tools

SMALLEST, LARGEST = 64, 2048
"""Bounds of the resolution at which a preprocessor works, shorter side in pixels."""


class Basis(StrEnum):
    """How far a preprocessor can be trusted to do what its name says elsewhere."""

    SAME = "the same algorithm"
    AS_IS = "the picture as it is"
    STAND_IN = "classical stand-in"
    WEIGHTS = "with your weights"
    ABSENT = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a preprocessor may look at beside the picture; `a` and `b` are the thresholds of the request."""

    a: float | None
    b: float | None
    tools: Tools

    def first(self, usual: float, low: float, high: float) -> float:
        """Threshold a within its bounds."""
        return min(max(usual if self.a is None else self.a, low), high)

    def second(self, usual: float, low: float, high: float) -> float:
        """Threshold b within its bounds."""
        return min(max(usual if self.b is None else self.b, low), high)


Run = Callable[[Picture, Asked], Picture]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessor:
    """A row of the table.

    Attributes:
        says: what it does, or why it does not and what helps.
        run: None where it is refused.
        scales: whether it looks at the picture at the resolution of the request; otherwise at the picture's own.
        masks: the masked part of the control picture is blanked out afterwards (`control.hint`).
        finishes: it acts once more on the finished picture (`finished`).
    """

    basis: Basis
    says: str
    run: Run | None
    scales: bool = True
    masks: bool = False
    finishes: bool = False


def prepared(control: Control, size: tuple[int, int], tools: Tools) -> Image.Image:
    """The control picture as its preprocessor leaves it, brought to a size as the unit asks for.

    Args:
        control: the unit.
        size: width and height of the finished picture.
        tools: where learned preprocessors find their weights.

    Raises:
        CannotDraw: the preprocessor is unknown, or its weights are missing.
    """
    row = TABLE.get(control.preprocessor)
    if row is None:
        raise CannotDraw(f"there is no preprocessor {control.preprocessor!r}; docs/reference/features.md lists them")
    if row.run is None:
        raise CannotDraw(f"the preprocessor {control.preprocessor} cannot be had here: {row.says}")
    picture = opened(control.file)
    if row.scales:
        picture = _at(picture, _resolution(control, picture.size, size))
    a, b = control.thresholds
    return fitted(Image.fromarray(row.run(np.asarray(picture), Asked(a=a, b=b, tools=tools))), size, control.resize)


def finished(picture: Image.Image, control: Control, tools: Tools) -> Image.Image:
    """A drawn picture as the preprocessor wants it in the end; most leave it alone."""
    row = TABLE.get(control.preprocessor)
    if row is None or not row.finishes or control.weight == 0:
        return picture
    a, b = control.thresholds
    asked = Asked(a=a, b=b, tools=tools)
    sharpness = asked.second(1.0, 0.0, 2.0) if control.preprocessor.endswith("sharp") else None
    wanted = np.asarray(fitted(opened(control.file), picture.size, control.resize))
    return Image.fromarray(colours.recoloured(np.asarray(picture), wanted, asked.first(8.0, 3.0, 32.0), sharpness))


def fitted(picture: Image.Image, size: tuple[int, int], how: Resize) -> Image.Image:
    """A picture at another size: stretched, cut at two sides, or with margins in the usual colour of its border.

    A map of black and white alone stays one, so that lines keep their edge.
    """
    if picture.size == size:
        return picture
    if how in (Resize.STRETCH, Resize.LATENT):
        return _resized(picture, size)
    across, down = size[0] / picture.width, size[1] / picture.height
    scale = max(across, down) if how is Resize.CROP else min(across, down)
    scaled = _resized(picture, (max(1, round(picture.width * scale)), max(1, round(picture.height * scale))))
    result = Image.new(scaled.mode, size, _border(scaled))
    result.paste(scaled, ((size[0] - scaled.width) // 2, (size[1] - scaled.height) // 2))
    return result


def _resized(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    used = picture.convert("L").histogram()
    if sum(used[1:255]) or not used[0] or not used[255]:
        return picture.resize(size, Image.Resampling.LANCZOS)
    # What half of a line of one pixel leaves in the mean of the pixels that become one; so lines stay alive.
    limit = 127 / max(picture.width / size[0], picture.height / size[1], 1.0)
    return picture.resize(size, Image.Resampling.BOX).point(lambda value: 255 if value > limit else 0)


def _border(picture: Image.Image) -> tuple[int, ...] | int:
    pixels = np.asarray(picture)
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    usual = np.median(edge, axis=0)
    return int(usual) if usual.ndim == 0 else tuple(int(value) for value in usual)


def _resolution(control: Control, own: tuple[int, int], size: tuple[int, int]) -> int:
    """The shorter side, in pixels, at which the preprocessor works; by itself it matches the finished picture."""
    if control.resolution is not None and control.resolution > 0 and not control.pixel_perfect:
        return min(max(control.resolution, SMALLEST), LARGEST)
    across, down = size[0] / own[0], size[1] / own[1]
    scale = min(across, down) if control.resize is Resize.PAD else max(across, down)
    return min(max(round(scale * min(own)), SMALLEST), LARGEST)


def _at(picture: Image.Image, shorter: int) -> Image.Image:
    scale = shorter / min(picture.size)
    if scale == 1:
        return picture
    # A picture much longer than wide must not grow without bound.
    size = tuple(max(1, min(round(side * scale), 4 * LARGEST)) for side in picture.size)
    return picture.resize((size[0], size[1]), Image.Resampling.LANCZOS)


def _same(says: str, run: Run, **more: bool) -> Preprocessor:
    return Preprocessor(basis=Basis.SAME, says=says, run=run, **more)


def _stand_in(for_: str, says: str, run: Callable[[Picture], Picture]) -> Preprocessor:
    return Preprocessor(basis=Basis.STAND_IN, says=f"In place of {for_}: {says}", run=lambda picture, _: run(picture))


def _as_is(says: str, **more: bool) -> Preprocessor:
    return Preprocessor(basis=Basis.AS_IS, says=says, run=lambda picture, _: picture, scales=False, **more)


def _refused(why: str, instead: str = "send the finished map with the preprocessor none") -> Preprocessor:
    return Preprocessor(basis=Basis.ABSENT, says=f"{why}; {instead}", run=None)


def _depth(folder: str) -> Preprocessor:
    def run(picture: Picture, asked: Asked) -> Picture:
        from reference_impl.engine.preprocessors_learned import depth  # transformers is loaded by those who need it

        return depth(picture, folder, asked.tools)

    says = f"How near things are, by the depth model in `preprocessors/{folder}/`"
    return Preprocessor(basis=Basis.WEIGHTS, says=says, run=run)


def _normals(folder: str) -> Preprocessor:
    def run(picture: Picture, asked: Asked) -> Picture:
        from reference_impl.engine.preprocessors_learned import normals

        return normals(picture, folder, asked.tools, asked.first(0.4, 0.0, 1.0))

    says = f"Where surfaces look, computed from the depth by the model in `preprocessors/{folder}/`"
    return Preprocessor(basis=Basis.WEIGHTS, says=says, run=run)


def _segments(folder: str) -> Preprocessor:
    def run(picture: Picture, asked: Asked) -> Picture:
        from reference_impl.engine.preprocessors_learned import segments

        return segments(picture, folder, asked.tools)

    says = f"Classes of things, by the model in `preprocessors/{folder}/` in the colours of its `palette.json`"
    return Preprocessor(basis=Basis.WEIGHTS, says=says, run=run)


_POSE = _refused("Finding joints needs networks for people, hands and faces that transformers does not hold together")
_ATTENTION = _refused("It changes the network's attention and prepares no picture", "use a picture prompt (IP-Adapter)")
_SOFT = "the gradient after a slight blur"
_THREE = "the same in three levels"
_THICK = "thinned edges, made thick"
_DARK = "what is darker than its surroundings, as `lineart_standard`"

TABLE: Mapping[str, Preprocessor] = MappingProxyType(
    {
        "none": _as_is("The picture is the map"),
        "canny": _same(
            "Canny's edges; thresholds 100 and 200 unless given",
            lambda p, asked: lines.canny(p, asked.first(100, 1, 255), asked.second(200, 1, 255)),
        ),
        "threshold": _same(
            "White where every channel is above threshold a, 127 unless given",
            lambda p, asked: colours.threshold(p, asked.first(127, 0, 255)),
        ),
        "invert": _same("The negative", lambda p, _: colours.invert(p), scales=False),
        "color": _same("Cells of 64 pixels in their mean colour", lambda p, _: colours.color(p)),
        "shuffle": _same("Colours without content, bent along noise", lambda p, _: colours.shuffle(p)),
        "scribble_xdog": _same(
            "Difference of two Gaussians above threshold a, 32 unless given",
            lambda p, asked: lines.scribble_xdog(p, asked.first(32, 1, 64)),
        ),
        "lineart_standard": _same("Dark lines on a brighter ground", lambda p, _: lines.lineart_standard(p)),
        "tile_resample": _same(
            "Shrunk by threshold a, 1 unless given, at most 8",
            lambda p, asked: colours.tile(p, asked.first(1, 1, 8)),
            scales=False,
        ),
        "tile_colorfix": _as_is(
            "The finished picture takes on its broad colours, over threshold a = 8 pixels; not in latents",
            finishes=True,
        ),
        "tile_colorfix+sharp": _as_is("The same, sharpened by threshold b = 1", finishes=True),
        "inpaint": _as_is("The masked part is blanked out for the network", masks=True),
        "inpaint_only": _as_is("The same; what lies outside of the mask is the task's affair", masks=True),
        "inpaint_only+lama": _refused("Filling the masked part first needs LaMa's weights", "use inpaint_only"),
        "clip_vision": _as_is("A picture prompt has an encoder of its own"),
        "hed": _stand_in("HED", _SOFT, lines.soft_edges),
        "hed_safe": _stand_in("HED", _THREE, lines.soft_edges_safe),
        "softedge_hed": _stand_in("HED", _SOFT, lines.soft_edges),
        "softedge_hedsafe": _stand_in("HED", _THREE, lines.soft_edges_safe),
        "scribble_hed": _stand_in("HED", _THICK, lines.scribble),
        "scribble_hedsafe": _stand_in("HED", _THICK, lines.scribble),
        "pidinet": _stand_in("PiDiNet", _SOFT, lines.soft_edges),
        "pidinet_safe": _stand_in("PiDiNet", _THREE, lines.soft_edges_safe),
        "pidinet_sketch": _stand_in("PiDiNet", "the strong part of the gradient", lines.sketch),
        "pidinet_scribble": _stand_in("PiDiNet", _THICK, lines.scribble),
        "softedge_pidinet": _stand_in("PiDiNet", _SOFT, lines.soft_edges),
        "softedge_pidsafe": _stand_in("PiDiNet", _THREE, lines.soft_edges_safe),
        "scribble_pidinet": _stand_in("PiDiNet", _THICK, lines.scribble),
        "scribble_pidsafe": _stand_in("PiDiNet", _THICK, lines.scribble),
        "mlsd": _stand_in("M-LSD", "straight lines by the Hough transform", lines.straight_lines),
        "lineart": _stand_in("the line art network", _DARK, lines.lineart_standard),
        "lineart_realistic": _stand_in("the line art network", _DARK, lines.lineart_standard),
        "lineart_coarse": _stand_in("the line art network", _DARK, lines.lineart_standard),
        "lineart_anime": _refused("Its network is trained on drawings", "use lineart_standard"),
        "lineart_anime_denoise": _refused("Its network is trained on drawings", "use lineart_standard"),
        "depth": _depth("depth"),
        "depth_midas": _depth("depth"),
        "depth_leres": _depth("depth_leres"),
        "depth_leres++": _depth("depth_leres"),
        "depth_zoe": _depth("depth_zoe"),
        "depth_anything": _depth("depth_anything"),
        "normal_map": _normals("depth"),
        "normal_bae": _refused("Bae's network is in no library that is used here", "use normal_map with a depth model"),
        "segmentation": _segments("segmentation"),
        "oneformer_coco": _segments("oneformer_coco"),
        "oneformer_ade20k": _segments("oneformer_ade20k"),
        "openpose": _POSE,
        "openpose_hand": _POSE,
        "openpose_face": _POSE,
        "openpose_faceonly": _POSE,
        "openpose_full": _POSE,
        "dwpose": _POSE,
        "mediapipe_face": _refused("MediaPipe's face mesh is in no library that is used here"),
        "reference_only": _ATTENTION,
        "reference_adain": _ATTENTION,
        "reference_adain+attn": _ATTENTION,
    }
)
"""Every preprocessor of the document, v3's names and v2's, and what it is here."""
