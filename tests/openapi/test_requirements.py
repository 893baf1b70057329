"""The requirements: every row is well formed and leads somewhere, and nothing in the document goes unnamed."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

import openapi
from openapi.document import Document
from openapi.inventory import Inventory, shared, spelled_out
from openapi.requirements import (
    CONTRADICTIONS,
    FILE,
    Keyword,
    Profile,
    Requirements,
    RequirementsError,
    Strength,
    load_requirements,
    read_requirements,
)
from openapi.requirements_table import broken_promises, main, read_lock

PACKAGE = Path(openapi.__file__).parent
RAW: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
SCHEMA: dict[str, Any] = json.loads((PACKAGE / "requirements.schema.json").read_text(encoding="utf-8"))
REQUIREMENTS = read_requirements(RAW)

Change = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def inventory(document: Document) -> Inventory:
    """Everything in the shipped document that a row can name."""
    return Inventory.of(document.raw)


def small(**changes: object) -> dict[str, Any]:
    """A file with one row, some of its fields changed; None takes one away."""
    row = {
        "id": "V3-RESULT-001",
        "keyword": "MUST",
        "profile": "v3-core",
        "text": "It answers.",
        "source": ["task-result table"],
        "names": ["getTaskResult:200"],
        **changes,
    }
    rows = [{key: value for key, value in row.items() if value is not None}]
    return {**copy.deepcopy({key: RAW[key] for key in RAW if key != "requirements"}), "requirements": rows}


def with_rows(*ids: str) -> dict[str, Any]:
    """A file with a row for each id."""
    raw = small()
    raw["requirements"] = [{**raw["requirements"][0], "id": one} for one in ids]
    return raw


# The document and the rows ------------------------------------------------------------------------------------------


def test_everything_in_the_document_is_named_by_a_row(inventory: Inventory) -> None:
    """Each operation, parameter, field, keyword, tolerance, status, reason and code stands in some row's names."""
    named = {shared(thing) for row in REQUIREMENTS for name in row.names for thing in inventory.meant(name)}
    assert sorted(inventory.demanded - named) == []


def test_every_name_exists_in_the_document(inventory: Inventory) -> None:
    """No row speaks of something that the document does not hold."""
    lost = [(row.id, name) for row in REQUIREMENTS for name in row.names if not inventory.meant(name)]
    assert lost == []


def test_the_rows_on_a_tolerance_cite_its_reasons(inventory: Inventory) -> None:
    """What x-tolerated gives as its reasons stands in the contradictions or observations of the rows that name it."""
    missing = {}
    for thing, because in inventory.because.items():
        rows = [row for row in REQUIREMENTS if any(thing in inventory.meant(name) for name in row.names)]
        cited = {cited for row in rows for cited in row.contradictions + row.observations}
        if because - cited:
            missing[thing] = sorted(because - cited)
    assert missing == {}


def test_every_reason_of_the_document_is_cited(document: Document) -> None:
    """Each C- and O-id of x-references stands in a row, and a row cites only what can be looked up."""
    cited = {one for row in REQUIREMENTS for one in row.contradictions + row.observations}
    assert set(document.references) <= cited
    # C45 is about the name of a count and has no place of its own in the document; the page of contradictions has it.
    assert {one for one in cited if one not in document.references} <= {"C45"}


def test_names_below_a_field_are_used_for_whole_answers_only() -> None:
    """`.**` would hide what a row forgets; only rows that demand the form of another answer, or rule it out, use it."""
    assert {row.id for row in REQUIREMENTS if any(name.endswith(".**") for name in row.names)} == {
        "V3-RESULT-026",
        "WEBHOOK-005",
    }


# The rows themselves ------------------------------------------------------------------------------------------------


def test_the_shipped_file_loads() -> None:
    """The reader and the file agree; every profile, area and page is used."""
    requirements = load_requirements()
    assert {row.profile for row in requirements} == set(Profile)
    assert {row.area for row in requirements} == set(requirements.areas)
    assert {source.page.key for row in requirements for source in row.sources} == set(requirements.pages)


