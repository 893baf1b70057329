"""Which addresses this server may call for its users: none that only it can reach, unless it is told otherwise.

A URL in a request is the user's word. Without a guard it could be used to reach what stands behind the server: the
metadata service of a cloud, a database, a router.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from concurrent.futures import ThreadPoolExecutor
from functools import partial

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
RESOLVERS = 16
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class Forbidden(Exception):
    """This address may not be called; the message says why and which flag would allow it."""


class Guard:
    """Judges addresses.

    Args:
        private: addresses that only this machine or its network reaches are fine.
        loopback: this machine itself is fine: nobody else can reach the server either.
    """

    def __init__(self, *, private: bool = False, loopback: bool = False) -> None:
        self._private = private
        self._loopback = loopback
        # Of its own: a name server that does not answer holds its thread for long.
        self._threads = ThreadPoolExecutor(RESOLVERS, "resolve")

    async def address(self, host: str, port: int) -> str:
        """The address to call a host at. It is to be called by this, not by name: a name may mean another thing later.

        Raises:
            Forbidden: one of its addresses may not be called.
            OSError: the name means nothing.
        """
        loop = asyncio.get_running_loop()
        look_up = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        found = await loop.run_in_executor(self._threads, look_up)
        addresses = [str(entry[4][0]) for entry in found]
        for address in addresses:
            self._judge(host, ipaddress.ip_address(address.partition("%")[0]))
        return addresses[0]

    def _judge(self, host: str, address: Address) -> None:
        meant = _meant(address)
        if self._private or (self._loopback and meant.is_loopback):
            return
        if not meant.is_global or meant.is_multicast:
            raise Forbidden(f"{host} is {meant}, a private address; --allow-private-webhooks allows such")


def _meant(address: Address) -> Address:
    """The IPv4 address that is packed in an IPv6 one, where there is one."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        return address.ipv4_mapped or address.sixtofour or address
    return address
