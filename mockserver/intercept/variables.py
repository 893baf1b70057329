"""The variables by which a program finds the proxy, and trusts it. docs/any-program.md says who reads which."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

DIRECT = "localhost,127.0.0.1,::1"
"""What is on this machine is called directly: a test's own servers, and the mock itself."""


NODE_PRELOAD = Path(__file__).with_name("node_direct.cjs")


def proxy_variables(
    proxy_url: str, tls_port: int, certificate: Path, bundle: Path, before: Mapping[str, str]
) -> dict[str, str]:
    """What is to be set.

    Args:
        proxy_url: of the proxy.
        tls_port: where TLS is taken without CONNECT, for a Node that goes by no variable.
        certificate: file with the authority's certificate alone, for those who add it to what they trust.
        bundle: file with it and all others, for those who trust the file instead.
        before: the variables there are.
    """
    folder = certificate.parent
    (folder / "novita-mock.ini").write_text(f'curl.cainfo="{bundle}"\nopenssl.cafile="{bundle}"\n', encoding="utf-8")
    found = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), proxy_url) | {"NO_PROXY": DIRECT}
    return {
        **found,
        **{name.lower(): value for name, value in found.items()},  # curl reads http_proxy in small letters only
        "REQUESTS_CA_BUNDLE": str(bundle),
        "CURL_CA_BUNDLE": str(bundle),
        "SSL_CERT_FILE": str(bundle),  # OpenSSL's own: Python's ssl, httpx, Ruby, PHP's streams; Go except on macOS
        "NODE_EXTRA_CA_CERTS": str(certificate),
        "NODE_USE_ENV_PROXY": "1",  # Node 24 and newer, 22 from 22.21: fetch and http go by the variables above
        "NODE_OPTIONS": f"{before.get('NODE_OPTIONS', '')} --require {_quoted(NODE_PRELOAD)}".strip(),  # older Node
        "NODE_DIRECT_TLS_PORT": str(tls_port),
        "DENO_CERT": str(certificate),
        # Nothing before the colon stands for PHP's own folder. libcurl inside PHP reads no variable for its bundle.
        "PHP_INI_SCAN_DIR": f"{before.get('PHP_INI_SCAN_DIR', '')}:{folder}",
    }


def _quoted(path: Path) -> str:
    """As Node takes a path with spaces in NODE_OPTIONS."""
    text = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
