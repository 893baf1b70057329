"""The Python client's one-call jobs, as a caller writes them who trusts the client: what comes out, good or bad.

Takes a folder with `jobs.json`, a list of jobs; each has a key, hence a world, of its own. Two things of the client are
other than published, both inside this process only: its sleep between polls moves the world's clock instead of waiting,
and its time-out of a call, a number in its settings, is shorter.
"""

from __future__ import annotations

import base64
import json
import urllib.request
from pathlib import Path
from typing import Any

import novita_client as vendor  # type: ignore[import-not-found]  # only in the clients' own environments
from novita_client import novita as waiting
from novita_client import settings

from tests.clients.drivers.driving import Bench, Report, failure, run

CHECKPOINT = "dreamshaper_8_93211.safetensors"
TIMEOUT_S = 0.8


def jobs(bench: Bench) -> Report:
    """Does every job, and says of each what its caller gets."""
    settings.DEFAULT_REQUEST_TIMEOUT = settings.DEFAULT_DOWNLOAD_ONE_IMAGE_TIMEOUT = TIMEOUT_S
    return {job["key"]: _done(bench, job) for job in json.loads((bench.folder / "jobs.json").read_text())}


def _done(bench: Bench, job: dict[str, str]) -> Report:
    """One job."""

    def advance(seconds: float) -> None:
        _advance(bench.uri, job["key"], seconds)

    waiting.sleep = advance
    client = vendor.NovitaClient(job["key"], bench.uri)
    try:
        pictures = {"v3": _v3, "v2": _v2, "late": _late, "again": _again}[job["kind"]](client, advance)
    except Exception as error:  # whatever it is, it is what the caller gets
        return failure(error)
    return {"files": _save(bench.folder, job["key"], pictures)}


def _v3(client: Any, _: Any) -> list[bytes]:
    result = client.txt2img_v3(CHECKPOINT, "a quiet harbour", 1, steps=12, seed=7, response_image_type="png")
    return [base64.b64decode(text) for text in result.images_encoded]


def _again(client: Any, advance: Any) -> list[bytes]:
    """The caller tries the whole job once more when it fails."""
    try:
        return _v3(client, advance)
    except Exception:  # as such a caller writes it
        return _v3(client, advance)


def _late(client: Any, advance: Any) -> list[bytes]:
    """The caller looks at the pictures an hour and a second after they were made."""
    result = client.txt2img_v3(
        CHECKPOINT, "a quiet harbour", 1, steps=12, seed=7, response_image_type="png", download_images=False
    )
    advance(3601)
    result.download_images()
    return [base64.b64decode(text) for text in result.images_encoded]


def _v2(client: Any, _: Any) -> list[bytes]:
    request = vendor.Txt2ImgRequest(
        prompt="a quiet harbour", model_name=CHECKPOINT, sampler_name="Euler a", steps=12, seed=7
    )
    return list(client.sync_txt2img(request).data.imgs_bytes)


def _advance(uri: str, key: str, seconds: float) -> None:
    request = urllib.request.Request(
        f"{uri}/__mock/clock/advance",
        json.dumps({"seconds": seconds}).encode(),
        {"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request):
        pass


def _save(folder: Path, key: str, pictures: list[bytes]) -> list[str]:
    names = [f"{key}-{index}.bin" for index in range(len(pictures))]
    for name, content in zip(names, pictures, strict=True):
        (folder / name).write_bytes(content)
    return names


if __name__ == "__main__":
    run({"jobs": jobs})
