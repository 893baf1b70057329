"""The items around the calls: faults, deliveries, picture links, kinds of models, versions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping

from mockserver.coverage.fields import Field
from mockserver.coverage.item import Dimension, Item, WebhookOutcome, make_item
from mockserver.faults.effects import effects_at
from mockserver.faults.points import Point
from openapi.catalogue import Catalogue, Kind
from openapi.document import Operation

IMAGE_TYPE_AT = "extra.response_image_type"
"""Where a request of either version says which format its pictures have."""


_WEBHOOK_TESTS = {
    WebhookOutcome.DELIVERED: "Let the receiver take an event at the first attempt.",
    WebhookOutcome.RETRIED: "Let the receiver refuse the first attempt and take a later one.",
    WebhookOutcome.EXHAUSTED: "Let the receiver refuse every attempt, and learn the outcome by polling.",
}


def possible_faults() -> list[tuple[str, str]]:
    """Each point with each effect that makes sense there."""
    return [(point.value, kind.value) for point in Point for kind in effects_at(point)]


def faults(pairs: Iterable[tuple[str, str]]) -> Iterator[Item]:
    """Each point with each of its effects."""
    listed = list(dict.fromkeys(pairs))
    points = [point for point, _ in listed]
    for point, effect in listed:
        yield make_item(
            Dimension.FAULTS,
            "any",
            f"{point}:{effect}",
            group=point,
            label=effect,
            share=points.count(point),
            test=f"Plan a fault at {point} ({effect}), and let the client get through it.",
        )


def webhooks(bodies: Mapping[str, tuple[Field, ...]]) -> Iterator[Item]:
    """How a delivery may end, and the outcomes that test mode can be asked for."""
    for outcome in WebhookOutcome:
        test = _WEBHOOK_TESTS[outcome]
        yield make_item(Dimension.WEBHOOKS, "v3", outcome.value, label=outcome.value, test=test, group="deliveries")
    path = "extra.webhook.test_mode.return_task_status"
    words = {
        edge.value: None
        for fields in bodies.values()
        for one in fields
        for field in one.walk()
        if field.path == path
        for edge in field.edges
    }
    for word in words:
        mode = {"enabled": True, "return_task_status": word}
        example = {"extra": {"webhook": {"url": "<address of your receiver>", "test_mode": mode}}}
        yield make_item(
            Dimension.WEBHOOKS,
            "v3",
            f"test-mode={word}",
            group="test mode",
            label=str(word),
            test=f"Let test mode deliver {word}.",
            example=json.dumps(example),
        )


def links(bodies: Mapping[str, tuple[Field, ...]], polls: Mapping[str, str]) -> Iterator[Item]:
    """Pictures by version and format, and what becomes of a link in time."""
    for version in ("v3", "v2"):
        words: dict[str, None] = {}
        for operation_id, fields in bodies.items():
            if operation_id.endswith("V2") == (version == "v2"):
                for field in (inner for one in fields for inner in one.walk()):
                    if field.path == IMAGE_TYPE_AT:
                        words.update({str(edge.value): None for edge in field.edges if edge.value is not None})
        for word in words:
            yield make_item(
                Dimension.LINKS,
                version,
                f"{version}:opened:{word}",
                group=f"{version} pictures",
                label=f"{word} opened",
                share=len(words),
                needs=polls[version],
                test=f"Open the link of a {version} picture in format {word}.",
                example=json.dumps({"extra": {"response_image_type": word}}),
            )
        expired = f"{Dimension.LINKS.value}:{version}:expired"
        for name, needs, test in (
            ("expired", polls[version], f"Open the link of a {version} picture after it has expired."),
            ("renewed", expired, f"After an expired {version} link, ask for the task again and open the fresh link."),
        ):
            group = f"{version} expiry"
            yield make_item(
                Dimension.LINKS, version, f"{version}:{name}", label=name, group=group, needs=needs, test=test
            )


def models(queries: Mapping[str, tuple[Field, ...]], catalogue: Catalogue | None) -> Iterator[Item]:
    """Kinds of models, and sorts of checkpoints."""
    for field in queries.get("listModels", ()):
        if field.name == "filter.types":
            for edge in field.edges:
                test = f"Name a model of kind {edge.value} in a request."
                yield make_item(
                    Dimension.MODELS, "any", f"kind={edge.value}", label=str(edge.value), test=test, group="kinds"
                )
    for base in bases(catalogue or ()):
        test = f"Name a checkpoint made for {base} in a request."
        yield make_item(Dimension.MODELS, "any", f"checkpoint={base}", label=base, test=test, group="checkpoints")


def bases(catalogue: Catalogue | tuple[()]) -> dict[str, list[str]]:
    """The sorts of checkpoints that requests may name, and the names of each."""
    found: dict[str, list[str]] = {}
    for model in catalogue:
        if model.kind is Kind.CHECKPOINT and model.usable:
            base = f"{model.base_model} {model.base_model_type}"
            found.setdefault(base, []).extend((model.sd_name, model.sd_name_in_api))
    return dict(sorted(found.items()))


def versions(operations: list[Operation]) -> Iterator[Item]:
    """The versions, the current one first."""
    for version in sorted({one.version for one in operations}, reverse=True):
        test = f"Call an operation of {version}."
        yield make_item(Dimension.VERSIONS, "any", version, label=version, test=test, group="versions")
