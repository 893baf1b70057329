"""Secrets are cut out of everything that a journal keeps, and nothing else is changed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.core.findings import Code, Finding, Findings
from mockserver.core.journal import BODY_BYTES, Entry, Journal, JournalBudget
from mockserver.core.redaction import CUT, SHORTEST_SECRET, WINDOW_BYTES, without_keys, without_secrets
from openapi.document import Document, Reading

KEY = "sk-test-7f3a9c21"


def written(key: str | None = KEY, **fields: Any) -> Entry:
    """The entry of a call; what a test does not name is a plain accepted submit."""
    journal = Journal(JournalBudget(), secrets=() if key is None else (key.encode(),))
    plain: dict[str, Any] = {
        "at_ms": 0,
        "method": "POST",
        "path": "/v3/async/txt2img",
        "query": b"",
        "operation_id": "createTxt2imgTask",
        "status": 200,
        "headers": (),
        "request": b"",
        "answer": b"",
        "findings": 0,
    }
    journal.write(**{**plain, **fields})
    [entry] = journal
    return entry


def doubtful(body: object, **fields: Any) -> Any:
    """What is kept of a body with something undocumented in it, as JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return json.loads(written(request=raw, findings=1, **fields).request)


# Bodies


@pytest.mark.parametrize(
    "name", ["api_key", "apiKey", "X-Token", "client_secret", "password", "Authorization", "signature", "credentials"]
)
def test_the_value_of_a_secret_name_is_cut_at_any_depth(name: str) -> None:
    """Texts, numbers, lists and objects alike; the names stay, and so does everything beside them."""
    for value in ("hidden", 17, ["hidden"], {"id": "hidden", "more": {"x": 1}}):
        body = {"a": [{"b": {name: value, "prompt": "a boat"}}]}
        assert doubtful(body) == {"a": [{"b": {name: CUT, "prompt": "a boat"}}]}


def test_an_empty_value_of_a_secret_name_stays() -> None:
    """Whether a field was sent empty is what somebody wants to know."""
    body: dict[str, object] = {"token": "", "secret": None, "keys": []}
    assert doubtful(body) == body


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://user:pass@host.example/in?a=1", "https://...@host.example/in?a=1"),
        ("http://host.example/in?token=t1&a=1&api_key=k2#x", "http://host.example/in?token=...&a=1&api_key=...#x"),
        ("http://host.example/in?api%5Fkey=k1", "http://host.example/in?api%5Fkey=..."),
        ("see http://a@b.example and http://c@d.example", "see http://...@b.example and http://...@d.example"),
        ("//host.example/?sig=s1", "//host.example/?sig=..."),
        ("http://host.example/#access_token=t1", "http://host.example/#access_token=..."),
    ],
)
@pytest.mark.parametrize("accepted", [True, False])
def test_urls_lose_their_user_part_and_secret_query_values(url: str, kept: str, accepted: bool) -> None:
    """As webhook URLs carry them; also in a body that the documented reading accepted whole."""
    raw = json.dumps({"extra": {"webhook": {"url": url}}}).encode()
    entry = written(request=raw, findings=0 if accepted else 1)
    assert json.loads(entry.request) == {"extra": {"webhook": {"url": kept}}}


def test_a_url_with_escaped_slashes_or_marks_is_found_too() -> None:
    """Some JSON writers escape slashes, and every writer may escape anything."""
    raw = rb'{"url": "http:\/\/user:pass\u0040host.example\/?token\u003dt1"}'
    entry = written(request=raw)
    assert json.loads(entry.request) == {"url": "http://...@host.example/?token=..."}


@pytest.mark.parametrize("form", [KEY, "\\u0073k-test-7f3a9c21"])
def test_the_key_itself_is_cut_wherever_it_stands(form: str) -> None:
    """In a prompt, as a name, in a list; escaped or not; in an accepted body too."""
    raw = '{"prompt": "by KEY, a boat", "KEY": 1, "list": ["KEY"]}'.replace("KEY", form).encode()
    entry = written(request=raw)
    assert json.loads(entry.request) == {"prompt": "by ..., a boat", CUT: 1, "list": [CUT]}
    assert entry.request_bytes == len(raw)


