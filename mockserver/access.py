"""Who calls: the API key in every form that real clients use.

Documented: `Authorization: Bearer <key>`. Tolerated, each with a finding: the bare key in `Authorization` (the
official JavaScript client), and the key in `X-Omni-Key` on v2 routes (the oldest clients). A missing, malformed or
refused key is answered with 403 INVALID_API_KEY, on v2 with code 4 (C35).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mockserver.core.errors import Reason, Refusal
from mockserver.core.findings import Code, Finding
from mockserver.faults.marks import scenario_of_key

REFUSED_KEY = "sk-mock-invalid"
"""Never accepted, so that a client's handling of a refused key can be tested."""

_KEY = re.compile(r"[!-~]{1,256}")

BARE_KEY = Finding(
    Code.UNDOCUMENTED_KEY_FORM,
    "header Authorization",
    "the key was sent without the word Bearer, as the official JavaScript client does; documented is 'Bearer <key>'",
    ("O3",),
)
OMNI_KEY = Finding(
    Code.UNDOCUMENTED_KEY_FORM,
    "header X-Omni-Key",
    "the key was sent in X-Omni-Key, as the oldest v2 clients do; documented is 'Authorization: Bearer <key>'",
    ("O4",),
)


@dataclass(frozen=True, slots=True)
class Credential:
    """An accepted key and what its form is worth saying."""

    key: str
    finding: Finding | None = None


def read_credential(
    authorization: bytes | None,
    omni_key: bytes | None,
    *,
    version: str,
    strict: bool,
    keys: frozenset[str],
    magic: bool = False,
) -> Credential:
    """The key of a call.

    Args:
        authorization: value of the header `Authorization`.
        omni_key: value of the header `X-Omni-Key`.
        version: `v2` or `v3`, of the route; empty for the control interface.
        strict: only the documented form is accepted.
        keys: the only keys accepted; empty: any.
        magic: a key may name a scenario (`sk-mock-mine--slow-queue`), which there has to be.

    Raises:
        Refusal: INVALID_API_KEY.
    """
    if authorization is not None:
        value = authorization.decode("latin-1").strip()
        scheme, _, rest = value.partition(" ")
        if scheme.lower() == "bearer":
            return Credential(_accepted(rest.strip(), keys, magic))
        if value and not strict:
            return Credential(_accepted(value, keys, magic), BARE_KEY)
        raise _refused("expected the header 'Authorization: Bearer <key>'")
    if omni_key is not None and version != "v3" and not strict:
        return Credential(_accepted(omni_key.decode("latin-1").strip(), keys, magic), OMNI_KEY)
    raise _refused("no API key; expected the header 'Authorization: Bearer <key>'")


def _accepted(key: str, keys: frozenset[str], magic: bool) -> str:
    if not _KEY.fullmatch(key):
        raise _refused("a key is 1 to 256 visible ASCII characters without spaces")
    if key == REFUSED_KEY:
        raise _refused(f"{REFUSED_KEY} is the key that is always refused")
    if keys and key not in keys:
        raise _refused("this server was started with a list of keys (--key), and this key is not on it")
    scenario = scenario_of_key(key) if magic else None
    if scenario is not None:
        _check_scenario(scenario)
    return key


def _check_scenario(name: str) -> None:
    from mockserver.scenarios import names  # few keys name one

    if name not in names():
        raise _refused(
            f"the key asks for scenario {name[:40]!r}, which there is not; "
            f"sk-mock-<world>--<scenario> takes one of {', '.join(names())}"
        )


def _refused(detail: str) -> Refusal:
    return Refusal(Reason.INVALID_API_KEY, f"invalid api-key: {detail}")
