"""The clients' real weaknesses, each brought out by a fault: what its caller gets, and the finding that names it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from docs.make_weaknesses import PAGE, page
from tests.clients.weaknesses import CLIENTS, TROUBLES, Seen, bench, ending, endless

pytestmark = pytest.mark.clients

All = Mapping[tuple[str, str], Seen]
PRICE = "0.0015"
PYTHON = ("python-0.7.1-v3", "python-0.5.7-v3", "python-0.5.7-v2")
NPM = ("npm-3.1.3-v3", "npm-1.1.0-v3", "npm-1.1.0-v2")
NPM_BY_HAND = NPM[:2]
NPM_SYNC = NPM[2]
EVERY = PYTHON + NPM
FAILED_POLLS = (
    "a poll is answered 429",
    "a poll is answered 500",
    "a poll is answered by a gateway, 502 and HTML",
    "a poll's connection is reset",
    "a poll's answer is malformed",
)


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> All:
    """Every client under every trouble, played once."""
    with bench(tmp_path_factory.mktemp("jobs")) as clients:
        return clients.play_all()


def test_every_pair_that_says_something_is_played(everything: All) -> None:
    """No client is left out by accident."""
    pairs = {(client.id, one.name) for client in CLIENTS for one in ending(client)}
    pairs |= {(client.id, one.name) for client in CLIENTS for one, _ in endless(client)}
    assert everything.keys() == pairs
    assert {name for _, name in pairs} == {trouble.name for trouble in TROUBLES}


@pytest.mark.parametrize("client", EVERY)
@pytest.mark.parametrize("trouble", ["none", "there is a field more"])
def test_without_trouble_the_picture_arrives_and_nothing_is_said(everything: All, client: str, trouble: str) -> None:
    """The jobs are right, so what other rows say is the trouble's doing; a new field is none."""
    seen = everything[client, trouble]
    assert (seen.outcome, seen.usd, seen.verdict, seen.findings) == ("gets the picture", PRICE, "", ())


@pytest.mark.parametrize("client", EVERY)
@pytest.mark.parametrize("trouble", FAILED_POLLS)
def test_one_failed_poll_loses_the_paid_task(everything: All, client: str, trouble: str) -> None:
    """An exception leaves the waiting loop, and the finding names the amount."""
    seen = everything[client, trouble]
    assert "rror" in seen.outcome.partition(":")[0]
    assert (seen.usd, seen.findings) == (PRICE, ("NV303",))
    assert f"{PRICE} USD paid" in seen.messages["NV303"]


@pytest.mark.parametrize("client", EVERY)
@pytest.mark.parametrize("how", ["reset", "504"])
def test_a_lost_acknowledgement_is_raised_and_never_repeated(everything: All, client: str, how: str) -> None:
    """One task, paid for, whose id nobody has: the ledger calls it unclaimed, and no client spends twice by itself."""
    seen = everything[client, f"the submit's answer is lost: {how}"]
    assert "rror" in seen.outcome
    assert (seen.usd, seen.verdict) == (PRICE, "paid, and nobody knows the task")
    assert seen.findings == ("NV104",)


@pytest.mark.parametrize("client", [*PYTHON[:2], *NPM_BY_HAND])
def test_a_caller_who_repeats_the_failed_call_pays_twice(everything: All, client: str) -> None:
    """The exception does not say that the task was made."""
    seen = everything[client, "the submit's answer is lost: reset, and the caller tries again"]
    assert (seen.outcome, seen.usd, seen.verdict) == ("gets the picture", "0.0030", "double-spend")
    assert f"{PRICE} USD wasted" in seen.messages["NV301"]


@pytest.mark.parametrize("client", EVERY)
def test_a_refused_submit_is_raised_and_costs_nothing(everything: All, client: str) -> None:
    """429 before a task is made: no client waits and tries again."""
    seen = everything[client, "the submit is answered 429"]
    assert "rror" in seen.outcome
    assert (seen.usd, seen.verdict, seen.findings) == ("0.0000", "", ())


@pytest.mark.parametrize("client", PYTHON[:2])
def test_python_takes_the_xml_of_an_expired_link_for_the_picture(everything: All, client: str) -> None:
    """No look at the status: the caller has a picture that is none, and no error."""
    seen = everything[client, "the links are used an hour and a second after the result"]
    assert (seen.outcome, seen.findings) == ("gets S3's XML for the picture", ("NV203", "NV205"))


@pytest.mark.parametrize("client", PYTHON)
@pytest.mark.parametrize(
    ("trouble", "what"),
    [
        ("a picture is refused, 403 and XML", "S3's XML"),
        ("a picture's place holds XML, with status 200", "S3's XML"),
        ("a picture's place holds a web page, with status 200", "a web page"),
        ("a picture's bytes are damaged", "a damaged file"),
    ],
)
def test_python_saves_whatever_a_link_gives(everything: All, client: str, trouble: str, what: str) -> None:
    """Each is handed over as the picture's bytes."""
    seen = everything[client, trouble]
    assert (seen.outcome, seen.findings) == (f"gets {what} for the picture", ("NV205",))


