"""Schemathesis as a generator: its cases come out, our client sends them, and nothing else reaches the target.

Written against version 4: the engine's events and the transport are no documented interface, which is why the extra
pins the major version and tests hold every switch that is set here. Cases are sent one at a time, in the order of the
seed; formats of strings are registered with the library as a whole, for that is the only way it knows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import requests
import schemathesis
from hypothesis import strategies as st
from schemathesis import Case, Config
from schemathesis.core.transport import Response
from schemathesis.engine import events, from_schema
from schemathesis.specs.openapi.schemas import OpenApiSchema
from schemathesis.transport.requests import REQUESTS_TRANSPORT, RequestsTransport

from conformance.fuzz_bodies import Tamer, pool
from conformance.fuzz_judge import Call
from conformance.wire import Exchange
from openapi.document import Document, Operation, Reading
from openapi.vocabulary import JsonObject

NOWHERE = "http://127.0.0.1:9"
"""Where the engine believes the target to be. What it sends past our transport, two probes of what a server's HTTP
layer takes, ends there unheard, so that a run sends the same whatever the server is."""

KEPT: Mapping[str, str] = {
    "not_a_server_error": "ROBUST-001; our own judge, which also knows what was wrong with the call, says the same",
}
"""Checks of Schemathesis that run, and the row that they stand for."""

LEFT_OUT: Mapping[str, str] = {
    "ignored_auth": "demands 401; the recorded answer to a missing or wrong key is 403 (C35)",
    "missing_required_header": "demands 401 for Authorization, whatever the configuration says; V3-AUTH has checks",
    "unsupported_method": "demands 405; the error table knows 404 for what no route has (V3-ERROR-008 takes any 4xx)",
    "allow_header_conformance": "no page speaks of the header Allow",
    "status_code_conformance": "an undocumented 413 or 415 may come from a gateway; rows say where it is wrong",
    "content_type_conformance": "conformance.oracle judges it, and knows which row it belongs to",
    "response_headers_conformance": "the document states no headers of answers",
    "response_schema_conformance": "knows one reading; conformance.oracle holds each answer to both",
    "negative_data_rejection": "knows one reading, and takes an error of v2 (HTTP 200 and a code) for an acceptance",
    "positive_data_acceptance": "takes a refusal of v2 for an acceptance; and cannot tell what a schema cannot say",
    "use_after_free": "no operation deletes anything",
    "ensure_resource_availability": "a task of test mode need not be there to be asked for; V3-LIFE-001 has a check",
    "object_level_authorization": "needs two accounts whose tasks it knows; V3-AUTH-006 has a check",
    "max_response_time": "no page states a time",
}
"""Checks of Schemathesis that do not fit this API, each with the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What to generate.

    Attributes:
        examples: of each operation in the fuzzing phase, and chains of calls in the stateful one.
        operations: ids of what is asked; the others are left out.
        valid: ids of those that may get valid bodies too.
    """

    seed: int
    examples: int
    phases: Sequence[str]
    operations: Sequence[str]
    valid: Sequence[str]
    key: str


def run(
    document: Document,
    settings: Settings,
    tamer: Tamer,
    send: Callable[[Call], Exchange],
    ended: Callable[[], bool],
) -> list[str]:
    """Generates and sends; blocks until all is sent or `ended` says so.

    Args:
        send: sends one call and judges its answer; called in this thread.

    Returns:
        What kept the generator from its work, in words.
    """
    _register_formats(tamer)
    transport = _Transport(document, tamer, send)
    errors: list[str] = []
    raw = document.rendered(Reading.DOCUMENTED)
    if "examples" in settings.phases:
        errors += _run(raw, document, replace(settings, phases=("examples",)), transport, ended)
    others = tuple(phase for phase in settings.phases if phase != "examples")
    if others and not ended():
        # Where there are examples the coverage phase varies them, and tries few values of what they leave out.
        errors += _run(_without_examples(raw), document, replace(settings, phases=others), transport, ended)
    return errors


def _run(
    raw: JsonObject,
    document: Document,
    settings: Settings,
    transport: _Transport,
    ended: Callable[[], bool],
) -> list[str]:
    errors: list[str] = []
    stream = from_schema(_schema(raw, document, settings, transport)).execute()
    for event in stream:
        match event:
            case events.NonFatalError():
                errors.append(f"{event.label}: {event.value!r}"[:500])
            case events.FatalError():
                errors.append(repr(event.exception)[:500])
        if ended():
            stream.stop()
    return errors


def _without_examples(node: Any) -> Any:
    """A copy of the document, or a part, that shows no examples."""
    if isinstance(node, dict):
        return {key: _without_examples(inner) for key, inner in node.items() if key != "examples"}
    return [_without_examples(inner) for inner in node] if isinstance(node, list) else node


class _Transport(RequestsTransport):
    """Builds requests as Schemathesis does, and hands them over."""

    def __init__(self, document: Document, tamer: Tamer, send: Callable[[Call], Exchange]) -> None:
        super().__init__()
        self._serializers = REQUESTS_TRANSPORT._serializers  # they are registered with the one that ships
        self._by_path = {one.path: one for one in document.operations.values()}
        self._tamer = tamer
        self._send = send

    def send(self, case: Case[Any], *, session: object = None, **kwargs: Any) -> Response:
        """Sends a case through the suite's client."""
        del session
        meta = case.meta
        positive = meta is not None and meta.generation.mode.is_positive
        if positive and "pagination.cursor" in (case.query or {}):
            case.query["pagination.cursor"] = ""  # a cursor is the server's own (C42)
        data = self.serialize_case(case, **{key: kwargs[key] for key in ("base_url", "headers") if key in kwargs})
        prepared = requests.Request(**data).prepare()
        parts = urlsplit(prepared.url or "")
        raw = prepared.body.encode() if isinstance(prepared.body, str) else prepared.body
        content = raw if isinstance(raw, bytes) else None
        headers = {name.lower(): _text(value) for name, value in prepared.headers.items()}
        headers.pop("content-length", None)
        operation = self._by_path[case.operation.path]
        if prepared.method == operation.method:
            content = _fit(self._tamer, operation, content, positive=positive)
        call = Call(
            operation=operation,
            method=prepared.method or "",
            target=parts.path + (f"?{parts.query}" if parts.query else ""),
            headers=headers,
            content=content,
            phase=meta.phase.name.value if meta else "",
            positive=positive,
        )
        return _response(prepared, self._send(call))


