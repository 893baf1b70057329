"""The throw-away certificate authority of one run.

Its own key never leaves this process: only its certificate is written down, for the program to trust. A host's key
has to lie in a file for the moment in which OpenSSL reads it; the folder is open to its owner only, and goes with the
run.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

INSTALL = "pip install 'novita-mock[intercept]'"
CERTIFICATE = "novita-mock-ca.pem"
BUNDLE = "novita-mock-bundle.pem"
BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
"""Where systems keep all certificates in one file: Debian, Fedora, Alpine and macOS."""


class InterceptUnavailable(RuntimeError):
    """What makes certificates is not installed; the message says how to get it."""


class Authority:
    """Vouches for the hosts that a proxy answers for.

    Args:
        folder: where the certificates are written; open to its owner only.
        trusted: a file with the certificates that the program would trust otherwise; None: there is none.

    Raises:
        InterceptUnavailable: the extra is not installed.

    Attributes:
        certificate: file with this authority's certificate alone.
        bundle: file with it and with everything in `trusted`, so that the program's other connections go on.
    """

    def __init__(self, folder: Path, trusted: Path | None = None) -> None:
        if find_spec("trustme") is None:
            raise InterceptUnavailable(f"--intercept makes certificates with trustme: {INSTALL}")
        import trustme  # only here: the base install has none

        self._folder = folder
        self._ca = trustme.CA(organization_name="novita-mock, for one run")
        self.certificate = folder / CERTIFICATE
        self.bundle = folder / BUNDLE
        own = self._ca.cert_pem.bytes()
        self.certificate.write_bytes(own)
        self.bundle.write_bytes(own + (trusted.read_bytes() if trusted is not None else b""))

    def server_context(self, host: str) -> ssl.SSLContext:
        """What a server needs to be taken for a host: HTTP/1.1 over TLS 1.2 or newer."""
        leaf = self._ca.issue_cert(host)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        with leaf.private_key_and_cert_chain_pem.tempfile(dir=str(self._folder)) as path:
            context.load_cert_chain(path)
        return context


def trusted_before(environment: Mapping[str, str]) -> Path | None:
    """The file of certificates that a program with these variables trusts, as far as that can be known."""
    named = [environment.get(name) for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")]
    places = (*named, ssl.get_default_verify_paths().cafile, *BUNDLES)
    return next((Path(path) for path in places if path and Path(path).is_file()), None)
