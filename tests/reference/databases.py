"""A PostgreSQL of the tests' own: on loopback, in a folder that goes with it, and able to die and come back."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from reference_impl.store.postgres_tables import SCHEMA
from tests.reference.servers import until

DEBIAN = Path("/usr/lib/postgresql")
WHERE = "apt-get install postgresql, or RAY=no leaves these tests out"
START_S = 30.0


@dataclass(slots=True, kw_only=True)
class Database:
    """A database server that is ours.

    Attributes:
        url: as `--store` wants it.
    """

    folder: Path
    port: int
    url: str
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, also after `stop`; returns when it answers."""
        flags = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "shared_buffers": "16MB",
            "max_connections": "60",
            "fsync": "off",  # the machine does not lose its power in a test
        }
        self.process = subprocess.Popen(
            [
                _program("postgres"),
                *("-D", str(self.folder / "data"), "-p", str(self.port)),
                *(part for name, value in flags.items() for part in ("-c", f"{name}={value}")),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            user=_user(),
            cwd=self.folder,
        )
        until(self._answers, START_S)

    def stop(self) -> None:
        """Stop it at once: connections are cut, transactions are lost."""
        if self.process is not None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(START_S)
            self.process = None

    def clear(self) -> None:
        """As it was at first."""
        with psycopg.connect(self.url) as connection:
            connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, "the database ended"
        try:
            psycopg.connect(self.url).close()
        except psycopg.OperationalError:
            return False
        return True


@contextmanager
def database() -> Iterator[Database]:
    """A database server that lives as long as the block.

    Raises:
        FileNotFoundError: PostgreSQL's programs are not on this machine; the message says what to do.
    """
    # Not below pytest's folder, which only one user may enter: as root the server insists on being another.
    folder = Path(tempfile.mkdtemp(prefix="database-"))
    user = _user()
    if user is not None:
        shutil.chown(folder, user)
    port = _free_port()
    try:
        subprocess.run(
            [_program("initdb"), "-D", folder / "data", "-U", "test", "-A", "trust", "-E", "UTF8", "--no-sync"],
            check=True,
            capture_output=True,
            user=user,
            cwd=folder,
            env={"PATH": os.defpath, "LC_ALL": "C"},
        )
        server = Database(folder=folder, port=port, url=f"postgresql://test@127.0.0.1:{port}/postgres")
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


def _program(name: str) -> str:
    """The newest one of this name; Debian keeps them off the PATH."""
    found = shutil.which(name) or next(iter(sorted(map(str, DEBIAN.glob(f"*/bin/{name}")), reverse=True)), None)
    if found is None:
        raise FileNotFoundError(f"no {name} is on this machine: {WHERE}")
    return found


def _user() -> str | None:
    """Who it runs as: root may not."""
    if os.geteuid():
        return None
    known = {one.pw_name for one in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port
