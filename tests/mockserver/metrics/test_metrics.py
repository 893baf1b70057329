"""Figures for Prometheus, read by two readers of prometheus-client: its own format and OpenMetrics."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.samples import Sample

from mockserver.faults.kinds import Kind
from mockserver.faults.points import Point
from mockserver.gateway import Contract
from mockserver.metrics import snapshot
from mockserver.metrics.counting import BUCKETS_S, Calls, CountingContract
from mockserver.running import ServerThread
from mockserver.settings import Settings
from tests.bodies import TXT2IMG, TXT2IMG_V2, txt2img, txt2img_v2
from tests.conftest import Server

ROOT = Path(__file__).parents[3]
OPEN = "application/openmetrics-text; version=1.0.0"
PREFIX = "novita_mock_"


def samples(text: str) -> list[Sample]:
    """What Prometheus' own reader finds in a text."""
    return [sample for family in parser.text_string_to_metric_families(text) for sample in family.samples]


def of(server: Server, **headers: str) -> list[Sample]:
    """What a server tells now."""
    answer = server.call("GET", "/__mock/metrics", key=None, headers=headers)
    assert answer.status_code == 200, answer.text
    return samples(answer.text)


def value(found: list[Sample], name: str, **labels: str) -> float:
    """The sum of the samples of a name that have some labels."""
    return sum(one.value for one in found if one.name == PREFIX + name and labels.items() <= one.labels.items())


@pytest.fixture
def metered(make_server: Any) -> Server:
    """A mock on a manual clock that counts."""
    found: Server = make_server(metrics=True)
    return found


@pytest.fixture
def sockets() -> Iterator[ServerThread]:
    """One that listens."""
    with ServerThread(Settings(metrics=True)) as server:
        yield server


def test_calls_are_counted_by_operation_and_status(metered: Server) -> None:
    metered.submit(TXT2IMG, txt2img())
    metered.call("POST", TXT2IMG, json=txt2img(width=64))
    metered.call("POST", TXT2IMG, json=txt2img(), key=None)
    metered.call("GET", "/nowhere")
    found = of(metered)
    for status in ("200", "400", "403"):
        assert value(found, "requests_total", api="contract", operation="createTxt2imgTask", status=status) == 1
    assert value(found, "requests_total", api="other", status="404") == 1
    assert value(found, "request_duration_seconds_count", operation="createTxt2imgTask") == 3
    assert value(found, "received_bytes_total", operation="createTxt2imgTask") > 300
    assert value(found, "sent_bytes_total", operation="createTxt2imgTask") > 50
    assert value(of(metered), "requests_total", api="control") == 1


def test_both_formats_say_the_same_and_hold_to_their_rules(metered: Server) -> None:
    """The reader of OpenMetrics is the stricter one: names of units, canonical bounds of buckets, an end."""
    metered.submit(TXT2IMG, txt2img())
    metered.call("GET", "/__mock/metrics", key=None)
    told = of(metered)
    answer = metered.call("GET", "/__mock/metrics", key=None, headers={"accept": OPEN})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    families = list(openmetrics.text_string_to_metric_families(answer.text))  # type: ignore[no-untyped-call]
    strict = [sample for family in families for sample in family.samples]
    own = {(one.name, *sorted(one.labels.items())) for one in told if one.name.startswith(PREFIX)}
    assert own == {(one.name, *sorted(one.labels.items())) for one in strict if one.name.startswith(PREFIX)}
    assert all(family.documentation for family in families if family.name.startswith(PREFIX))


def test_short_and_long_way_count_alike(sockets: ServerThread) -> None:
    """A call with `Origin` goes through the middleware, a plain one does not; a lost connection has no status."""
    headers = {"authorization": "Bearer sk-mock-ways"}
    with httpx.Client(base_url=sockets.url, headers=headers, trust_env=False) as client:
        for more in ({}, {"origin": "http://page.example"}):
            assert client.post(TXT2IMG, json=txt2img(), headers=more).status_code == 200
        rule = {"point": "submit.before", "effect": "CONNECTION_RESET_BY_PEER", "times": 1}
        assert client.post("/__mock/faults", json=rule).status_code == 200
        with pytest.raises(httpx.HTTPError):
            client.post(TXT2IMG, json=txt2img())
        found = samples(client.get("/__mock/metrics").text)
    operation = {"operation": "createTxt2imgTask"}
    assert value(found, "requests_total", status="200", **operation) == 2
    assert value(found, "requests_total", status="none", **operation) == 1
    bodies = len(httpx.Request("POST", "http://mock", json=txt2img()).content)
    assert value(found, "received_bytes_total", **operation) == 3 * bodies
    assert value(found, "requests_total", operation="listModels") == 0, "its own first call is no client's"


