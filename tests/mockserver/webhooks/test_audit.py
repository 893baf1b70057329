"""The audit of a receiver: good ones pass, and each bad habit is found by the check that is about it."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from standardwebhooks import Webhook, WebhookVerificationError

from mockserver.outbound.guard import Targets
from mockserver.outbound.sender import ErrorKind, FakeSender, HttpSender, Outcome
from mockserver.parts.wall import FakeWall, SystemWall
from mockserver.webhook_commands import webhook
from mockserver.webhooks.audit import LARGE_BYTES, Audit, NotAllowed, Report, Unreachable, Verdict
from mockserver.webhooks.audit_checks import CHECKS
from mockserver.webhooks.audit_report import as_json, as_sarif, as_text
from mockserver.webhooks.signature import Signer
from openapi.document import Document, Reading
from openapi.requirements import load_requirements
from tests.mockserver.outbound.receivers import (
    Manners,
    Received,
    Receiver,
    hangs,
    http,
    late,
    receiver,
    resets,
    says,
)

PAGE = Path(__file__).parents[3] / "docs" / "webhook-audit.md"
SECRET = "whsec_" + b64encode(b"thirty-two bytes of our own, yes").decode()
ALLOWED_S = 5.0
TASK_ID = "f10333f2-2dd7-4f56-a177-e3c02a774d9a"

Decide = Callable[[dict[str, Any], Received], Manners | None]


def picky(decide: Decide) -> Manners:
    """Answers 200 to every event for which a function of event and request names no other manners; 405 to GET."""

    async def answer(made: Receiver, request: Received, writer: asyncio.StreamWriter) -> None:
        if request.method == "GET":
            writer.write(http(405))
            return
        chosen = decide(json.loads(request.body), request)
        await (chosen or says(http()))(made, request, writer)

    return answer


def good() -> Manners:
    return picky(lambda event, request: None)


def audited(
    manners: Manners, *, allowed_s: float = ALLOWED_S, signer: Signer | None = None, task_id: str | None = None
) -> tuple[Report, Receiver]:
    async def run() -> tuple[Report, Receiver]:
        async with receiver(manners) as made:
            sender = HttpSender(Targets())
            audit = Audit(
                url=made.url + "?token=canary",
                sender=sender,
                wall=SystemWall(),
                seed=7,
                allowed_s=allowed_s,
                signer=signer,
                task_id=task_id,
            )
            return await audit.run(), made

    return asyncio.run(run())


def codes(report: Report, verdict: Verdict = Verdict.FAIL) -> list[str]:
    return [result.check.code for result in report.results if result.verdict is verdict]


# Good receivers


def test_a_good_receiver_has_no_findings(document: Document) -> None:
    """Every check passes, and every event but those that are strange on purpose is valid against the document."""
    report, made = audited(good())
    assert codes(report, Verdict.PASS) == [check.code for check in CHECKS if check.code != "NV512"]
    assert len(report.attempts) == len(made.received)
    posted = [json.loads(request.body) for request in made.received if request.method == "POST"]
    for event in posted:
        if event["event_type"] == "ASYNC_TASK_RESULT":
            assert document.webhooks["asyncTaskResult"].problems(event, Reading.DOCUMENTED) == []
    assert [event["event_type"] for event in posted].count("ANOTHER_EVENT") == 1


def test_what_is_sent_is_what_the_checks_say() -> None:
    """A repeat is the same bytes, eight at once are too; one body is over 1 MiB; a task contradicts itself."""
    _, made = audited(good())
    requests = [request for request in made.received if request.method == "POST"]
    ids = [request.headers["novita-mock-delivery"] for request in requests]
    assert sorted(ids.count(id) for id in set(ids)) == [1, 1, 1, 1, 1, 1, 2, 8]
    for id in set(ids):
        assert len({request.body for request in requests if request.headers["novita-mock-delivery"] == id}) == 1
    [large] = [request.body for request in requests if len(request.body) > LARGE_BYTES]
    assert len(json.loads(large)["payload"]["images"]) == 8
    told: dict[str, list[str]] = {}
    for request in requests:
        task = json.loads(request.body)["payload"]["task"]
        told.setdefault(task["task_id"], []).append(task["status"].removeprefix("TASK_STATUS_"))
    assert ["SUCCEED", "FAILED"] in told.values()
    assert ["FAILED"] in told.values()
    assert {request.headers["content-type"] for request in requests} == {"application/json"}


def test_the_time_allowed_by_default_is_the_documented_one() -> None:
    fake = FakeSender()
    report = asyncio.run(Audit(url="http://receiver.test/", sender=fake, wall=FakeWall(), seed=1).run())
    assert report.allowed_s == 5.0
    assert [timeout_s for _, timeout_s in fake.sent] == [15.0] + [5.0] * (len(fake.sent) - 1)


def test_a_task_of_the_receivers_own_can_be_named() -> None:
    _, made = audited(good(), task_id=TASK_ID)
    tasks = {json.loads(request.body)["payload"]["task"]["task_id"] for request in made.received if request.body}
    assert tasks == {TASK_ID}


# Bad habits


def fails_when(wrong: Callable[[dict[str, Any], Received], bool], status: int = 500) -> Manners:
    return picky(lambda event, request: says(http(status)) if wrong(event, request) else None)


def on_repeat() -> Manners:
    """500 to bytes that it has seen before."""
    seen: set[bytes] = set()

    def wrong(event: dict[str, Any], request: Received) -> bool:
        known = request.body in seen
        seen.add(request.body)
        return known

    return fails_when(wrong)


def on_second_state() -> Manners:
    """409 to a task that it knows in another state."""
    states: dict[str, str] = {}

    def wrong(event: dict[str, Any], request: Received) -> bool:
        task = event["payload"]["task"]
        return bool(states.setdefault(task["task_id"], task["status"]) != task["status"])

    return fails_when(wrong, 409)


def when_busy() -> Manners:
    """503 to a second delivery while another is worked on."""
    busy: list[bool] = []

    async def answer(made: Receiver, request: Received, writer: asyncio.StreamWriter) -> None:
        if request.method == "POST" and busy:
            writer.write(http(503))
            return
        busy.append(True)
        await late(0.05)(made, request, writer)
        busy.pop()

    return answer


@pytest.mark.parametrize(
    ("manners", "found"),
    [
        (on_repeat, ["NV503", "NV508"]),
        (lambda: fails_when(lambda event, _: event["event_type"] != "ASYNC_TASK_RESULT", 400), ["NV504"]),
        (lambda: fails_when(lambda event, _: not event["payload"]["images"]), ["NV505", "NV509"]),
        (lambda: fails_when(lambda _, request: len(request.body) > LARGE_BYTES, 413), ["NV506"]),
        (lambda: picky(lambda _, request: resets if len(request.body) > LARGE_BYTES else None), ["NV506"]),
        (when_busy, ["NV508"]),
        (on_second_state, ["NV509"]),
        (lambda: fails_when(lambda event, _: "field_of_tomorrow" in event, 422), ["NV510"]),
        (lambda: fails_when(lambda event, _: "field_of_tomorrow" in event["payload"]["task"], 422), ["NV510"]),
        (lambda: fails_when(lambda event, _: True), [f"NV5{n:02}" for n in (2, 3, 4, 5, 6, 8, 9, 10)]),
    ],
    ids=[
        "a repeat",
        "an unknown event",
        "no pictures",
        "a large body",
        "a large body, reset",
        "two at once",
        "a changed state",
        "an unknown field",
        "an unknown field of a task",
        "everything",
    ],
)
def test_each_bad_habit_is_found_by_its_check(manners: Callable[[], Manners], found: list[str]) -> None:
    report, _ = audited(manners())
    assert codes(report) == found


def test_a_slow_receiver_is_a_finding_with_the_time_it_took() -> None:
    """The first answer is waited for longer than allowed, to be measured; checks with late answers are undecided."""
    report, _ = audited(late(0.7), allowed_s=0.3)
    assert codes(report) == ["NV501"]
    assert {"NV502", "NV503"} <= set(codes(report, Verdict.UNDECIDED))
    [finding] = report.findings
    assert re.match(r"slowest answer after \d+ ms; 0\.3 s are allowed \(\d+ of 16 deliveries\)", finding.message)
    first = next(result for result in report.results if result.check.code == "NV502").attempts[0].outcome
    assert first.status == 200
    assert 690 <= first.elapsed_ms < 1500


def test_a_receiver_that_is_slow_with_one_event_is_slow() -> None:
    slow = picky(lambda event, _: late(1.5) if event["event_type"] == "ANOTHER_EVENT" else None)
    report, _ = audited(slow, allowed_s=1.0)
    assert codes(report) == ["NV501"]
    assert codes(report, Verdict.UNDECIDED) == ["NV504"]


def test_a_receiver_that_never_answers_is_not_asked_again() -> None:
    """Its silence is the finding; the rest would only take time."""
    report, made = audited(hangs, allowed_s=0.1)
    assert codes(report) == ["NV501"]
    assert report.findings[0].message.startswith("no whole answer within 3")
    assert made.connections == 1
    assert "NV503" in codes(report, Verdict.UNDECIDED)


def test_a_receiver_that_hangs_up_is_a_finding() -> None:
    report, _ = audited(says(b""))
    assert "NV502" in codes(report)
    assert "closed" in as_text(report)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_a_finding_and_nothing_is_sent_there(status: int) -> None:
    """Also when it leads to an address that may be called; secrets of the address are not told."""

    async def run() -> None:
        async with receiver(good()) as other:
            location = f"Location: {other.url}?token=canary"
            async with receiver(says(http(status, b"", location))) as made:
                audit = Audit(url=made.url, sender=HttpSender(Targets()), wall=SystemWall(), seed=7)
                report = await audit.run()
            assert other.connections == 0
            assert codes(report) == ["NV507"]
            assert f"to {other.url}?token=***" in report.findings[0].message
            assert "canary" not in as_text(report) + json.dumps([as_json(report), as_sarif(report)])

    asyncio.run(run())


def test_a_redirect_off_this_machine_goes_nowhere() -> None:
    """The one finding; no message of a refused target, since nobody tried."""
    elsewhere = "http" + "://203.0.113.9/hook"
    report, _ = audited(says(http(302, b"", f"Location: {elsewhere}")))
    assert codes(report) == ["NV507"]
    assert all(attempt.outcome.error is None for attempt in report.attempts)


@pytest.mark.parametrize(("status", "verdict"), [(200, "pass"), (404, "pass"), (405, "pass"), (500, "note")])
def test_an_error_on_get_is_a_note_and_no_finding(status: int, verdict: str) -> None:
    async def answer(made: Receiver, request: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(http(status if request.method == "GET" else 200))

    report, _ = audited(answer)
    assert report.findings == []
    assert [result.verdict for result in report.results if result.check.code == "NV511"] == [verdict]


# Signatures


def verifying(forged: int) -> Manners:
    """Answers so to what the library of the scheme refuses."""

    def decide(event: dict[str, Any], request: Received) -> Manners | None:
        try:
            Webhook(SECRET).verify(request.body, request.headers)
        except WebhookVerificationError:
            return says(http(forged))
        return None

    return picky(decide)


def test_a_receiver_that_verifies_passes() -> None:
    """The events are signed well, a repeat under the same id; one is forged."""
    report, made = audited(verifying(401), signer=Signer(SECRET))
    assert report.findings == []
    assert codes(report, Verdict.PASS) == [check.code for check in CHECKS]
    first, repeat = made.received[:2]
    assert first.headers["webhook-id"] == repeat.headers["webhook-id"]


@pytest.mark.parametrize("answer", [200, 500])
def test_a_receiver_that_takes_a_forged_event_is_found(answer: int) -> None:
    report, _ = audited(verifying(answer), signer=Signer(SECRET))
    assert codes(report) == ["NV512"]


# Who cannot be audited


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (ErrorKind.REFUSED_TARGET, NotAllowed),
        (ErrorKind.BAD_URL, NotAllowed),
        (ErrorKind.RESOLVE, Unreachable),
        (ErrorKind.CONNECT, Unreachable),
        (ErrorKind.TLS, Unreachable),
    ],
)
def test_who_cannot_be_called_is_not_judged(kind: ErrorKind, error: type[Exception]) -> None:
    fake = FakeSender([Outcome(error=kind, message="why")])
    with pytest.raises(error, match="why"):
        asyncio.run(Audit(url="http://receiver.test/", sender=fake, wall=FakeWall(), seed=1).run())
    assert len(fake.sent) == 1


def test_a_receiver_that_dies_on_the_way_has_failed() -> None:
    fake = FakeSender([Outcome(status=200), Outcome(error=ErrorKind.CONNECT, message="nobody took the connection")])
    report = asyncio.run(Audit(url="http://receiver.test/", sender=fake, wall=FakeWall(), seed=1).run())
    assert codes(report) == ["NV503"]
    assert report.findings[0].message == "connect, nobody took the connection"


# The command


@contextmanager
def running(manners: Manners) -> Iterator[Receiver]:
    """A receiver in a thread, for commands that bring their own event loop."""
    ready: list[tuple[Receiver, asyncio.AbstractEventLoop, asyncio.Event]] = []
    up = threading.Event()

    async def main() -> None:
        async with receiver(manners) as made:
            over = asyncio.Event()
            ready.append((made, asyncio.get_running_loop(), over))
            up.set()
            await over.wait()

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    assert up.wait(10.0)
    made, loop, over = ready[0]
    try:
        yield made
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(10.0)


def run(*arguments: str, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(webhook, ["audit", *arguments], env=env)


def test_the_command_exits_0_for_a_good_receiver() -> None:
    with running(good()) as made:
        result = run(made.url)
    assert result.exit_code == 0, result.output
    assert result.output.startswith(f"{made.url}: 17 requests, 5 s allowed for each answer\n")
    assert result.output.endswith("\n0 findings\n")
    for check in CHECKS[:-1]:
        assert re.search(rf"^pass  {check.code}  {re.escape(check.title)} +{check.clause}  ", result.output, re.M)


def test_the_command_exits_1_with_findings_and_says_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "audit.json"
    with running(on_repeat()) as made:
        result = run(made.url + "?token=canary", "--json", str(file))
    assert result.exit_code == 1
    assert "FAIL  NV503" in result.output
    assert "\nNV503  An answer can be lost" in result.output
    assert result.output.endswith("\n2 findings\n")
    written = json.loads(file.read_text())
    assert (written["findings"], written["url"]) == (2, f"{made.url}?token=***")
    repeat = next(check for check in written["checks"] if check["code"] == "NV503")
    assert repeat["verdict"] == "fail"
    [attempt] = repeat["attempts"]
    assert (attempt["status"], attempt["error"]) == (500, None)
    assert "canary" not in result.output + file.read_text()


@pytest.mark.parametrize("form", ["json", "sarif"])
def test_the_command_writes_other_forms(form: str) -> None:
    with running(on_repeat()) as made:
        result = run(made.url, "--format", form)
    assert result.exit_code == 1
    found = json.loads(result.output)
    if form == "json":
        assert found["findings"] == 2
    else:
        [made_run] = found["runs"]
        assert [one["ruleId"] for one in made_run["results"]] == ["NV503", "NV508"]
        assert {rule["id"] for rule in made_run["tool"]["driver"]["rules"]} == {check.code for check in CHECKS}


def test_the_command_sends_headers_and_signs() -> None:
    """The secret comes from the flag or the variable, and is not shown."""
    with running(verifying(401)) as made:
        result = run(made.url, "--header", "X-Tenant: canary", env={"NOVITA_MOCK_WEBHOOK_SECRET": SECRET})
    assert result.exit_code == 0, result.output
    assert {request.headers.get("x-tenant") for request in made.received if request.body} == {"canary"}
    assert "pass  NV512" in result.output
    assert "canary" not in result.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["http" + "://203.0.113.9/hook"], "--allow-target 203.0.113.9"),
        (["ftp://127.0.0.1/"], "http:// or https://"),
        (["no url"], "space"),
        ([], "Missing argument 'URL'"),
        (["http://127.0.0.1:1/", "--allow-target", "http" + "://x.test"], "expected a host"),
        (["http://127.0.0.1:1/", "--secret", "canary"], "expected a signing secret"),
        (["http://127.0.0.1:1/", "--header", "canary"], "expected 'Name: value'"),
        (["http://127.0.0.1:1/", "--header", "Host: canary.test"], "Host is written by the audit"),
        (["http://127.0.0.1:1/", "--timeout", "0"], "0.0 is not in the range"),
        (["http://127.0.0.1:1/", "--timeout", "nan"], "nan is no time"),
        (["http://127.0.0.1:1/", "--task-id", "7"], "expected a UUID"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "",
)
def test_the_command_exits_2_when_it_is_called_wrongly(arguments: list[str], said: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert said in result.output
    assert "canary" not in result.output


def test_the_command_exits_3_when_nobody_is_there() -> None:
    with running(good()) as made:
        pass
    result = run(made.url)
    assert result.exit_code == 3
    assert result.output == "Error: nobody there: nobody took the connection\n"


# The page


def test_every_clause_exists_and_every_check_has_its_row_on_the_page() -> None:
    """docs/webhook-audit.md has code, title, clause and advice of each check, and no other codes."""
    known = {requirement.id for requirement in load_requirements().rows}
    page = PAGE.read_text(encoding="utf-8")
    for check in CHECKS:
        assert set(re.findall(r"[A-Z0-9]+-\d{3}", check.clause)) <= known
        assert f"| {check.code} | {check.title} | {check.clause} | " in page, check.code
        assert f"| {check.advice} |" in page, check.code
    assert set(re.findall(r"NV\d{3}", page)) == {check.code for check in CHECKS}
