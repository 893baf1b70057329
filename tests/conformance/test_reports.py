from __future__ import annotations

import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from rich.console import Console

from conformance.compare import compare
from conformance.events import CheckFinished, Ending
from conformance.exit_codes import ExitCode
from conformance.matrix import as_html, as_markdown, matrix
from conformance.redaction import Redactor
from conformance.report import badge, html, json_report, junit, markdown
from conformance.report.events_log import EventsLog
from conformance.report.json_report import ReportError, Written, read
from conformance.report.model import report_of
from conformance.report.shown import Kind, body_of
from conformance.report.terminal import Live, summary
from conformance.report.write import KINDS, write_reports, write_scripts
from conformance.verdict import Outcome, Verdict
from openapi.document import load
from openapi.requirements import load_requirements
from tests.conformance.runs import ALL_VERDICTS, KEY, SCRIPT_TAG, events, png, report

SCHEMA = json.loads(json_report.SCHEMA.read_text(encoding="utf-8"))


class Page(HTMLParser):
    """What a browser would make of a page: its elements, and what it would load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def loaded(self) -> list[str]:
        """Addresses that are loaded without a click."""
        return [
            value or ""
            for tag, attrs in self.tags
            for name, value in attrs.items()
            if name in ("src", "srcset", "data", "action") or (tag == "link" and name == "href")
        ]

    def ids(self) -> list[str]:
        return [attrs["id"] or "" for _, attrs in self.tags if "id" in attrs]

    def anchors(self) -> list[str]:
        return [attrs["href"] or "" for tag, attrs in self.tags if tag == "a" and attrs.get("href")]


# What a run means


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ([Verdict.PASS, Verdict.WARN, Verdict.NOT_APPLICABLE], ExitCode.CONFORMANT),
        ([Verdict.PASS, Verdict.FAIL, Verdict.UNTESTABLE], ExitCode.VIOLATION),
        ([Verdict.PASS, Verdict.UNTESTABLE], ExitCode.INCONCLUSIVE),
        ([Verdict.PASS, Verdict.BLOCKED], ExitCode.INCONCLUSIVE),
        ([Verdict.PASS, Verdict.UNSTABLE], ExitCode.INCONCLUSIVE),
        ([Verdict.PASS, Verdict.FAIL, Verdict.ERROR], ExitCode.HARNESS_ERROR),
        ([Verdict.NOT_APPLICABLE], ExitCode.INCONCLUSIVE),
        ([], ExitCode.INCONCLUSIVE),
    ],
)
def test_the_worst_verdict_decides_and_nothing_decided_is_never_green(verdicts: list[Verdict], code: ExitCode) -> None:
    ids = list(ALL_VERDICTS)
    assert report(dict(zip(ids, verdicts, strict=False))).exit_code is code


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        (Ending.INTERRUPTED, ExitCode.INTERRUPTED),
        (Ending.UNREACHABLE, ExitCode.UNREACHABLE),
        (Ending.CRASHED, ExitCode.HARNESS_ERROR),
    ],
)
def test_a_run_that_ended_early_says_so_whatever_it_found(ending: Ending, code: ExitCode) -> None:
    found = report({"V3-AUTH-001": Verdict.FAIL}, chosen=["V3-AUTH-001", "V3-AUTH-002"], ending=ending)
    assert found.exit_code is code
    assert [entry.verdict for entry in found.entries] == [Verdict.FAIL, Verdict.UNTESTABLE]
    assert found.entries[1].message == f"not measured: ended: {ending}"


def test_an_expected_failure_does_not_count_nor_does_what_it_blocks() -> None:
    verdicts = {"V3-AUTH-001": Verdict.PASS, "V3-AUTH-005": Verdict.BLOCKED, "V3-AUTH-007": Verdict.FAIL}
    found = report(verdicts, expected={"V3-AUTH-007": "known"})
    assert found.exit_code is ExitCode.CONFORMANT
    assert report(verdicts).exit_code is ExitCode.VIOLATION


def test_an_expected_failure_that_holds_is_stale() -> None:
    found = report({"V3-AUTH-001": Verdict.PASS}, expected={"V3-AUTH-001": "known", "V3-AUTH-002": "not chosen"})
    assert found.stale == ("V3-AUTH-001",)
    assert found.exit_code is ExitCode.VIOLATION


def test_an_error_of_ours_is_never_expected() -> None:
    found = report({"V3-AUTH-001": Verdict.ERROR}, expected={"V3-AUTH-001": "known"})
    assert found.exit_code is ExitCode.HARNESS_ERROR


def test_what_is_newer_than_the_revision_does_not_count() -> None:
    verdicts = {"V3-AUTH-001": Verdict.PASS, "V3-AUTH-007": Verdict.FAIL}
    assert report(verdicts, not_scored=("V3-AUTH-007",)).exit_code is ExitCode.CONFORMANT


def test_a_later_word_on_a_requirement_replaces_the_first() -> None:
    log = events({"V3-AUTH-001": Verdict.FAIL})
    log.insert(-1, CheckFinished(outcome=Outcome(requirement="V3-AUTH-001", verdict=Verdict.PASS)))
    found = report_of(log, load_requirements(), load(), Redactor({}))
    assert found.counts[Verdict.PASS] == 1
    assert found.counts[Verdict.FAIL] == 0


# Every form


@pytest.mark.parametrize("kind", KINDS)
def test_no_report_holds_a_secret(kind: str) -> None:
    text = KINDS[kind](report(ALL_VERDICTS))
    assert KEY not in text
    assert "abcdef" not in text, "the signature of a link"
    assert "session=1" not in text
    text.encode()


def test_the_event_log_holds_no_secret_and_is_json_line_by_line() -> None:
    file = io.StringIO()
    log = EventsLog(file, Redactor({"api-key": KEY}))
    for event in events(ALL_VERDICTS):
        log(event)
    lines = [json.loads(line) for line in file.getvalue().splitlines()]
    assert [line["event"] for line in lines[:2]] == ["RunStarted", "Exchanged"]
    assert lines[-1]["event"] == "RunFinished"
    assert KEY not in file.getvalue()


@pytest.mark.parametrize("form", [KEY[:-1], KEY[1:], KEY + "x", KEY.upper(), KEY[::-1], f"x{KEY[4:]}"])
def test_a_key_that_a_check_changed_is_hidden_too(form: str) -> None:
    hidden = Redactor({"api-key": KEY}).text(f"Bearer {form} end")
    assert KEY[5:-5].lower() not in hidden.lower()
    assert KEY[5:-5][::-1] not in hidden
    assert hidden.startswith("Bearer ")
    assert hidden.endswith(" end")


def test_a_short_key_is_hidden_only_where_it_stands_alone() -> None:
    assert Redactor({"api-key": "ab"}).text("Bearer ab, about cab") == "Bearer <api-key>, about cab"


def test_secrets_in_fields_addresses_and_links_are_hidden() -> None:
    said = '{"s3_secret_key": "foo1", "url": "https://me:pass@host/?X-Amz-Signature=feed&b=1"}'
    hidden = Redactor({}).text(said)
    assert not re.search("foo1|pass|feed", hidden)
    assert "b=1" in hidden


def test_bodies_are_laid_out_cut_and_described() -> None:
    redactor = Redactor({})
    cut = body_of(json.dumps({"a": "A" * 5000}).encode(), redactor, size=5009)
    assert cut.kind is Kind.JSON
    assert cut.cut
    assert len(cut.text) < 200
    picture = body_of(png(), redactor, size=len(png()))
    assert picture.kind is Kind.PICTURE
    assert "128 x 64" in picture.text
    assert picture.thumbnail.startswith("data:image/webp;base64,")
    assert body_of(b"\xff\xfe\x00\x01", redactor, size=4).kind is Kind.BINARY
    assert body_of(b"not {json", redactor, size=9).text == "not {json"


def test_json_fits_its_schema_and_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    validator = Draft202012Validator(SCHEMA, format_checker=FormatChecker())
    for found in (report(ALL_VERDICTS), report({}), report({"V3-AUTH-001": Verdict.PASS}, ending=Ending.CRASHED)):
        raw = json.loads(json_report.write(found))
        assert [error.message for error in validator.iter_errors(raw)] == []
    entry = next(one for one in raw["requirements"] if one["id"] == "V3-AUTH-001")
    assert {"id", "verdict", "level", "message"} <= entry.keys()


def test_json_says_what_was_sent_and_what_came() -> None:
    raw = json_report.to_json(report(ALL_VERDICTS))
    entry = next(one for one in raw["requirements"] if one["id"] == "V3-AUTH-007")
    [submit] = [one for one in raw["exchanges"] if one["number"] == entry["exchanges"][0]]
    assert submit["request"]["headers"][0] == ["Authorization", "Bearer <api-key>"]
    assert SCRIPT_TAG in json.loads(submit["answer"]["body"]["text"])["message"]
    assert entry["repro"]["verified"] is True


def test_junit_shows_red_whatever_is_not_green() -> None:
    root = ElementTree.fromstring(junit.write(report(ALL_VERDICTS)))
    found = {
        case.attrib["name"].split()[0]: {child.tag: child.attrib for child in case} for case in root.iter("testcase")
    }
    assert found["V3-AUTH-001"] == {}
    assert found["V3-AUTH-002"].keys() == {"system-out"}
    assert found["V3-AUTH-003"].keys() == {"skipped"}
    assert found["V3-AUTH-007"]["failure"]["message"].startswith("V3-AUTH-007 MUST ")
    types = {one: found[one]["failure"]["type"] for one in ("V3-AUTH-004", "V3-AUTH-005", "V3-AUTH-006")}
    assert types == {"V3-AUTH-004": "UNSTABLE", "V3-AUTH-005": "BLOCKED", "V3-AUTH-006": "UNTESTABLE"}
    assert found["V2-CODE-001"].keys() == {"error"}
    assert (root.attrib["tests"], root.attrib["failures"], root.attrib["errors"]) == ("8", "4", "1")


@pytest.mark.parametrize("verdicts", [{}, {"V3-AUTH-003": Verdict.NOT_APPLICABLE}])
def test_junit_of_a_run_that_decided_nothing_is_red(verdicts: dict[str, Verdict]) -> None:
    root = ElementTree.fromstring(junit.write(report(verdicts)))
    assert root.attrib["failures"] == "1"


def test_html_is_one_file_that_loads_nothing_and_runs_nothing_of_a_server() -> None:
    text = html.write(report(ALL_VERDICTS))
    page = Page(text)
    assert all(address.startswith("data:image/") for address in page.loaded())
    assert "@import" not in text
    assert "url(" not in text
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert SCRIPT_TAG not in text
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)


def test_html_has_a_cell_and_an_entry_for_each_requirement() -> None:
    page = Page(html.write(report(ALL_VERDICTS)))
    ids = page.ids()
    assert len(ids) == len(set(ids))
    assert set(ALL_VERDICTS) <= set(ids)
    cells = [attrs["href"] for tag, attrs in page.tags if tag == "a" and "cell" in (attrs.get("class") or "").split()]
    assert cells == [f"#{one}" for one in ALL_VERDICTS]
    inside = [anchor[1:] for anchor in page.anchors() if anchor.startswith("#")]
    assert set(inside) <= set(ids), "a link inside leads nowhere"


def test_badge_and_markdown_are_well_formed_and_take_nothing_from_a_server_as_markup() -> None:
    found = report(ALL_VERDICTS)
    ElementTree.fromstring(badge.write(found))
    said = markdown.write(found)
    assert "<script" not in said
    assert "**V3-AUTH-007**" in said
    assert badge.message(report({"V3-AUTH-001": Verdict.PASS})) == "1/1 hold"
    assert badge.message(report({})) == "nothing measured"


def test_files_and_scripts_are_written(tmp_path: Path) -> None:
    found = report(ALL_VERDICTS)
    written = write_reports(found, [("json", tmp_path / "deep" / "a.json"), ("md", tmp_path / "a.md")])
    assert all(path.stat().st_size for path in written)
    [script] = write_scripts(found, tmp_path / "repro").values()
    assert script.name == "V3-AUTH-007.sh"
    assert script.stat().st_mode & 0o111


# In a terminal


def test_the_terminal_tells_each_red_one_with_its_source_and_the_exit_code_in_words() -> None:
    out = io.StringIO()
    console = Console(file=out, width=80, highlight=False)
    found = report(ALL_VERDICTS, expected={"V3-AUTH-001": "known"})
    summary(found, console, {"V3-AUTH-007": Path("repro/V3-AUTH-007.sh")})
    said = out.getvalue()
    assert "FAIL V3-AUTH-007 MUST" in said
    assert "https://novita.ai/docs/" in said
    assert "expected  status 403" in said
    assert "repro/V3-AUTH-007.sh" in said
    assert "sent      {" in said, "what was sent stands beside what came"
    assert "blocks    1 other: repair this one first" in said
    assert "STALE V3-AUTH-001" in said
    assert "Not chosen: v3-storage" in said
    assert "Error of the suite (exit code 5)" in said
    assert KEY not in said


def test_a_server_cannot_steer_the_terminal() -> None:
    out = io.StringIO()
    log = events({"V3-AUTH-001": Verdict.PASS})
    wild = Outcome(requirement="V3-AUTH-001", verdict=Verdict.FAIL, expected="a", actual="[red]\x1b[2J\rpassed")
    log.insert(-1, CheckFinished(outcome=wild))
    summary(report_of(log, load_requirements(), load(), Redactor({})), Console(file=out, width=80), {})
    assert "[red]\\x1b[2J\\x0dpassed" in out.getvalue()


def test_without_a_terminal_the_tally_is_told_now_and_then() -> None:
    out = io.StringIO()
    times = iter(range(0, 1000, 3))
    live = Live(Console(file=out, width=200), lambda: float(next(times)))
    for event in events(ALL_VERDICTS):
        live(event)
    lines = out.getvalue().splitlines()
    assert lines[0].startswith("8 requirements, revision 2026-11, lenient: http://server.example")
    assert any("1 PASS, 1 WARN" in line and "3 requests" in line for line in lines)


# Several reports


def written(folder: Path, name: str, verdicts: dict[str, Verdict]) -> Written:
    """A report that was written and read again."""
    path = folder / f"{name}.json"
    path.write_text(json_report.write(report(verdicts)), encoding="utf-8")
    return read(path)


def test_compare_tells_better_from_worse(tmp_path: Path) -> None:
    before = written(tmp_path, "before", {"V3-AUTH-001": Verdict.PASS, "V3-AUTH-002": Verdict.FAIL})
    after = written(tmp_path, "after", {"V3-AUTH-001": Verdict.FAIL, "V3-AUTH-002": Verdict.PASS})
    found = compare(before, after)
    assert [change.id for change in found.worse] == ["V3-AUTH-001"]
    assert [change.id for change in found.better] == ["V3-AUTH-002"]


@pytest.mark.parametrize("before", [Verdict.BLOCKED, Verdict.UNTESTABLE])
def test_compare_calls_nothing_worse_that_nobody_knew_before(tmp_path: Path, before: Verdict) -> None:
    first = written(tmp_path, "before", {"V3-AUTH-001": before, "V3-AUTH-002": Verdict.FAIL})
    then = written(tmp_path, "after", {"V3-AUTH-001": Verdict.FAIL, "V3-AUTH-002": before})
    found = compare(first, then)
    assert [change.id for change in found.decided] == ["V3-AUTH-001"]
    assert [change.id for change in found.other] == ["V3-AUTH-002"]
    assert (found.worse, found.better) == ((), ())


def test_what_was_green_and_is_not_decided_any_more_is_worse(tmp_path: Path) -> None:
    first = written(tmp_path, "before", {"V3-AUTH-001": Verdict.PASS})
    then = written(tmp_path, "after", {"V3-AUTH-001": Verdict.UNTESTABLE})
    assert [change.id for change in compare(first, then).worse] == ["V3-AUTH-001"]


@pytest.mark.parametrize("verdict", [Verdict.NOT_APPLICABLE, Verdict.ERROR, None])
def test_compare_counts_no_change_that_says_nothing_of_the_server(tmp_path: Path, verdict: Verdict | None) -> None:
    before = written(tmp_path, "before", {"V3-AUTH-001": Verdict.PASS})
    after = written(tmp_path, "after", {"V3-AUTH-001": verdict} if verdict else {})
    found = compare(before, after)
    assert (found.worse, found.better, len(found.other)) == ((), (), 1)


def test_the_matrix_sets_servers_side_by_side(tmp_path: Path) -> None:
    first = written(tmp_path, "one", {"V3-AUTH-001": Verdict.PASS, "V3-AUTH-007": Verdict.FAIL})
    second = written(tmp_path, "two", {"V3-AUTH-001": Verdict.PASS, "V3-AUTH-002": Verdict.PASS})
    found = matrix([first, second, second])
    assert found.names == ("one", "two", "two (2)")
    assert [row.row.id for row in found.rows] == ["V3-AUTH-001", "V3-AUTH-002", "V3-AUTH-007"]
    page = Page(as_html(found))
    assert page.loaded() == []
    assert SCRIPT_TAG not in as_html(found)
    assert "**V3-AUTH-007**" in as_markdown(found)
    assert "V3-AUTH-001" not in as_markdown(found), "all agree and are green"


def test_reports_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    reports = [written(tmp_path / name, "report", {"V3-AUTH-001": Verdict.PASS}) for name in ("one", "two")]
    assert matrix(reports).names == ("one/report", "two/report")


@pytest.mark.parametrize(
    "text", ["", "[]", '{"format": "other"}', '{"format": "novita-conformance-report", "version": 2}']
)
def test_what_is_no_report_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ReportError, match=r"a\.json"):
        read(path)