def test_counters_never_fall(metered: Server) -> None:
    """Whatever is reset, cleared or forgotten."""

    def counters() -> dict[tuple[object, ...], float]:
        return {
            (one.name, *sorted(one.labels.items())): one.value
            for one in of(metered)
            if one.name.endswith(("_total", "_count", "_bucket")) and one.name.startswith(PREFIX)
        }

    metered.submit(TXT2IMG_V2, txt2img_v2())
    before = counters()
    assert any(name[0] == PREFIX + "findings_total" and count for name, count in before.items())
    steps = (
        lambda: metered.control("DELETE", "/findings"),
        lambda: metered.control("POST", "/reset"),
        lambda: metered.submit(TXT2IMG_V2, txt2img_v2()),
        lambda: metered.control("DELETE", "/worlds/current"),
        lambda: metered.submit(TXT2IMG_V2, txt2img_v2()),
        lambda: metered.control("POST", "/reset", all="true"),
    )
    for step in steps:
        step()
        now = counters()
        assert all(now[name] >= count for name, count in before.items())
        before = now
    booked = (PREFIX + "tasks_accepted_total", ("operation", "createTxt2imgTaskV2"))
    assert before[booked] == 3
    assert before[PREFIX + "findings_total", ("code", "NV403")] == 3


def test_tasks_pictures_and_money_are_those_of_the_worlds(metered: Server) -> None:
    result = metered.finished(TXT2IMG, txt2img(image_num=2))
    metered.submit(TXT2IMG, txt2img())
    link = result["images"][0]["image_url"]
    picture, again = (metered.download(link).content for _ in range(2))
    assert picture == again
    found = of(metered)
    states = {
        state: value(found, "tasks", operation="createTxt2imgTask", state=state) for state in ("queued", "succeeded")
    }
    assert value(found, "tasks", state="succeeded") == states["succeeded"] == 1
    assert value(found, "tasks") == 2
    assert value(found, "pictures_ordered_total") == 3
    assert value(found, "pictures_drawn_total") == value(found, "pictures_from_cache_total") == 1
    assert value(found, "picture_cache_bytes") == len(picture)
    spent = metered.control("GET", "/ledger")["spent"]["usd"]
    assert value(found, "cost_usd_total") == pytest.approx(float(spent))
    assert value(found, "worlds") == 1
    assert value(found, "journal_entries") == len(metered.control("GET", "/requests")["requests"])
    assert value(found, "request_duration_seconds_count", api="pictures") == 2


def test_faults_and_webhooks_are_counted_where_they_happen(metered: Server) -> None:
    metered.control("POST", "/faults", {"point": "submit.before", "effect": {"status": 503}, "times": 1})
    assert value(of(metered), "faults_armed") == 1
    assert metered.call("POST", TXT2IMG, json=txt2img()).status_code == 503
    inbox = metered.control("GET", "/webhooks/inbox")["url"]
    metered.submit(TXT2IMG, txt2img({"webhook": {"url": inbox}}))
    metered.finish_all()
    found = of(metered)
    assert value(found, "faults_fired_total", point="submit.before", effect="status") == 1
    assert value(found, "webhook_attempts_total", cause="first", outcome="taken") == 1


def test_coverage_is_still_told_of_faults(make_server: Any) -> None:
    """Both listen to the same things; neither drowns the other."""
    server: Server = make_server(metrics=True, coverage=True)
    server.control("POST", "/faults", {"point": "submit.before", "effect": {"status": 503}, "times": 1})
    server.call("POST", TXT2IMG, json=txt2img())
    assert value(of(server), "faults_fired_total") == 1
    assert "submit.before" in str(server.control("GET", "/coverage"))


def test_no_client_can_make_the_series_grow(metered: Server) -> None:
    """Odd paths, methods, statuses, keys and prompts: labels hold words of the contract and of the mock only."""

    def series() -> set[tuple[object, ...]]:
        return {(one.name, *sorted(one.labels.items())) for one in of(metered)}

    def play(salt: str) -> None:
        key = f"sk-mock-secret-{salt}"
        metered.call("GET", f"/{salt}/é/{salt}", key=key)
        metered.call("REPORT", f"/__mock/{salt}", key=key)
        metered.call("GET", f"/prod/{salt}", key=key)
        metered.call("POST", TXT2IMG, json=txt2img(prompt=salt, model_name=salt), key=key)
        for status in (418, 499, 598):
            rule = {"point": "submit.before", "effect": {"status": status}, "times": 1}
            metered.call("POST", "/__mock/faults", json=rule, key=key)
            metered.call("POST", TXT2IMG, json=txt2img(prompt=salt), key=key)

    play("zebra")
    series()  # a call of the control interface too
    before = series()
    play("okapi")
    assert series() == before
    assert not [one for one in before if re.search("zebra|okapi|secret|dog", str(one))]
    statuses = {one.labels["status"] for one in of(metered) if "status" in one.labels}
    assert {"418", "4xx", "5xx"} <= statuses
    points, effects = {point.value for point in Point}, {kind.value for kind in Kind}
    for one in of(metered):
        assert one.labels.get("point", "auth") in points
        assert one.labels.get("effect", "status") in effects


