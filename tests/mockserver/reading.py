"""Reads request bodies as the operations do: first by the document, then by the version's reader."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import orjson
import pytest
from hypothesis import strategies as st

from mockserver.answers import View, progress, task_result
from mockserver.core.errors import Refusal
from mockserver.core.findings import Code
from mockserver.core.links import LinkSigner
from mockserver.parts.ids import SeededIds
from mockserver.parts.inputs import MemoryInputs
from mockserver.submissions import v2, v3
from mockserver.submissions.inputs import SubmittedPictures
from mockserver.submissions.submission import Context, Submission
from openapi.catalogue import Catalogue, load_catalogue
from openapi.document import Document, Reading, load
from tests.mockserver.builders import make_world

SD15 = "dreamshaper_8_93211.safetensors"
SDXL = "sd_xl_base_1.0.safetensors"
LORA, SDXL_LORA = "add_detail_44319", "AnimeStyle_XL_v1_AutoRunMech_103883"
EMBEDDING = "epiCNegative_66017"


READERS = {
    "createTxt2imgTask": v3.read_txt2img,
    "createImg2imgTask": v3.read_img2img,
    "createTxt2imgTaskV2": v2.read_txt2img,
    "createImg2imgTaskV2": v2.read_img2img,
}


@cache
def contract() -> Document:
    """The shipped document."""
    return load()


@cache
def models() -> Catalogue:
    """The shipped catalogue."""
    return load_catalogue()


def context(operation_id: str, **options: Any) -> Context:
    """What a reader needs, on a store of its own."""
    pictures = SubmittedPictures(MemoryInputs(), contract().picture_limits)
    return Context(operation_id=operation_id, catalogue=models(), pictures=pictures, **options)


def is_accepted(operation_id: str, body: object, reading: Reading) -> bool:
    """Whether the document accepts a body in a reading."""
    return contract().operations[operation_id].is_valid(body, reading)


def read(operation_id: str, body: dict[str, Any], *, strict: bool = False, **options: Any) -> Submission:
    """Reads a body that the document accepts in the reading in force; the body itself is left as it is."""
    reading = Reading.DOCUMENTED if strict else Reading.TOLERATED
    problems = contract().operations[operation_id].problems(body, reading)
    assert not problems, problems
    return READERS[operation_id](copy.deepcopy(body), context(operation_id, strict=strict, **options))


def refusal(operation_id: str, body: dict[str, Any], *, strict: bool = False, **options: Any) -> Refusal:
    """The refusal of a body that the document accepts and the reader does not."""
    with pytest.raises(Refusal) as refused:
        read(operation_id, body, strict=strict, **options)
    return refused.value


def reasons(operation_id: str, body: dict[str, Any]) -> set[str]:
    """Why the lenient reading accepts a body that the strict one refuses: the ids of the contradictions."""
    problems = contract().operations[operation_id].problems(body, Reading.DOCUMENTED)
    assert problems, "the documented reading accepts it"
    return {number for problem in problems for number in problem.because}


def codes(submission: Submission) -> list[Code]:
    """The kinds of a submission's findings, in order."""
    return [finding.code for finding in submission.findings]


ODD_VALUES: tuple[object, ...] = (
    None, "", "x", "TASK_STATUS_SUCCEED", "latent", True, False, 0, 1, 2, -1, 5000, 10**30, 0.5, -0.0, 1.0, 1e308,
    -1e308, 5e-324, [], [None], [""], {}, {"enabled": True}, [{}], "\x00", "<lora:x:1>", "<lora::>", "data:,",
)  # fmt: skip
"""What a client may put anywhere; most are refused, and what is accepted must be read."""


def leaves(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Paths of every member of a body, containers included."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, member in members:
        yield (*path, name)
        yield from leaves(member, (*path, name))


GONE = object()
"""Stands for a member that is taken away."""

Change = tuple[tuple[str | int, ...], object]


def changed(body: dict[str, Any], changes: Iterable[Change]) -> dict[str, Any]:
    """A copy of a body with members replaced or taken away; a place that is not there is left alone."""
    result = copy.deepcopy(body)
    for (*way, last), value in changes:
        holder: Any = result
        try:
            for step in way:
                holder = holder[step]
            if value is GONE:
                del holder[last]
            elif isinstance(holder, list) or last in holder:
                holder[last] = copy.deepcopy(value)  # type: ignore[index]  # a list is indexed by numbers only
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took the place away
    return result


def single_changes(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The body with each member in turn replaced by each odd value, and taken away."""
    for path in leaves(body):
        for value in (*ODD_VALUES, GONE):
            yield changed(body, [(path, value)])


def several_changes(body: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """The body with two to six odd places."""
    change = st.tuples(st.sampled_from(sorted(leaves(body), key=str)), st.sampled_from((*ODD_VALUES, GONE)))
    return st.lists(change, min_size=2, max_size=6).map(lambda changes: changed(body, changes))


def survives(operation_id: str, body: dict[str, Any]) -> bool:
    """Whether a body is accepted; if so, it must be read, planned, and shown without an error of ours."""
    if not is_accepted(operation_id, body, Reading.TOLERATED):
        return False
    try:
        submission = READERS[operation_id](body, context(operation_id))
    except Refusal:
        return False
    task = make_world().submit(
        operation_id=operation_id,
        type=submission.type,
        recipe=submission.recipe,
        delivery=submission.delivery,
        body=json.dumps(body).encode(),
    )
    assert task.submitted_ms <= task.started_ms <= task.finished_ms
    view = View(base_url="http://mock.test", signer=LinkSigner(b""), ids=SeededIds())
    show = progress if operation_id.endswith("V2") else lambda *seen: task_result(*seen[:3])
    for now_ms in (task.submitted_ms, task.started_ms, task.finished_ms):
        orjson.dumps(show(task, now_ms, view, []))
    return True
