"""What the vendor's clients do when something goes wrong: jobs under faults, and what is seen of them afterwards.

A job is one picture, asked for as a caller does who trusts the client. The client runs unmodified in a process of its
own; the mock runs in this one, on a virtual clock, and its patience with silent connections passes a hundred times
faster than the wall.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from PIL import Image

from mockserver.core.clock import ClockMode
from mockserver.core.fleet import FleetSettings
from mockserver.mock import Parts
from mockserver.running import ServerThread
from mockserver.settings import Settings
from tests.clients.environments import NPM_V2, NPM_V3, PYTHON_V2, PYTHON_V3, Environment, Language
from tests.clients.harness import SCENARIO_S, Driver

FASTER = 100
"""How much faster than the wall the mock's own waits pass."""
TASK_S = 2
LONG_AFTER_S = 3600
"""What is judged of a client is judged this long after it has ended."""
UNDER_WAY = 10
"""Calls of a client that has to be stopped, before its clock is moved and again after it."""
EVERYDAY = ("NV4", "NV601")
"""Findings that a client has in every run, with or without trouble; docs/clients.md tells of them."""
MOMENT_S = 0.05
AT_A_TIME = 3
"""Clients that hang at the same time."""
MAX_TEXT = 150
NETWORK = -10
"""What the JavaScript client calls an error without an answer."""

Rule = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Something that goes wrong.

    Attributes:
        name: for people.
        v3: the faults, as they are armed, for a job of v3.
        v2: the same for v2; None: as v3.
        kind: the job, where it is not the client's everyday one.
    """

    name: str
    v3: tuple[Rule, ...]
    v2: tuple[Rule, ...] | None = None
    kind: str = ""

    def rules(self, kind: str) -> tuple[Rule, ...]:
        """The faults for a kind of job."""
        return self.v2 if kind == "v2" and self.v2 is not None else self.v3


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A client, and which of its calls do the job.

    Those of npm that submit and poll once a call leave loop and downloads to their caller: what becomes of these says
    nothing of the client.

    Attributes:
        kind: `v3` or `v2`.
        calls: what a caller writes.
    """

    environment: Environment
    kind: str
    calls: str

    @property
    def name(self) -> str:
        """For people."""
        language = "Python" if self.environment.language is Language.PYTHON else "npm"
        return f"{language} {self.environment.version}, `{self.calls}`"

    @property
    def id(self) -> str:
        """For keys and tests."""
        return f"{self.environment.name}-{self.kind}"

    @property
    def driver(self) -> Driver:
        """The program that does its jobs."""
        return Driver(environment=self.environment, name=f"{self.environment.language}_trouble")


CLIENTS = (
    Client(environment=PYTHON_V3, kind="v3", calls="txt2img_v3"),
    Client(environment=PYTHON_V2, kind="v3", calls="txt2img_v3"),
    Client(environment=PYTHON_V2, kind="v2", calls="sync_txt2img"),
    Client(environment=NPM_V3, kind="v3", calls="txt2Img, progress"),
    Client(environment=NPM_V2, kind="v3", calls="txt2ImgV3, progressV3"),
    Client(environment=NPM_V2, kind="v2", calls="txt2ImgSync"),
)


def once(point: str, effect: object) -> tuple[Rule, ...]:
    """A fault that happens one time."""
    return ({"point": point, "effect": effect, "times": 1},)


def gateway(code: int) -> object:
    """The error page of something in front of the service."""
    return {"status": {"code": code, "body": "html"}}


def broken(name: str, point: str, kind: str, v3: str | None = None, v2: str | None = None) -> Trouble:
    """A break of the contract in every answer of a point; with its fields, where it is not the usual one."""

    def rules(field: str | None) -> tuple[Rule, ...]:
        effect = {"break": {"kind": kind, **({"field": field} if field else {})}}
        return ({"point": point, "effect": effect, "bounded": False},)

    return Trouble(name=name, v3=rules(v3), v2=rules(v2))