def test_texts_are_unique() -> None:
    """No two rows say the same."""
    texts = [row.text for row in REQUIREMENTS]
    assert sorted({text for text in texts if texts.count(text) > 1}) == []


def test_what_only_we_concluded_says_so() -> None:
    """A row whose best source is nobody has the strength inferred."""
    assert {row.strength for row in REQUIREMENTS if row.sources[0].page.key == "nobody"} == {Strength.INFERRED}


def test_unobservable_rows_are_few() -> None:
    """Nearly everything can be decided over HTTP; rows of which not are a small, listed part."""
    assert {row.id for row in REQUIREMENTS if not row.observable} == {
        "V3-EXTRA-007",
        "V3-RESULT-026",
        "V3-RESULT-027",
        "V3-NSFW-009",
        "WEBHOOK-020",
        "V3-ERROR-012",
        "V3-ERROR-013",
        "V3-ERROR-014",
        "V3-ERROR-015",
        "V2-CODE-009",
    }


def test_rows_can_be_looked_up() -> None:
    """By id, and by profile in the order of the file."""
    first = REQUIREMENTS.rows[0]
    assert REQUIREMENTS[first.id] is first
    assert [row for row in REQUIREMENTS if row.profile is Profile.V3_LIMITS] == list(
        REQUIREMENTS.of_profile(Profile.V3_LIMITS)
    )
    with pytest.raises(KeyError):
        REQUIREMENTS["V3-AUTH-999"]


def test_the_core_of_v3_stands_without_the_optional_parts() -> None:
    """A row of v3-core names no operation that only another profile has."""
    others = ("createImg2imgTask:", "listModels:", "createTxt2imgTaskV2", "createImg2imgTaskV2", "getProgressV2")
    alone = [
        row.id
        for row in REQUIREMENTS.of_profile(Profile.V3_CORE)
        if row.names
        and all(name.startswith(others) for name in row.names)
        # Reasons are listed under the operation that they fit best.
        and not row.id.startswith("V3-ERROR")
    ]
    assert alone == []


# The reader ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"colour": "red"}, "unknown key 'colour'"),
        ({"text": None}, "lacks the key 'text'"),
        ({"text": "It answers"}, "ends with a full stop"),
        ({"text": "It\nanswers."}, "one paragraph"),
        ({"text": ""}, "expected text"),
        ({"keyword": "SHALL"}, "'SHALL' is none of MUST"),
        ({"profile": "v4-core"}, "'v4-core' is none of v3-core"),
        ({"id": "V3-RESULT-1"}, "no id AREA-NNN"),
        ({"id": "V3-COLOUR-001"}, "no id AREA-NNN"),
        ({"source": []}, "at least one entry"),
        ({"source": ["diary table"]}, "no page 'diary'"),
        ({"source": ["task-result rumour"]}, "'rumour' is none of table"),
        ({"contradictions": ["C54"]}, "C54 is not one of C1 to C53"),
        ({"contradictions": ["C0"]}, "'C0' is no id"),
        ({"contradictions": ["O1"]}, "'O1' is no id such as C1"),
        ({"contradictions": ["C2", "C1"]}, "in order"),
        ({"observations": ["C1"]}, "'C1' is no id such as O1"),
        ({"names": ["getTaskResult 200"]}, "is no reference"),
        ({"names": ["getTaskResult:200", "getTaskResult:{200,404}"]}, "stands twice"),
        ({"tolerated": "It does not."}, "tolerates something without"),
        ({"tolerated": "It does not.", "contradictions": ["C1"], "keyword": "MAY"}, "MAY leaves the choice"),
        ({"unobservable": ""}, "expected text"),
    ],
)
def test_a_row_that_is_not_right_is_refused_with_its_place(changes: dict[str, object], message: str) -> None:
    """The message names the row and what is wrong with it."""
    with pytest.raises(RequirementsError, match=re.escape(message)) as caught:
        read_requirements(small(**changes))
    assert caught.value.place.startswith(str(changes.get("id", "V3-RESULT-001")))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda raw: raw.update(format=2), "this reader knows format 1"),
        (lambda raw: raw.update(colour="red"), "unknown key 'colour'"),
        (lambda raw: raw.pop("areas"), "lacks the key 'areas'"),
        (lambda raw: raw["profiles"].pop("v3-core"), "expected exactly"),
        (lambda raw: raw["pages"].update(diary={"titel": "x"}), "unknown key 'titel'"),
        (lambda raw: raw["retired"].update({"V3-RESULT-001": "said twice"}), "is retired"),
        (lambda raw: raw.update(requirements={}), "expected a list"),
    ],
)
def test_a_file_that_is_not_right_is_refused(change: Change, message: str) -> None:
    """Head and frame are as strict as the rows."""
    raw = small()
    change(raw)
    with pytest.raises(RequirementsError, match=re.escape(message)):
        read_requirements(raw)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (("V3-RESULT-001", "V3-RESULT-001"), "stands twice"),
        (("V3-RESULT-002", "V3-RESULT-001"), "out of order"),
        (("V2-CODE-001", "V3-RESULT-001"), "out of order"),
    ],
)
def test_ids_are_unique_and_in_order(ids: tuple[str, ...], message: str) -> None:
    """Areas stand as at the head of the file, numbers go upwards; gaps are fine."""
    read_requirements(with_rows("V3-RESULT-001", "V3-RESULT-007"))
    with pytest.raises(RequirementsError, match=message):
        read_requirements(with_rows(*ids))


