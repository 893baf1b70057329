"""Findings as SARIF 2.1.0, which code hosts and editors read.

A finding is about calls and not about lines of a file, so its place is a logical one: the operation, then the field.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

from mockserver import __version__
from mockserver.core.codes import CATALOGUE, Code
from mockserver.core.findings import Finding
from mockserver.watch.pages import body, page_of

VERSION = "2.1.0"


def sarif(counted: Iterable[tuple[Finding, int]]) -> dict[str, Any]:
    """The log of one run.

    Args:
        counted: findings with how often each was made. Rules are told only for the codes among them.
    """
    found = list(counted)
    codes = sorted({finding.code for finding, _ in found})
    return {
        "version": VERSION,
        "runs": [
            {
                "tool": {
                    "driver": {"name": "novita-mock", "version": __version__, "rules": [_rule(code) for code in codes]}
                },
                "columnKind": "unicodeCodePoints",
                "results": [_result(finding, count, codes.index(finding.code)) for finding, count in found],
            }
        ],
    }


def _rule(code: Code) -> dict[str, Any]:
    about = CATALOGUE[code]
    return {
        "id": code.value,
        "name": "".join(word.capitalize() for word in code.label.split("-")),
        "shortDescription": {"text": about.title},
        "fullDescription": {"text": about.what},
        "help": {"text": f"{about.why}\n\n{about.instead}", "markdown": body(code)},
        "defaultConfiguration": {"level": about.level.value},
        "properties": {"page": page_of(code)},
    }


def _result(finding: Finding, count: int, rule: int) -> dict[str, Any]:
    operation, _, place = finding.where.partition(":")
    place = place.strip()
    location = {"fullyQualifiedName": f"{operation}/{place}" if place else operation, "name": place or operation}
    told = f"{finding.where}: {finding.message}" + (f" ({', '.join(finding.because)})" if finding.because else "")
    known_by = "\n".join((finding.code, finding.where, finding.message))
    return {
        "ruleId": finding.code.value,
        "ruleIndex": rule,
        "level": finding.level.value,
        "message": {"text": told},
        "locations": [{"logicalLocations": [location]}],
        "occurrenceCount": count,
        "partialFingerprints": {"finding/v1": blake2b(known_by.encode("utf-8", "replace"), digest_size=16).hexdigest()},
        "properties": {"because": list(finding.because)},
    }