LATE = Trouble(name="the links are used an hour and a second after the result", v3=(), kind="late")
AGAIN = Trouble(
    name="the submit's answer is lost: reset, and the caller tries again",
    v3=once("submit.after_commit", "CONNECTION_RESET_BY_PEER"),
    kind="again",
)
SILENT_SUBMIT = Trouble(name="the submit is never answered", v3=once("submit.before", "no-answer"))
SILENT_POLL = Trouble(name="a poll is never answered", v3=once("result", "no-answer"))
SLOW = Trouble(name="the task waits for ten minutes", v3=({"point": "queue", "effect": {"late": "10m"}},))
UNKNOWN = broken("the status is an unknown word or number", "result", "unknown-value")
MISSING = broken("the status is missing", "result", "missing")
STUCK = Trouble(name="the task never ends", v3=once("progress", "stuck"))
TROUBLES = (
    Trouble(name="none", v3=()),
    Trouble(name="a poll is answered 429", v3=once("result", {"status": 429})),
    Trouble(name="a poll is answered 500", v3=once("result", {"status": 500})),
    Trouble(name="a poll is answered by a gateway, 502 and HTML", v3=once("result", gateway(502))),
    Trouble(name="a poll's connection is reset", v3=once("result", "CONNECTION_RESET_BY_PEER")),
    Trouble(name="a poll's answer is malformed", v3=once("result", "MALFORMED_RESPONSE_CHUNK")),
    SILENT_POLL,
    SILENT_SUBMIT,
    Trouble(name="the submit is answered 429", v3=once("submit.before", {"status": 429})),
    Trouble(name="the submit's answer is lost: reset", v3=once("submit.after_commit", "CONNECTION_RESET_BY_PEER")),
    Trouble(name="the submit's answer is lost: 504", v3=once("submit.after_commit", gateway(504))),
    AGAIN,
    SLOW,
    STUCK,
    Trouble(name="the task fails", v3=({"point": "finish", "effect": {"fail": "out of memory"}},)),
    Trouble(name="the task is forgotten half-way", v3=({"point": "progress", "effect": "vanish"},)),
    LATE,
    Trouble(name="a picture is refused, 403 and XML", v3=once("download", {"status": 403})),
    Trouble(name="a picture's place holds XML, with status 200", v3=once("download", {"wrong-file": "xml"})),
    Trouble(name="a picture's place holds a web page, with status 200", v3=once("download", {"wrong-file": "html"})),
    Trouble(name="a picture's bytes are damaged", v3=once("download", {"wrong-file": "corrupt"})),
    Trouble(name="a picture's connection is reset", v3=once("download", "CONNECTION_RESET_BY_PEER")),
    Trouble(name="a picture ends half-way", v3=once("download", "truncate")),
    broken("the submit's answer has no task_id", "submit.after_commit", "missing"),
    broken("the submit's answer is wrapped (C1)", "submit.after_commit", "wrapped"),
    broken("the list of pictures is null", "result", "null", "images", "data.imgs"),
    UNKNOWN,
    MISSING,
    broken("there is a field more", "result", "extra", "task.x", "data.x"),
)  # fmt: skip


def ending(client: Client) -> list[Trouble]:
    """The troubles under which a client comes to an end, and which say something of it."""
    left_out = [trouble for trouble, _ in endless(client)]
    is_npm = client.environment.language is Language.NPM
    if client.kind == "v2":
        left_out += [AGAIN, LATE]
    elif is_npm:
        left_out += [SLOW, STUCK, LATE]
        left_out += [one for one in TROUBLES if any(rule["point"] == "download" for rule in one.v3)]
    if is_npm and client.kind == "v2":
        left_out.append(SILENT_POLL)  # the next poll is sent all the same, and the program does not end
    return [one for one in TROUBLES if one not in left_out]


