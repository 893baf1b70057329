"""One entry of --allow-target: a name, an address or a network, with a port or without."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address

_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]*)(\.[a-z0-9_][a-z0-9_-]*)*")
_WITH_PORT = re.compile(r"(\[[^\]]+\]|[^:\[\]]+):([0-9]{1,5})")


def plain(address: Address) -> Address:
    """The IPv4 address inside an IPv6 one that maps it; a connection to either reaches the same machine."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def ascii_name(host: str) -> str:
    """A host as it is compared: lower case, in ASCII (IDNA), without a dot at its end.

    Raises:
        UnicodeError: a label is empty, too long or not allowed.
    """
    found = host if host.isascii() else host.encode("idna").decode("ascii")
    return found.lower().removesuffix(".")


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """A host, or the hosts of a network, that may be called.

    Attributes:
        name: a host name; the empty string for a network.
        network: addresses; None for a name.
        port: the only port; None: every port.
    """

    name: str = ""
    network: IPv4Network | IPv6Network | None = None
    port: int | None = None

    @classmethod
    def parse(cls, entry: str) -> Allowed:
        """Reads `receiver.test`, `receiver.test:8080`, `10.1.2.3`, `10.0.0.0/8`, `::1` or `[::1]:8080`.

        Raises:
            ValueError: it is none of these.
        """
        host, port = entry.strip().lower(), None
        if found := _WITH_PORT.fullmatch(host):
            host, port = found[1], int(found[2])
            if not 1 <= port <= 65535:
                raise ValueError(f"{entry!r}: expected a port from 1 to 65535")
        try:
            host = ascii_name(host.removeprefix("[").removesuffix("]"))
            network = ip_network(host)
        except ValueError:  # UnicodeError is one
            network = None
        if network is not None:
            if network.num_addresses == 1:  # an address in any spelling
                network = ip_network(plain(ip_address(str(network.network_address))))
            return cls(network=network, port=port)
        if not _NAME.fullmatch(host) or host.rpartition(".")[2].isdigit():
            raise ValueError(
                f"{entry!r}: expected a host, as receiver.test, receiver.test:8080, 10.1.2.3 or 10.0.0.0/8; "
                "no scheme, no path, no wildcard"
            )
        return cls(name=host, port=port)

    def names(self, host: str, port: int) -> bool:
        """Whether this entry is that host by its name."""
        return self.name != "" and self.name == host and self.port in (None, port)

    def covers(self, address: Address, port: int) -> bool:
        """Whether this entry is, or holds, that address."""
        return self.network is not None and address in self.network and self.port in (None, port)