def _response(prepared: requests.PreparedRequest, exchange: Exchange) -> Response:
    """What the engine sees. No answer looks like one of 408: the engine would take the server for gone."""
    return Response(
        status_code=exchange.status or 408,
        headers={name: [value] for name, value in exchange.headers.items()},
        content=exchange.body,
        request=prepared,
        elapsed=exchange.took_s,
        verify=True,
    )


def _schema(raw: JsonObject, document: Document, settings: Settings, transport: _Transport) -> OpenApiSchema:
    class Schema(OpenApiSchema):
        """The document, sent through our transport."""

        @property
        def transport(self) -> _Transport:
            return transport

    config = Config.from_dict(_config(document, settings)).projects.get(raw)
    schema = Schema(raw_schema=raw, config=config)
    schema.filter_set = config.operations.filter_set_with(include=schema.filter_set)
    schema.config.update(base_url=NOWHERE)
    return schema


def _config(document: Document, settings: Settings) -> dict[str, Any]:
    no_reuse = {"responses": False}  # what a server said must not steer what is sent next
    off = {"enabled": False}
    single: list[dict[str, Any]] = []
    for operation_id in document.operations:
        if operation_id not in settings.operations:
            single.append({"include-operation-id": operation_id, **off})
        elif operation_id not in settings.valid:
            single.append({"include-operation-id": operation_id, "generation": {"mode": "negative"}})
    return {
        "seed": settings.seed,
        "continue-on-failure": True,  # else an operation's first failure hides all that follows
        "headers": {"Authorization": f"Bearer {settings.key}"},
        "max-redirects": 0,
        "cache": off,
        "generation": {
            "max-examples": settings.examples,
            "mode": "all",
            "database": "none",
            "no-shrink": True,  # shrinking multiplies the calls by ten; the suite narrows by itself
        },
        "checks": {name: off for name in LEFT_OUT if name != "max_response_time"},
        "operations": single,
        "phases": {
            "examples": {"enabled": "examples" in settings.phases, "extra-data-sources": no_reuse},
            "coverage": {
                "enabled": "coverage" in settings.phases,
                "extra-data-sources": no_reuse,
                "unexpected-methods": ["DELETE", "PATCH"],
            },
            "fuzzing": {
                "enabled": "fuzzing" in settings.phases,
                "extra-data-sources": no_reuse,
                "error-feedback": off,
            },
            # The document's own links lead from a submit to its result; guessed ones would put names of listed models
            # into bodies, and the wrong ones (C27).
            "stateful": {"enabled": "stateful" in settings.phases, "max-steps": 4, "inference": {"algorithms": []}},
        },
    }


def _register_formats(tamer: Tamer) -> None:
    """Acceptable values of the document's own string formats; without them no generated body would be valid."""
    names = {
        "checkpoint-name": tamer.names.checkpoint,
        "vae-name": tamer.names.vae,
        "lora-name": tamer.names.lora,
        "embedding-name": tamer.names.embedding,
    }
    for name, value in names.items():
        schemathesis.openapi.format(name, st.sampled_from([value or "none"]))
    schemathesis.openapi.format("base64-image", st.sampled_from(pool()))
    schemathesis.openapi.format("uri", st.just("http://127.0.0.1:9/"))


def _fit(tamer: Tamer, operation: Operation, content: bytes | None, *, positive: bool) -> bytes | None:
    """The bytes of a body, a valid one made acceptable, a wrong one made cheap where it is not wrong.

    Done here and not in a hook of the library: hooks do not see the cases of the examples phase.
    """
    try:
        body = json.loads(content or b"")
    except (ValueError, RecursionError):
        return content
    if not isinstance(body, dict) or operation.body is None:
        return content
    tamed = tamer.valid(operation.operation_id, body) if positive else tamer.harmless(operation, body)
    return content if tamed == body else json.dumps(tamed).encode()


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
