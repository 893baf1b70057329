"""The documented example bodies, and how an answer of the mock is compared with a documented one.

The bodies stand in data/documented-examples.yaml. Nothing here calls a server: see `tests.contract.documented_table`.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import yaml

from tests.bodies import base64_png, txt2img

DATA = Path(__file__).parent / "data" / "documented-examples.yaml"

_PLACEHOLDER = re.compile(r"[{<].*base64.*[}>]", re.IGNORECASE)
_LINK = re.compile(r"/prod/[0-9a-f-]{36}/[0-9a-f]{32}\.(png|jpeg|webp)|/v2_prod/[0-9a-f-]{36}-\d\.(png|jpeg)")


class Role(StrEnum):
    """What a body is."""

    REQUEST = "request"
    RESPONSE = "response"
    WEBHOOK = "webhook"


@dataclass(frozen=True, slots=True, kw_only=True)
class Documented:
    """One example body; the fields are told at the head of the data file.

    `operation` is empty for an endpoint beyond our scope, which `outside` names.
    """

    file: str
    role: Role
    body: Any
    source: str
    contradictions: tuple[str, ...]
    operation: str = ""
    outside: str = ""
    task_of: str = ""
    query: str = ""
    status: int = 200
    answers: str = ""
    fragment: bool = False
    changed: tuple[str, ...] = ()

    @property
    def has_placeholders(self) -> bool:
        """Whether a picture is only hinted at, as in `{{Base64 encoded image}}`."""
        return any(_PLACEHOLDER.fullmatch(text) for text in _texts(self.body))

    def filled(self) -> Any:
        """The body with a small picture for each placeholder, and a picture request round a fragment."""
        body = _with_pictures(copy.deepcopy(self.body))
        return {**body, "request": txt2img()["request"]} if self.fragment else body


def load_documented() -> list[Documented]:
    """Every entry of the data file, in its order."""
    rows = yaml.safe_load(DATA.read_text("utf-8"))
    return [
        Documented(
            **{
                **{name.replace("-", "_"): value for name, value in row.items() if value is not None},
                "role": Role(row["role"]),
                "contradictions": tuple(row["contradictions"]),
                "changed": tuple(row.get("changed", ())),
            }
        )
        for row in rows
    ]


class Kind(StrEnum):
    """How an answer departs from the documented one."""

    MORE = "only the mock has it"
    LESS = "only the page has it"
    TYPE = "another type"
    COUNT = "another number of entries"
    VALUE = "another value"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One departure; `path` has dots between names and `[]` for entries of an array."""

    kind: Kind
    path: str
    page: str = ""
    mock: str = ""

    def __str__(self) -> str:
        shown = f" ({self.page} -> {self.mock})" if self.page or self.mock else ""
        return f"`{self.path or 'body'}` {self.kind.value}{shown}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why documents disagree with each other, and so one of them with the mock."""

    because: str
    kind: Kind
    path: str
    """A pattern that the whole path fits."""

    def explains(self, difference: Difference) -> bool:
        """Whether this is the reason."""
        return difference.kind is self.kind and re.fullmatch(self.path, difference.path) is not None


EXPLANATIONS: Sequence[Explanation] = (
    # C1: a v3 submit answers the bare id; some samples still show it in the wrapper of v2.
    Explanation(because="C1", kind=Kind.LESS, path="code|msg|data"),
    Explanation(because="C1", kind=Kind.MORE, path="task_id"),
    Explanation(because="C3", kind=Kind.TYPE, path=r"images\[\]\.image_url_ttl"),
    Explanation(because="C4", kind=Kind.VALUE, path=r"task\.progress_percent"),
    # C6: a mixed-up sample shows another task's type, number of pictures and seed; a second one another seed.
    Explanation(because="C6", kind=Kind.VALUE, path=r"task\.task_type|extra\.seed"),
    Explanation(because="C6", kind=Kind.COUNT, path="images"),
    Explanation(because="C7", kind=Kind.VALUE, path=r"extra\.debug_info\.request_info\.(width|height)"),
    Explanation(because="C9", kind=Kind.TYPE, path=r"images\[\]\.nsfw_detection_result"),
    Explanation(because="C10", kind=Kind.MORE, path="audios"),
    Explanation(because="C10", kind=Kind.MORE, path=r"extra\.(seed|debug_info|enable_nsfw_detection)"),
    Explanation(because="C10", kind=Kind.MORE, path=r"images\[\]\.nsfw_detection_result"),
    # C37: no page shows the error body; metadata was not recorded everywhere, and its entries vary.
    Explanation(because="C37", kind=Kind.MORE, path="metadata"),
    Explanation(because="C37", kind=Kind.LESS, path=r"metadata\.task_id"),
    Explanation(because="C37", kind=Kind.VALUE, path="reason"),
    Explanation(because="C41", kind=Kind.MORE, path=r"models\[\]\.(download_url|source)"),
)
"""Every departure that is accepted. The entry of the data file must cite the same contradiction."""

