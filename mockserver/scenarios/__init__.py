"""The library of scenarios, and how a scenario's file is read so that an error names its line.

The files lie beside this module, with the JSON Schema that editors check them by (`schema.json`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mockserver.faults.options import PlanError
from mockserver.faults.scenario import Scenario, read_scenario

if TYPE_CHECKING:
    import yaml

FOLDER = Path(__file__).parent
SCHEMA = FOLDER / "schema.json"
MAX_BYTES = 1024 * 1024

Step = str | int


class ScenarioError(ValueError):
    """A scenario cannot be read; the message says file, line, what was expected and what came."""


@cache
def names() -> tuple[str, ...]:
    """The scenarios of the library."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))


@cache
def shipped(name: str) -> Scenario:
    """A scenario of the library.

    Raises:
        ScenarioError: there is none of that name; the message lists them.
    """
    if name not in names():
        raise ScenarioError(f"no scenario {name[:80]!r} in the library; there are: {', '.join(names())}")
    return load(FOLDER / f"{name}.yaml")


def find(name_or_file: str) -> Scenario:
    """A scenario by its name in the library, or by its file.

    Raises:
        ScenarioError: there is none, or it cannot be read.
    """
    if name_or_file in names():
        return shipped(name_or_file)
    path = Path(name_or_file)
    if not path.is_file():
        raise ScenarioError(
            f"{name_or_file!r} is neither a file nor a scenario of the library; there are: {', '.join(names())}"
        )
    return load(path)


def load(path: Path) -> Scenario:
    """Reads a scenario's file.

    Raises:
        ScenarioError: it cannot be read, or is not what it may be; with the line.
    """
    try:
        raw = path.read_bytes()
        text = raw[: MAX_BYTES + 1].decode("utf-8")
    except OSError as error:
        raise ScenarioError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ScenarioError(f"{path}: not UTF-8 text: {error}") from None
    if len(raw) > MAX_BYTES:
        raise ScenarioError(f"{path}: a scenario has at most {MAX_BYTES} bytes")
    return read_text(text, str(path))


def read_text(text: str, name: str) -> Scenario:
    """Reads a scenario's text, YAML or JSON.

    Args:
        text: the text.
        name: what the message of an error calls it.

    Raises:
        ScenarioError: it is not what it may be; with the line.
    """
    given, lines = _parsed(text, name)
    try:
        return read_scenario(given, _in_library)
    except PlanError as error:
        raise ScenarioError(f"{name}:{_line(error.path, lines)}: {error}") from None


def from_json(given: Any) -> Scenario:
    """Reads a scenario that was sent as JSON.

    Raises:
        PlanError: it is not what it may be; says where.
    """
    return read_scenario(given, _in_library)


def _in_library(name: str) -> Mapping[str, Any] | None:
    return shipped(name).given if name in names() else None


def _parsed(text: str, name: str) -> tuple[Any, dict[tuple[Step, ...], int]]:
    """A YAML document, and the line of everything in it."""
    import yaml  # only a server with a scenario needs it

    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is None:
            raise ScenarioError(f"{name}:1: the file is empty; a scenario has a name and a description")
        lines = dict(_lines(node, (), name))
        return loader.construct_document(node), lines
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ScenarioError(f"{name}:{mark.line + 1 if mark else 1}: not YAML: {error.problem}") from None
    except yaml.reader.ReaderError as error:  # a character that YAML does not allow
        line = text.count("\n", 0, error.position) + 1
        raise ScenarioError(f"{name}:{line}: not YAML: {error.reason}") from None
    except RecursionError:
        raise ScenarioError(f"{name}:1: nested too deeply to be a scenario") from None
    except ValueError as error:  # such as a date that there is not
        if isinstance(error, ScenarioError):
            raise
        raise ScenarioError(f"{name}:1: not YAML: {error}") from None


def _lines(node: yaml.Node, path: tuple[Step, ...], name: str) -> Iterator[tuple[tuple[Step, ...], int]]:
    """Path and line of a node and of everything in it; that of a member is where its name stands."""
    import yaml

    yield path, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise ScenarioError(f"{name}:{key.start_mark.line + 1}: expected a word in front of the colon")
            line = key.start_mark.line + 1
            if key.value in seen:
                raise ScenarioError(f"{name}:{line}: {key.value!r} stands here a second time")
            seen.add(key.value)
            yield from _lines(value, (*path, key.value), name)
            yield (*path, key.value), line
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _lines(item, (*path, index), name)


def _line(path: tuple[Step, ...], lines: Mapping[tuple[Step, ...], int]) -> int:
    """The line of the innermost part of a path that stands in the file."""
    while path not in lines and path:
        path = path[:-1]
    return lines.get(path, 1)
