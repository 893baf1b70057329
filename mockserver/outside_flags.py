"""Flags of `serve` about the outside: webhooks, buckets, accounts, coverage, figures; and the settings they make."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mockserver.completion import acls
from mockserver.flags import flag

if TYPE_CHECKING:
    from mockserver.money.account import AccountSettings
    from mockserver.storage.s3 import StorageSettings
    from mockserver.webhooks.settings import WebhookSettings

_AWS = "aws"

_FLAGS = (
    flag(
        "--allow-target",
        "allow_targets",
        multiple=True,
        metavar="HOST",
        help="Lets webhooks and uploads go to this host, address or network too; repeatable. Else only to loopback.",
    ),
    flag("--webhook-retries", type=click.IntRange(0, 20), default=5, help="Attempts after the first; documented: 5."),
    flag(
        "--webhook-spacing",
        default="1s,5s,30s,2m,10m",
        metavar="TIMES",
        help="Between attempts, by the world's clock; the last goes on. Not documented.",
    ),
    flag(
        "--webhook-timeout",
        type=click.FloatRange(0.001, 120),
        default=5.0,
        help="Seconds of real time that a receiver may take; documented: 5.",
    ),
    flag("--webhook-secret", metavar="WHSEC", help="Signs webhooks (Standard Webhooks); the service signs nothing."),
    flag("--s3", metavar="URL", help="S3 server that custom storage puts pictures into, or aws. Else none."),
    flag("--s3-timeout", type=click.FloatRange(0, 3600, min_open=True), default=10.0, help="Seconds a put may take."),
    flag("--s3-presign", type=click.IntRange(1, 604_800), help="Links into buckets are signed for so many seconds."),
    flag("--s3-acl", metavar="ACL", shell_complete=acls, help="Sent with every picture, such as public-read."),
    flag(
        "--rate-limits/--no-rate-limits",
        default=False,
        help="The documented pictures per minute: 20 for txt2img, 10 for img2img.",
    ),
    flag("--retry-after/--no-retry-after", default=False, help="A 429 says how long to wait; not documented."),
    flag("--balance", metavar="USD", help="What every account has; else there is no bottom."),
    flag("--concurrency", type=click.IntRange(1), help="Unfinished tasks that an account may have."),
    flag("--coverage/--no-coverage", default=False, help="Count what of the contract is exercised: /__mock/coverage."),
    flag("--metrics/--no-metrics", default=False, help="Figures for Prometheus: /__mock/metrics. Extra `metrics`."),
    flag("--coverage-file", type=click.Path(dir_okay=False, path_type=Path), help="Write it there at the end."),
)


def outside_flags(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the flags."""
    return reduce(lambda decorated, decorate: decorate(decorated), reversed(_FLAGS), command)


def outside_settings(
    *,
    allow_targets: tuple[str, ...],
    webhook_retries: int,
    webhook_spacing: str,
    webhook_timeout: float,
    webhook_secret: str | None,
    s3: str | None,
    s3_timeout: float,
    s3_presign: int | None,
    s3_acl: str | None,
    rate_limits: bool,
    retry_after: bool,
    balance: str | None,
    concurrency: int | None,
    coverage: bool,
    metrics: bool = False,
) -> dict[str, Any]:
    """The settings, by the names of `Settings`.

    Raises:
        click.BadParameter: a value that cannot be; says what was expected.
    """
    if allow_targets:
        from mockserver.outbound.guard import Targets

        with _reported("--allow-target"):
            Targets(allow_targets)
    return {
        "allow_targets": frozenset(allow_targets),
        "webhooks": _webhooks(webhook_retries, webhook_spacing, webhook_timeout, webhook_secret),
        "storage": _storage(s3, s3_timeout, s3_presign, s3_acl),
        "account": _account(rate_limits, retry_after, balance, concurrency),
        "coverage": coverage,
        "metrics": _metrics(metrics),
    }


def _metrics(wanted: bool) -> bool:
    if wanted:
        from mockserver.metrics import INSTALL, metrics_available

        if not metrics_available():
            raise click.BadParameter(f"figures are written with prometheus-client: {INSTALL}", param_hint="--metrics")
    return wanted


def _webhooks(retries: int, spacing: str, timeout_s: float, secret: str | None) -> WebhookSettings:
    from mockserver.core.clock import parse_duration_ms
    from mockserver.webhooks.settings import WebhookSettings

    if secret is not None:
        from mockserver.webhooks.signature import check_secret

        with _reported("--webhook-secret"):
            check_secret(secret)
    with _reported("--webhook-spacing"):
        spacing_ms = tuple(parse_duration_ms(text) for text in spacing.split(","))
        return WebhookSettings(
            retries=retries, spacing_ms=spacing_ms, timeout_ms=round(timeout_s * 1000), secret=secret
        )


def _storage(url: str | None, timeout_s: float, presign_s: int | None, acl: str | None) -> StorageSettings | None:
    if url is None:
        if presign_s is not None or acl is not None:
            raise click.BadParameter("says how pictures are put into buckets; --s3 says where", param_hint="--s3-*")
        return None
    from mockserver.storage.failures import INSTALL
    from mockserver.storage.s3 import Acl, StorageSettings, s3_available

    if not s3_available():
        raise click.BadParameter(f"uploads need boto3: {INSTALL}", param_hint="--s3")
    if acl is not None and acl not in list(Acl):
        raise click.BadParameter(f"{acl!r}: expected one of {', '.join(Acl)}", param_hint="--s3-acl")
    with _reported("--s3"):
        return StorageSettings(
            endpoint_url=None if url == _AWS else url,
            timeout_s=timeout_s,
            presign_s=presign_s,
            acl=None if acl is None else Acl(acl),
        )


def _account(rate_limits: bool, retry_after: bool, balance: str | None, concurrency: int | None) -> AccountSettings:
    from mockserver.money.account import AccountSettings
    from mockserver.money.amounts import parse_usd

    limits = None
    if rate_limits:
        from mockserver.money.account import documented_rate_limits
        from openapi.document import load

        limits = documented_rate_limits(load())
    with _reported("--balance"):
        micro_usd = None if balance is None else parse_usd(balance)
    return AccountSettings(
        rate_limits=limits, retry_after=retry_after, balance_micro_usd=micro_usd, concurrency=concurrency
    )


@contextmanager
def _reported(name: str) -> Iterator[None]:
    """Tells what cannot be as the mistake of a flag."""
    try:
        yield
    except (ValueError, RuntimeError) as error:
        raise click.BadParameter(str(error), param_hint=name) from None
