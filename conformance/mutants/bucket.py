"""An S3 server with one bucket, in memory: where the servers behind mutants put pictures, with no account anywhere.

It knows what is needed for that and no more: files are put, read, removed and listed, addressed by path. Signatures are
not looked at, so any key is good. `python -m conformance.mutants.bucket` starts it by hand.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import click

from conformance.target import Bucket

NAME, REGION, KEY = "pictures", "us-east-1", "any-key"


class _Server(ThreadingHTTPServer):
    """The server and its files by key."""

    daemon_threads = True

    def __init__(self, host: str, port: int) -> None:
        super().__init__((host, port), _Call)
        self.files: dict[str, tuple[bytes, str]] = {}


class _Call(BaseHTTPRequestHandler):
    """One call; `GET` without a key lists."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def do_PUT(self) -> None:
        """Keeps a file."""
        data = self.rfile.read(int(self.headers.get("content-length", "0")))
        if not self._is_about_a_file():
            return
        if self.headers.get("x-amz-content-sha256", "").startswith("STREAMING-"):
            # The body then is in signed pieces: kept as it is it would be another file.
            self._refuse(501, "NotImplemented")
            return
        self.server.files[self._key()] = (data, self.headers.get("content-type", "binary/octet-stream"))
        self._answer(200, etag=_etag(data))

    def do_GET(self) -> None:
        """A file, or the list of those whose keys begin with `prefix`."""
        if "list-type=2" in self.path and self._bucket() == NAME and not self._key():
            query = parse_qs(urlsplit(self.path).query, keep_blank_values=True)
            self._answer(200, self._listed(query.get("prefix", [""])[0]), "application/xml")
        elif self._is_about_a_file():
            found = self.server.files.get(self._key())
            if found is None:
                self._refuse(404, "NoSuchKey")
            else:
                self._answer(200, *found, etag=_etag(found[0]))

    do_HEAD = do_GET

    def do_DELETE(self) -> None:
        """Removes a file; one that is not there counts as removed."""
        if self._is_about_a_file():
            self.server.files.pop(self._key(), None)
            self._answer(204)

    def log_message(self, *args: Any) -> None:
        """Nothing is printed."""

    def _bucket(self) -> str:
        return unquote(urlsplit(self.path).path).removeprefix("/").partition("/")[0]

    def _key(self) -> str:
        return unquote(urlsplit(self.path).path).removeprefix("/").partition("/")[2]

    def _is_about_a_file(self) -> bool:
        """Whether it is; else it has been answered."""
        if self._bucket() != NAME:
            self._refuse(404, "NoSuchBucket")
        elif not self._key() and self.command == "HEAD":
            self._answer(200)
        elif not self._key():
            self._refuse(501, "NotImplemented")
        else:
            return True
        return False

    def _listed(self, prefix: str) -> bytes:
        entries = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(data)}</Size><ETag>{_etag(data)}</ETag></Contents>"
            for key, (data, _) in sorted(self.server.files.items())
            if key.startswith(prefix)
        )
        text = f"<Name>{NAME}</Name><Prefix>{escape(prefix)}</Prefix><IsTruncated>false</IsTruncated>{entries}"
        return f"<ListBucketResult>{text}</ListBucketResult>".encode()

    def _refuse(self, status: int, code: str) -> None:
        self._answer(status, f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode(), "application/xml")

    def _answer(self, status: int, body: bytes = b"", media_type: str = "", *, etag: str = "") -> None:
        self.send_response(status)
        for name, value in (("content-type", media_type), ("etag", etag), ("content-length", str(len(body)))):
            if value and not (status == 204 and name == "content-length"):
                self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _etag(data: bytes) -> str:
    return f'"{md5(data, usedforsecurity=False).hexdigest()}"'


@contextmanager
def served(host: str = "127.0.0.1", port: int = 0) -> Iterator[Bucket]:
    """The bucket of a server that runs for the length of the block.

    Args:
        port: 0 picks one.

    Raises:
        OSError: the port is taken.
    """
    server = _Server(host, port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield Bucket(
            endpoint=f"http://{host}:{server.server_port}", region=REGION, bucket=NAME, access_key=KEY, secret_key=KEY
        )
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--port", default=4290, show_default=True, type=click.IntRange(0, 65535), help="0 picks one.")
def main(port: int) -> None:
    """Serve a bucket in memory until interrupted, and say how the suite is told of it."""
    try:
        with served(port=port) as bucket:
            flags = f"--s3-endpoint {bucket.endpoint} --s3-bucket {NAME} --s3-access-key {KEY} --s3-secret-key {KEY}"
            click.echo(f"Ready. {bucket.endpoint} takes any key; for novita-conformance run: {flags}")
            threading.Event().wait()
    except OSError as error:
        raise click.ClickException(f"port {port} cannot be had ({error.strerror or error}); --port names one") from None
    except KeyboardInterrupt:
        click.echo("Ended.")


if __name__ == "__main__":
    main()