def test_aws_access_key_ids_are_cut() -> None:
    """They are known by their form."""
    assert doubtful({"note": "with AKIAABCDEFGHIJKLMNOP here"}) == {"note": "with AKIA... here"}


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        (b'{"api_key": "hidden", "a": 1', b'{"api_key": "...", "a": 1'),
        (b'{"api_key": "hidd', b'{"api_key": "..."'),
        (b'{"token": {"a": "hidden"}, "b": 1', b'{"token": "..."'),
        (b'{"token": 17, "b": 1', b'{"token": "...", "b": 1'),
        (b"a=1&api_key=hidden&b=2", b"a=1&api_key=...&b=2"),
        (b"api_key=hidden\nurl=http://u:p@h.example/", b"api_key=...\nurl=http://...@h.example/"),
        (b"by " + KEY.encode() + b" \xff\xfe", b"by ... \xff\xfe"),
    ],
)
def test_what_is_no_json_is_searched_as_text(raw: bytes, kept: bytes) -> None:
    """A broken body, a form, bytes that are no text: the rest stays byte by byte."""
    assert written(request=raw, status=400).request == kept


def test_a_secret_across_the_end_of_the_kept_part_leaves_no_beginning() -> None:
    """A long body is searched further than it is kept."""
    for start in range(BODY_BYTES - 30, BODY_BYTES + 2):
        raw = b'{"a": "' + b"x" * (start - 7) + KEY.encode() + b"x" * 40_000 + b'"}'
        assert b"sk-" not in written(request=raw).request
        raw = b'{"a": "' + b"x" * (start - 30) + b'", "api_key": "' + b"hidden" * 9_000 + b'"}'
        assert b"hid" not in written(request=raw, findings=1).request


def test_many_keys_in_a_long_body_are_all_cut() -> None:
    """Cutting makes a text shorter; what moves up is what was searched."""
    for filling in range(20):
        raw = json.dumps(["y" * (7_000 + filling), *[KEY] * 5_000]).encode()
        entry = written(request=raw)
        assert b"sk" not in entry.request
        assert len(entry.request) <= BODY_BYTES


def test_a_plain_body_is_kept_as_the_same_object() -> None:
    """No copy is made of what holds nothing."""
    raw = b'{"request":{"prompt":"a key in a lock, an authentic token"}}'
    assert written(request=raw).request is raw


def test_words_that_name_secrets_may_stand_in_a_prompt() -> None:
    """Only names are judged, never what is drawn."""
    body = {"request": {"prompt": 'the "password": swordfish, token=gold'}, "unknown": 1}
    assert doubtful(body) == body


def test_a_short_key_is_not_searched_for() -> None:
    """`key` would be cut out of every second prompt."""
    short = "k" * (SHORTEST_SECRET - 1)
    assert written(short, request=b'{"prompt": "%s"}' % short.encode()).request == b'{"prompt": "%s"}' % short.encode()


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(alphabet="abcdfgh", max_size=5), inner),
        max_leaves=12,
    )
)
def test_a_body_without_secrets_stays_byte_by_byte(value: object) -> None:
    """Whatever a client sends comes back from the journal as it was."""
    raw = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
    if b"//" not in raw:
        assert written(request=raw, findings=1).request == raw


@given(st.binary(max_size=60), st.binary(max_size=60), st.sampled_from([200, 400]))
def test_no_bytes_around_it_hide_the_key(before: bytes, after: bytes, status: int) -> None:
    """And none makes the journal fail."""
    entry = written(request=before + KEY.encode() + after, answer=after + KEY.encode(), status=status)
    assert KEY.encode() not in entry.request
    assert KEY.encode() not in entry.answer


