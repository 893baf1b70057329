"""What a submit request asks for, typed and version-neutral."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from mockserver.core.errors import Reason, Refusal, V2Code
from mockserver.core.findings import Code, Finding
from mockserver.core.recipe import ImageType, Recipe
from mockserver.core.task import Delivery, TaskType
from mockserver.faults.marks import MODEL_PREFIX
from mockserver.submissions.inputs import Pictures
from openapi.catalogue import Catalogue, Found, Kind, Model

RANDOM_SEED = -1
"""A recipe's seed before the world has drawn one."""
SHOWN_NAME = 120
"""Characters of an unknown name that a message repeats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A submission that passed every check.

    Attributes:
        recipe: what to draw; its seed is `RANDOM_SEED` when the request asks for a random one.
        delivery: how to hand it over.
        findings: what was accepted although it is not documented.
    """

    type: TaskType
    recipe: Recipe
    delivery: Delivery
    findings: Sequence[Finding]


@dataclass(slots=True, kw_only=True)
class Context:
    """What a reader needs beside the body.

    Attributes:
        operation_id: named in findings.
        catalogue: the models that exist.
        pictures: turns the body's picture strings into files, or refuses them.
        any_model: accept names that the catalogue does not hold.
        strict: the documented reading: what is only tolerated is refused.
        illegal_words: a prompt with one of these is refused as ILLEGAL_PROMPT.
        magic: reserved names stand for an ordinary checkpoint.
        findings: filled while reading.
    """

    operation_id: str
    catalogue: Catalogue
    pictures: Pictures
    any_model: bool = False
    strict: bool = False
    illegal_words: tuple[str, ...] = ()
    magic: bool = False
    findings: list[Finding] = field(default_factory=list)

    def note(self, code: Code, where: str, message: str, *because: str) -> None:
        """Records a finding about a field."""
        self.findings.append(Finding(code, f"{self.operation_id}: {where}", message, because))

    def model(self, name: str, kind: Kind, where: str) -> Model | None:
        """The catalogue's model of a name; None only when any name is accepted.

        Raises:
            Refusal: no usable model has the name.
        """
        found = self.catalogue.find(name, kind)
        if found is None and self.magic and kind is Kind.CHECKPOINT and name.startswith(MODEL_PREFIX):
            found = self._reserved(name, where)
        if found is None or not found.model.usable:
            if self.any_model:
                return None
            state = "is not usable (status 0)" if found else "is not in the model list"
            raise Refusal(
                Reason.INVALID_REQUEST_BODY,
                f"{where}: {kind.value} {name[:SHOWN_NAME]!r} {state}; "
                f"GET /v3/model?filter.types={kind.value} lists the names",
                v2_code=V2Code.MODEL_NOT_EXIST,
            )
        if not found.documented:
            self.refuse_or_note(
                Code.TOLERATED_REQUEST,
                where,
                f"{name!r} is taken as {found.documented_name!r}, the name that the documentation asks for",
                "C27",
            )
        return found.model

    def _reserved(self, name: str, where: str) -> Found | None:
        """The checkpoint that a reserved name stands for."""
        from mockserver.faults.magic import STAND_IN, is_reserved, unknown_model  # few requests name one

        if is_reserved(name):
            return self.catalogue.find(STAND_IN, Kind.CHECKPOINT)
        if self.any_model:
            return None
        raise Refusal(Reason.INVALID_REQUEST_BODY, f"{where}: {unknown_model(name)}", v2_code=V2Code.MODEL_NOT_EXIST)

    def refuse_or_note(self, code: Code, where: str, message: str, *because: str) -> None:
        """A finding in the lenient reading, a refusal in the strict one."""
        if self.strict:
            raise Refusal(Reason.INVALID_REQUEST_BODY, f"{where}: {message}")
        self.note(code, where, message, *because)

    def check_prompt(self, prompt: str, where: str) -> None:
        """Refuses a prompt that holds an illegal word."""
        if self.illegal_words:
            lowered = prompt.lower()
            for word in self.illegal_words:
                if word in lowered:
                    raise Refusal(
                        Reason.ILLEGAL_PROMPT,
                        f"{where}: the prompt holds {word!r}, which this server refuses",
                        v2_code=V2Code.NOT_SUPPORT if self.strict else None,  # 11 is known from a client only (C33)
                    )


Reader = Callable[[dict[str, object], Context], Submission]


@lru_cache(maxsize=1024)
def shared_delivery(
    image_type: str,
    nsfw: bool,
    nsfw_level: int,
    *,
    previews: bool = True,
    ttl_s: int | None = None,
    dedicated: bool = False,
) -> Delivery:
    """One `Delivery` for equal options: thousands of finished tasks share a few.

    Only options with few values: texts of clients (a webhook's URL) would be held here for ever.
    """
    return Delivery(
        image_type=ImageType(image_type),
        nsfw=nsfw,
        nsfw_level=nsfw_level,
        previews=previews,
        ttl_s=ttl_s,
        dedicated=dedicated,
    )


def note_base_model(model: Model | None, checkpoint: Model | None, where: str, context: Context) -> None:
    """A finding when an add-on was made for another base model: no page says what the service does then."""
    if model and checkpoint and model.is_sdxl != checkpoint.is_sdxl:
        context.note(
            Code.BASE_MODEL_MISMATCH,
            where,
            f"{model.sd_name} is for {model.base_model}; {checkpoint.sd_name} is {checkpoint.base_model}",
        )


def check_family(name: str, is_sdxl: bool, checkpoint: Model | None, where: str, context: Context) -> None:
    """The pages list control models for SD 1.5 and for SDXL apart: a mismatch is refused in the strict reading."""
    if checkpoint and checkpoint.is_sdxl != is_sdxl:
        family = "SDXL" if is_sdxl else "SD 1.5"
        context.refuse_or_note(
            Code.BASE_MODEL_MISMATCH,
            where,
            f"{name} is a control model for {family}; {checkpoint.sd_name} is {checkpoint.base_model}",
        )
