"""Runs Schemathesis, all phases, against a mock that listens on a real socket, and collects what it finds.

What Schemathesis needs to be told about this API stands here: which values our string formats have, which of its checks
do not fit and why, and how a case that is valid by the schema alone is made acceptable. Beside its own checks every
exchange is judged by `tests.contract.oracle`.
"""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any
from urllib.parse import urlsplit

import schemathesis
from hypothesis import strategies as st
from schemathesis import Case, Config
from schemathesis.engine import events, from_schema
from schemathesis.hooks import HookContext
from schemathesis.schemas import BaseSchema

from mockserver.core.clock import ClockMode
from mockserver.mock import Parts
from mockserver.outbound.sender import FakeSender
from mockserver.running import ServerThread
from mockserver.settings import Limits, Settings
from openapi.catalogue import Catalogue, Kind, load_catalogue
from openapi.document import Document, Reading
from tests.bodies import CHECKPOINT, base64_png
from tests.contract.cross_rules import CrossRules
from tests.contract.oracle import NAME_FORMATS, Exchange, Oracle, Verdict

KEY = "sk-mock-schemathesis"
VAE = "customVAE.safetensors"

EXCLUDED: Mapping[str, str] = {
    "ignored_auth": "it demands 401; the recorded answer to a missing or wrong key is 403 INVALID_API_KEY (C35)",
    "missing_required_header": "for Authorization it demands 401 (hard-coded); see ignored_auth",
    "unsupported_method": "it demands 405; the error table knows 404 API_NOT_FOUND for what no route has",
    "max_response_time": "off unless a limit is set; speed is measured by the benchmarks",
}
"""Checks of Schemathesis that do not fit this API, each with the reason. The oracle judges keys and methods instead."""

EXCLUDED_V2: Mapping[str, str] = {
    "negative_data_rejection": "a v2 error is HTTP 200 with a code other than 0 (C37); the oracle reads the code",
    "positive_data_acceptance": "a v2 refusal is HTTP 200 too, so that the check could never fail; as above",
}
"""Further checks that do not fit the v2 operations."""


EXCLUDED_CONTROL: Mapping[str, str] = {
    "ignored_auth": "any key opens a world of its own, so a made-up one is as good as another",
    "missing_required_header": EXCLUDED["missing_required_header"],
    "positive_data_acceptance": "clocks, durations and instants are texts whose form the document does not say",
    "max_response_time": EXCLUDED["max_response_time"],
}
"""Checks that do not fit the control interface."""

_NOT_FROM_ANSWERS = {"responses": False}
"""What a server said must not steer what is sent next: the same seed would not send the same cases, and the `name` of
a listed model, which is no name for requests (C27), would make nearly every body one with an unknown model."""


@dataclass(slots=True)
class Found:
    """What a run did and found.

    Attributes:
        cases: cases by phase.
        statuses: answers by phase and HTTP status.
        checks: how often each check ran.
        verdicts: answers by what the oracle expected.
        operations: operations reached, by phase.
        tasks: tasks that the mock accepted.
        problems: every failure, with what to send to see it again.
        errors: what kept the run from doing its work.
        sent: a digest of every request, in order, host and port apart.
        oracle: judges every exchange, where there is one.
    """

    oracle: Oracle | None = None
    cases: Counter[str] = field(default_factory=Counter)
    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    checks: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    operations: dict[str, set[str]] = field(default_factory=dict)
    tasks: int = 0
    problems: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    sent: Any = field(default_factory=blake2b)

    def take(self, event: events.EngineEvent) -> None:
        """Notes what the engine tells."""
        match event:
            case events.ScenarioFinished():
                self.problems += [f"{event.phase.value}: {line}" for line in self._problems(event)]
            case events.NonFatalError():
                self.errors.append(f"{event.label}: {event.value!r}")
            case events.FatalError():
                self.errors.append(repr(event.exception))
            case events.EngineFinished() if event.stop_reason.value != "completed":
                self.errors.append(f"the run ended early: {event.stop_reason.value}")

    def _problems(self, event: events.ScenarioFinished) -> Iterator[str]:
        recorder, phase = event.recorder, event.phase.value
        for case_id, node in recorder.cases.items():
            case = node.value
            self.cases[phase] += 1
            self.operations.setdefault(phase, set()).add(case.operation.label)
            interaction = recorder.interactions.get(case_id)
            if interaction is None or interaction.response is None:
                yield f"{case.operation.label}: no answer came"
                continue
            call = _exchange(interaction)
            self.sent.update(b"%s %s %s" % (call.method.encode(), _target(call.url).encode(), call.body))
            self.statuses[phase, call.status] += 1
            if self.oracle is not None:
                yield from self._judged(self.oracle, call, case)
            for check in recorder.checks.get(case_id, ()):
                self.checks[check.name] += 1
                if check.failure_info is not None:
                    failure = check.failure_info.failure
                    yield _told(check.name, failure.message or failure.title, call)

    def _judged(self, oracle: Oracle, call: Exchange, case: Case[Any]) -> Iterator[str]:
        expected = oracle.expected(call)
        self.verdicts[expected.value] += 1
        if expected is Verdict.REFUSED and case.meta is not None and case.meta.generation.mode.is_positive:
            # Our own slip, and one that would hide others: what must be refused anyhow tests nothing.
            yield _told("harness", "made to be valid, and is not", call)
        wrong = oracle.disagreement(call)
        if wrong:
            yield _told("oracle", wrong, call)

    def __str__(self) -> str:
        phases = ", ".join(f"{phase} {count}" for phase, count in self.cases.items())
        return f"{sum(self.cases.values())} cases ({phases}), {self.tasks} tasks accepted, {dict(self.verdicts)}"


