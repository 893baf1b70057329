"""The implementation under test, and all that the suite is told about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """A bucket that the target writes to and the suite reads."""

    endpoint: str
    region: str
    bucket: str
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where the target is and what may be done with it.

    Attributes:
        url: without a trailing slash.
        key, second_key: API keys of two accounts; "" for none.
        wrong_key: a key that no account has. Servers for tests often take any key; this one they refuse.
        strict: insist on the documented reading.
        safe: send only what costs nothing, and one small task.
        timeout_s: how long one answer may take.
        task_timeout_s: how long a task may take to end, in real seconds.
        patience_s: how long an event or a retry is waited for, in real seconds, where nothing is documented.
        control: prefix of a control interface with a clock; "" for none.
        clock_named: the user says that there is a clock; without one the run does not begin.
        webhook_host, webhook_port: the address at which the target reaches our receiver; port 0 picks one.
        checkpoint: names that replace those of the model list, for instance {"checkpoint": "tiny-sd15"}.
        claims: features that the target claims (True) or disclaims (False), by name; see `conformance.capabilities`.
    """

    url: str
    key: str = field(repr=False)
    second_key: str = field(default="", repr=False)
    wrong_key: str = "sk-mock-invalid"
    strict: bool = False
    safe: bool = False
    timeout_s: float = 10.0
    task_timeout_s: float = 60.0
    patience_s: float = 30.0
    control: str = ""
    clock_named: bool = False
    webhook_host: str = ""
    webhook_port: int = 0
    bucket: Bucket | None = None
    names: dict[str, str] = field(default_factory=dict)
    claims: dict[str, bool] = field(default_factory=dict)

    @property
    def is_local(self) -> bool:
        """Whether the target runs on this machine."""
        return is_loopback(urlsplit(self.url).hostname or "")


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
