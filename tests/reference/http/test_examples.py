"""Every request that the document shows, with the models that it names on the shelf."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import reference_impl
from openapi.catalogue import Kind as Listed
from openapi.catalogue import load_catalogue
from openapi.document import Document, Example, Reading
from reference_impl.shelf import Kind, Shelf
from tests.reference.fakes import PaintingWorker
from tests.reference.http.front import front

SHIPPED = Path(reference_impl.__file__).parent / "weights"
FOLDERS = {
    Listed.CHECKPOINT: Kind.CHECKPOINT,
    Listed.LORA: Kind.LORA,
    Listed.VAE: Kind.VAE,
    Listed.TEXTUALINVERSION: Kind.EMBEDDING,
}
FAMILIES = ("SD 1.5", "SDXL 1.0")


@pytest.fixture(scope="module")
def official(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """A shelf with the names of the vendor's models; there is nothing in the files."""
    root = tmp_path_factory.mktemp("official")
    for model in load_catalogue():
        if model.kind not in FOLDERS:
            continue
        folder = root / FOLDERS[model.kind].value
        folder.mkdir(exist_ok=True)
        name = Path(model.sd_name if model.sd_name.endswith((".safetensors", ".pt")) else f"{model.sd_name}.pt")
        (folder / name).write_bytes(b"")
        if model.base_model in FAMILIES:
            (folder / f"{name.stem}.json").write_text(json.dumps({"base_model": model.base_model}))
    return Shelf(root)


def requests(document: Document) -> list[tuple[str, Example]]:
    """Path and example of each request."""
    return [
        (operation.path, example)
        for operation in document.operations.values()
        if operation.body
        for example in document.examples(operation.operation_id)
        if example.role == "request"
    ]


@pytest.mark.parametrize("strict", [False, True], ids=["lenient", "strict"])
def test_the_examples_of_the_document_are_taken_as_it_says(
    document: Document, official: Shelf, tmp_path: Path, strict: bool
) -> None:
    with front(tmp_path, document, official, strict=strict, worker=PaintingWorker(ready=False)) as server:
        taken = {}
        for path, example in requests(document):
            answer = server.call("POST", path, json=example.value)
            taken[example.file] = answer.status_code == 200 and answer.json().get("code", 0) == 0
    wanted = (Reading.DOCUMENTED,) if strict else (Reading.DOCUMENTED, Reading.TOLERATED)
    assert taken == {example.file: example.reading in wanted for _, example in requests(document)}
    assert len(taken) > 30


def test_the_shipped_models_answer_to_the_names_of_the_examples(document: Document, tmp_path: Path) -> None:
    with front(tmp_path, document, Shelf(SHIPPED), worker=PaintingWorker(ready=False)) as server:
        answers = {
            example.file: server.call("POST", path, json=example.value)
            for path, example in requests(document)
            if example.reading in (Reading.DOCUMENTED, Reading.TOLERATED)
        }
    refused = {file: answer.text for file, answer in answers.items() if answer.status_code != 200}
    refused |= {file: answer.text for file, answer in answers.items() if answer.json().get("code", 0) != 0}
    assert refused == {}