def test_no_documented_name_is_a_secrets(document: Document) -> None:
    """What the documented reading accepts is not searched for names: none of its names may be one that is cut."""
    names: set[str] = set()

    def collect(schema: object) -> None:
        if isinstance(schema, dict):
            names.update(schema.get("properties", {}))
            for inner in schema.values():
                collect(inner)
        elif isinstance(schema, list):
            for inner in schema:
                collect(inner)

    collect(document.rendered(Reading.DOCUMENTED))
    body = dict.fromkeys(names, 1)

    assert len(names) > 60
    assert doubtful(body) == body


def test_a_name_that_stands_twice_hides_nothing() -> None:
    """A reader of JSON takes the last value; the first was sent all the same."""
    raw = b'{"api_key":"hidden","api_key":""}'
    assert written(request=raw, findings=1).request == b'{"api_key":"...","api_key":"..."}'


def test_a_key_in_the_wrong_place_is_told_once_a_call() -> None:
    """The finding names the operation and the place, and never the key."""
    told: list[Finding] = []
    journal = Journal(JournalBudget(), secrets=(KEY.encode(),))
    journal.tell = told.extend
    common: dict[str, Any] = {"at_ms": 0, "method": "POST", "path": "/", "headers": (), "answer": b"", "status": 200}
    for query, request in (
        (b"", b'{"prompt": "a boat"}'),
        (b"key=1", b'{"prompt": "%s"}' % KEY.encode()),
        (b"a=%s&b=%s" % (KEY.encode(), KEY.encode()), b""),
        (b"a=sk%2Dtest-7f3a9c21&b=1", b""),
        (b"", b'{"\\u0073k-test-7f3a9c21": 1}'),
        (b"a=1&b=2", b"{}"),
    ):
        journal.write(**common, operation_id="createTask", query=query, request=request, findings=0)

    assert [finding.where.removeprefix("createTask: ") for finding in told] == ["body", "query", "query", "body"]
    assert {finding.code for finding in told} == {Code.KEY_IN_URL_OR_BODY}
    assert KEY not in repr(told) + repr([entry.request for entry in journal])


def test_findings_lose_the_key_too() -> None:
    """A field may be called like it; equal findings are still counted together."""
    findings = Findings(clean=Journal(JournalBudget(), secrets=(KEY.encode(),)).clean)
    findings.add([Finding(Code.TOLERATED_REQUEST, f"createTask: {KEY}", f"no field {KEY}\ud800")] * 2)
    assert findings.counted() == [(Finding(Code.TOLERATED_REQUEST, "createTask: ...", "no field ...\ud800"), 2)]


# Answers, queries, paths, headers


def test_an_answer_that_quotes_the_request_loses_the_same_secrets() -> None:
    """A refusal may repeat the value that it refuses."""
    request = b'{"api_key": "hidden-value-1", "by": "%s"}' % KEY.encode()
    answer = b'{"message": "no hidden-value-1, no %s"}' % KEY.encode()
    assert written(request=request, answer=answer, status=400).answer == b'{"message": "no ..., no ..."}'


def test_later_answers_lose_a_key_that_came_in_an_earlier_prompt() -> None:
    """A poll repeats what was asked."""
    journal = Journal(JournalBudget(), secrets=(KEY.encode(),))
    common: dict[str, Any] = {"at_ms": 0, "method": "POST", "path": "/", "operation_id": "o", "headers": ()}
    journal.write(**common, query=b"", status=200, request=b'"%s"' % KEY.encode(), answer=b"", findings=0)
    journal.write(**common, query=b"", status=200, request=b"", answer=b'"%s"' % KEY.encode(), findings=0)
    assert [entry.answer for entry in journal] == [b"", b'"..."']


def test_signatures_of_links_are_cut_out_of_answers() -> None:
    """A signed link is as good as a key while it lives."""
    answer = b'{"a":"http://h.example/a.png?x=1&X-Amz-Signature=abc123&y=1","b":"?X-Amz-Signature=def456","c":[]}'
    assert written(answer=answer).answer == answer.replace(b"abc123", b"...").replace(b"def456", b"...")


