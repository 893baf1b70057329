"""V3-LINK: signed links, and when they end."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

import pytest

from reference_impl.clock import ManualClock
from reference_impl.links import Links, Verdict

TASK, NAME = "8ec473ba-977d-4d72-9634-df6262bcccc4", f"{'a' * 32}.png"


def checked(links: Links, url: str, name: str = NAME, changes: Mapping[str, str | None] | None = None) -> Verdict:
    """What a link is worth whose query was changed; None takes a parameter away."""
    query = dict(parse_qsl(urlsplit(url).query)) | dict(changes or {})
    return links.check(TASK, name, {key: value for key, value in query.items() if value is not None})


def links(clock: ManualClock, secret: bytes = b"secret") -> Links:
    """Of one server."""
    return Links(secret, "http://reference.test", clock)


def test_a_link_has_the_form_of_a_signed_one_of_s3() -> None:
    url = links(ManualClock()).sign(TASK, NAME, 3600)
    parts = urlsplit(url)
    assert url.startswith(f"http://reference.test/pictures/{TASK}/{NAME}?X-Amz-Algorithm=AWS4-HMAC-SHA256&")
    query = dict(parse_qsl(parts.query))
    assert query["X-Amz-Expires"] == "3600"
    assert query["X-Amz-Date"] == "20231114T221320Z"
    assert len(query["X-Amz-Signature"]) == 64


def test_a_link_lives_as_long_as_it_says() -> None:
    clock = ManualClock(1_700_000_000_999)
    url = links(clock).sign(TASK, NAME, 60)
    assert checked(links(clock), url) is Verdict.VALID
    clock.advance(60)
    assert checked(links(clock), url) is Verdict.VALID
    clock.advance(1)
    assert checked(links(clock), url) is Verdict.EXPIRED


def test_a_link_can_count_from_an_earlier_instant() -> None:
    clock = ManualClock()
    url = links(clock).sign(TASK, NAME, 60, clock.now_ms() - 50_000)
    clock.advance(9)
    assert checked(links(clock), url) is Verdict.VALID
    clock.advance(3)
    assert checked(links(clock), url) is Verdict.EXPIRED


@pytest.mark.parametrize(
    "changes",
    [{"X-Amz-Expires": "604800"}, {"X-Amz-Date": "20991231T000000Z"}, {"more": "1"}, {"X-Amz-Signature": "ü"}],
)
def test_a_link_that_was_changed_is_forged(changes: dict[str, str]) -> None:
    clock = ManualClock()
    assert checked(links(clock), links(clock).sign(TASK, NAME, 60), changes=changes) is Verdict.FORGED


@pytest.mark.parametrize(
    "changes",
    [
        {"X-Amz-Signature": None},
        {"X-Amz-Date": None},
        {"X-Amz-Date": "yesterday"},
        {"X-Amz-Expires": None},
        {"X-Amz-Expires": "9" * 20},
    ],
)
def test_a_link_without_its_parts_is_unsigned(changes: dict[str, str | None]) -> None:
    clock = ManualClock()
    assert checked(links(clock), links(clock).sign(TASK, NAME, 60), changes=changes) is Verdict.UNSIGNED


def test_a_link_is_good_for_one_picture_of_one_server() -> None:
    clock = ManualClock()
    url = links(clock).sign(TASK, NAME, 60)
    assert checked(links(clock), url, name=f"{'b' * 32}.png") is Verdict.FORGED
    assert checked(links(clock, b"another"), url) is Verdict.FORGED
