"""The project as a whole: who imports whom, what starts light, what ships, and that its pages are true."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from mockserver import __version__

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("openapi", "mockserver", "conformance", "reference_impl")
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])

LAYERS: dict[str, tuple[str, ...]] = {
    "openapi": (),
    "mockserver.core": (),
    "conformance": ("openapi",),
    "reference_impl": ("openapi",),
    "mockserver.faults": ("mockserver.core",),
    "mockserver.money": ("mockserver.core", "openapi"),
    "mockserver.pictures": ("mockserver.core",),
    "mockserver.parts": ("mockserver.core", "mockserver.pictures"),
    "mockserver.submissions": (
        "mockserver.core",
        "mockserver.faults",
        "mockserver.pictures",
        "mockserver.parts",
        "openapi",
    ),
    "mockserver.outbound": ("mockserver.__version__", "mockserver.parts"),
    "mockserver.storage": ("mockserver.core", "mockserver.parts"),
}
"""Package, and what of ours it may import besides itself; whatever is not listed may import all of `PACKAGES`."""

MODELS = {"accelerate", "cv2", "diffusers", "numpy", "peft", "safetensors", "tokenizers", "torch", "transformers"}

OPTIONAL: dict[str, set[str]] = {
    "conformance": {
        "aiohttp",
        "boto3",
        "botocore",
        "h11",
        "hypothesis",
        "jinja2",
        "jsonschema",
        "pytest",
        "requests",
        "rich",
        "schemathesis",
        "yarl",
    },
    "mockserver.intercept": {"trustme"},
    "mockserver.metrics": {"prometheus_client"},
    "mockserver.storage": {"boto3", "botocore"},
    "mockserver.webhooks": {"standardwebhooks"},
    "reference_impl.cluster": {"ray"},
    "reference_impl.engine": MODELS,
    "reference_impl.outbound": {"boto3", "botocore"},
    "reference_impl.store": {"psycopg", "psycopg_pool"},
    "reference_impl.tiny": MODELS,
}
"""Package, and what an extra brings that its modules import inside functions."""

HEAVY = (
    "boto3",
    "botocore",
    "PIL",
    "yaml",
    "numpy",
    "torch",
    "hypothesis",
    "schemathesis",
    "jsonschema",
    "httpx",
    "pytest",
    "unittest",
)
"""What a server must not import to start and to answer; `make run` would pay for it every time."""

HOSTS = re.compile(
    r"127\.0\.0\.1|10\.0\.0\.1|localhost|mock|[a-z]|host"  # nobody's
    r"|.*\.(test|example|invalid|localhost)|([a-z]+\.)?example\.(com|org)"
    r"|(api\.)?novita\.ai|([a-z0-9-]+\.)+s3(\.[a-z0-9-]+)?\.amazonaws\.com|your-webhook-endpoint-url"  # in the vendor's
    r"|([a-z0-9-]+\.)+s3\.amazonaws\.com|s3\.[a-z0-9-]+\.amazonaws\.com"  # samples
    r"|[a-z0-9]+\.cloudfront\.net|[a-z0-9.-]+\.r2\.cloudflarestorage\.com"
    r"|github\.com|docs\.aws\.amazon\.com|www\.rfc-editor\.org|spec\.openapis\.org|json-schema\.org|www\.apache\.org"
    r"|keepachangelog\.com|semver\.org|www\.w3\.org"
)
"""Hosts that our files may name."""


def modules(package: str) -> Iterator[tuple[str, Path]]:
    """Dotted name and path of every module of a package."""
    for path in sorted((ROOT / package).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imports(name: str, path: Path) -> Iterator[str]:
    """Dotted names that a module imports, at its top or inside functions."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, node.module or ""]).strip(".")
            yield from (f"{base}.{alias.name}" for alias in node.names)


def loaded_by(program: str) -> set[str]:
    """Top-level names of the modules that a program has loaded at its end, in a fresh Python."""
    closing = "\nimport sys\nprint('LOADED', *{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", program + closing], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition("LOADED ")[2].split())


def names_of(requirements: list[str]) -> dict[str, Requirement]:
    """Requirements by their canonical names."""
    return {canonicalize_name(found.name): found for found in map(Requirement, requirements)}


# Who imports whom


