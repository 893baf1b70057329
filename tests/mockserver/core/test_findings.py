"""Findings: told once, counted always, bounded in number and in length."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mockserver.core.findings import CATALOGUE, MAX_TEXT, Code, Finding, Findings, Level


def finding(where: str = "createTxt2imgTask: request.negative_prompt", message: str = "empty") -> Finding:
    return Finding(Code.TOLERATED_REQUEST, where, message, ("C13",))


def test_equal_findings_are_counted_in_the_order_of_their_first_appearance() -> None:
    """A client that polls a thousand times has one finding with a count of a thousand."""
    findings = Findings()
    findings.add([finding("b"), finding("a")])
    findings.add([finding("b")])

    assert findings.counted() == [(finding("b"), 2), (finding("a"), 1)]


def test_findings_beyond_the_bound_are_only_counted() -> None:
    """What is known goes on being counted; what is new is dropped and said to be."""
    findings = Findings(limit=2)
    findings.add(finding(str(number)) for number in range(5))
    findings.add([finding("0"), finding("4")])

    assert [count for _, count in findings.counted()] == [2, 1]
    assert findings.dropped == 4


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 5)), max_size=60), st.integers(1, 8))
def test_nothing_is_lost_from_the_sum(made: list[tuple[int, int]], limit: int) -> None:
    """Counted and dropped findings add up to the ones made."""
    findings = Findings(limit=limit)
    for place, times in made:
        findings.add([finding(str(place))] * times)

    assert len(findings.counted()) <= limit
    assert sum(count for _, count in findings.counted()) + findings.dropped == sum(times for _, times in made)


def test_long_texts_of_a_client_are_cut() -> None:
    """An unknown field may have a name of a megabyte: a finding keeps its beginning and stays equal to itself."""
    findings = Findings()
    findings.add([finding("x" * 10**6, "y" * 10**6)])
    findings.add([finding("x" * 10**6, "y" * 10**6)])
    [(kept, count)] = findings.counted()

    assert count == 2
    assert (len(kept.where), len(kept.message)) == (MAX_TEXT, MAX_TEXT)
    assert kept.where.endswith("...")
    assert (kept.code, kept.because) == (Code.TOLERATED_REQUEST, ("C13",))


def test_clearing_forgets_findings_and_the_number_dropped() -> None:
    """A world that starts again has none."""
    findings = Findings(limit=1)
    findings.add([finding("a"), finding("b")])
    findings.clear()

    assert findings.counted() == []
    assert findings.dropped == 0


def test_codes_keep_their_meaning() -> None:
    """Users filter by code: a code is one word, for ever."""
    assert {code.name: code.value for code in Code} == {
        "POLLS_TOO_FAST": "NV101",
        "IGNORES_RETRY_AFTER": "NV102",
        "POLLS_AFTER_END": "NV103",
        "RESULT_NEVER_READ": "NV104",
        "GIVES_UP_EARLY": "NV105",
        "KEY_SENT_TO_IMAGE_HOST": "NV201",
        "KEY_IN_URL_OR_BODY": "NV202",
        "EXPIRED_LINK": "NV203",
        "HOT_LINKED_PICTURE": "NV204",
        "REFUSED_DOWNLOAD_LEFT": "NV205",
        "RETRIED_UNKNOWN_OUTCOME": "NV301",
        "SAME_REQUEST_TWICE": "NV302",
        "PAID_TASK_LOST": "NV303",
        "POLLS_FOR_EVER": "NV304",
        "TOLERATED_REQUEST": "NV401",
        "DEPRECATED_VERSION": "NV403",
        "UNDOCUMENTED_KEY_FORM": "NV405",
        "UNDOCUMENTED_PARAMETER": "NV406",
        "UNEXPECTED_CONTENT_TYPE": "NV407",
        "UNDOCUMENTED_MEANING": "NV408",
        "BASE_MODEL_MISMATCH": "NV409",
        "SLOW_RECEIVER": "NV501",
        "RECEIVER_REFUSED": "NV502",
        "REPEAT_NOT_SURVIVED": "NV503",
        "UNKNOWN_EVENT_NOT_SURVIVED": "NV504",
        "FAILED_TASK_NOT_SURVIVED": "NV505",
        "LARGE_EVENT_NOT_SURVIVED": "NV506",
        "RECEIVER_REDIRECTS": "NV507",
        "CONCURRENT_EVENTS_NOT_SURVIVED": "NV508",
        "NO_USER_AGENT": "NV601",
        "NO_TIMEOUT": "NV602",
        "NOT_SIMULATED": "NV900",
    }


def test_every_code_is_in_the_catalogue() -> None:
    """With a title of a line and sentences in the rest."""
    assert set(CATALOGUE) == set(Code)
    for about in CATALOGUE.values():
        assert len(about.title) < 80
        assert not about.title.endswith(".")
        for text in (about.what, about.why, about.instead):
            assert text.endswith(".")
            assert "  " not in text


def test_a_code_has_a_name_and_a_level() -> None:
    """As answers and exports write them."""
    assert Code.POLLS_TOO_FAST.label == "polls-too-fast"
    assert finding().level is CATALOGUE[Code.TOLERATED_REQUEST].level is Level.WARNING