def explore(
    document: Document, reading: Reading, *, examples: int, seed: int = 1, settings: Settings | None = None
) -> Found:
    """Runs every phase once.

    Args:
        document: the contract.
        reading: what the server is held against.
        examples: generated examples per operation and phase.
        seed: the same seed sends the same cases.
        settings: of the server; by default those that fit the reading.
    """
    catalogue = load_catalogue()
    strict = reading is Reading.DOCUMENTED
    register_formats(catalogue)
    oracle = Oracle(document, catalogue, reading)
    found = Found(oracle=oracle)
    with ServerThread(settings or settings_of(reading), Parts(sender=FakeSender())) as server:
        schema = schemathesis.openapi.from_dict(
            document.rendered(reading), config=Config.from_dict(_config(examples, seed))
        )
        schema.config.update(base_url=server.url)
        _add_hooks(schema, CrossRules(catalogue=catalogue, strict=strict))
        for event in from_schema(schema).execute():
            found.take(event)
        found.tasks = server.call(lambda: sum(world.created for world in server.mock.worlds))
    return found


def explore_control(*, examples: int, seed: int = 1) -> Found:
    """Runs every phase once against the control interface, by its own document."""
    found = Found()
    quick = Settings(clock=ClockMode.parse("manual"), limits=Limits(wait_s=0))
    with ServerThread(quick, Parts(sender=FakeSender())) as server:
        config = _config(examples, seed)
        config["checks"] = {name: {"enabled": False} for name in EXCLUDED_CONTROL if name != "max_response_time"}
        schema = schemathesis.openapi.from_url(f"{server.url}/__mock/openapi.json", config=Config.from_dict(config))
        schema.config.update(base_url=server.url)
        for event in from_schema(schema).execute():
            found.take(event)
    return found


def settings_of(reading: Reading) -> Settings:
    """A server that keeps to a reading. Its automatic clock lets a poll end a task, so that results are seen too."""
    return Settings(strict=reading is Reading.DOCUMENTED, clock=ClockMode.parse("auto"))


def register_formats(catalogue: Catalogue) -> None:
    """Gives Schemathesis acceptable values of our string formats; without them no generated body would be valid."""
    for name, kind in NAME_FORMATS.items():
        usable = [model for model in catalogue.query(types=[kind]) if model.usable]
        by_api_name = kind in (Kind.LORA, Kind.TEXTUALINVERSION)  # C27
        names = [model.sd_name_in_api if by_api_name else model.sd_name for model in usable]
        schemathesis.openapi.format(name, st.sampled_from(sorted(names)))
    pictures = [base64_png(), base64_png(8, 16), base64_png(200, 100, (0, 90, 200))]
    schemathesis.openapi.format("base64-image", st.sampled_from(pictures))
    hosts = st.from_regex(r"[a-z]{1,8}(\.[a-z]{1,8}){0,2}", fullmatch=True)
    schemathesis.openapi.format(
        "uri", st.builds("{}://{}/{}".format, st.sampled_from(["http", "https"]), hosts, st.integers(0, 9))
    )