@pytest.mark.parametrize("layer", LAYERS)
def test_imports_point_downwards(layer: str) -> None:
    """A layer imports only the layers below it, inside functions too."""
    allowed = (layer, *LAYERS[layer])
    wrong = [
        f"{name} imports {imported}"
        for name, path in modules(layer.replace(".", "/"))
        for imported in imports(name, path)
        if imported.partition(".")[0] in PACKAGES and not f"{imported}.".startswith(tuple(f"{one}." for one in allowed))
    ]
    assert wrong == []


def test_the_core_runs_on_the_standard_library() -> None:
    """Every module of mockserver.core together loads nothing but the standard library."""
    program = "\n".join(f"import {name}" for name, _ in modules("mockserver/core"))
    assert loaded_by(program) - sys.stdlib_module_names - {"__main__"} <= {"mockserver"} | _site_hooks()


def test_the_mock_below_its_application_knows_no_web_framework() -> None:
    """Worlds, handlers, answers and the gateway load no framework, server or command line; `app` puts them together."""
    loaded = loaded_by("import mockserver.gateway, mockserver.submitting, mockserver.submissions.v2")
    assert not loaded & {"starlette", "uvicorn", "anyio", "click", "h11", "httptools"}


def test_what_ships_imports_nothing_that_does_not_ship() -> None:
    """Neither package imports tests or benchmarks."""
    found = {
        top
        for package in PACKAGES
        for name, path in modules(package)
        for top in (imported.partition(".")[0] for imported in imports(name, path))
        if (ROOT / top).is_dir()
    }
    assert found <= set(PACKAGES)


def test_the_base_install_is_enough() -> None:
    """Whatever the packages import is a base dependency; pytest may be named by the plugin that pytest loads.

    What `OPTIONAL` names may be imported where it says.
    """
    base = names_of(PROJECT["dependencies"])
    providers = packages_distributions()
    for package in PACKAGES:
        for name, path in modules(package):
            for top in {imported.partition(".")[0] for imported in imports(name, path)}:
                if top in sys.stdlib_module_names or top in PACKAGES:
                    continue
                if (name, top) == ("mockserver.pytest_plugin", "pytest"):
                    continue
                if any(top in brought for part, brought in OPTIONAL.items() if f"{name}.".startswith(f"{part}.")):
                    continue
                given = {canonicalize_name(one) for one in providers.get(top, ())}
                assert given & base.keys(), f"{name} imports {top}, which no base dependency brings"


# What starts light

ANSWERING = """
import asyncio
import json
import mockserver.cli, mockserver.running
from mockserver.app import create_app
app = create_app()
body = json.dumps({"request": {"model_name": "sd_xl_base_1.0.safetensors", "prompt": "a fox", "width": 512,
    "height": 512, "image_num": 1, "steps": 20, "guidance_scale": 7.5, "sampler_name": "Euler a"}}).encode()
headers = [(b"host", b"mock"), (b"authorization", b"Bearer sk-mock"), (b"content-type", b"application/json")]
async def call():
    answered = []
    async def receive():
        return {"type": "http.request", "body": body}
    async def send(message):
        answered.append(message)
    await app({"type": "http", "method": "POST", "path": "/v3/async/txt2img", "raw_path": b"", "root_path": "",
        "scheme": "http", "query_string": b"", "headers": headers}, receive, send)
    assert answered[0]["status"] == 200, answered
asyncio.run(call())
"""


def test_a_server_starts_and_answers_without_anything_heavy() -> None:
    """Starting the command's modules and answering a submit loads no Pillow, YAML, test tools or torch."""
    assert loaded_by(ANSWERING).isdisjoint(HEAVY)


def test_nothing_of_the_inspector_is_loaded_before_somebody_looks() -> None:
    """The page, its stories and its stream are imported by who asks for them."""
    closing = "\nimport sys\nprint('LOADED', *[name for name in sys.modules if name.startswith('mockserver.')])"
    done = subprocess.run(
        [sys.executable, "-c", ANSWERING + closing], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.rpartition("LOADED ")[2].split())
    assert "mockserver.gateway" in loaded
    assert not [name for name in loaded if name.startswith(("mockserver.inspector", "mockserver.control"))]


