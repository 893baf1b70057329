"""The plugin as the suite of a client sees it: markers, warnings, the closing line, several processes."""

from __future__ import annotations

import re

import pytest

pytest_plugins = ["pytester"]

QUIET = ("-p", "no:schemathesis", "-p", "no:hypothesispytest", "-p", "no:cacheprovider")
"""Other plugins of this environment, which would only take time."""

CLIENT = """
import httpx

BODY = {"request": {"model_name": "dreamshaper_8_93211.safetensors", "prompt": "a fox", "width": 512, "height": 512,
    "image_num": 1, "steps": 20, "seed": 7, "guidance_scale": 7.5, "sampler_name": "Euler a"}}

def headers(world):
    return {"authorization": f"Bearer {world.key}"}

def submit(world):
    return httpx.post(f"{world.url}/v3/async/txt2img", json=BODY, headers=headers(world))

def poll(world, task_id):
    url = f"{world.url}/v3/async/task-result"
    return httpx.get(url, params={"task_id": task_id}, headers=headers(world)).json()
"""


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    """An empty suite beside a small client, `tiny`."""
    pytester.makepyfile(tiny=CLIENT)
    pytester.makeini("[pytest]\npythonpath = .\naddopts = --strict-markers\n")
    return pytester


def run(suite: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """Runs it in this process, which has the server's modules already; our own suite's filters are not its."""
    return suite.runpytest_inprocess(*QUIET, "-W", "default", *arguments)


def test_the_marker_sets_the_situation(suite: pytest.Pytester) -> None:
    """Nearest markers win, name by name; scenarios and the words of their files go together."""
    suite.makepyfile(
        """
        import pytest
        from tiny import submit

        pytestmark = pytest.mark.novita(clock="manual", account={"balance": 0.001})

        def test_of_the_module(novita_world):
            assert submit(novita_world).json()["reason"] == "BILLING_BALANCE_NOT_ENOUGH"
            before = novita_world.clock.now_ms()
            assert novita_world.clock.now_ms() == before

        @pytest.mark.novita(account={"concurrency": 1})
        def test_of_its_own(novita_world):
            assert submit(novita_world).status_code == 200
            assert submit(novita_world).status_code != 200

        @pytest.mark.novita(scenario="failed-task", account={}, fleet={"task_duration": "90s"})
        def test_on_top_of_a_scenario(novita_world):
            before = novita_world.clock.now_ms()
            assert submit(novita_world).status_code == 200
            novita_world.clock.run_until_idle()
            assert novita_world.clock.now_ms() - before >= 90_000
        """
    )
    run(suite).assert_outcomes(passed=3)


def test_a_scenario_may_be_a_file_or_a_mapping(suite: pytest.Pytester) -> None:
    suite.path.joinpath("failed-task.yaml").write_text(
        "name: failed-task\ndescription: slow, too\nextends: failed-task\nfleet: {task_duration: 1h}\n",
        encoding="utf-8",
    )
    suite.makepyfile(
        """
        import pytest
        from tiny import poll, submit

        @pytest.mark.novita(scenario="failed-task.yaml", clock="manual")
        def test_file(novita_world):
            before = novita_world.clock.now_ms()
            task_id = submit(novita_world).json()["task_id"]
            novita_world.clock.run_until_idle()
            assert poll(novita_world, task_id)["task"]["status"] == "TASK_STATUS_FAILED"
            assert novita_world.clock.now_ms() - before >= 3_600_000

        @pytest.mark.novita(scenario={"account": {"problem": "BILLING_FAILED"}})
        def test_mapping(novita_world):
            assert submit(novita_world).json()["reason"] == "BILLING_FAILED"
        """
    )
    run(suite).assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("marker", "said"),
    [
        ("scenarrio='happy'", r"unknown argument scenarrio \(did you mean scenario\?\); there are: scenario, clock,"),
        ("scenario='nope'", r"neither a file nor a scenario of the library; there are: brown-out"),
        ("scenario=7", r"scenario: expected a name, a file or a mapping, came 7"),
        ("clock='fast'", r"clock: .*expected real, manual, auto"),
        ("fleet={'workers': 0}", r"fleet\.workers: expected"),
        ("'happy'", r"takes arguments by name only"),
    ],
)
def test_what_a_marker_cannot_say_is_told_at_collection(suite: pytest.Pytester, marker: str, said: str) -> None:
    """The message names the test and what was expected; nothing runs."""
    suite.makepyfile(
        f"""
        import pytest

        @pytest.mark.novita({marker})
        def test_it(novita_world):
            pass
        """
    )
    ended = run(suite)
    ended.assert_outcomes(errors=1)
    ended.stdout.re_match_lines([rf".*test_it: @pytest\.mark\.novita:? .*{said}"])
    assert "Traceback" not in ended.stdout.str()


