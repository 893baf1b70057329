"""Signatures: what the scheme's own library accepts, and secrets that are none."""

from __future__ import annotations

import sys
from base64 import b64encode

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from mockserver.parts.wall import SystemWall
from mockserver.webhooks.signature import BadSecret, Signer, SigningUnavailable

SECRET = "whsec_" + b64encode(b"thirty-two bytes of our own, yes").decode()
BODY = '{"event_type":"ASYNC_TASK_RESULT","payload":{"task":{"reason":"gr\u00fcn"}}}'.encode()


def test_the_library_accepts_what_is_signed() -> None:
    headers = Signer(SECRET).headers(id="msg_1", instant_ms=SystemWall()(), body=BODY)
    assert set(headers) == {"webhook-id", "webhook-timestamp", "webhook-signature"}
    assert Webhook(SECRET).verify(BODY, headers)["event_type"] == "ASYNC_TASK_RESULT"


@pytest.mark.parametrize("part", ["body", "webhook-id", "webhook-timestamp", "secret"])
def test_the_library_refuses_what_was_changed(part: str) -> None:
    """Every part is signed."""
    headers = Signer(SECRET).headers(id="msg_1", instant_ms=SystemWall()(), body=BODY)
    body, secret = BODY, SECRET
    match part:
        case "body":
            body = BODY + b" "
        case "secret":
            secret = "whsec_" + b64encode(bytes(32)).decode()
        case "webhook-timestamp":
            headers[part] = str(int(headers[part]) + 1)
        case _:
            headers[part] = "msg_2"
    with pytest.raises(WebhookVerificationError, match="No matching signature"):
        Webhook(secret).verify(body, headers)


def test_an_attempt_has_its_own_timestamp_and_a_delivery_one_id() -> None:
    """The same instant gives the same bytes; a later attempt differs in timestamp and signature, not in id."""
    signer = Signer(SECRET)
    first = signer.headers(id="msg_1", instant_ms=1_709_284_800_999, body=BODY)
    assert first == signer.headers(id="msg_1", instant_ms=1_709_284_800_000, body=BODY)
    later = signer.headers(id="msg_1", instant_ms=1_709_284_805_000, body=BODY)
    assert first["webhook-timestamp"] == "1709284800"
    assert (later["webhook-id"], later["webhook-timestamp"]) == ("msg_1", "1709284805")
    assert later["webhook-signature"] != first["webhook-signature"]


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        "canary",
        SECRET.removeprefix("whsec_"),
        "whsec_canary!",
        SECRET[:20] + "!!!!" + SECRET[20:],
        "whsec_" + b64encode(bytes(23)).decode(),
        "whsec_" + b64encode(bytes(65)).decode(),
        "whsec_" + b64encode(bytes(32)).decode().rstrip("="),
        "whsec_\u00fc",
    ],
)
def test_a_secret_that_is_none_is_told_and_not_repeated(secret: str) -> None:
    with pytest.raises(BadSecret, match="expected a signing secret: whsec_") as caught:
        Signer(secret)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("id", ["", "a.b"])
def test_an_id_that_would_not_be_signed_apart_is_refused(id: str) -> None:
    with pytest.raises(ValueError, match="an id that is signed"):
        Signer(SECRET).headers(id=id, instant_ms=0, body=BODY)


def test_a_missing_library_is_told_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "standardwebhooks", None)
    with pytest.raises(SigningUnavailable, match=r"pip install 'novita-mock\[signing\]'"):
        Signer(SECRET)


def test_a_secret_stays_out_of_what_is_printed() -> None:
    assert SECRET.removeprefix("whsec_") not in repr(Signer(SECRET))
