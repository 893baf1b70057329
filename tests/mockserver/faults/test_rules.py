"""How rules are read and written: every form, every error, and the published schema."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from mockserver.faults.effects import EFFECTS, effects_at, read_effect
from mockserver.faults.facts import Facts
from mockserver.faults.kinds import Kind
from mockserver.faults.options import LONGEST_WAIT_MS, Distribution, PlanError
from mockserver.faults.points import Point
from mockserver.faults.rules import MATCH_WORDS, MAX_RULES, TRIGGER_WORDS, read_rule, read_rules, rule_schema
from tests.mockserver.faults.strategies import anything, distributions, rules, spoilt_rules

SCHEMA = Draft202012Validator(rule_schema())


@given(rules())
def test_a_rule_that_was_read_is_written_so_that_it_reads_the_same(given_rule: Any) -> None:
    rule = read_rule(given_rule, ())
    written = orjson.loads(orjson.dumps(rule.as_json()))
    assert read_rule(written, ()) == rule
    assert read_rule(written, ()).as_json() == written


@given(rules())
def test_the_schema_takes_what_is_read_and_what_is_written(given_rule: Any) -> None:
    rule = read_rule(given_rule, ())
    for one in (given_rule, rule.as_json()):
        assert SCHEMA.is_valid(one), (one, [error.message for error in SCHEMA.iter_errors(one)])


@given(spoilt_rules() | anything())
def test_a_bad_rule_is_refused_with_its_place_and_never_breaks_the_reader(given_rule: Any) -> None:
    try:
        read_rule(given_rule, ("faults", 0))
    except PlanError as error:
        said = str(error)
    else:
        said = "faults[0]" if read_rules([given_rule], ()) else ""
    assert said.startswith("faults[0]")
    assert len(said) < 4000


@given(st.lists(anything(), max_size=3) | anything())
def test_a_bad_list_of_rules_is_refused(given_rules: Any) -> None:
    try:
        found = read_rules(given_rules, ())
    except PlanError:
        return
    assert found == [read_rule(rule, ()) for rule in given_rules]


def test_a_list_of_rules_has_a_bound() -> None:
    rule = {"point": "result", "effect": "no-answer"}
    assert len(read_rules([rule] * MAX_RULES, ())) == MAX_RULES
    with pytest.raises(PlanError, match=f"at most {MAX_RULES} faults"):
        read_rules([rule] * (MAX_RULES + 1), ())


@pytest.mark.parametrize(
    "kind",
    [Kind.TRUNCATE, Kind.DELAY, Kind.DRIBBLE, Kind.LATE, Kind.FAIL, Kind.STUCK, Kind.VANISH, Kind.REGRESS],
    ids=str,
)
def test_a_bare_one_is_one_and_not_true(kind: Kind) -> None:
    """1 equals True in Python; `{truncate: 1}` means the share, `{truncate: true}` the defaults."""
    main, point = EFFECTS[kind].main, EFFECTS[kind].points[0]
    if kind is Kind.FAIL:  # its main option is text
        with pytest.raises(PlanError, match="came 1"):
            read_effect({kind.value: 1}, point, ())
    else:
        assert read_effect({kind.value: 1}, point, ()) == read_effect({kind.value: {main: 1}}, point, ())
    assert read_effect({kind.value: True}, point, ()) == read_effect(kind.value, point, ())


@pytest.mark.parametrize("kind", Kind, ids=str)
def test_the_schema_and_the_reader_agree_about_an_effect_without_options(kind: Kind) -> None:
    """`null`, `true` and an empty object are the name alone; `status` says nothing without a code or a reason."""
    point = EFFECTS[kind].points[0]
    names_alone: tuple[Any, ...] = (None, True, {})
    for options in names_alone:
        rule = {"point": point.value, "effect": {kind.value: options}}
        assert SCHEMA.is_valid(rule) is (kind is not Kind.STATUS)
        if kind is Kind.STATUS:
            with pytest.raises(PlanError, match="expected a status code or a reason"):
                read_rule(rule, ())
        else:
            assert read_rule(rule, ()) == read_rule({"point": point.value, "effect": kind.value}, ())
    nothing: tuple[Any, ...] = (False, [], {"made-up": 1})
    for options in nothing:
        rule = {"point": point.value, "effect": {kind.value: options}}
        assert not SCHEMA.is_valid(rule)
        with pytest.raises(PlanError):
            read_rule(rule, ())


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"effect": "no-answer"}, "point is missing"),
        ({"point": "result"}, "effect is missing"),
        ({"point": "results", "effect": "no-answer"}, "point: unknown word 'results'; expected one of auth,"),
        ({"point": "result", "effect": "no-anwser"}, "effect: unknown effect 'no-anwser'; effects at result: status,"),
        ({"point": "result", "effect": "wrong-file"}, "wrong-file makes no sense at result: only a download gives"),
        (
            {"point": "result", "effect": {"status": 200}},
            "effect.status.code: expected an integer from 400 to 599, came 200",
        ),
        ({"point": "result", "effect": "status"}, "expected a status code or a reason"),
        ({"point": "result", "effect": {"delay": "soon"}}, "effect.delay.time: not a duration: 'soon'"),
        ({"point": "result", "effect": {"delay": "2h"}}, "a wait of at most an hour"),
        ({"point": "result", "effect": {"delay": {"uniform": [2, 1]}}}, "shortest, longest"),
        ({"point": "result", "effect": {"delay": {"times": 2}}}, "delay has no option 'times'; its options: time"),
        ({"point": "result", "effect": {"no-answer": 2}}, "no-answer has no options, came 2"),
        ({"point": "result", "effect": "no-answer", "nth": 0}, "nth: expected an integer from 1 to 1000000, came 0"),
        (
            {"point": "result", "effect": "no-answer", "nht": 1},
            "a fault has no 'nht'; known: point, effect, match, nth",
        ),
        ({"point": "result", "effect": "no-answer", "match": {"promt": "a"}}, "nothing is matched by 'promt'"),
        ({"point": "result", "effect": "no-answer", "match": {"body": {"a": []}}}, "match.body.a: expected text"),
        ({"point": "result", "effect": "no-answer", "match": None}, "match: expected what has to match"),
    ],
)
def test_an_error_says_where_what_was_expected_and_what_came(bad: Any, message: str) -> None:
    with pytest.raises(PlanError) as caught:
        read_rule(bad, ())
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "effect",
    ["x" * 100_000, {"x" * 100_000: 1}, {"delay": "1s" * 50_000}, {"delay": {"x" * 100_000: 1}}, {"drop": [0] * 9_999}],
    ids=["name", "only member", "time", "option", "value"],
)  # fmt: skip
def test_an_error_quotes_only_the_beginning_of_what_came(effect: Any) -> None:
    """It becomes a message, and perhaps an answer: as long as it has to be."""
    with pytest.raises(PlanError) as caught:
        read_rule({"point": "webhook.attempt" if "drop" in effect else "result", "effect": effect}, ())
    assert len(str(caught.value)) < 1_000


@given(distributions(), st.floats(0, 1, exclude_max=True))
def test_a_time_that_was_drawn_is_fixed_and_within_its_bounds(written: Any, drawn: float) -> None:
    effect = read_effect({"delay": {"time": written}}, Point.RESULT, ())
    asked = effect.options["time"]
    resolved = effect.resolved(lambda: drawn)
    assert isinstance(asked, Distribution)
    assert 0 <= resolved.time_ms() <= LONGEST_WAIT_MS
    if asked.kind == "uniform":
        assert asked.a <= resolved.time_ms() <= asked.b
    assert resolved.resolved(lambda: 0.5) == resolved
    assert read_effect(orjson.loads(orjson.dumps(resolved.as_json())), Point.RESULT, ()) == resolved


def test_the_middle_of_a_lognormal_is_its_median() -> None:
    effect = read_effect({"delay": {"lognormal": {"median": "300ms", "sigma": 0.5}}}, Point.RESULT, ())
    assert effect.resolved(lambda: 0.5).time_ms() == 300
    assert effect.resolved(lambda: 0.9).time_ms() > 500


FACTS = Facts(
    operation_id="createTxt2imgTask",
    body=orjson.dumps(
        {"request": {"prompt": "a red dragon", "model_name": "m.safetensors", "seed": 7, "loras": [{"strength": 0.5}]}}
    ),
    task=4,
    picture=2,
    attempt=3,
)
FACTS_V2 = Facts(operation_id="createTxt2imgTaskV2", body=orjson.dumps({"prompt": "a red dragon", "seed": 7}), task=0)


@pytest.mark.parametrize(
    ("match", "fits", "fits_v2"),
    [
        ({}, True, True),
        ({"operation": "createTxt2imgTask"}, True, False),
        ({"version": "v3"}, True, False),
        ({"version": "v2"}, False, True),
        ({"prompt": "dragon"}, True, True),
        ({"prompt": "Dragon"}, False, False),
        ({"model": "m.safetensors"}, True, False),
        ({"model": "m"}, False, False),
        ({"seed": 7}, True, True),
        ({"seed": 8}, False, False),
        ({"task": 5}, True, False),
        ({"task": 1}, False, True),
        ({"picture": 2}, True, False),
        ({"attempt": 3}, True, False),
        ({"body": {"request.seed": 7}}, True, False),
        ({"body": {"request.loras.0.strength": 0.5}}, True, False),
        ({"body": {"request.loras.1.strength": 0.5}}, False, False),
        ({"body": {"seed": 7, "prompt": "a red dragon"}}, False, True),
        ({"prompt": "red", "seed": 7, "task": 5, "version": "v3"}, True, False),
    ],
)
def test_every_word_of_a_match_has_to_hold(match: dict[str, Any], fits: bool, fits_v2: bool) -> None:
    rule = read_rule({"point": "result", "effect": "no-answer", "match": match}, ())
    assert (rule.match.fits(FACTS), rule.match.fits(FACTS_V2)) == (fits, fits_v2)


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b'"text"', b"null"])
def test_a_body_that_is_no_object_matches_nothing(body: bytes) -> None:
    facts = Facts(operation_id="listModels", body=body)
    for match in ({"prompt": "a"}, {"model": "a"}, {"seed": 1}, {"body": {"a": 1}}):
        assert not read_rule({"point": "models", "effect": "no-answer", "match": match}, ()).match.fits(facts)


def test_every_word_is_explained() -> None:
    schema = rule_schema()["properties"]
    assert set(schema) - {"point", "effect", "match"} == set(TRIGGER_WORDS)
    assert set(schema["match"]["properties"]) == set(MATCH_WORDS)
    for point in Point:
        assert point.about
        assert effects_at(point)
    for about in EFFECTS.values():
        assert about.what
        assert about.only
