"""The shortest program around the vendor's Python client: one picture into out.png. Nothing is caught or checked."""

from __future__ import annotations

import base64
import os
from pathlib import Path

from novita_client import NovitaClient  # type: ignore[import-not-found]  # only in the client's own environment

ENVIRONMENT = os.environ  # noqa: TID251  # a program of its own, in an environment of its own
CLIENT = NovitaClient(ENVIRONMENT["NOVITA_API_KEY"], ENVIRONMENT["NOVITA_API_URI"])
RESULT = CLIENT.txt2img_v3(
    "dreamshaper_8_93211.safetensors", "a quiet harbour", 1, steps=12, seed=7, response_image_type="png"
)
for encoded in RESULT.images_encoded:
    Path("out.png").write_bytes(base64.b64decode(encoded))
