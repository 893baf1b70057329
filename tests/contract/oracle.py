"""Says what a call must lead to, from the contract alone, and compares it with the answer that came.

Schemathesis knows of a case whether it was made to be valid. This oracle looks at the bytes that were sent instead and
asks an implementation of JSON Schema that the server does not use. So it also judges what Schemathesis's own checks
have to leave out here: v2, whose errors are HTTP 200 and a code, methods that no operation has (404 API_NOT_FOUND in
the error table, not 405), and cases whose defect got lost on the way.
"""

from __future__ import annotations

import base64
import binascii
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qs, urlsplit

from jsonschema import Draft202012Validator, FormatChecker
from PIL import Image, UnidentifiedImageError

from openapi.catalogue import Catalogue, Kind
from openapi.document import Document, Operation, Reading
from tests.contract.cross_rules import CrossRules

NAME_FORMATS: Mapping[str, Kind] = {
    "checkpoint-name": Kind.CHECKPOINT,
    "vae-name": Kind.VAE,
    "lora-name": Kind.LORA,
    "embedding-name": Kind.TEXTUALINVERSION,
}
"""Our string formats that name a model, and of which kind."""


class Verdict(StrEnum):
    """What a call must lead to."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    KEY_REFUSED = "key refused"
    NO_SUCH_ROUTE = "no such route"
    EITHER = "accepted or refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A call as it went over the wire, and its answer.

    Attributes:
        method, url: of the request; the URL with its query.
        headers: of the request, names in lower case.
        body: of the request.
        status: of the answer.
        answer_headers: of the answer, names in lower case.
        answer: the body of the answer.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    status: int
    answer_headers: Mapping[str, str]
    answer: bytes


class Oracle:
    """The judge of one reading.

    Args:
        document: the contract.
        catalogue: the models that exist.
        reading: documented for a strict server, tolerated for a lenient one.
    """

    def __init__(self, document: Document, catalogue: Catalogue, reading: Reading) -> None:
        self._strict = reading is Reading.DOCUMENTED
        self._rules = CrossRules(catalogue=catalogue, strict=self._strict)
        self._by_path: dict[str, Operation] = {one.path: one for one in document.operations.values()}
        rendered = document.rendered(reading)
        formats = _formats(catalogue, strict=self._strict)
        self._schemas = {
            path: Draft202012Validator(
                {
                    **item["post"]["requestBody"]["content"]["application/json"]["schema"],
                    "components": rendered["components"],
                },
                format_checker=formats,
            )
            for path, item in rendered["paths"].items()
            if "post" in item
        }

    def expected(self, call: Exchange) -> Verdict:
        """What the contract says of a call."""
        url = urlsplit(call.url)
        operation = self._by_path.get(url.path)
        if operation is None or operation.method != call.method:
            return Verdict.NO_SUCH_ROUTE
        if not self._has_key(call, operation):
            return Verdict.KEY_REFUSED
        if operation.method == "GET":
            return self._of_query(operation, url.query)
        content_type = call.headers.get("content-type", "").partition(";")[0].strip().lower()
        if self._strict and operation.version == "v3" and content_type != "application/json":
            return Verdict.REFUSED  # C40: only JSON is documented; the lenient reading and v2 do not insist
        return self._of_body(operation, call.body)

    def got(self, call: Exchange) -> Verdict:
        """What the answer says.

        Raises:
            ValueError: the answer is not of the contract's form.
        """
        answer = json.loads(call.answer) if call.answer else {}
        operation = self._by_path.get(urlsplit(call.url).path)
        if call.status == 404 and operation is not None and operation.method != call.method:
            if call.answer_headers.get("allow") != operation.method:
                raise ValueError("a refused method, and no Allow header that tells the right one")
            return Verdict.NO_SUCH_ROUTE
        if operation is not None and operation.version == "v2":
            if call.status != 200 or not isinstance(answer.get("code"), int):
                raise ValueError("a v2 answer has status 200 and a code")
            found = {0: Verdict.ACCEPTED, 4: Verdict.KEY_REFUSED}
            return found.get(answer["code"], Verdict.REFUSED)
        if call.status == 200:
            return Verdict.ACCEPTED
        if answer.get("code") != call.status or not answer.get("reason"):
            raise ValueError("a v3 error repeats its status and has a reason")
        reasons = {"INVALID_API_KEY": Verdict.KEY_REFUSED, "API_NOT_FOUND": Verdict.NO_SUCH_ROUTE}
        return reasons.get(answer["reason"], Verdict.REFUSED)

    def disagreement(self, call: Exchange) -> str | None:
        """What is wrong with the answer to a call, in a sentence; None when it is right."""
        expected = self.expected(call)
        try:
            got = self.got(call)
        except (ValueError, AttributeError) as error:
            return f"{expected.value} expected: {error}"
        if got is expected or (expected is Verdict.EITHER and got in (Verdict.ACCEPTED, Verdict.REFUSED)):
            return None
        return f"{expected.value} expected, {got.value} came"

    def _has_key(self, call: Exchange, operation: Operation) -> bool:
        """Whether the call carries a key in a form that the reading takes."""
        value = call.headers.get("authorization")
        if value is None:
            return not self._strict and operation.version == "v2" and bool(call.headers.get("x-omni-key"))
        scheme, _, key = value.strip().partition(" ")
        if scheme.lower() == "bearer":
            return bool(key.strip())
        return bool(value.strip()) and not self._strict

    def _of_query(self, operation: Operation, query: str) -> Verdict:
        reading = Reading.DOCUMENTED if self._strict else Reading.TOLERATED
        _, problems = operation.read_query(parse_qs(query, keep_blank_values=True), reading)
        # Names that no page knows are passed over, and a repeated filter is several kinds, whatever the reading.
        problems = [one for one in problems if one.keyword != "unknown-parameter" and "O5" not in one.because]
        # A well-formed id or cursor may still be one that the server never gave out.
        return Verdict.REFUSED if problems else Verdict.EITHER

    def _of_body(self, operation: Operation, raw: bytes) -> Verdict:
        try:
            body = json.loads(raw)
        except ValueError:
            return Verdict.REFUSED
        if not self._schemas[operation.path].is_valid(body):
            return Verdict.REFUSED
        return Verdict.REFUSED if self._rules.broken_rule(body) else Verdict.ACCEPTED


def _formats(catalogue: Catalogue, *, strict: bool) -> FormatChecker:
    """The formats of the contract as it means them; those of JSON Schema that it uses in answers only are left out."""
    checker = FormatChecker(formats=())

    def named(kind: Kind) -> Any:
        def known(name: object) -> bool:
            if not isinstance(name, str) or not name:
                return True  # the empty name is the schema's business (O2)
            found = catalogue.find(name, kind)
            return found is not None and found.model.usable and (found.documented or not strict)

        return known

    for name, kind in NAME_FORMATS.items():
        checker.checks(name)(named(kind))
    checker.checks("base64-image")(_is_picture)
    checker.checks("uri")(_is_http_url)
    return checker


def _is_picture(text: object) -> bool:
    """Whether a text is base64 of a PNG, JPEG or WebP file, as far as its header tells; "" stands for no picture."""
    if not isinstance(text, str) or not text:
        return True
    head, comma, tail = text.partition(",")
    if head.startswith("data:") and not comma:
        return False
    try:
        data = base64.b64decode(tail if head.startswith("data:") else text, validate=True)
        with Image.open(io.BytesIO(data)) as image:
            return image.format in ("PNG", "JPEG", "WEBP")
    except (binascii.Error, ValueError, UnidentifiedImageError, OSError):
        return False


def _is_http_url(text: object) -> bool:
    if not isinstance(text, str):
        return True
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and text.isprintable() and " " not in text
