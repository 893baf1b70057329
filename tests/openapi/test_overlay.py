"""OpenAPI Overlay 1.0: what actions do, which targets are read, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from openapi.document import load
from openapi.overlay import apply_overlay, parse_overlay, read_overlay, select, steps
from openapi.spec_errors import OverlayError

DOCUMENT: dict[str, Any] = {
    "paths": {
        "/a": {"get": {"parameters": [{"name": "x", "in": "query"}, {"name": "y", "in": "query"}]}},
        "/b": {"get": {"summary": "b"}, "post": {"summary": "c"}},
    },
    "components": {"schemas": {"One": {"type": "string", "enum": ["p", "q"]}, "Two": {"required": ["n"]}}},
}


def applied(*actions: dict[str, Any]) -> dict[str, Any]:
    """The document after some actions."""
    rows = [{"description": "C1, because", **action} for action in actions]
    return apply_overlay(DOCUMENT, parse_overlay({"overlay": "1.0.0", "info": {}, "actions": rows}, "o.yaml"))[0]


def test_an_update_is_merged_into_an_object() -> None:
    """New keys come, scalars are replaced, objects merge, the rest stays."""
    found = applied({"target": "$.components.schemas", "update": {"One": {"type": "integer", "x": 1}, "Three": {}}})
    assert found["components"]["schemas"] == {
        "One": {"type": "integer", "enum": ["p", "q"], "x": 1},
        "Two": {"required": ["n"]},
        "Three": {},
    }


def test_an_update_is_appended_to_an_array() -> None:
    """An array that is the target gets the value as a further entry."""
    found = applied({"target": "$.components.schemas.Two.required", "update": "m"})
    assert found["components"]["schemas"]["Two"]["required"] == ["n", "m"]


def test_every_selected_place_is_changed() -> None:
    """A target that selects several places changes each."""
    found = applied({"target": "$.paths.*.get", "update": {"x-seen": True}})
    assert [found["paths"][path]["get"]["x-seen"] for path in ("/a", "/b")] == [True, True]


def test_a_removal_takes_the_place_out() -> None:
    """Objects leave their map, entries leave their array, several at once."""
    found = applied(
        {"target": "$.paths['/b'].post", "remove": True},
        {"target": "$.paths['/a'].get.parameters[*]", "remove": True},
    )
    assert found["paths"] == {"/a": {"get": {"parameters": []}}, "/b": {"get": {"summary": "b"}}}


def test_actions_work_on_the_result_of_the_ones_before() -> None:
    """An array is replaced by removing it first."""
    found = applied(
        {"target": "$.components.schemas.One.enum", "remove": True},
        {"target": "$.components.schemas.One", "update": {"enum": ["r"]}},
    )
    assert found["components"]["schemas"]["One"]["enum"] == ["r"]


def test_the_given_document_stays_as_it_is() -> None:
    """Applying works on a copy, and what an action brings is copied too."""
    before = repr(DOCUMENT)
    found = applied({"target": "$.components.schemas.*", "update": {"x-list": []}})
    found["components"]["schemas"]["One"]["x-list"].append(1)
    assert found["components"]["schemas"]["Two"]["x-list"] == []
    assert repr(DOCUMENT) == before


def test_what_became_of_each_action() -> None:
    """The number of places and whether anything changed are told."""
    rows = [
        {"target": "$.paths.*.get", "description": "C1", "update": {"x": 1}},
        {"target": "$.paths['/c']", "description": "C2", "update": {"x": 1}},
        {"target": "$.paths['/b'].get", "description": "C3", "update": {"summary": "b"}},
    ]
    _, results = apply_overlay(DOCUMENT, parse_overlay({"overlay": "1.0.3", "actions": rows}, "o.yaml"))
    assert [(result.nodes, result.changed) for result in results] == [(2, True), (0, False), (1, False)]


@pytest.mark.parametrize(
    ("target", "keys"),
    [
        ("$", [""]),
        ("$.paths", ["paths"]),
        ("$['paths']", ["paths"]),
        ('$["paths"]["/a"]', ["/a"]),
        ("$.paths.*", ["/a", "/b"]),
        ("$.paths[*].post", ["post"]),
        ("$.paths['/a'].get.parameters[1]", [1]),
        ("$.paths['/a'].get.parameters[?@.name=='y']", [1]),
        ("$.paths['/a'].get.parameters[? @.in == 'query' ]", [0, 1]),
        ("$.components.schemas[?@.type=='string']", ["One"]),
        ("$..summary", ["summary", "summary"]),
        ("$..['/a']", ["/a"]),
        ("$..parameters[0].name", ["name"]),
        ("$.nothing.here", []),
        ("$.paths[0]", []),
        ("$['it\\'s']", []),
    ],
)
def test_targets(target: str, keys: list[str | int]) -> None:
    """The part of JSONPath that overlays use."""
    assert [key for _, key in select(DOCUMENT, steps(target))] == keys


@pytest.mark.parametrize(
    "target",
    [
        "paths",
        "$.paths[1:2]",
        "$.paths[?@.a>1]",
        "$.paths[?length(@)]",
        "$...a",
        "$paths",
        "$.['a']",
        "$.a.",
        "$.a[-1]",
    ],
)
def test_other_targets_are_refused(target: str) -> None:
    """What is not read is refused when the file is read, with the action and what is known."""
    with pytest.raises(OverlayError, match=r"o\.yaml, action 1: target .*(cannot read|does not start with \$)"):
        applied({"target": target, "update": {}})


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (
            {"target": "$.paths", "update": {}, "description": " "},
            "action 1: needs a description that gives the reason",
        ),
        ({"target": "$.paths"}, "action 1: expected either update or remove: true"),
        ({"target": "$.paths", "update": {}, "remove": True}, "action 1: expected either update or remove: true"),
        ({"update": {}}, "action 1: expected an object with a target"),
        ({"target": "$.paths", "update": {}, "copy": "$.x"}, "action 1: unknown key 'copy'"),
        ({"target": "$", "remove": True}, "action 1: the whole document cannot be removed"),
        ({"target": "$.paths", "update": [1]}, "action 1: the target is an object, so update must be one"),
        (
            {"target": "$..summary", "update": "new"},
            "action 1: the target is 'c'; Overlay 1.0 changes objects and arrays",
        ),
        (
            {"target": "$.components.schemas.One", "update": {"enum": ["r"]}},
            "action 1: 'enum' is an array on both sides",
        ),
    ],
)
def test_actions_that_are_refused(action: dict[str, Any], message: str) -> None:
    """An action without effect or reason, or one that Overlay 1.0 leaves open, is an error that names it."""
    with pytest.raises(OverlayError, match=re.escape(f"o.yaml, {message}")):
        applied(action)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("overlay: 1.1.0\nactions: []", "expected an OpenAPI Overlay document with overlay: 1.0.x"),
        ("- a", "expected an OpenAPI Overlay document"),
        ("overlay: 1.0.0", "expected a list of actions"),
        ("a: [", "not YAML"),
    ],
)
def test_files_that_are_no_overlay(tmp_path: Path, text: str, message: str) -> None:
    """Another version, another document or broken YAML is refused with the file's name."""
    (tmp_path / "o.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(OverlayError, match=rf"o\.yaml: {message}"):
        read_overlay(tmp_path / "o.yaml")
    with pytest.raises(OverlayError, match=r"absent\.yaml: cannot be read"):
        read_overlay(tmp_path / "absent.yaml")


def test_every_action_of_our_overlay_names_its_source() -> None:
    """Each reason rests on an entry of the document's list of contradictions and observations, by its id."""
    references = load().raw["x-references"]
    for action in read_overlay().actions:
        named = re.findall(r"\b[CO]\d+\b", action.reason)
        assert named, action
        assert set(named) <= references.keys(), action