def test_commands_that_run_programs_are_light() -> None:
    """`novita-mock --help` asks every command for its line of help: no server comes with those."""
    commands = ("run", "sweep", "cassette")
    loaded = loaded_by("".join(f"import mockserver.{name}_commands\n" for name in commands))
    assert loaded.isdisjoint({*HEAVY, "starlette", "uvicorn", "jsonschema_rs", "trustme"})


def test_the_pytest_plugin_is_light() -> None:
    """Every pytest run of an environment that has the package loads the plugin: no server comes with it."""
    loaded = loaded_by("import mockserver.pytest_plugin")
    assert loaded.isdisjoint({"starlette", "uvicorn", "openapi", "PIL", "yaml", "jsonschema_rs"})


# What ships


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.Path:
    """The built wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    [built] = folder.glob("*.whl")
    return zipfile.Path(built)


def files_in(wheel: zipfile.Path) -> set[str]:
    """Names of the files in a wheel."""
    return {name for name in wheel.root.namelist() if not name.endswith("/")}


def test_the_wheel_holds_the_contract(wheel: zipfile.Path) -> None:
    """Document, catalogue, requirements, compiled forms, examples, scenarios and the inspector are inside, as here."""
    wanted = [
        *(ROOT / "openapi" / name for name in ("openapi.yaml", "overlay.yaml", "catalogue.yaml", "requirements.yaml")),
        *(ROOT / "openapi" / "compiled").glob("*.json"),
        *(ROOT / "openapi" / "examples").rglob("*.json"),
        *(ROOT / "mockserver" / "scenarios").glob("*.yaml"),
        ROOT / "mockserver" / "scenarios" / "schema.json",
        *(ROOT / "mockserver" / "inspector" / "assets").iterdir(),
    ]
    assert len(wanted) > 50
    for path in wanted:
        inside = wheel / path.relative_to(ROOT).as_posix()
        assert inside.exists(), f"{path.name} is not in the wheel"
        assert inside.read_bytes() == path.read_bytes()


def test_the_wheel_holds_every_module_and_nothing_else_of_ours(wheel: zipfile.Path) -> None:
    """All modules of both packages, typed; no tests, benchmarks or docs."""
    inside = files_in(wheel)
    for package in PACKAGES:
        assert {path.relative_to(ROOT).as_posix() for _, path in modules(package)} <= inside
        assert f"{package}/py.typed" in inside
    info = f"novita_mock-{__version__}.dist-info"
    assert {name.partition("/")[0] for name in inside} == {*PACKAGES, info}


def test_the_wheel_offers_command_and_plugin(wheel: zipfile.Path) -> None:
    """The entry points are the command and the pytest plugin."""
    points = (wheel / f"novita_mock-{__version__}.dist-info" / "entry_points.txt").read_text()
    assert "novita-mock = mockserver.__main__:main" in points
    assert "novita_mock = mockserver.pytest_plugin" in points


def test_the_wheel_loads_its_own_contract(wheel: zipfile.Path, tmp_path: Path) -> None:
    """Unpacked elsewhere, the packages find everything they need inside themselves."""
    wheel.root.extractall(tmp_path)
    program = (
        "import mockserver.app, openapi.document\n"
        f"assert openapi.document.__file__.startswith({str(tmp_path)!r}), openapi.document.__file__\n"
        "assert mockserver.app.create_app().state.mock.document.operations"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{program}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


# What the project file promises


def test_extras_resolve() -> None:
    """Every extra is well formed, and one that asks for another of ours asks for one that exists."""
    extras = PROJECT["optional-dependencies"]
    assert {"conformance", "reference", "s3", "postgres", "ray", "dev"} <= extras.keys()
    for requirements in extras.values():
        for requirement in map(Requirement, requirements):
            if canonicalize_name(requirement.name) == PROJECT["name"]:
                assert requirement.extras <= extras.keys()


def test_pinned_versions_are_those_that_run_and_that_the_project_allows() -> None:
    """constraints.txt pins all that tests need directly, within the ranges, and this environment has those versions."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    pinned: dict[str, str] = {canonicalize_name(name): pin for name, pin in pins.items()}
    extras = PROJECT["optional-dependencies"]
    needed = names_of([*PROJECT["dependencies"], *extras["conformance"], *extras["dev"]])
    del needed[PROJECT["name"]]
    for name, requirement in needed.items():
        if requirement.marker is None or requirement.marker.evaluate():
            assert requirement.specifier.contains(pinned[name]), f"{name} {pinned[name]} is outside {requirement}"
            assert version(name) == pinned[name], f"run `make setup`: {name} {version(name)} is not {pinned[name]}"