def endless(client: Client) -> list[tuple[Trouble, str]]:
    """The troubles that a client never comes out of, and the finding by which it is stopped."""
    if client.environment.language is Language.PYTHON:
        return []
    if client.kind == "v3":
        return [(SILENT_SUBMIT, "NV602"), (SILENT_POLL, "NV602")]
    return [(SILENT_SUBMIT, "NV602"), (STUCK, "NV304"), (UNKNOWN, "NV103"), (MISSING, "NV103")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What became of a job.

    Attributes:
        outcome: what its caller has.
        usd: what it cost.
        verdict: what the ledger says of it.
        findings: codes, sorted.
        messages: of the findings, by code.
    """

    outcome: str
    usd: str
    verdict: str
    findings: tuple[str, ...]
    messages: Mapping[str, str]


class Bench:
    """A mock, and the jobs that clients do against it.

    Args:
        server: the mock.
        folder: for what clients save.
    """

    def __init__(self, server: ServerThread, folder: Path) -> None:
        self._server = server
        self._folder = folder

    def play_all(self) -> dict[tuple[str, str], Seen]:
        """Every client under every trouble: what was seen, by client's id and trouble's name."""
        found: dict[tuple[str, str], Seen] = {}
        with ThreadPoolExecutor(AT_A_TIME) as pool:  # those who hang do so side by side
            hanging = [
                (client, trouble, pool.submit(self.stopped, client, trouble, until=until))
                for client in CLIENTS
                for trouble, until in endless(client)
            ]
            for client in CLIENTS:
                found |= {(client.id, name): seen for name, seen in self.play(client, ending(client)).items()}
            found |= {(client.id, trouble.name): future.result() for client, trouble, future in hanging}
        return found

    def play(self, client: Client, troubles: Sequence[Trouble]) -> dict[str, Seen]:
        """Does one job under each trouble, all in one process of the client; gives what was seen by trouble.

        Raises:
            AssertionError: the driver failed.
        """
        folder = self._folder / client.id
        folder.mkdir()
        jobs = []
        for number, trouble in enumerate(troubles):
            key = f"sk-{client.id}-{number}"
            self._prepare(client, trouble, key)
            jobs.append({"key": key, "kind": trouble.kind or client.kind})
        (folder / "jobs.json").write_text(json.dumps(jobs))
        process = self._start(client, folder)
        try:
            output, complaint = process.communicate(timeout=SCENARIO_S)
        finally:
            process.kill()
        assert process.returncode == 0, complaint
        reports = json.loads(output.splitlines()[-1])
        return {
            trouble.name: self._seen(job["key"], _outcome(reports[job["key"]], folder))
            for trouble, job in zip(troubles, jobs, strict=True)
        }

    @contextmanager
    def running(self, client: Client, trouble: Trouble) -> Iterator[tuple[subprocess.Popen[str], str]]:
        """A client under way with one job that it may never end: its process, and the job's key."""
        key = f"sk-{client.id}-alone-{TROUBLES.index(trouble)}"
        folder = self._folder / key
        folder.mkdir()
        self._prepare(client, trouble, key)
        (folder / "jobs.json").write_text(json.dumps([{"key": key, "kind": client.kind}]))
        process = self._start(client, folder)
        try:
            yield process, key
        finally:
            process.kill()
            process.communicate(timeout=SCENARIO_S)

    def stopped(self, client: Client, trouble: Trouble, *, until: str) -> Seen:
        """Lets a client that never ends go on until a finding is there, and stops it."""
        with self.running(client, trouble) as (process, key):
            if until == "NV304":
                self._wait_for_calls(process, key, UNDER_WAY)
                self.control(key, "POST", "/clock/advance", {"seconds": 1800})
                self._wait_for_calls(process, key, UNDER_WAY * 2)
            while until not in self._findings(key):
                _let_go_on(process)
            _let_go_on(process)
        outcome = "hangs without end; stopped" if until == "NV602" else "polls without end; stopped"
        return self._seen(key, outcome)

    def control(self, key: str, method: str, path: str, body: object = None) -> Any:
        """A control call that must succeed."""
        where = urlsplit(self._server.url)
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=SCENARIO_S)
        try:
            headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
            connection.request(method, f"/__mock{path}", None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read()
            assert answer.status == 200, text
            return json.loads(text)
        finally:
            connection.close()

    def _prepare(self, client: Client, trouble: Trouble, key: str) -> None:
        client.environment.require()
        if client.environment.language is Language.NPM:  # nothing of it moves a clock
            self.control(key, "PUT", "/clock", {"mode": "auto"})
        rules = trouble.rules(client.kind)
        if rules:
            self.control(key, "POST", "/faults", {"faults": rules})

    def _start(self, client: Client, folder: Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            client.driver.command("jobs", folder),
            cwd=client.driver.workplace,
            env={"NOVITA_API_URI": self._server.url, "NOVITA_API_KEY": "sk-unused", "NO_PROXY": "127.0.0.1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def _wait_for_calls(self, process: subprocess.Popen[str], key: str, count: int) -> None:
        while self.control(key, "GET", "/requests?limit=1")["total"] < count:
            _let_go_on(process)

    def _findings(self, key: str) -> dict[str, str]:
        return {
            finding["code"]: finding["message"]
            for finding in self.control(key, "GET", "/findings")["findings"]
            if not finding["code"].startswith(EVERYDAY)
        }

    def _seen(self, key: str, outcome: str) -> Seen:
        self.control(key, "POST", "/clock/advance", {"seconds": LONG_AFTER_S})
        ledger, messages = self.control(key, "GET", "/ledger"), self._findings(key)
        verdicts = [verdict["kind"] for verdict in ledger["verdicts"]]
        verdicts += ["paid, and nobody knows the task"] * len(ledger["unclaimed"])
        return Seen(
            outcome=outcome,
            usd=ledger["spent"]["usd"],
            verdict=", ".join(verdicts),
            findings=tuple(sorted(messages)),
            messages=messages,
        )


@contextmanager
def bench(folder: Path) -> Iterator[Bench]:
    """A mock for clients in trouble."""

    async def pause(seconds: float) -> None:
        loop = asyncio.get_running_loop()
        over = loop.create_future()
        bell = loop.call_later(seconds / FASTER, over.set_result, None)
        try:
            await over
        finally:
            bell.cancel()

    settings = Settings(clock=ClockMode.parse("manual"), fleet=FleetSettings(task_ms=TASK_S * 1000))
    with ServerThread(settings, Parts(pause=pause)) as server:
        yield Bench(server, folder)


def _let_go_on(process: subprocess.Popen[str]) -> None:
    """Gives a client a moment, in which it must not end."""
    try:
        process.wait(MOMENT_S)
    except subprocess.TimeoutExpired:
        return
    raise AssertionError("it has ended by itself")


def _outcome(report: Mapping[str, Any], folder: Path) -> str:
    if "files" in report:
        kinds = [_kind((folder / name).read_bytes()) for name in report["files"]]
        return f"gets {', '.join(kinds)}" if kinds else "gets no picture, and no error"
    if "error" not in report:
        return str(report["text"])
    code = "" if report.get("code") in (None, "") else f" code {report['code']}"
    reason = f" {report['reason']}" if report.get("reason") else ""
    if report.get("code") == NETWORK:
        return f"{report['error']}{code}"  # the text is that of the JavaScript engine's version
    return _plain(f"{report['error']}{code}{reason}: {report.get('text') or 'no text'}")


def _kind(content: bytes) -> str:
    if not content:
        return "an empty file for the picture"
    if content.startswith(b"<?xml"):
        return "S3's XML for the picture"
    if content.startswith(b"<!doctype"):
        return "a web page for the picture"
    try:
        with Image.open(BytesIO(content)) as picture:
            picture.load()
    except (OSError, SyntaxError, ValueError):
        return "a damaged file for the picture"
    return "the picture"


def _plain(text: str) -> str:
    """A text without what differs from run to run."""
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "TASK", text)
    text = re.sub(r"(127\.0\.0\.1:|port=)\d+", r"\1PORT", text)
    text = re.sub(r" at 0x[0-9a-f]+", "", text)
    text = " ".join(text.split())
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 3] + "..."