def _config(examples: int, seed: int) -> dict[str, Any]:
    return {
        "seed": seed,
        # Without it an operation's scenario ends at the first failure, and what follows is not tested at all.
        "continue-on-failure": True,
        "headers": {"Authorization": f"Bearer {KEY}"},
        "generation": {"max-examples": examples, "mode": "all", "database": "none", "no-shrink": True},
        "checks": {name: {"enabled": False} for name in EXCLUDED if name != "max_response_time"},
        "operations": [
            {"include-path-regex": "^/v2/", "checks": {name: {"enabled": False} for name in EXCLUDED_V2}},
        ],
        "phases": {
            "examples": {"extra-data-sources": _NOT_FROM_ANSWERS},
            "coverage": {"extra-data-sources": _NOT_FROM_ANSWERS},
            "fuzzing": {"extra-data-sources": _NOT_FROM_ANSWERS, "error-feedback": {"enabled": False}},
            # The document's own links lead from a submit to its result. Guessed ones would put names of listed models
            # into bodies after the hooks below have run, and the wrong ones: a model's `name` is not its `sd_name`.
            "stateful": {"max-steps": 5, "inference": {"algorithms": []}},
        },
    }


def _add_hooks(schema: BaseSchema, rules: CrossRules) -> None:
    picture = base64_png()

    @schema.hook
    def map_case(context: HookContext, case: Case[Any]) -> Case[Any]:
        """Makes a case that was made to be valid acceptable: what the schema cannot say is put right.

        Bodies by `CrossRules`; names that no model has, which the coverage phase makes up because it forgets the format
        of a field that also has `not`. A cursor is the server's own (C42): a made-up one becomes the start of the list.
        """
        del context
        if case.meta is None or not case.meta.generation.mode.is_positive:
            return case
        if isinstance(case.body, dict):
            body = with_known_names(case.body, rules.catalogue)
            if rules.broken_rule(body):
                body = rules.repaired(body, picture)
            if body != case.body:
                case.body = body
        elif "pagination.cursor" in (case.query or {}):
            case.query["pagination.cursor"] = "c_0"
        return case


def with_known_names(body: dict[str, Any], catalogue: Catalogue) -> dict[str, Any]:
    """A body in which every checkpoint, VAE, LoRA and embedding exists."""
    body = copy.deepcopy(body)
    picture = body.get("request", body)
    places = [(picture, "model_name", Kind.CHECKPOINT, CHECKPOINT), (picture, "sd_vae", Kind.VAE, VAE)]
    places += [(one, "model_name", Kind.LORA, "add_detail_44319") for one in picture.get("loras") or ()]
    places += [(one, "model_name", Kind.TEXTUALINVERSION, "BadDream_53202") for one in picture.get("embeddings") or ()]
    for holder, key, kind, usual in places:
        found = catalogue.find(holder[key], kind) if holder.get(key) else None
        if holder.get(key) and (found is None or not found.documented):
            holder[key] = usual
    return body


def _target(url: str) -> str:
    """Path and query of a URL."""
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


def _exchange(interaction: Any) -> Exchange:
    request, response = interaction.request, interaction.response
    return Exchange(
        method=request.method,
        url=request.uri,
        headers={name.lower(): values[0] for name, values in request.headers.items()},
        body=request.body or b"",
        status=response.status_code,
        answer_headers={name.lower(): values[0] for name, values in response.headers.items()},
        answer=response.content,
    )


def _told(check: str, message: str, call: Exchange) -> str:
    """A failure, and what to send to see it again; long texts are cut in the middle."""
    body = call.body.decode("utf-8", "replace")
    if len(body) > 3000:
        body = f"{body[:2000]} ... {body[-1000:]}"
    sent = json.dumps({name: call.headers[name] for name in call.headers.keys() & {"content-type", "authorization"}})
    answer = call.answer[:500].decode("utf-8", "replace")
    sentence = " ".join(message.split())
    return f"[{check}] {sentence}\n  {call.method} {call.url} {sent}\n  {body}\n  -> {call.status} {answer}"