def test_the_changelog_begins_with_this_version() -> None:
    """The newest released entry of the changelog is the version of the project."""
    entries = re.findall(r"^## \[(.+?)\](?: - (\S+))?$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M)
    assert entries[0] == ("Unreleased", "")
    assert entries[1][0] == __version__
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", entries[1][1])


# Its pages


def test_every_target_of_make_is_explained() -> None:
    """`make` alone lists each target that can be asked for."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = set(" ".join(re.findall(r"^\.PHONY: (.+)$", makefile, re.M)).split())
    explained = set(re.findall(r"^([a-z-]+):.*## \S", makefile, re.M))
    assert phony == explained


def test_decisions_are_numbered_and_listed() -> None:
    """ADRs count from 0001 without a gap, have the three sections, and stand in the list with their titles."""
    folder = ROOT / "docs" / "adr"
    records = sorted(folder.glob("[0-9]*.md"))
    assert [path.name[:4] for path in records] == [f"{number:04d}" for number in range(1, len(records) + 1)]
    listed = (folder / "README.md").read_text(encoding="utf-8")
    for path in records:
        text = path.read_text(encoding="utf-8")
        assert re.findall(r"^## (.+)$", text, re.M) == ["Context", "Decision", "Consequences"], path.name
        title = text.splitlines()[0].removeprefix(f"# {path.name[:4]}: ")
        assert f"[{path.name[:4]}]({path.name}) | {title} |" in listed


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    """Every relative link and picture of a page names a file that exists."""
    text = page.read_text(encoding="utf-8")
    targets = [*re.findall(r"\]\(([^)\s]+)\)", text), *re.findall(r'<img [^>]*src="([^"]+)"', text)]
    for target in targets:
        if not re.match(r"https?://|mailto:|#", target):
            assert (page.parent / target.partition("#")[0]).exists(), f"{page.name} links to {target}"


# Its texts


def texts() -> Iterator[tuple[Path, str]]:
    """Every text file of the project that git keeps."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        data = (ROOT / name).read_bytes() if (ROOT / name).exists() else b""
        if b"\0" not in data:
            yield Path(name), data.decode("utf-8")


def test_files_name_only_known_hosts() -> None:
    """No file names a host besides the vendor's, standards bodies', and those that belong to nobody."""
    found = {
        f"{path}: {host}"
        for path, text in texts()
        for host in re.findall(r"https?://(?:[^\s/@\"']*@)?\[?([A-Za-z0-9.-]+)", text)
        if not HOSTS.fullmatch(host.rstrip(".")) and path.name not in ("package-lock.json", "LICENSE")
    }
    assert found == set()


def test_files_name_no_place_of_one_machine() -> None:
    """No file names a folder of somebody's machine, this one included."""
    places = re.compile(rf"/(?:home|Users)/\w|{re.escape(str(ROOT))}/|(?<!\w){re.escape(str(Path.home()))}/")
    assert [str(path) for path, text in texts() if places.search(text)] == []


def test_nothing_is_left_for_later() -> None:
    """No unfinished marks in what ships, no skipped or expected-to-fail tests."""
    unfinished = re.compile(r"\b(TODO|FIXME|XXX)\b")
    skipped = re.compile(r"pytest\.(mark\.)?(skip|skipif|xfail|importorskip)\b")
    for path, text in texts():
        if path.suffix == ".py" and path != Path("tests/test_project.py"):
            assert not unfinished.search(text), path
            assert not skipped.search(text), path


def test_modules_stay_readable() -> None:
    """No module outside the tests has 500 lines or more."""
    long = [
        str(path)
        for path, text in texts()
        if path.suffix == ".py" and path.parts[0] != "tests" and text.count("\n") >= 500
    ]
    assert long == []


def _site_hooks() -> set[str]:
    """What this environment's Python loads by itself before any program."""
    return loaded_by("") - sys.stdlib_module_names