TWICE = """
    import pytest
    from tiny import submit

    def test_pays_twice(novita_world):
        novita_world.faults.arm("submit.after_commit", {"status": 504}, times=1)
        assert submit(novita_world).status_code == 504
        assert submit(novita_world).status_code == 200
"""


def test_findings_are_warnings_at_the_test(suite: pytest.Pytester) -> None:
    """With the test's own line, so that the summary leads there."""
    suite.makepyfile(test_money=TWICE)
    ended = run(suite)
    ended.assert_outcomes(passed=1, warnings=1)
    ended.stdout.re_match_lines([r".*test_money\.py:4: NovitaFindingError: NV301 Submits again although"])


def test_findings_can_be_made_errors_and_single_ones_ignored(suite: pytest.Pytester) -> None:
    """With pytest's own filters, on the command line or at a test."""
    suite.makepyfile(test_money=TWICE)
    filters = ("-W", "error::mockserver.testing.NovitaFindingWarning")
    ended = run(suite, *filters)
    ended.assert_outcomes(passed=1, errors=1)
    ended.stdout.re_match_lines([r"NV301 Submits again although", r'.*filterwarnings\("ignore:NV301"\)'])
    assert "pytest_plugin.py" not in ended.stdout.str()
    run(suite, *filters, "-W", "ignore:NV301").assert_outcomes(passed=1)
    run(suite, "-W", "error::mockserver.testing.NovitaFindingNote").assert_outcomes(passed=1, warnings=1)


CLOSING = r"novita-mock: 2 tasks, 2 pictures in 2 worlds; the service would have taken 0\.0042 USD and 2\.0 min, here"
WAITS = """
    import pytest
    from tiny import submit

    @pytest.mark.novita(clock="manual")
    @pytest.mark.parametrize("number", [1, 2])
    def test_waits(novita_world, number):
        assert submit(novita_world).status_code == 200
        novita_world.clock.advance(60)
"""


def test_one_line_closes_the_run(suite: pytest.Pytester) -> None:
    suite.makepyfile(test_waits=WAITS)
    ended = run(suite)
    ended.stdout.re_match_lines([CLOSING])
    assert len(re.findall("novita-mock:", ended.stdout.str())) == 1


def test_several_processes_have_servers_of_their_own_and_one_closing_line(suite: pytest.Pytester) -> None:
    """pytest-xdist: sums and warnings come from the workers."""
    suite.makepyfile(test_waits=WAITS, test_money=TWICE)
    ended = suite.runpytest_subprocess(*QUIET, "-n", "2")
    ended.assert_outcomes(passed=3, warnings=1)
    ended.stdout.re_match_lines(
        [
            r".*test_money\.py:4: NovitaFindingError: NV301",
            r"novita-mock: 4 tasks, 4 pictures in 3 worlds; the service would have taken 0\.0084 USD and 2\.\d min,",
        ]
    )


def test_a_bad_marker_is_told_by_several_processes_too(suite: pytest.Pytester) -> None:
    suite.makepyfile("import pytest\n@pytest.mark.novita(clok='x')\ndef test_it(novita_world): pass\n")
    ended = suite.runpytest_subprocess(*QUIET, "-n", "1")
    ended.assert_outcomes(errors=1)
    ended.stdout.re_match_lines([r".*unknown argument clok \(did you mean clock\?\)"])


