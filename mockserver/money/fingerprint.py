"""The identity of a submit request: equal for requests that ask for the same thing.

The operation and the JSON of the body count, webhook and storage included: two requests that notify different
receivers are two requests. How the JSON is written does not: key order, white space, escapes, `2.0` for `2`.
"""

from __future__ import annotations

import json
from hashlib import blake2b


def fingerprint(operation_id: str, body: bytes) -> str:
    """A digest of an operation and a request body.

    Costs microseconds for an ordinary body and a parse of all of it for one with pictures, so it is asked for only
    when there is something to compare with. A body that is no JSON is taken as it is.
    """
    digest = blake2b(operation_id.encode(), digest_size=16)
    digest.update(b"\n")
    digest.update(_canonical(body))
    return digest.hexdigest()


def has_fixed_seed(operation_id: str, body: bytes) -> bool:
    """Whether a body asks for one certain picture: a seed is given and is not the one for a random seed (-1)."""
    try:
        fields = json.loads(body)
        if not operation_id.endswith("V2"):
            fields = fields["request"]
        return float(fields["seed"]) >= 0
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return False


def _canonical(body: bytes) -> bytes:
    try:  # the standard library's reader: integers beyond 64 bits stay exact
        value = json.loads(body, parse_float=_number)
        return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
    except (ValueError, RecursionError):
        return body


def _number(text: str) -> int | float:
    """JSON knows one kind of number: `2.0` and `2e0` are `2`."""
    number = float(text)
    return int(number) if number.is_integer() else number
