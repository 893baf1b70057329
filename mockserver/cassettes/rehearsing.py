"""Plays cassettes: finds the recorded job of a submission, and gives the plan that its task is to follow.

What a poll shows is interpolated on the world's clock: between what two recorded polls saw lies the instant at which
the task went on, taken to be the middle unless the server's own times tell it better. So a recording of four polls is
played at any rate, and at any speed of the clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from mockserver.cassettes.cassette import Cassette, CassetteError, Ending
from mockserver.cassettes.scrubbing import match_of
from mockserver.core.errors import Reason, Refusal
from mockserver.core.recipe import ImageType, Recipe
from mockserver.core.rehearsal import Curve, Rehearsal
from mockserver.core.task import Status
from mockserver.parts.renderer import ReceiptRenderer
from mockserver.pictures import recipe_digest
from mockserver.submissions.submission import RANDOM_SEED, Submission

MAX_NEAR = 5
"""Differences to the nearest cassette that a refusal names."""


def rehearsal_of(cassette: Cassette, ending: Ending) -> Rehearsal:
    """How the task of a recorded job went.

    Args:
        cassette: the job.
        ending: how it ended.
    """
    last_queued = max((poll.after_ms for poll in cassette.polls if poll.status is Status.QUEUED), default=0)
    last_unfinished = max((poll.after_ms for poll in cassette.polls if not poll.status.terminal), default=0)
    going = (poll.after_ms for poll in cassette.polls if poll.status is Status.PROCESSING)
    start_ms = _between(last_queued, min(ending.after_ms, next(going, ending.after_ms)), ending.queued_ms)
    finish_ms = _between(max(last_unfinished, start_ms), ending.after_ms, _own_end(ending))
    confidences = [picture.nsfw_confidence for picture in ending.pictures]
    told = [one for one in confidences if one is not None]
    return Rehearsal(
        queued_ms=start_ms,
        work_ms=finish_ms - start_ms,
        outcome=ending.status,
        reason=ending.reason,
        seed=ending.seed,
        nsfw_confidences=tuple(told) if told and len(told) == len(confidences) else None,
        curve=tuple(_curve(cassette, start_ms, finish_ms - start_ms)),
    )


def _own_end(ending: Ending) -> int | None:
    return None if ending.queued_ms is None or ending.work_ms is None else ending.queued_ms + ending.work_ms


def _between(earliest: int, latest: int, own: int | None) -> int:
    """An instant after one and not after another: the server's own, as far as it can be, else the middle."""
    wanted = (earliest + latest + 1) // 2 if own is None else own
    return max(min(earliest + 1, latest), min(wanted, latest))


def _curve(cassette: Cassette, start_ms: int, work_ms: int) -> Curve:
    """Progress by share of the work's time; it never falls."""
    found: list[tuple[float, float]] = []
    for poll in cassette.polls:
        if poll.status is Status.PROCESSING and 0 < poll.after_ms - start_ms < work_ms:
            share, before = (poll.after_ms - start_ms) / work_ms, found[-1] if found else (0.0, 0.0)
            if share > before[0]:
                found.append((share, max(before[1], min(poll.progress, 0.99))))
    return tuple(found)


@dataclass(slots=True, kw_only=True)
class _Reel:
    """The cassettes of one request; several are played in turn, and the last again and again."""

    cassettes: list[Cassette] = field(default_factory=list)
    played: int = 0

    def next(self) -> Cassette:
        found = self.cassettes[min(self.played, len(self.cassettes) - 1)]
        self.played += 1
        return found