@pytest.mark.parametrize("client", PYTHON)
@pytest.mark.parametrize("trouble", ["a picture's connection is reset", "a picture ends half-way"])
def test_python_fetches_again_after_a_broken_connection(everything: All, client: str, trouble: str) -> None:
    """The one thing that it tries again."""
    assert everything[client, trouble].outcome == "gets the picture"
    assert everything[client, trouble].findings == ()


def test_npm_sync_sees_a_refused_download_but_no_wrong_file(everything: All) -> None:
    """A status outside 2xx rejects; what comes with 200 is the picture."""
    refused = everything[NPM_SYNC, "a picture is refused, 403 and XML"]
    assert refused.outcome.startswith("AxiosError")
    wrong = everything[NPM_SYNC, "a picture's place holds a web page, with status 200"]
    assert wrong.outcome == "gets a web page for the picture"
    assert refused.findings == wrong.findings == ("NV205",)


@pytest.mark.parametrize("client", PYTHON)
def test_python_gives_up_a_task_that_has_to_wait(everything: All, client: str) -> None:
    """300 polls, half a second apart, are 150 s; the message calls them 300."""
    seen = everything[client, "the task waits for ten minutes"]
    assert seen.outcome == "NovitaTimeoutError: Task TASK failed to complete in 300 seconds"
    assert (seen.usd, seen.findings) == (PRICE, ("NV105",))
    assert "last polled 149.5 s after" in seen.messages["NV105"]


def test_npm_sync_polls_a_stuck_task_for_ever(everything: All) -> None:
    """Half an hour of the world's clock, and it would go on."""
    seen = everything[NPM_SYNC, "the task never ends"]
    assert (seen.outcome, seen.findings) == ("polls without end; stopped", ("NV304",))


@pytest.mark.parametrize("trouble", ["the status is an unknown word or number", "the status is missing"])
def test_npm_sync_polls_for_ever_when_it_does_not_know_the_status(everything: All, trouble: str) -> None:
    """The task has ended long ago."""
    seen = everything[NPM_SYNC, trouble]
    assert (seen.outcome, seen.findings) == ("polls without end; stopped", ("NV103",))


@pytest.mark.parametrize("client", NPM)
def test_npm_has_no_time_out(everything: All, client: str) -> None:
    """A submit that is never answered hangs the program."""
    seen = everything[client, "the submit is never answered"]
    assert (seen.outcome, seen.findings) == ("hangs without end; stopped", ("NV602",))


@pytest.mark.parametrize("client", PYTHON)
def test_python_has_a_time_out_and_loses_the_task_by_it(everything: All, client: str) -> None:
    """It is the poll that timed out, not the task."""
    assert everything[client, "the submit is never answered"].findings == ()
    poll = everything[client, "a poll is never answered"]
    assert poll.outcome.startswith("ReadTimeout")
    assert poll.findings == ("NV303",)


@pytest.mark.parametrize(
    ("client", "outcome"),
    [(client, "MissingFields") for client in PYTHON]
    + [(client, "hands on the answer as it is: without a task_id") for client in NPM_BY_HAND]
    + [(NPM_SYNC, "NovitaError code -1: Failed to start the task.")],
)
@pytest.mark.parametrize("how", ["has no task_id", "is wrapped (C1)"])
def test_a_submit_without_its_task_id_is_paid_and_lost(everything: All, client: str, outcome: str, how: str) -> None:
    """Nobody can ask for the task."""
    seen = everything[client, f"the submit's answer {how}"]
    assert seen.outcome.startswith(outcome)
    assert (seen.usd, seen.verdict) == (PRICE, "paid, and nobody knows the task")


@pytest.mark.parametrize(
    ("client", "null", "unknown"),
    [
        ("python-0.7.1-v3", "TypeError", "ValueError"),
        ("python-0.5.7-v3", "TypeError", "ValueError"),
        ("python-0.5.7-v2", "TypeError", "NovitaTimeoutError"),
        ("npm-3.1.3-v3", "hands on", "hands on"),
        ("npm-1.1.0-v3", "hands on", "hands on"),
        (NPM_SYNC, "TypeError", "polls without end"),
    ],
)
def test_a_null_list_or_a_new_status_breaks_readers(everything: All, client: str, null: str, unknown: str) -> None:
    """Only a client that reads nothing is not disturbed."""
    assert everything[client, "the list of pictures is null"].outcome.startswith(null)
    assert everything[client, "the status is an unknown word or number"].outcome.startswith(unknown)


def test_the_page_says_what_was_seen(everything: All) -> None:
    """`python docs/make_weaknesses.py --write` writes it anew."""
    assert Path(PAGE).read_text(encoding="utf-8") == page(everything)