def test_two_servers_do_not_meet(make_server: Any) -> None:
    first, second = make_server(metrics=True), make_server(metrics=True)
    first.submit(TXT2IMG, txt2img())
    assert value(of(first), "tasks_accepted_total") == 1
    assert value(of(second), "tasks_accepted_total") == 0


def test_off_there_is_nothing_on_the_way_of_a_call(server: Server) -> None:
    """The plain contract answers; the resource says how to switch it on."""
    assert type(server.app.contract) is Contract  # type: ignore[attr-defined]  # the application is a MockApp
    assert server.mock.figures is None
    answer = server.call("GET", "/__mock/metrics", key=None)
    assert answer.status_code == 409
    assert "--metrics" in answer.json()["detail"]


def test_off_nothing_of_it_is_loaded() -> None:
    program = (
        "import sys, mockserver.app; mockserver.app.create_app()\n"
        "print([name for name in sys.modules if 'mockserver.metrics' in name or 'prometheus' in name])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_without_the_extra_it_says_what_to_install(tmp_path: Path) -> None:
    """Exit code 2, before anything is listened on."""
    program = (
        "import importlib.util as found; real = found.find_spec\n"
        "found.find_spec = lambda name, *more: None if name == 'prometheus_client' else real(name, *more)\n"
        "from mockserver.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "serve", "--port", "0", "--metrics"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        timeout=60,
    )
    assert done.returncode == 2
    assert "pip install 'novita-mock[metrics]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_other_calls_get_their_turn_while_many_tasks_are_looked_at(
    metered: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "AT_ONCE", 2)
    for _ in range(6):
        metered.submit(TXT2IMG, txt2img())
    turns = 0

    def count() -> None:
        nonlocal turns
        turns += 1
        metered.loop.call_soon(count)

    async def take() -> snapshot.Snapshot:
        metered.loop.call_soon(count)
        figures = metered.mock.figures
        assert figures is not None
        return await snapshot.take(metered.mock, figures)

    found = metered.loop.run_until_complete(take())
    assert sum(found.tasks.values()) == 6
    assert turns >= 3


class Ticking:
    """A watch that goes on by a step at each look."""

    def __init__(self, step_s: float) -> None:
        self._now_s, self._step_s = 0.0, step_s

    def __call__(self) -> float:
        self._now_s += self._step_s
        return self._now_s


@pytest.mark.parametrize("took_s", [0.0, BUCKETS_S[0], 0.3, BUCKETS_S[-1], 100.0])
def test_a_call_is_in_the_first_bucket_that_it_is_not_slower_than(server: Server, took_s: float) -> None:
    calls = Calls(server.mock.document.operations)
    counting = CountingContract(server.app.contract, calls, Ticking(took_s))  # type: ignore[attr-defined]  # a MockApp
    route = counting.route(b"GET", b"/v3/model")
    assert route is not None
    counting.answer_now(route, {b"authorization": b"Bearer sk-mock"}, b"", b"", "http", None)
    tally = calls.operations["listModels"]
    place = next((index for index, bound in enumerate(BUCKETS_S) if took_s <= bound), len(BUCKETS_S))
    assert [index for index, count in enumerate(tally.buckets) if count] == [place]
    assert tally.seconds == pytest.approx(took_s)


def test_the_page_names_every_figure_and_every_label(metered: Server) -> None:
    """docs/operating.md, both ways."""
    metered.submit(TXT2IMG_V2, txt2img_v2())
    page = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    rows: dict[str, set[str]] = {}
    for names, labels in re.findall(r"^\| (`novita_mock_[^|]+)\| ([^|]*)\|", page, re.MULTILINE):
        for name in re.findall(r"`(\w+)`", names):
            rows[name] = set(re.findall(r"`(\w+)`", labels))
    told: dict[str, set[str]] = {}
    text = metered.call("GET", "/__mock/metrics", key=None).text
    for family in parser.text_string_to_metric_families(text):
        if family.name.startswith(PREFIX):
            name = f"{family.name}_total" if family.type == "counter" else family.name
            told[name] = _labels(family.samples)
    assert rows.keys() == told.keys()
    for name, labels in told.items():
        assert not labels or labels == rows[name], name


def _labels(found: list[Sample]) -> set[str]:
    labels: Mapping[str, str] = found[0].labels if found else {}
    return set(labels) - {"le"}