COMPARED_VALUES = re.compile(
    r"code|msg|reason|task\.(status|task_type|reason|eta|progress_percent)|images|"
    r"extra\.(enable_nsfw_detection|seed|debug_info\.request_info\..*)|"
    r"images\[\]\.(image_type|image_url_ttl|image_url)|data\.(status|progress|failed_reason|enable_nsfw_detection)"
)
"""Where not only key and type but the value must agree; elsewhere it is another task's."""
FREE_TEXT = "<free text>"


def differences(page: Any, mock: Any, *, ignored: frozenset[str] = frozenset()) -> list[Difference]:
    """Where an answer of the mock departs from the documented one.

    Args:
        page: the documented answer.
        mock: what the mock answered.
        ignored: paths whose value is chance, such as a drawn seed.
    """
    return list(dict.fromkeys(found for found in _differences(page, mock, "") if found.path not in ignored))


def unexplained(found: Sequence[Difference], entry: Documented) -> list[Difference]:
    """The differences that no contradiction cited by the entry explains."""
    return [one for one in found if not explained_by(one, entry)]


def explained_by(difference: Difference, entry: Documented) -> str:
    """The contradiction that explains a difference, "" for none."""
    for explanation in EXPLANATIONS:
        if explanation.because in entry.contradictions and explanation.explains(difference):
            return explanation.because
    return ""


def _differences(page: Any, mock: Any, path: str) -> Iterator[Difference]:
    if json_type(page) != json_type(mock):
        yield Difference(kind=Kind.TYPE, path=path, page=_shown(page), mock=_shown(mock))
        return
    if isinstance(page, dict):
        for name in [*page, *(name for name in mock if name not in page)]:
            inner = f"{path}.{name}" if path else name
            if name not in mock:
                yield Difference(kind=Kind.LESS, path=inner)
            elif name not in page:
                yield Difference(kind=Kind.MORE, path=inner)
            else:
                yield from _differences(page[name], mock[name], inner)
    elif isinstance(page, list):
        if COMPARED_VALUES.fullmatch(path) and len(page) != len(mock):
            yield Difference(kind=Kind.COUNT, path=path, page=str(len(page)), mock=str(len(mock)))
        if mock:
            for index, one in enumerate(page):
                yield from _differences(one, mock[min(index, len(mock) - 1)], f"{path}[]")
    elif path.endswith("request_info") and page:
        yield from _differences(json.loads(page), json.loads(mock), path)
    elif path.endswith("image_url") or path == "data.imgs[]":
        if link_shape(page) not in (None, link_shape(mock)):
            yield Difference(kind=Kind.VALUE, path=path, page=str(link_shape(page)), mock=str(link_shape(mock)))
    elif COMPARED_VALUES.fullmatch(path) and page not in (mock, FREE_TEXT):
        yield Difference(kind=Kind.VALUE, path=path, page=_shown(page), mock=_shown(mock))


def link_shape(url: str) -> tuple[str, ...] | None:
    """What is the same in all links of a kind: how the path is built, and the names in the query.

    None for a link that a page shortened or that has no signature: v2 samples have plain ones.
    """
    parts = urlsplit(url)
    names = tuple(name for name, _ in parse_qsl(parts.query, keep_blank_values=True))
    match = _LINK.fullmatch(parts.path)
    return ("path of a picture", *names) if match and names else None


def json_type(value: object) -> str:
    """The JSON type of a value; JSON has one type of numbers."""
    match value:
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case None:
            return "null"
        case Mapping():
            return "object"
    return "array"


def _shown(value: object) -> str:
    return json.dumps(value) if json_type(value) not in ("object", "array") else json_type(value)


def _texts(node: object) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, Mapping):
        for value in node.values():
            yield from _texts(value)
    elif isinstance(node, list):
        for value in node:
            yield from _texts(value)


def _with_pictures(node: Any) -> Any:
    if isinstance(node, dict):
        return {name: _with_pictures(value) for name, value in node.items()}
    if isinstance(node, list):
        return [_with_pictures(value) for value in node]
    return base64_png() if isinstance(node, str) and _PLACEHOLDER.fullmatch(node) else node
