"""What links lead to: finished pictures, served as S3 serves them, in refusals too. No key is asked for.

A webhook's test mode draws nothing; its made-up results show a picture that is shipped (`/test_data/image_01.jpeg`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from reference_impl.links import Verdict
from reference_impl.service import Service

PATH = "/pictures/{task_id}/{name}"
SAMPLE_PATH = "/test_data/{name}"
_SAMPLES = Path(__file__).parent / "test_data"

_DENIED: Mapping[Verdict, tuple[str, str]] = MappingProxyType(
    {
        Verdict.UNSIGNED: ("AccessDenied", "Access Denied"),
        Verdict.FORGED: ("SignatureDoesNotMatch", "The signature of this link does not fit the rest of it."),
        Verdict.EXPIRED: ("AccessDenied", "Request has expired"),
    }
)


async def serve_picture(service: Service, request: Request) -> Response:
    """A picture, or part of one (V3-LINK-006), to whoever has a link that still lives."""
    if request.method not in ("GET", "HEAD"):
        return _xml(405, "MethodNotAllowed", "Pictures can be read, nothing else.")
    task_id, name = request.path_params["task_id"], request.path_params["name"]
    verdict = service.links.check(task_id, name, dict(reversed(request.query_params.multi_items())))
    if verdict is not Verdict.VALID:
        return _xml(403, *_DENIED[verdict])
    path = await service.picture(task_id, name)
    if path is None:
        return _xml(404, "NoSuchKey", "This picture is no longer kept.")
    return _file(path)


async def serve_sample(request: Request) -> Response:
    """The picture of made-up results, in each format; its link does not end."""
    files = {file.name: file for file in _SAMPLES.iterdir()}
    file = files.get(request.path_params["name"])
    return _file(file) if file else _xml(404, "NoSuchKey", "There is no such picture.")


def _file(path: Path) -> Response:
    return FileResponse(path, media_type=f"image/{path.suffix.removeprefix('.')}")


def _xml(status: int, code: str, message: str) -> Response:
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return Response(text, status, media_type="application/xml")
