"""Cassettes by themselves: what they may hold, what an audit finds, and how they are played."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.cassettes.audit import audit, looks_like
from mockserver.cassettes.cassette import (
    SUFFIX,
    Cassette,
    CassetteError,
    Ending,
    Picture,
    Poll,
    Webhook,
    as_json,
    load_cassettes,
    read_cassette,
)
from mockserver.cassettes.rehearsing import rehearsal_of
from mockserver.cassettes.scrubbing import kept_request
from mockserver.cassettes.seeing import seen_v2, seen_v3, thinned
from mockserver.core.task import Status
from openapi.catalogue import load_catalogue
from tests.mockserver.builders import make_task

ENDING = Ending(
    after_ms=9_000,
    status=Status.SUCCEED,
    reason="",
    seed=42,
    pictures=(Picture(type="png", width=512, height=512, bytes=7, sha256="a" * 64),),
)
JOB = Cassette(
    operation="createTxt2imgTask",
    match="0123456789abcdef" * 2,
    request={"request.prompt": "a dog", "request.steps": 20},
    usd="0.0015",
    submit_ms=120,
    polls=(
        Poll(after_ms=1_000, status=Status.QUEUED, progress=0.0),
        Poll(after_ms=3_000, status=Status.PROCESSING, progress=0.2),
        Poll(after_ms=7_000, status=Status.PROCESSING, progress=0.8),
        Poll(after_ms=9_000, status=Status.SUCCEED, progress=1.0),
    ),
    ending=ENDING,
    webhook=Webhook(after_ms=8_800, event_type="ASYNC_TASK_RESULT", status=Status.SUCCEED),
)
WRITTEN = orjson.dumps(as_json(JOB))


def played(job: Cassette) -> Any:
    """A task that follows a job, submitted at 0."""
    assert job.ending is not None
    task = make_task(submitted_ms=0, started_ms=0, finished_ms=0)
    rehearsal_of(job, job.ending).cast(task)
    return task


# Its form


def test_what_is_written_is_read_back() -> None:
    assert read_cassette(WRITTEN) == JOB
    unfinished = as_json(JOB) | {"ending": None, "webhook": None}
    assert as_json(read_cassette(orjson.dumps(unfinished))) == unfinished


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"format": "novita-mock-cassette/0"}, "format"),
        ({"match": "short"}, "match"),
        ({"headers": {"authorization": "Bearer"}}, "the file"),
        ({"request": {"request.prompt": ["a", "list"]}}, "request.request.prompt"),
        ({"polls": [{"after_ms": -1, "status": "TASK_STATUS_QUEUED", "progress": 0}]}, "polls.0.after_ms"),
        ({"polls": [{"after_ms": 1, "status": "TASK_STATUS_DONE", "progress": 0}]}, "polls.0.status"),
    ],
)
def test_what_has_no_place_in_it_is_refused(change: dict[str, Any], where: str) -> None:
    with pytest.raises(CassetteError, match=where):
        read_cassette(orjson.dumps(as_json(JOB) | change))


def test_a_picture_lies_beside_its_cassette_and_nowhere_else() -> None:
    written = as_json(JOB)
    written["ending"]["pictures"][0]["file"] = "../secret.png"
    with pytest.raises(CassetteError, match=r"pictures\.0\.file"):
        read_cassette(orjson.dumps(written))


def test_a_folder_without_cassettes_is_told(tmp_path: Path) -> None:
    with pytest.raises(CassetteError, match="no cassette there"):
        load_cassettes(tmp_path)
    (tmp_path / f"a{SUFFIX}").write_text("{")
    with pytest.raises(CassetteError, match="not JSON"):
        load_cassettes(tmp_path)


# What is kept


def test_only_what_is_named_is_kept_of_a_request() -> None:
    body = {
        "extra": {
            "response_image_type": "png",
            "webhook": {"url": "https://me.example/hook?token=abc"},
            "custom_storage": {"aws_s3": {"access_key": "AKIAABCDEFGHIJKLMNOP", "bucket": "mine"}},
        },
        "request": {
            "prompt": "a dog", "steps": 20, "image_base64": "aGVsbG8=", "api_key": "sk-secret",
            "user": "me@example.com",
            "loras": [{"model_name": "add_detail_44319", "strength": 0.6}],
        },
    }  # fmt: skip
    assert kept_request(body, prompts=True) == {
        "extra.response_image_type": "png",
        "request.prompt": "a dog",
        "request.steps": 20,
        "request.image_base64.sha256": hashlib.sha256(b"aGVsbG8=").hexdigest(),
        "request.loras.0.model_name": "add_detail_44319",
        "request.loras.0.strength": 0.6,
    }


def test_without_prompts_only_their_length_is_kept() -> None:
    assert kept_request({"request": {"prompt": "a dog", "negative_prompt": ""}}, prompts=False) == {
        "request.prompt.characters": 5,
        "request.negative_prompt.characters": 0,
    }


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    )
)
def test_whatever_a_service_answers_can_be_looked_at(answer: Any) -> None:
    for told in (answer, {"task": answer, "extra": answer, "images": answer}, {"data": answer}):
        seen_v3(told)
        seen_v2(told)


def test_an_answer_is_read_leniently() -> None:
    told = {"task": {"status": "TASK_STATUS_SUCCEED", "progress_percent": "none"}, "images": [None, {"image_type": 1}]}
    seen = seen_v3(told)
    assert seen is not None
    assert [picture.type for picture, _ in seen[3]] == ["png", "png"]


def test_many_polls_are_thinned_and_none_at_which_something_changed_is_lost() -> None:
    polls = [
        Poll(after_ms=n, status=Status.QUEUED if n < 100 else Status.PROCESSING, progress=n / 300) for n in range(300)
    ]
    left = thinned(polls)
    assert len(left) < 160
    assert {0, 99, 100, 299} <= {poll.after_ms for poll in left}


# The audit


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("draw with sk_abcd1234", "an API key"),
        ("Bearer abcdef123", "a bearer token"),
        ("AKIAABCDEFGHIJKLMNOP", "an AWS key id"),
        ("see https://bucket.example/a.png", "an address"),
        ("s3://bucket/key", "an address"),
        ("?X-Amz-Signature=00", "a signature"),
        ("eyJhbGciOiJIUzI1NiJ9.e30", "a JSON web token"),
        ("host 10.1.2.3", "an IP address"),
        ("6c8e5c0e-8c4a-4c53-9b58-0e6b6d0bb2f2", "a task id"),
        ("me@example.com", "an e-mail address"),
        ("C:\\Users\\someone", "a home folder"),
        ("93273a212e19f54803c4ccbde5bd52dc8a7f7fb5", "looks drawn by chance"),
    ],
)
def test_an_audit_finds_what_should_not_be_there(tmp_path: Path, text: str, what: str) -> None:
    file = tmp_path / f"job{SUFFIX}"
    file.write_bytes(orjson.dumps(as_json(JOB) | {"request": {"request.prompt": text}}))
    found = list(audit(file))
    assert any(what in one.what for one in found)
    assert {one.place for one in found} == {"request.request.prompt"}
    assert all(text not in one.what for one in found)


def test_an_audit_leaves_a_clean_cassette_alone(tmp_path: Path) -> None:
    file = tmp_path / f"job{SUFFIX}"
    file.write_bytes(WRITTEN)
    assert list(audit(file)) == []


def test_names_of_models_that_look_drawn_can_be_allowed() -> None:
    names = {model.sd_name_in_api for model in load_catalogue()}
    odd = [name for name in names if list(looks_like("request.request.model_name", name))]
    assert all(not list(looks_like("request.request.model_name", name, names)) for name in odd)


def test_an_audit_looks_into_kept_pictures(tmp_path: Path) -> None:
    written = as_json(JOB)
    written["ending"]["pictures"][0]["file"] = "job.0.png"
    (tmp_path / f"job{SUFFIX}").write_bytes(orjson.dumps(written))
    assert [one.what for one in audit(tmp_path)] == ["a picture that is not there"]
    (tmp_path / "job.0.png").write_bytes(b"\x89PNG tEXt Authorization: Bearer abcdefgh")
    assert [(one.place, one.what) for one in audit(tmp_path)] == [("job.0.png", "a bearer token")]


def test_a_file_that_is_no_cassette_fails_the_audit(tmp_path: Path) -> None:
    (tmp_path / f"job{SUFFIX}").write_text(json.dumps({"headers": {"x": "y"}}))
    [found] = audit(tmp_path)
    assert "no cassette as this version writes it" in found.what


# Played


def test_polls_at_the_recorded_times_see_what_was_recorded() -> None:
    task = played(JOB)
    for poll in JOB.polls:
        assert task.status_at(poll.after_ms) is poll.status
        assert task.progress_at(poll.after_ms) == pytest.approx(poll.progress, abs=1e-6)


def test_between_the_recorded_polls_progress_is_interpolated() -> None:
    task = played(JOB)
    assert task.progress_at(5_000) == pytest.approx(0.5)
    assert (task.started_ms, task.finished_ms) == (2_000, 8_000)
    seen = [task.progress_at(now_ms) for now_ms in range(0, 10_000, 50)]
    assert seen == sorted(seen)


def test_the_servers_own_times_win_as_far_as_they_fit_what_was_seen() -> None:
    ending = Ending(after_ms=9_000, status=Status.SUCCEED, reason="", seed=1, queued_ms=1_200, work_ms=6_900)
    assert JOB.ending is not None
    found = rehearsal_of(JOB, ending)
    assert (found.queued_ms, found.work_ms) == (1_200, 6_900)
    far = Ending(after_ms=9_000, status=Status.SUCCEED, reason="", seed=1, queued_ms=60_000, work_ms=1)
    found = rehearsal_of(JOB, far)
    assert (found.queued_ms, found.queued_ms + found.work_ms) == (3_000, 9_000)


def test_a_failed_job_fails_with_its_reason() -> None:
    failed = Cassette(
        operation=JOB.operation, match=JOB.match, request={}, usd="0.0015", submit_ms=1, polls=JOB.polls[:2],
        ending=Ending(after_ms=4_000, status=Status.FAILED, reason="out of memory", seed=None),
    )  # fmt: skip
    task = played(failed)
    assert (task.status_at(4_000), task.reason) == (Status.FAILED, "out of memory")


@given(
    st.lists(st.integers(0, 100_000), min_size=1, max_size=12, unique=True),
    st.integers(0, 6),
    st.integers(0, 6),
    st.none() | st.integers(0, 120_000),
    st.integers(0, 120_000),
)
def test_whatever_was_seen_is_seen_again(
    times: list[int], queued: int, going: int, queued_ms: int | None, work_ms: int
) -> None:
    """Polls at the recorded times tell the recorded statuses, whatever the server says of its own times."""
    times.sort()
    before = [Status.QUEUED] * queued + [Status.PROCESSING] * going
    statuses = [*before[: len(times) - 1], Status.SUCCEED]
    if len(statuses) < len(times):
        times = times[: len(statuses)]
    shown = {Status.QUEUED: 0.0, Status.PROCESSING: 0.5, Status.SUCCEED: 1.0}
    polls = [Poll(after_ms=at, status=one, progress=shown[one]) for at, one in zip(times, statuses, strict=True)]
    ending = Ending(
        after_ms=polls[-1].after_ms, status=Status.SUCCEED, reason="", seed=1, queued_ms=queued_ms,
        work_ms=None if queued_ms is None else work_ms,
    )  # fmt: skip
    job = Cassette(
        operation=JOB.operation,
        match=JOB.match,
        request={},
        usd="0.0015",
        submit_ms=1,
        polls=tuple(polls),
        ending=ending,
    )
    task = played(job)
    for poll in polls:
        assert task.status_at(poll.after_ms) is poll.status
