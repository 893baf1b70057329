"""Expected failures: requirements that are known to be red at a target, each with a reason.

The file is YAML, `id: reason` a line. It makes known failures not count; an entry that is not red any more is stale
and counts itself, so that the list stays true.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from conformance.verdict import Outcome, Verdict
from openapi.requirements import Requirements


class ExpectedError(ValueError):
    """The file is not as it should be."""


def read_expected(path: Path, rows: Requirements) -> dict[str, str]:
    """Reasons by id.

    Raises:
        ExpectedError: the file cannot be read, an id does not exist, or a reason is missing.
    """
    import yaml

    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ExpectedError(f"cannot read {path}: {error}") from None
    except yaml.YAMLError as error:
        raise ExpectedError(f"{path} is not YAML: {error}") from None
    if raw is None:
        return {}
    if not isinstance(raw, Mapping):
        raise ExpectedError(f"{path}: expected 'ID: reason' lines")
    known = {row.id for row in rows}
    for requirement, reason in raw.items():
        if requirement in rows.retired:
            raise ExpectedError(f"{path}: {requirement} is retired: {rows.retired[requirement]}")
        if requirement not in known:
            raise ExpectedError(f"{path}: there is no requirement {requirement!r}")
        if not isinstance(reason, str) or not reason.strip():
            raise ExpectedError(f"{path}: {requirement} has no reason; say why it is expected to fail")
    return {str(requirement): str(reason).strip() for requirement, reason in raw.items()}


def excuse(outcome: Outcome, expected: Mapping[str, str]) -> str:
    """Why a red outcome does not count; "" when it does. What an expected failure blocks is expected with it."""
    if outcome.verdict.green or outcome.verdict is Verdict.ERROR:
        return ""
    if outcome.requirement in expected:
        return expected[outcome.requirement]
    if outcome.verdict is Verdict.BLOCKED and outcome.blocked_by in expected:
        return f"follows from {outcome.blocked_by}, which is expected to fail: {expected[outcome.blocked_by]}"
    return ""


def stale(outcomes: Mapping[str, Outcome], expected: Mapping[str, str]) -> tuple[str, ...]:
    """Expected failures that were decided and are not red."""
    return tuple(one for one in expected if one in outcomes and outcomes[one].verdict.green)
