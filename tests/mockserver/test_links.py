"""Links to pictures: signed when asked for, expired by the world's clock, and never an error but a refused link."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.core.links import BadLink, LinkFault, LinkSigner
from tests.strategies import SPRING_2024_MS, hostile_texts, instants_ms

PATH = "/prod/4f2d0c3e-0000-4000-8000-000000000001/9589f747bd494109903dd2606dfbf943.png"
SIGNER = LinkSigner(b"secret")


def parts(link: str) -> tuple[str, dict[str, str]]:
    """Path and decoded query of a link, as a server reads them."""
    found = urlsplit(link)
    return found.path, {name: values[0] for name, values in parse_qs(found.query, strict_parsing=True).items()}


def fault_of(path: str, query: dict[str, str], now_ms: int = SPRING_2024_MS) -> LinkFault | None:
    """Why a link is refused; None when it is good."""
    try:
        SIGNER.check(path, query, now_ms=now_ms)
    except BadLink as bad:
        return bad.fault
    return None


def test_a_link_has_the_parameters_of_a_pre_signed_s3_link() -> None:
    """Names, order and values of the documented links."""
    link = SIGNER.sign(PATH, now_ms=SPRING_2024_MS, ttl_s=3600)
    _, query = parts(link)

    assert list(query) == [
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-SignedHeaders",
        "x-id",
        "X-Amz-Signature",
    ]
    assert query["X-Amz-Algorithm"] == "AWS4-HMAC-SHA256"
    assert query["X-Amz-Date"] == "20240301T092000Z"
    assert query["X-Amz-Credential"].endswith("/20240301/ap-southeast-1/s3/aws4_request")
    assert query["X-Amz-Expires"] == "3600"
    assert len(query["X-Amz-Signature"]) == 64


def test_a_slash_in_the_query_is_percent_encoded() -> None:
    """The official clients pass links on as they are; a bare `/` in the query breaks one of them."""
    query = urlsplit(SIGNER.sign(PATH, now_ms=SPRING_2024_MS, ttl_s=3600)).query

    assert "/" not in query
    assert query.count("%2F") == 4


@given(instants_ms(), st.integers(1, 604_800))
def test_a_link_is_good_until_its_time_is_over(now_ms: int, ttl_s: int) -> None:
    """Its life counts from the second of signing: good to the last millisecond, refused from the next one on."""
    path, query = parts(SIGNER.sign(PATH, now_ms=now_ms, ttl_s=ttl_s))
    end_ms = (now_ms // 1000 + ttl_s) * 1000

    assert fault_of(path, query, now_ms) is None
    assert fault_of(path, query, end_ms - 1) is None
    assert fault_of(path, query, end_ms) is LinkFault.EXPIRED


def test_an_expired_link_says_when_it_ended() -> None:
    """S3's answer names the time to live and the end."""
    path, query = parts(SIGNER.sign(PATH, now_ms=SPRING_2024_MS, ttl_s=60))
    with pytest.raises(BadLink) as refused:
        SIGNER.check(path, query, now_ms=SPRING_2024_MS + 10**9)

    assert (refused.value.ttl_s, refused.value.expires_ms) == (60, SPRING_2024_MS + 60_000)


def test_a_link_that_lives_0_seconds_is_dead_at_once() -> None:
    """A v2 picture that is no longer kept."""
    path, query = parts(SIGNER.sign(PATH, now_ms=SPRING_2024_MS, ttl_s=0))

    assert fault_of(path, query) is LinkFault.EXPIRED


@pytest.mark.parametrize("name", ["X-Amz-Date", "X-Amz-Expires", "X-Amz-Signature"])
def test_a_link_without_a_signed_part_is_unsigned(name: str) -> None:
    """S3 denies access to a bare path."""
    path, query = parts(SIGNER.sign(PATH, now_ms=SPRING_2024_MS, ttl_s=60))

    assert fault_of(path, {**query, name: ""}) is LinkFault.UNSIGNED
    del query[name]
    assert fault_of(path, query) is LinkFault.UNSIGNED
    assert fault_of(path, {}) is LinkFault.UNSIGNED


@pytest.mark.parametrize(
    "change",
    [
        {"X-Amz-Date": "20240301T094001Z"},
        {"X-Amz-Expires": "3601"},
        {"X-Amz-Expires": "03600"},
        {"X-Amz-Signature": "0" * 64},
        {"X-Amz-Signature": "é"},
    ],
)
def test_a_changed_link_is_forged(change: dict[str, str]) -> None:
    """Nobody prolongs a link by writing on it."""
    path, query = parts(SIGNER.sign(PATH, now_ms=SPRING_2024_MS, ttl_s=3600))

    assert fault_of(path, {**query, **change}) is LinkFault.FORGED


def test_a_signature_is_for_one_path_and_one_server() -> None:
    """Another picture's path, or another server's secret, does not fit."""
    path, query = parts(SIGNER.sign(PATH, now_ms=SPRING_2024_MS, ttl_s=3600))
    _, foreign = parts(LinkSigner(b"other").sign(PATH, now_ms=SPRING_2024_MS, ttl_s=3600))

    assert fault_of(path.replace("9589", "9588"), query) is LinkFault.FORGED
    assert fault_of(path, foreign) is LinkFault.FORGED


@given(hostile_texts(), hostile_texts(), hostile_texts(), hostile_texts())
def test_no_text_is_more_than_a_bad_link(path: str, date: str, ttl: str, signature: str) -> None:
    """Dates, numbers and signatures of a stranger are refused before they are read."""
    query = {"X-Amz-Date": date, "X-Amz-Expires": ttl, "X-Amz-Signature": signature}

    assert fault_of(path, query) in (LinkFault.UNSIGNED, LinkFault.FORGED)


@given(hostile_texts(), hostile_texts())
def test_a_good_signature_cannot_be_kept_for_other_numbers(date: str, ttl: str) -> None:
    """A true link with a date or a lifetime of the caller's is forged, whatever they look like."""
    path, query = parts(SIGNER.sign(PATH, now_ms=SPRING_2024_MS, ttl_s=3600))

    assert fault_of(path, {**query, "X-Amz-Date": date}) is not None or date == query["X-Amz-Date"]
    assert fault_of(path, {**query, "X-Amz-Expires": ttl}) is not None or ttl == query["X-Amz-Expires"]


def test_two_polls_give_two_links() -> None:
    """The life of a link counts from the poll."""
    first, second = (SIGNER.sign(PATH, now_ms=SPRING_2024_MS + ms, ttl_s=3600) for ms in (0, 1_000))

    assert first != second


def test_a_bad_link_passes_through_a_context_manager() -> None:
    """An exception that cannot be written to breaks there; this one is an ordinary one."""

    @contextmanager
    def work() -> Iterator[None]:
        yield

    with pytest.raises(BadLink, match="unsigned"), work():
        raise BadLink(LinkFault.UNSIGNED)