def test_a_missing_or_broken_file_is_named(tmp_path: Path) -> None:
    """The message holds the path."""
    with pytest.raises(RequirementsError, match=r"nowhere\.yaml: cannot be read"):
        load_requirements(tmp_path / "nowhere.yaml")
    broken = tmp_path / "broken.yaml"
    broken.write_text("a: [", encoding="utf-8")
    with pytest.raises(RequirementsError, match=r"broken\.yaml: no YAML"):
        load_requirements(broken)


def test_the_schema_takes_the_file() -> None:
    """The JSON Schema for editors says what the reader says: the shipped file is right."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(RAW, SCHEMA)


@pytest.mark.parametrize(
    "changes",
    [
        {"colour": "red"},
        {"text": "It answers"},
        {"keyword": "SHALL"},
        {"contradictions": ["C54"]},
        {"source": ["task-result rumour"]},
        {"id": "V3-RESULT-1"},
    ],
)
def test_the_schema_refuses_what_the_reader_refuses(changes: dict[str, object]) -> None:
    """An editor shows the same mistakes."""
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(small(**changes), SCHEMA)


def test_the_schema_knows_the_same_words() -> None:
    """Keywords, strengths and C-numbers are listed there as in the reader."""
    row = SCHEMA["$defs"]["requirement"]["properties"]
    assert row["keyword"]["enum"] == list(Keyword)
    assert row["source"]["items"]["pattern"].endswith(f"({'|'.join(Strength)})$")
    numbers = re.compile(row["contradictions"]["items"]["pattern"])
    assert [n for n in range(100) if numbers.match(f"C{n}")] == list(CONTRADICTIONS)


# Ids never change their meaning -------------------------------------------------------------------------------------


@pytest.fixture
def copied(tmp_path: Path) -> dict[str, Path]:
    """A small file of its own, with lock and page written."""
    paths = {"source": tmp_path / "requirements.yaml", "lock": tmp_path / "r.lock", "page": tmp_path / "r.md"}
    paths["source"].write_text(yaml.safe_dump(small()), encoding="utf-8")
    assert main(["--write"], **paths) == 0
    return paths


def test_the_shipped_lock_and_table_are_up_to_date() -> None:
    """What `--check` finds in the repository is nothing."""
    assert main(["--check"]) == 0


def test_the_shipped_lock_holds_every_row() -> None:
    """Ids and digests, nothing else."""
    assert read_lock(PACKAGE / "requirements.lock") == {row.id: row.digest for row in REQUIREMENTS}


@pytest.mark.parametrize("changes", [{"text": "It is silent."}, {"keyword": "MAY"}])
def test_a_changed_sentence_is_noticed(
    copied: dict[str, Path], capsys: pytest.CaptureFixture[str], changes: dict[str, object]
) -> None:
    """Neither check nor write lets an id say something else; `--reword` does."""
    copied["source"].write_text(yaml.safe_dump(small(**changes)), encoding="utf-8")
    before = copied["lock"].read_text(encoding="utf-8")
    assert main(["--check"], **copied) == 1
    assert main(["--write"], **copied) == 1
    assert "V3-RESULT-001 says something else" in capsys.readouterr().err
    assert copied["lock"].read_text(encoding="utf-8") == before
    assert main(["--write", "--reword", "V3-RESULT-001"], **copied) == 0
    assert main(["--check"], **copied) == 0


def test_a_lost_id_is_noticed_unless_it_is_retired(copied: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """An id can be given up, not forgotten."""
    raw = with_rows("V3-RESULT-002")
    copied["source"].write_text(yaml.safe_dump(raw), encoding="utf-8")
    assert main(["--write"], **copied) == 1
    assert "V3-RESULT-001 is gone" in capsys.readouterr().err
    raw["retired"]["V3-RESULT-001"] = "Says nothing."
    copied["source"].write_text(yaml.safe_dump(raw), encoding="utf-8")
    assert main(["--write"], **copied) == 0


def test_a_new_row_is_added_by_write_and_missed_by_check(copied: dict[str, Path]) -> None:
    """Growth needs no permission."""
    copied["source"].write_text(yaml.safe_dump(with_rows("V3-RESULT-001", "V3-RESULT-002")), encoding="utf-8")
    assert main(["--check"], **copied) == 1
    assert main(["--write"], **copied) == 0
    assert list(read_lock(copied["lock"])) == ["V3-RESULT-001", "V3-RESULT-002"]


def test_new_references_do_not_change_a_digest() -> None:
    """What a row names and cites may grow; what it demands may not."""
    plain = read_requirements(small())
    more = read_requirements(small(names=["getTaskResult:404"], contradictions=["C1"], source=["webhook prose"]))
    assert broken_promises(more, {row.id: row.digest for row in plain}) == []


def test_the_table_shows_each_row_and_breaks_at_no_pipe(tmp_path: Path) -> None:
    """One line per row, with its tolerated branch; a pipe in a text stays inside its cell."""
    paths = {"source": tmp_path / "r.yaml", "lock": tmp_path / "r.lock", "page": tmp_path / "r.md"}
    raw = small(text="It says a|b to <x> and `<y>`.", tolerated="It says b.", contradictions=["C1"])
    paths["source"].write_text(yaml.safe_dump(raw), encoding="utf-8")
    assert main(["--write"], **paths) == 0
    (line,) = [line for line in paths["page"].read_text(encoding="utf-8").splitlines() if "V3-RESULT-001" in line]
    assert r"It says a\|b to &lt;x> and `<y>`. *Or:* It says b." in line
    assert len(re.findall(r"(?<!\\)\|", line)) == 7


def test_a_file_that_cannot_be_read_ends_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A message instead of a traceback."""
    assert main(["--check"], source=tmp_path / "nowhere.yaml") == 1
    assert "cannot be read" in capsys.readouterr().err


