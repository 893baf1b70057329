"""Who calls: one documented form of the key, two tolerated ones, and everything else refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.access import BARE_KEY, OMNI_KEY, REFUSED_KEY, Credential, read_credential
from mockserver.core.errors import Reason, Refusal
from tests.strategies import api_keys

ANY: frozenset[str] = frozenset()


def read(
    authorization: bytes | None = None,
    omni_key: bytes | None = None,
    *,
    version: str = "v3",
    strict: bool = False,
    keys: frozenset[str] = ANY,
) -> Credential:
    return read_credential(authorization, omni_key, version=version, strict=strict, keys=keys)


def refused(
    authorization: bytes | None = None,
    omni_key: bytes | None = None,
    *,
    version: str = "v3",
    strict: bool = False,
    keys: frozenset[str] = ANY,
) -> str:
    """The message of the refusal, which must be INVALID_API_KEY (C35)."""
    with pytest.raises(Refusal) as found:
        read(authorization, omni_key, version=version, strict=strict, keys=keys)
    assert found.value.reason is Reason.INVALID_API_KEY
    assert (found.value.status, int(found.value.v2_code)) == (403, 4)
    return found.value.message


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("version", ["v2", "v3", ""])
@given(key=api_keys())
def test_bearer_is_the_documented_form(version: str, strict: bool, key: str) -> None:
    """`Authorization: Bearer <key>` is accepted everywhere and is no finding."""
    assert read(b"Bearer " + key.encode(), version=version, strict=strict) == Credential(key)


@pytest.mark.parametrize("value", [b"bearer sk-1", b"BEARER sk-1", b"Bearer   sk-1  ", b"  Bearer sk-1"])
def test_the_scheme_is_read_in_any_case(value: bytes) -> None:
    """Schemes of HTTP have no case, and space around a header's value is none of it."""
    assert read(value, strict=True) == Credential("sk-1")


@pytest.mark.parametrize("version", ["v2", "v3", ""])
def test_a_bare_key_is_tolerated_with_a_finding(version: str) -> None:
    """O3: the official JavaScript client sends it so."""
    assert read(b"sk-1", version=version) == Credential("sk-1", BARE_KEY)


def test_an_omni_key_is_tolerated_on_v2_with_a_finding() -> None:
    """O4: the oldest v2 clients send it so; v3 never knew it."""
    assert read(omni_key=b"sk-1", version="v2") == Credential("sk-1", OMNI_KEY)
    assert "no API key" in refused(omni_key=b"sk-1", version="v3")


def test_strict_refuses_the_tolerated_forms() -> None:
    """`--strict`: only what the pages state."""
    assert "Bearer <key>" in refused(b"sk-1", strict=True)
    assert "Bearer <key>" in refused(omni_key=b"sk-1", version="v2", strict=True)


def test_authorization_wins_over_the_omni_key() -> None:
    """A client in between that sends both means the documented one."""
    assert read(b"Bearer sk-1", b"sk-2", version="v2") == Credential("sk-1")


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"Bearer",
        b"Bearer ",
        b"Bearer a b",
        b"Basic dXNlcjpwYXNz",
        b"sk-1\x00",
        b"Bearer sk-\xc3\xa9",
        b"Bearer sk\t1",
        b"Bearer " + b"k" * 257,
    ],
)
def test_what_is_no_key_is_refused(value: bytes) -> None:
    """A key is 1 to 256 visible ASCII characters."""
    assert refused(value)


def test_no_key_at_all_is_refused_like_a_wrong_one() -> None:
    """C35: 403 INVALID_API_KEY, v2 code 4."""
    assert "no API key" in refused()


def test_one_key_is_always_refused() -> None:
    """A client's handling of a refused key can be tested without a list of keys."""
    for value in (b"Bearer " + REFUSED_KEY.encode(), REFUSED_KEY.encode()):
        assert REFUSED_KEY in refused(value)
    assert REFUSED_KEY in refused(omni_key=REFUSED_KEY.encode(), version="v2")


def test_a_server_with_a_list_of_keys_accepts_no_other() -> None:
    """`--key` names them; without it any key is good."""
    keys = frozenset({"sk-1", "sk-2"})

    assert read(b"Bearer sk-2", keys=keys).key == "sk-2"
    assert "--key" in refused(b"Bearer sk-3", keys=keys)


@given(st.none() | st.binary(max_size=300), st.none() | st.binary(max_size=300), st.sampled_from(["v2", "v3", ""]))
def test_no_header_is_an_error_of_ours(authorization: bytes | None, omni_key: bytes | None, version: str) -> None:
    """Any bytes are a key or a refusal; the refusal never repeats what was sent."""
    found: Credential | Refusal
    try:
        found = read(authorization, omni_key, version=version)
    except Refusal as refusal:
        found = refusal
    if isinstance(found, Refusal):
        sent = (authorization or b"").decode("latin-1")
        assert found.reason is Reason.INVALID_API_KEY
        assert len(sent) < 8 or sent not in found.message
    else:
        assert 1 <= len(found.key) <= 256
        assert found.key.isascii()
        assert found.key.isprintable()
