"""Which requests are the same request."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.money.fingerprint import fingerprint, has_fixed_seed

TXT2IMG = "createTxt2imgTask"

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


def of(value: object, **how: Any) -> str:
    """The fingerprint of a value, written as told."""
    return fingerprint(TXT2IMG, json.dumps(value, **how).encode())


def typed(value: object) -> object:
    """A value that equals only what is the same JSON: booleans are no numbers, 2.0 is 2."""
    if isinstance(value, dict):
        return {"object": {key: typed(inner) for key, inner in value.items()}}
    if isinstance(value, list):
        return [typed(inner) for inner in value]
    return (type(value).__name__, value) if isinstance(value, bool | str) else value


@given(JSON)
def test_how_json_is_written_does_not_matter(value: object) -> None:
    """White space, escapes and the order of keys are the writer's business."""
    turned = json.loads(json.dumps(value), object_pairs_hook=lambda pairs: dict(reversed(pairs)))

    assert of(value) == of(turned, indent=3) == of(value, ensure_ascii=False, separators=(",", ":"))


@given(JSON, JSON)
def test_two_values_have_two_fingerprints(one: object, other: object) -> None:
    """Equal exactly when the JSON is."""
    assert (of(one) == of(other)) == (typed(one) == typed(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b'{"steps": 20}', b'{"steps": 20.0}'),
        (b'{"seed": 0}', b'{"seed": -0.0}'),
        (b'{"seed": 1e3}', b'{"seed": 1000}'),
        (b'{"prompt": "caf\\u00e9"}', '{"prompt": "café"}'.encode()),
        (b'{"a": [1, {"b": 2, "c": 3}]}', b'{"a":[1,{"c":3,"b":2}]}'),
    ],
    ids=["float", "zero", "exponent", "escape", "nested order"],
)
def test_equal_requests(one: bytes, other: bytes) -> None:
    """A client's JSON library may change between two attempts; the request does not."""
    assert fingerprint(TXT2IMG, one) == fingerprint(TXT2IMG, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b'{"seed": 9007199254740993}', b'{"seed": 9007199254740992}'),
        (b'{"extra": {"webhook": {"url": "http://a/"}}}', b'{"extra": {"webhook": {"url": "http://b/"}}}'),
        (b'{"seed": 1}', b'{"seed": true}'),
        (b'{"seed": 1}', b'{"seed": "1"}'),
        (b"[1, 2]", b"[2, 1]"),
        (b"{", b"{ "),
    ],
    ids=["large integers", "webhook", "boolean", "text", "order of a list", "no JSON"],
)
def test_different_requests(one: bytes, other: bytes) -> None:
    """What a server could tell apart is told apart."""
    assert fingerprint(TXT2IMG, one) != fingerprint(TXT2IMG, other)


def test_the_operation_is_part_of_the_request() -> None:
    """The same body asks v2 for something else."""
    assert fingerprint(TXT2IMG, b"{}") != fingerprint("createTxt2imgTaskV2", b"{}")


@pytest.mark.parametrize("body", [b"", b"\xff\xfe\xfd", b"[" * 100_000, b'{"seed": 1e999}', b"1" * 5000], ids=range(5))
def test_any_bytes_have_a_fingerprint(body: bytes) -> None:
    """Hostile bodies are refused elsewhere; here they must not fail."""
    assert len(fingerprint(TXT2IMG, body)) == 32
    assert has_fixed_seed(TXT2IMG, body) is False


@pytest.mark.parametrize(
    ("operation_id", "body", "fixed"),
    [
        (TXT2IMG, {"request": {"seed": 7}}, True),
        (TXT2IMG, {"request": {"seed": 0}}, True),
        (TXT2IMG, {"request": {"seed": -1}}, False),
        (TXT2IMG, {"request": {"seed": None}}, False),
        (TXT2IMG, {"request": {}}, False),
        (TXT2IMG, {"seed": 7}, False),
        ("createTxt2imgTaskV2", {"seed": 7}, True),
        ("createTxt2imgTaskV2", {"seed": -1}, False),
        (TXT2IMG, {"request": {"seed": 10**400}}, False),
        (TXT2IMG, [], False),
    ],
    ids=range(10),
)
def test_a_fixed_seed_is_one_that_is_given(operation_id: str, body: object, fixed: bool) -> None:
    """-1, null and nothing ask for a random one; v3 keeps it in `request`."""
    assert has_fixed_seed(operation_id, json.dumps(body).encode()) is fixed
