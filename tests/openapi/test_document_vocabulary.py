"""A document that says what the reader does not understand, or that does not hold together, is refused at load."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from openapi.document import Document
from openapi.errors import BrokenDocument, DocumentError, UnknownKeyword
from openapi.vocabulary import KEYWORDS, resolve, walk
from tests.openapi.samples import contract, copy_of

Change = Callable[[Any], None]

PROMPT = "#/components/schemas/Prompt"


@pytest.mark.parametrize("keyword", ["multipleOf", "nullable", "$defs", "x-unknown"])
def test_an_unknown_schema_keyword_is_named_with_its_place(keyword: str) -> None:
    """The error carries the JSON pointer and the word."""
    raw = copy_of(contract().raw)
    raw["components"]["schemas"]["Prompt"][keyword] = 1
    with pytest.raises(UnknownKeyword, match="not known in schema") as caught:
        Document(raw)
    assert caught.value.pointer == f"{PROMPT}/{keyword}"
    assert caught.value.keyword == keyword


def kinds() -> dict[str, str]:
    """One pointer of each kind of object that the document has."""
    return {kind: pointer for pointer, kind, _ in walk(contract().raw)}


@pytest.mark.parametrize("kind", KEYWORDS)
def test_an_unknown_keyword_is_refused_in_every_kind_of_object(kind: str) -> None:
    """Whatever kind of object has it, x- extensions included."""
    pointer = kinds()[kind]
    raw = copy_of(contract().raw)
    node = raw if pointer == "#" else resolve_pointer(raw, pointer)
    node["x-nobody-knows"] = True
    with pytest.raises(UnknownKeyword):
        Document(raw)


def resolve_pointer(document: Any, pointer: str) -> Any:
    node = document
    for part in pointer.removeprefix("#/").split("/"):
        key = part.replace("~1", "/").replace("~0", "~")
        node = node[int(key)] if isinstance(node, list) else node[key]
    return node


def leads_nowhere(raw: Any) -> None:
    raw["components"]["schemas"]["Txt2imgRequest"]["properties"]["width"]["$ref"] = "#/components/schemas/Sidde"


def unexplained(raw: Any) -> None:
    raw["components"]["schemas"]["NegativePrompt"]["x-tolerated"]["because"] = ["C999"]


def unexplained_fields(raw: Any) -> None:
    raw["components"]["schemas"]["Lora"]["x-tolerated"]["unknown-fields"] = ["C999"]


def meaningless(raw: Any) -> None:
    del raw["components"]["schemas"]["TaskStatus"]["x-meanings"]["TASK_STATUS_QUEUED"]


def silent_refusal(raw: Any) -> None:
    del raw["components"]["schemas"]["Picture"]["not"]["description"]


def optional_twice(raw: Any) -> None:
    raw["components"]["schemas"]["ControlNetUnit"]["required"].remove("strength")


def named_twice(raw: Any) -> None:
    raw["paths"]["/v3/model"]["get"]["operationId"] = "getTaskResult"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (leads_nowhere, "leads nowhere"),
        (unexplained, "C999 is not in x-references"),
        (unexplained_fields, "C999 is not in x-references"),
        (meaningless, "exactly the values of enum"),
        (silent_refusal, "must say in its description"),
        (optional_twice, "tolerated as optional, but not required"),
        (named_twice, "used twice"),
    ],
)
def test_a_document_that_does_not_hold_together_is_refused(change: Change, said: str) -> None:
    """The error says where and what."""
    raw = copy_of(contract().raw)
    change(raw)
    with pytest.raises(BrokenDocument, match=said) as caught:
        Document(raw)
    assert caught.value.pointer.startswith("#/")
    assert isinstance(caught.value, DocumentError)


def test_a_pointer_may_hold_escaped_characters() -> None:
    """~1 stands for a slash, ~0 for a tilde."""
    assert resolve({"a/b": {"~": {"x": 1}}}, "#/a~1b/~0") == {"x": 1}
