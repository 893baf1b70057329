"""Findings: told once, counted always, bounded in number and in length."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mockserver.core.findings import MAX_TEXT, Code, Finding, Findings


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
        "UNDOCUMENTED_KEY_FORM": "NV405",
        "TOLERATED_REQUEST": "NV401",
        "UNDOCUMENTED_PARAMETER": "NV406",
        "UNEXPECTED_CONTENT_TYPE": "NV407",
        "UNDOCUMENTED_MEANING": "NV408",
        "BASE_MODEL_MISMATCH": "NV409",
        "DEPRECATED_VERSION": "NV403",
        "KEY_SENT_TO_IMAGE_HOST": "NV201",
        "EXPIRED_LINK": "NV203",
        "NOT_SIMULATED": "NV900",
    }