def test_an_accepted_v2_call_is_as_plain_as_one_of_v3() -> None:
    """Its one finding says that v2 is deprecated; with another one it is searched."""
    raw = b'{"api_key":"hidden"}'
    accepted = b'{"code":0,"msg":"","data":{"task_id":"1"}}'
    assert written(request=raw, answer=accepted, findings=1).request is raw
    assert written(request=raw, answer=accepted, findings=2).request == b'{"api_key":"..."}'
    assert written(request=raw, answer=b'{"code":4,"msg":"","data":null}', findings=1).request == b'{"api_key":"..."}'


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        (b"task_id=1&api_key=hidden", b"task_id=1&api_key=..."),
        (b"api%5Fkey=hidden&a", b"api%5Fkey=...&a"),
        (b"Token=hidden", b"Token=..."),
        (b"%6Bey=hidden&a", b"%6Bey=...&a"),
        (b"key=", b"key="),
        (b"task_id=" + KEY.encode(), b"task_id=..."),
        (b"task_id=sk%2Dtest-7f3a9c21", b"task_id=..."),
        (b"a=1&u=http%3A%2F%2Fu%3Ap%40h.example%2Fx", b"a=1&u=http://...@h.example/x"),
        (b"a=%41&b=c", b"a=%41&b=c"),
    ],
)
def test_queries(query: bytes, kept: bytes) -> None:
    """By name, by the key itself, and in URLs in percent-encoding; anything else stays as it came."""
    assert written(query=query, status=404).query == kept


def test_a_long_query_of_secret_words_takes_no_time() -> None:
    """A request line of 64 KB cannot hold up the server."""
    query = b"key" * 22_000
    assert without_secrets(query) == query


def test_the_path_of_an_unknown_call_loses_the_key() -> None:
    """Paths of operations are the contract's."""
    assert written(path=f"/v3/{KEY}/x", operation_id="", status=404).path == "/v3/.../x"


def test_header_values_lose_the_key_and_what_urls_hold() -> None:
    """Of the few headers that are kept, User-Agent is the one that people put things in."""
    given_headers = ((b"user-agent", b"app (%s; http://u:p@h.example/)" % KEY.encode()), (b"accept", b"*/*"))
    assert written(headers=given_headers).headers == (
        (b"user-agent", b"app (...; http://...@h.example/)"),
        (b"accept", b"*/*"),
    )


def test_equal_headers_are_searched_once_and_others_again() -> None:
    """The one tuple that a caller hands over again and again is kept; the next other one is not taken for it."""
    journal = Journal(JournalBudget(), secrets=(KEY.encode(),))
    common: dict[str, Any] = {"at_ms": 0, "method": "GET", "path": "/", "query": b"", "operation_id": "o"}
    plain, secret = ((b"accept", b"*/*"),), ((b"accept", KEY.encode()),)
    for headers in (plain, plain, secret, plain, secret, ()):
        journal.write(**common, status=200, headers=headers, request=b"", answer=b"", findings=0)
    cut = ((b"accept", b"..."),)
    assert [entry.headers for entry in journal] == [plain, plain, cut, plain, cut, ()]


# Calls without a world


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("/v3/sk-somebodys-key-1", "/v3/sk-..."),
        ("/v3/Bearer abcdefgh1234", "/v3/Bearer ..."),
        ("/v3/task-1/disk-usage", "/v3/task-1/disk-usage"),
    ],
)
def test_without_a_world_whatever_looks_like_a_key_is_cut(text: str, kept: str) -> None:
    """Nobody knows whose key it is."""
    assert written(None, path=text, operation_id="", status=404).path == kept
    assert without_keys(text) == kept


def test_the_answer_to_a_refused_key_stays_json() -> None:
    """It names the form of a key, which is no key."""
    answer = b'{"message":"expected the header \'Authorization: Bearer <key>\'","metadata":{}}'
    assert written(None, answer=answer, status=403).answer == answer


def test_the_window_is_longer_than_any_key() -> None:
    """A key has at most 256 characters, three times that in percent-encoding of the worst."""
    assert WINDOW_BYTES >= 256 * 2
