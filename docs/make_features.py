"""Writes docs/reference/features.md: what the reference implementation can do, how true it is, and what you supply.

The preprocessors come from their table in reference_impl/engine/preprocessors.py.

`python docs/make_features.py` writes it; with `--check` it exits 1 when the page is not what the tables say.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from reference_impl.engine.preprocessors import TABLE, Basis

PAGE = Path(__file__).parent / "reference" / "features.md"

FEATURES = (
    (
        "`controlnet`, `controlnet_units`",
        "Any number of units, with txt2img, img2img, inpainting and hires fix, SD 1.5 and SDXL: `weight`/`strength`, "
        "start and end, `control_mode`, `resize_mode`, `mask`, `pixel_perfect`. A weight of 0 is no unit, to the bit",
        "`controlnet/<name>/` in diffusers' layout, or `controlnet/<name>.safetensors`",
    ),
    (
        "T2I-Adapters (`t2i-adapter_...` of v2)",
        "The same fields, in the same places",
        "`t2i_adapter/<name>/` in diffusers' layout",
    ),
    (
        "`ip_adapters`, `ip-adapter_...` of v2",
        "Plain, plus and full adapters. A strength of 0 is none, to the bit. Those that recognise faces (FaceID) are "
        "refused: their recogniser is in no library that is used here",
        "`ip_adapter/<name>.safetensors` (or `.bin`) and its encoder in `ip_adapter/image_encoder/`, or in "
        "`ip_adapter/<name>/image_encoder/` where adapters need different ones",
    ),
    (
        "`enable_transparent_background`",
        "Cut out of the drawn picture: unless the prompt speaks of a background, it is asked for on a white one; what "
        "has the colour of the border and is joined to it becomes transparent, with a soft edge. Holes, glass and "
        "smoke stay opaque, and what has the ground's colour and touches it is lost. Models that draw transparency "
        "(LayerDiffuse) need a decoder that is in no library that is used here",
        "nothing",
    ),
    (
        "`enable_nsfw_detection`",
        'Without a detector nobody has looked, and the answer says so: `"valid": false, "confidence": 0`. With one the '
        "confidence never falls with a higher level. A StableDiffusionSafetyChecker counts 50 % at its threshold, 88 % "
        "at .01 above it; its concepts are not sorted by gravity, so levels 1 and 2 lower the thresholds by .01 each",
        "`safety/<name>/`, a StableDiffusionSafetyChecker or any image classification model of transformers; beside "
        'the latter `safety/<name>.json` with `"nsfw_levels": {"0": ["explicit"], "1": ["partial"], "2": ["swimwear"]}`'
        ", the labels that count from each level on",
    ),
    (
        "checkpoints in one file",
        "SD 1.5, SDXL and its refiner in A1111's layout. Configurations are worked out from the tensors and the "
        "published numbers; v-prediction is known by its mark (`v_pred`), otherwise by `<name>.json`: "
        '`{"config": {"scheduler": {"prediction_type": "v_prediction"}}}`. SD 2 and pickles are refused',
        "the tokenizer's vocabulary, which is in no such file: `vocab.json` and `merges.txt` of any checkpoint of the "
        "kind in `checkpoints/tokenizer/`; a folder checkpoint beside it serves as well",
    ),
    (
        "VAEs and ControlNets in one file",
        'A VAE counts as SDXL\'s when its name holds `xl` or `<name>.json` says `"base_model": "SDXL 1.0"`: its '
        "tensors do not tell. ControlNets in the names of their authors or of diffusers",
        "nothing beside the file",
    ),
    (
        "`hires_fix.upscaler`, `hr_upscaler`",
        "`Latent` needs nothing. Networks of the ESRGAN kind are run where their weights are; without them the task "
        "fails and says where they belong",
        "`upscaler/<name>.safetensors`",
    ),
    (
        "`restore_faces`",
        "The task fails with a reason: face restorers (GFPGAN, CodeFormer) are networks of their own with a face "
        "detector before them, in no library that is used here",
        "repair faces on your side",
    ),
)
"""What is asked for, what becomes of it here, what the user supplies."""


def page() -> str:
    """The page as Markdown."""
    lines = [
        "<!-- Written by docs/make_features.py; do not edit. -->",
        "",
        "# What needs weights, and what does not",
        "",
        "Nothing is ever downloaded. What a request asks for and this server has not ends the task as failed, with a",
        "reason that says what to put where; the request itself is accepted, as the contract wants. Folders are below",
        "the folder of models (`--models`), in the layout of diffusers or transformers unless said otherwise.",
        "",
        "| asked for | what becomes of it | you supply |",
        "|---|---|---|",
        *(f"| {asked} | {becomes}. | {supply} |" for asked, becomes, supply in FEATURES),
        "",
        "A ControlNet's `control_mode` follows A1111: 0 counts all layers alike; 1 (the prompt leads) counts each",
        "layer .825 times as much as the one before it, from the middle block outwards; 2 (the picture leads) does so",
        "too and leaves the unguided half of each step without the unit. A `mask` limits where a unit acts; with an",
        "inpainting preprocessor it is the part that is blanked out, and the mask of the task serves where the unit",
        "has none. A refiner runs without units: they are made for the checkpoint before it.",
        "",
        "## Preprocessors",
        "",
        "`preprocessor` of v3 and `module` of v2. Without a resolution (`processor_res`), and with `pixel_perfect`, a",
        "preprocessor works at the size of the finished picture. Thresholds beyond their bounds are brought inside.",
        "",
        *(line for basis in Basis for line in _section(basis)),
    ]
    return "\n".join(lines)


SAYS = {
    Basis.SAME: "The algorithm of the original, without weights. `canny` equals OpenCV's Canny of the colour picture, "
    "pixel by pixel.",
    Basis.AS_IS: "The picture goes on as it is.",
    Basis.STAND_IN: "The original is a trained network. A classical method stands in for it: the maps look alike, the "
    "numbers are others. Send the original's own map with `none` where that matters.",
    Basis.WEIGHTS: "Through transformers, once the folder is there: `config.json`, the weights, "
    "`preprocessor_config.json`. Without it the task fails and says so.",
    Basis.ABSENT: "The task fails with this reason.",
}


def _section(basis: Basis) -> Iterator[str]:
    yield f"### {basis.value.capitalize()}"
    yield ""
    yield SAYS[basis]
    yield ""
    yield "| preprocessor | |"
    yield "|---|---|"
    rows: dict[str, list[str]] = {}
    for name, row in TABLE.items():
        if row.basis is basis:
            rows.setdefault(row.says, []).append(f"`{name}`")
    for says, names in rows.items():
        yield f"| {', '.join(names)} | {says}. |"
    yield ""


def main() -> int:
    """Writes or checks the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit 1 when the page is stale")
    if not parser.parse_args().check:
        PAGE.write_text(page(), encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page():
        sys.stderr.write(f"{PAGE} is stale; run: python docs/make_features.py\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