def test_a_suite_that_does_not_use_it_is_not_told_of_it(suite: pytest.Pytester) -> None:
    """No line, no import."""
    suite.makepyfile(
        """
        import sys

        def test_nothing_was_imported():
            assert not {"starlette", "uvicorn", "orjson", "jsonschema_rs", "PIL"} & set(sys.modules)
            ours = {name for name in sys.modules if name.startswith(("mockserver", "openapi"))}
            assert ours == {"mockserver", "mockserver.pytest_plugin"}
        """
    )
    ended = suite.runpytest_subprocess(*QUIET, "-p", "no:anyio", "-p", "no:novita_conformance")
    ended.assert_outcomes(passed=1)
    assert "novita" not in re.sub(r"(?m)^(plugins|rootdir):.*$", "", ended.stdout.str())


def test_the_marker_is_registered(suite: pytest.Pytester) -> None:
    ended = run(suite, "--markers")
    ended.stdout.re_match_lines([r"@pytest\.mark\.novita\(scenario, clock, .*\): the situation"])


def test_a_failed_test_tells_what_its_world_saw(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        """
        from tiny import BODY, httpx, headers, poll, submit

        def test_calls(novita_world):
            novita_world.faults.arm("submit.before", {"status": 429}, times=1)
            submit(novita_world)
            poll(novita_world, submit(novita_world).json()["task_id"])
            body = {**BODY, "extra": {"webhook": {"url": novita_world.webhooks.inbox_url}}}
            httpx.post(f"{novita_world.url}/v3/async/txt2img", json=body, headers=headers(novita_world))
            novita_world.clock.run_until_idle()
            assert False

        def test_no_call(novita_world):
            httpx.get(f"{novita_world.url}/v3/model", headers={"authorization": "Bearer sk-another"})
            assert False

        def test_a_fault_that_is_none(novita_world):
            novita_world.faults.arm("submit", "no-answer")

        def test_a_webhook_that_is_none(novita_world):
            novita_world.webhooks.replay("msg_1")

        def test_a_refusal_that_was_saved_for_a_picture(novita_world):
            novita_world.decode(b"<Error><Code>AccessDenied</Code></Error>")
        """
    )
    result = run(suite)
    result.assert_outcomes(failed=5)
    result.stdout.re_match_lines(
        [
            r".*What novita_world saw.*",
            r" +\+[0-9.]+ s  POST /v3/async/txt2img: 429  RATE_LIMIT_EXCEEDED .*  \(fault: status 429\)",
            r" +\+[0-9.]+ s  POST /v3/async/txt2img: 200  task [0-9a-f-]{36}",
            r" +\+[0-9.]+ s  GET /v3/async/task-result: 200  TASK_STATUS_[A-Z]+",
            r"webhook of task .* to .*/inbox/.*: delivered, taken: 200 in .* \(attempts: 1\)",
            r"no call came to this test's world: the client has to call http://127.0.0.1:[0-9]+ with the key sk-.*",
            r"calls with other keys, in this session: 1",
        ]
    )
    told = result.stdout.str()
    assert "E       mockserver.faults.options.PlanError: point: unknown word 'submit'; expected one of auth," in told
    assert "no delivery 'msg_1'; there are: none yet" in told
    assert "it is text: '<Error><Code>AccessDenied</Code></Error>'" in told
    assert "handles.py" not in told, "a mistake of a test is shown where the test makes it"


def test_the_request_behind_a_picture_is_told(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        """
        import pytest
        from tiny import httpx, poll, submit

        def test_it(novita_world, tmp_path):
            task_id = submit(novita_world).json()["task_id"]
            novita_world.clock.run_until_idle()
            file = tmp_path / "fox.png"
            file.write_bytes(httpx.get(poll(novita_world, task_id)["images"][0]["image_url"]).content)
            assert novita_world.decode(file) == novita_world.decode(file.read_bytes())
            assert novita_world.request_of(file)["request"]["prompt"] == "a fox"
            assert repr(novita_world) == f"NovitaWorld(url='{novita_world.url}', key='{novita_world.key}')"
            pytest.picture = file.read_bytes()

        def test_a_picture_of_another_test_has_no_request_here(novita_world):
            with pytest.raises(LookupError, match="no task of this world"):
                novita_world.request_of(pytest.picture)
        """
    )
    run(suite).assert_outcomes(passed=2)