def test_the_program_runs_as_a_module() -> None:
    """`python -m openapi.requirements --check` is what CI calls."""
    done = subprocess.run(
        [sys.executable, "-m", "openapi.requirements", "--check"],
        cwd=PACKAGE.parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


# References ---------------------------------------------------------------------------------------------------------


def test_written_references_are_spelled_out() -> None:
    """Braces multiply, aspects are told apart, and plain references stay as they are."""
    assert list(spelled_out("{a,b}:x.{c,d}#type,range")) == [
        f"{operation}:x.{field}#{aspect}" for operation in "ab" for field in "cd" for aspect in ("type", "range")
    ]
    assert list(spelled_out("getProgressV2:code:-1")) == ["getProgressV2:code:-1"]
    assert list(spelled_out("webhook:event:payload.**")) == ["webhook:event:payload.**"]


@pytest.mark.parametrize("written", ["", "a:", "a:b:c:d", "a:b c", "a#Type", "a:{b", "a:b#"])
def test_a_reference_that_is_not_written_right_is_refused(written: str) -> None:
    """The message shows it and a right one."""
    with pytest.raises(ValueError, match="is no reference such as"):
        list(spelled_out(written))


def test_an_aspect_means_its_field_as_well(inventory: Inventory) -> None:
    """Who speaks of a range speaks of the field."""
    field = "createTxt2imgTask:request.width"
    assert inventory.meant(f"{field}#range") == {field, f"{field}#range"}
    assert inventory.meant(field) == {field}
    assert inventory.meant(f"{field}#length") == frozenset()


@pytest.mark.parametrize(
    "thing",
    [
        "createTxt2imgTask#rate-limit",
        "createTxt2imgTask:body#condition",
        "createTxt2imgTask:body#media",
        "createTxt2imgTask:request.prompt#length",
        "createTxt2imgTask:request.loras#items",
        "createTxt2imgTask:request.loras[].strength#required",
        "createTxt2imgTask:request.negative_prompt#tolerated",
        "createTxt2imgTask:request#unknown",
        "createImg2imgTask:request.strength#null",
        "createImg2imgTask:request.image_base64#picture",
        "createTxt2imgTask:400:ILLEGAL_PROMPT",
        "createTxt2imgTask:400.metadata.*#type",
        "getTaskResult:query.task_id#required",
        "getTaskResult:200.images[].nsfw_detection_result.confidence#range",
        "getProgressV2:code:0",
        "getProgressV2:code:-1",
        "getProgressV2:200.data.status#enum",
        "listModels:query.filter.types#tolerated",
        "webhook:asyncTaskResult:default",
        "webhook:asyncTaskResult:payload.task.status#enum",
        "security:omniKey#tolerated",
    ],
)
def test_the_inventory_holds_one_of_each_kind(inventory: Inventory, thing: str) -> None:
    """A sample of every kind of reference is found in the shipped document."""
    assert thing in inventory.things


@pytest.mark.parametrize(
    ("schema", "fresh"),
    [
        (
            {"type": "integer", "minimum": 3},
            {"createTxt2imgTask:request.colour#type", "createTxt2imgTask:request.colour#range"},
        ),
        (
            {"anyOf": [{"type": "string", "maxLength": 9}, {"type": "null"}]},
            {"createTxt2imgTask:request.colour#length", "createTxt2imgTask:request.colour#null"},
        ),
        ({"x-tolerated": {"because": ["C1"]}}, {"createTxt2imgTask:request.colour#tolerated"}),
    ],
)
def test_a_new_field_is_demanded(document: Document, schema: dict[str, Any], fresh: set[str]) -> None:
    """A field that joins the document must be named before the tests are green again."""
    raw = copy.deepcopy(document.raw)
    raw["components"]["schemas"]["Txt2imgRequest"]["properties"]["colour"] = schema
    assert fresh <= Inventory.of(raw).demanded - Inventory.of(document.raw).demanded


def test_a_keyword_that_nobody_knows_is_an_error(document: Document) -> None:
    """A new kind of constraint cannot slip past the rows."""
    raw = copy.deepcopy(document.raw)
    raw["components"]["schemas"]["Txt2imgRequest"]["properties"]["width"] = {"multipleOf": 8}
    with pytest.raises(ValueError, match="multipleOf"):
        Inventory.of(raw)


def test_a_reason_is_demanded_once(inventory: Inventory) -> None:
    """Reasons and codes belong to all operations that share an answer; one row on one of them is enough."""
    assert shared("createTxt2imgTask:400:ILLEGAL_PROMPT") in inventory.demanded
    assert "createTxt2imgTask:400:ILLEGAL_PROMPT" not in inventory.demanded
    assert shared("webhook:asyncTaskResult:event_type") == "webhook:asyncTaskResult:event_type"


def test_requirements_are_values() -> None:
    """Two readings of one file are equal, and nothing in them can be changed."""
    assert read_requirements(RAW) == REQUIREMENTS
    assert isinstance(REQUIREMENTS, Requirements)
    with pytest.raises(AttributeError):
        REQUIREMENTS.rows[0].text = "other"  # type: ignore[misc]  # what is frozen refuses this