class Library:
    """Finds cassettes by what a submission asks for.

    Args:
        cassettes: to be played; those of the same request in this order.
        simulate: a request that is on no cassette is planned by the fleet; else it is refused.

    Raises:
        CassetteError: a kept picture is not there.

    Attributes:
        missed: submissions that were on no cassette.
        endless: cassettes without an end, which are not played: their recording stopped before.
    """

    def __init__(self, cassettes: Iterable[Cassette], *, simulate: bool = False) -> None:
        self._reels: dict[str, _Reel] = {}
        self._files: dict[bytes, Sequence[bytes | None]] = {}
        self._simulate = simulate
        self.missed = 0
        self.first_missed = ""
        self.endless: list[str] = []
        for cassette in cassettes:
            if cassette.ending is None:
                self.endless.append(cassette.name)
            else:
                _kept_pictures(cassette, cassette.ending)  # what is not there is told before anybody asks
                self._reels.setdefault(cassette.match, _Reel()).cassettes.append(cassette)

    @property
    def unplayed(self) -> list[str]:
        """Cassettes that nobody asked for."""
        return [one.name for reel in self._reels.values() for one in reel.cassettes[reel.played :]]

    def rehearse(self, operation_id: str, submission: Submission) -> Rehearsal | None:
        """How the task of a submission is to go; None: as the fleet plans it.

        Raises:
            Refusal: it is on no cassette; says what differs from the nearest.
        """
        recipe = submission.recipe
        reel = self._reels.get(match_of(operation_id, recipe, submission.delivery))
        if reel is None:
            self.missed += 1
            if self._simulate:
                return None
            text = self._nearest(operation_id, recipe)
            self.first_missed = self.first_missed or text
            raise Refusal(Reason.INVALID_REQUEST_BODY, text)
        cassette = reel.next()
        assert cassette.ending is not None, "others are not among them"
        pictures = _kept_pictures(cassette, cassette.ending)
        if any(pictures):
            self._files[_digest(recipe, cassette.ending.seed)] = pictures
        return rehearsal_of(cassette, cassette.ending)

    def file(self, recipe: Recipe, index: int) -> bytes | None:
        """A kept picture of a task's recipe."""
        pictures = self._files.get(_digest(recipe, recipe.seed)) or self._files.get(_digest(recipe, None), ())
        return pictures[index] if index < len(pictures) else None

    def _nearest(self, operation_id: str, recipe: Recipe) -> str:
        asked = {
            "model_name": recipe.model, "prompt": recipe.prompt, "width": recipe.width, "height": recipe.height,
            "steps": recipe.steps, "seed": recipe.seed, "sampler_name": recipe.sampler,
            "guidance_scale": recipe.guidance, "image_num": recipe.count,
        }  # fmt: skip
        candidates = [one for reel in self._reels.values() for one in reel.cassettes if one.operation == operation_id]
        if not candidates:
            known = ", ".join(sorted({one.operation for reel in self._reels.values() for one in reel.cassettes}))
            return f"no cassette has a {operation_id}; recorded: {known or 'nothing'}"
        told = [(_differences(asked, one), one) for one in candidates]
        differences, nearest = min(told, key=lambda one: len(one[0]))
        text = "; ".join(differences[:MAX_NEAR]) or "something that cassettes do not tell, such as a picture"
        return f"no cassette has this request; the nearest, {nearest.name or 'a cassette'}, differs in {text}"


class KeptPictures(ReceiptRenderer):
    """Gives recorded pictures where they were kept, and draws the others.

    Args:
        library: where they are.
    """

    __slots__ = ("_library",)

    def __init__(self, library: Library) -> None:
        self._library = library

    def render(self, recipe: Recipe, index: int, image_type: ImageType) -> bytes:
        """See `Renderer.render`."""
        return self._library.file(recipe, index) or super().render(recipe, index, image_type)


def _kept_pictures(cassette: Cassette, ending: Ending) -> list[bytes | None]:
    """The pictures of a cassette.

    Raises:
        CassetteError: one that was kept is not there.
    """
    found: list[bytes | None] = []
    for picture in ending.pictures:
        if picture.file is None or cassette.folder is None:
            found.append(None)
            continue
        try:
            found.append((cassette.folder / picture.file).read_bytes())
        except OSError as error:
            raise CassetteError(f"{cassette.name}: cannot read its picture {picture.file}: {error.strerror}") from None
    return found


def _digest(recipe: Recipe, seed: int | None) -> bytes:
    """Of a recipe with the seed in use; None: whichever it is."""
    return recipe_digest(replace(recipe, seed=RANDOM_SEED if seed is None else seed))


def _differences(asked: dict[str, object], cassette: Cassette) -> list[str]:
    """What a request asks for otherwise than a cassette's, as far as both tell it."""
    recorded = {name.rpartition(".")[2]: value for name, value in cassette.request.items()}
    return [
        f"{name}: {recorded[name]!r:.60} was recorded, came {value!r:.60}"
        for name, value in asked.items()
        if name in recorded and recorded[name] is not None and recorded[name] != value
    ]
