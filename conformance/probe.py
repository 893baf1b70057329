"""Finds out what a target offers from a few cheap requests, most of them refusals; the answer is a capabilities file.

A route that answers as if it were not there is absent. An option is offered when a submit that is wrong inside that
option alone is refused; one that ignores the option accepts it (and makes one small task).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from conformance.bodies import IMG2IMG, TXT2IMG, Body, img2img, txt2img
from conformance.capabilities import FORMAT
from conformance.client import Says
from conformance.errors import NotMeasured, RouteGone
from conformance.expect import refused_v3
from conformance.session import Session
from openapi.requirements import Profile

OPTIONS: tuple[tuple[Profile, str, Body, Body], ...] = (
    (Profile.V3_WEBHOOKS, TXT2IMG, {"webhook": {}}, {}),
    (Profile.V3_NSFW, TXT2IMG, {"nsfw_detection_level": 9}, {}),
    (Profile.V3_STORAGE, TXT2IMG, {"custom_storage": {"aws_s3": {}}}, {}),
    (Profile.V3_CONTROL, IMG2IMG, {}, {"controlnet": {}}),
)
"""Profile, operation, and a wrong `extra` or `request` that only a server with that option refuses."""

OF_OPERATION: dict[Profile, tuple[str, ...]] = {
    Profile.V3_CORE: (TXT2IMG, "getTaskResult"),
    Profile.V3_IMG2IMG: (IMG2IMG,),
    Profile.V3_MODELS: ("listModels",),
    Profile.V2_CORE: ("createTxt2imgTaskV2", "getProgressV2"),
    Profile.V2_IMG2IMG: ("createImg2imgTaskV2", "getProgressV2"),
}
"""Profiles that need operations and nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a target offers.

    Attributes:
        operations: by operation id.
        profiles: by profile; one that could not be told is missing.
        seen: what each answer rests on, by the same names.
    """

    operations: dict[str, bool] = field(default_factory=dict)
    profiles: dict[str, bool] = field(default_factory=dict)
    virtual_clock: bool = False
    seen: dict[str, str] = field(default_factory=dict)

    def as_file(self, url: str, when: str) -> str:
        """The content of a capabilities file, with what it rests on as comments."""
        lines = [
            "# What the server offers. Edit it to claim more or less: what is claimed and absent is a violation,",
            "# what is disclaimed is not judged. `novita-conformance run URL --capabilities FILE` reads it.",
            f"format: {FORMAT}",
            f"target: {url}",
            f"probed: {when}",
            f"virtual_clock: {_word(self.virtual_clock)}",
        ]
        for heading, found in (("operations", self.operations), ("profiles", self.profiles)):
            lines.append(f"{heading}:")
            lines += [f"  {name}: {_word(offered)}  # {self.seen[name]}" for name, offered in found.items()]
        told = {*self.operations, *self.profiles}
        lines += [f"  # {name}: {why}" for name, why in self.seen.items() if name not in told]
        return "\n".join(lines) + "\n"


def _word(value: bool) -> str:
    return "true" if value else "false"


async def probe(session: Session) -> Capabilities:
    """What a target offers.

    Raises:
        Unreachable: nobody answers any more.
    """
    operations: dict[str, bool] = {}
    seen: dict[str, str] = {}
    for operation_id in session.document.operations:
        gone = await session.gone(operation_id)
        operations[operation_id] = gone is None
        seen[operation_id] = f"status {gone.status}" if gone is not None else "answers"
    profiles: dict[str, bool] = {}
    for profile, needed in OF_OPERATION.items():
        profiles[profile] = all(operations[operation_id] for operation_id in needed)
        seen[profile] = "as its operations"
    for profile, operation_id, extra, request in OPTIONS:
        if operations[operation_id]:
            try:
                await session.know_a_model(operation_id)
                profiles[profile], seen[profile] = await _option(session, operation_id, extra, request)
            except NotMeasured as end:
                seen[profile] = f"not told: {' '.join(end.reason.split())}"
    return Capabilities(operations=operations, profiles=profiles, virtual_clock=session.clock is not None, seen=seen)


async def _option(session: Session, operation_id: str, extra: Body, request: Body) -> tuple[bool, str]:
    make = txt2img if operation_id == TXT2IMG else img2img
    body = make(await session.names(), extra or None, **request)
    try:
        answer = await session.ask(operation_id, body, says=Says.UNCHECKED, purpose="whether an option is offered")
    except RouteGone as gone:
        return False, str(gone)
    refused, found = refused_v3(400, 422).judge(answer)
    return refused, "a wrong value is refused" if refused else f"a wrong value gives {' '.join(found.split())[:60]}"
