"""Findings as SARIF: what version 2.1.0 asks for, written down here as a JSON Schema."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest

from mockserver.core.findings import CATALOGUE, Code, Finding
from mockserver.watch.sarif import sarif

TEXT = {"type": "string", "minLength": 1}
PROPERTIES = {"type": "object"}
MESSAGE = {
    "type": "object",
    "properties": {"text": TEXT, "markdown": TEXT},
    "required": ["text"],
    "additionalProperties": False,
}
LEVEL = {"enum": ["none", "note", "warning", "error"]}


def record(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    """A schema of an object with these members and no other."""
    return {
        "type": "object",
        "properties": {**required, **optional},
        "required": list(required),
        "additionalProperties": False,
    }


SARIF = record(
    {
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "items": record(
                {
                    "tool": record(
                        {
                            "driver": record(
                                {"name": TEXT},
                                version=TEXT,
                                rules={
                                    "type": "array",
                                    "uniqueItems": True,
                                    "items": record(
                                        {"id": TEXT},
                                        name=TEXT,
                                        shortDescription=MESSAGE,
                                        fullDescription=MESSAGE,
                                        help=MESSAGE,
                                        defaultConfiguration=record({}, level=LEVEL),
                                        properties=PROPERTIES,
                                    ),
                                },
                            )
                        }
                    )
                },
                columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                results={
                    "type": "array",
                    "items": record(
                        {"message": MESSAGE},
                        ruleId=TEXT,
                        ruleIndex={"type": "integer", "minimum": -1},
                        level=LEVEL,
                        locations={
                            "type": "array",
                            "items": record(
                                {},
                                logicalLocations={
                                    "type": "array",
                                    "uniqueItems": True,
                                    "items": record({}, fullyQualifiedName=TEXT, name=TEXT),
                                },
                            ),
                        },
                        occurrenceCount={"type": "integer", "minimum": 1},
                        partialFingerprints={"type": "object", "additionalProperties": {"type": "string"}},
                        properties=PROPERTIES,
                    ),
                },
            ),
        },
    }
)
VALIDATOR = jsonschema_rs.validator_for(SARIF)

FOUND = [
    (Finding(Code.TOLERATED_REQUEST, "createTxt2imgTask: request.negative_prompt", "empty", ("C13",)), 3),
    (Finding(Code.KEY_SENT_TO_IMAGE_HOST, "header Authorization", "the key was sent"), 1),
    (Finding(Code.TOLERATED_REQUEST, "createTxt2imgTask: request.seed", "a text"), 1),
]


def test_a_log_is_what_sarif_asks_for() -> None:
    """With findings of every code, with a few, and with none."""
    every = [(Finding(code, "createTxt2imgTask: x", "m"), 1) for code in Code]
    for found in (every, FOUND, []):
        VALIDATOR.validate(sarif(found))


@pytest.mark.parametrize("place", ["version", "runs"])
def test_the_schema_notices_what_is_missing(place: str) -> None:
    """The check itself."""
    log = sarif(FOUND)
    del log[place]
    assert not VALIDATOR.is_valid(log)


def test_a_result_says_what_the_finding_says() -> None:
    """Code, level, text, how often, and where: the operation, then the field."""
    first, second, third = sarif(FOUND)["runs"][0]["results"]

    assert (first["ruleId"], first["level"], first["occurrenceCount"]) == ("NV401", "warning", 3)
    assert first["message"]["text"] == "createTxt2imgTask: request.negative_prompt: empty (C13)"
    assert first["locations"] == [
        {
            "logicalLocations": [
                {
                    "fullyQualifiedName": "createTxt2imgTask/request.negative_prompt",
                    "name": "request.negative_prompt",
                }
            ]
        }
    ]
    assert (second["ruleId"], second["level"]) == ("NV201", "error")
    assert second["locations"][0]["logicalLocations"][0]["fullyQualifiedName"] == "header Authorization"
    assert third["partialFingerprints"] != first["partialFingerprints"]


def test_every_result_points_at_its_rule() -> None:
    """Rules are told once each, and only those that are used."""
    [run] = sarif(FOUND)["runs"]
    rules = run["tool"]["driver"]["rules"]

    assert [rule["id"] for rule in rules] == ["NV201", "NV401"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert rules[result["ruleIndex"]]["defaultConfiguration"]["level"] == result["level"]


def test_a_rule_carries_its_page() -> None:
    """Editors show it without a network."""
    [rule] = sarif(FOUND[1:2])["runs"][0]["tool"]["driver"]["rules"]
    about = CATALOGUE[Code.KEY_SENT_TO_IMAGE_HOST]

    assert rule["name"] == "KeySentToImageHost"
    assert rule["shortDescription"]["text"] == about.title
    assert about.instead in rule["help"]["markdown"]


def test_equal_findings_of_two_runs_have_equal_fingerprints() -> None:
    """A code host tells a known finding from a new one by them; the count is not in them."""
    again = sarif([(finding, count + 1) for finding, count in FOUND])["runs"][0]["results"]
    marks = [result["partialFingerprints"] for result in sarif(FOUND)["runs"][0]["results"]]
    assert [result["partialFingerprints"] for result in again] == marks
