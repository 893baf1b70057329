"""Applies an OpenAPI Overlay 1.0 document: a list of reviewed changes to a derived document.

Targets are JSONPath; of RFC 9535 this reads child names (`.name`, `['name']`), wildcards (`.*`, `[*]`), indexes
(`[0]`), descendants (`..name`) and the one filter that overlays live by (`[?@.name=='x']`), and refuses the rest
(slices, functions, other filters) by name. That much needs no dependency.

Where Overlay 1.0 leaves room, this refuses instead of guessing: an update that meets an array in both documents (1.0
says replace, 1.1 says append) is an error; remove the array first.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openapi.spec_errors import OverlayError

DEFAULT = Path(__file__).parent / "overlay.yaml"
"""The overlay of this package."""

Key = str | int
Step = str | int | tuple[str, str] | None
"""A JSONPath segment: a name, an index, name and text of a filter, or None for a wildcard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One change.

    Attributes:
        number: its place in the file, counted from 1.
        reason: its description: why, with the contradictions it rests on.
        update: merged into every object, appended to every array that `target` selects; absent for a removal.
    """

    number: int
    target: str
    reason: str
    update: Any = None
    remove: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlay:
    """An overlay file.

    Attributes:
        file: for messages.
    """

    file: str
    title: str
    actions: tuple[Action, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What became of one action.

    Attributes:
        nodes: how many places its target selects.
        changed: whether the document is another one now.
    """

    action: Action
    nodes: int
    changed: bool


def read_overlay(path: Path | None = None) -> Overlay:
    """The overlay of a YAML or JSON file, by default the one of this package.

    Raises:
        OverlayError: the file cannot be read or is no Overlay 1.0 document.
    """
    import yaml  # here, so that nothing pays for it that does not read overlays

    path = path or DEFAULT
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OverlayError(f"{path}: cannot be read ({error.strerror})") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise OverlayError(f"{path}: not YAML: {error}") from error
    return parse_overlay(raw, path.name)


def parse_overlay(raw: object, file: str) -> Overlay:
    """The overlay of a parsed file.

    Raises:
        OverlayError: not an Overlay 1.0 document, or an action without target, reason or effect.
    """
    if not isinstance(raw, dict) or not re.fullmatch(r"1\.0\.\d+", str(raw.get("overlay"))):
        raise OverlayError(f"{file}: expected an OpenAPI Overlay document with overlay: 1.0.x")
    rows = raw.get("actions")
    if not isinstance(rows, list) or not rows:
        raise OverlayError(f"{file}: expected a list of actions")
    return Overlay(
        file=file,
        title=str((raw.get("info") or {}).get("title", "")),
        actions=tuple(_action(row, number, file) for number, row in enumerate(rows, start=1)),
    )


def _action(row: object, number: int, file: str) -> Action:
    where = f"{file}, action {number}"
    if not isinstance(row, dict) or not isinstance(row.get("target"), str):
        raise OverlayError(f"{where}: expected an object with a target")
    if unknown := row.keys() - {"target", "description", "update", "remove"}:
        raise OverlayError(f"{where}: unknown key {sorted(map(str, unknown))[0]!r}")
    if not str(row.get("description") or "").strip():
        raise OverlayError(f"{where}: needs a description that gives the reason")
    remove = row.get("remove", False)
    if not isinstance(remove, bool) or remove == ("update" in row):
        raise OverlayError(f"{where}: expected either update or remove: true")
    steps(row["target"], where)  # a mistake in a target shows before anything is changed
    return Action(
        number=number,
        target=row["target"],
        reason=" ".join(str(row["description"]).split()),
        update=row.get("update"),
        remove=remove,
    )


def apply_overlay(document: Mapping[str, Any], overlay: Overlay) -> tuple[dict[str, Any], list[Applied]]:
    """The changed document, and what each action did; the given document stays as it is.

    Raises:
        OverlayError: an action meets something that it cannot change.
    """
    changed: dict[str, Any] = copy.deepcopy(dict(document))
    results = []
    for action in overlay.actions:
        where = f"{overlay.file}, action {action.number}"
        before = copy.deepcopy(changed)
        nodes = list(select(changed, steps(action.target, where)))
        for parent, key in reversed(nodes):  # from the back, so that removing leaves earlier indexes valid
            if action.remove:
                if parent is None:
                    raise OverlayError(f"{where}: the whole document cannot be removed")
                del parent[key]
            else:
                _update(changed if parent is None else parent[key], action.update, where)
        results.append(Applied(action=action, nodes=len(nodes), changed=changed != before))
    return changed, results


def _update(node: object, update: Any, where: str) -> None:
    if isinstance(node, dict):
        if not isinstance(update, dict):
            raise OverlayError(f"{where}: the target is an object, so update must be one")
        _merge(node, update, where)
    elif isinstance(node, list):
        node.append(copy.deepcopy(update))
    else:
        raise OverlayError(f"{where}: the target is {node!r}; Overlay 1.0 changes objects and arrays only")


def _merge(node: dict[str, Any], update: Mapping[str, Any], where: str) -> None:
    for key, value in update.items():
        present = node.get(key)
        if isinstance(present, dict) and isinstance(value, dict):
            _merge(present, value, where)
        elif isinstance(present, list) and isinstance(value, list) and present != value:
            raise OverlayError(f"{where}: {key!r} is an array on both sides; remove the old one in an action before")
        else:
            node[key] = copy.deepcopy(value)


# JSONPath ------------------------------------------------------------------------------------------------------------

_SEGMENT = re.compile(
    r"""(?P<dots>\.\.?)?
        (?: (?P<name>[A-Za-z_][\w-]*)
          | (?P<star>\*)
          | (?P<bracket>\[)\s*
            (?: '(?P<single>(?:[^'\\]|\\.)*)' | "(?P<double>(?:[^"\\]|\\.)*)" | (?P<index>\d+) | \*
              | \?\s*@\.(?P<key>[A-Za-z_][\w-]*)\s*==\s*(?P<quote>['"])(?P<text>[^'"\\]*)(?P=quote)
            )\s*\]
        )""",
    re.VERBOSE,
)


def steps(target: str, where: str = "JSONPath") -> tuple[tuple[bool, Step], ...]:
    """The segments of a JSONPath: whether each looks at all descendants, and what it picks there.

    Raises:
        OverlayError: something that this module does not read.
    """
    if not target.startswith("$"):
        raise OverlayError(f"{where}: target {target!r} does not start with $")
    found: list[tuple[bool, Step]] = []
    at = 1
    while at < len(target):
        match = _SEGMENT.match(target, at)
        # A name or * stands after a dot or two, a bracket after none or two.
        if match is None or not (match["dots"] == ".." or bool(match["dots"]) != bool(match["bracket"])):
            raise OverlayError(
                f"{where}: target {target!r}: cannot read {target[at:]!r}; known are .name, ['name'], .*, [*], [0], "
                f"..name and [?@.name=='x'], not slices, functions or other filters"
            )
        found.append((match["dots"] == "..", _step(match)))
        at = match.end()
    return tuple(found)


def _step(match: re.Match[str]) -> Step:
    for quoted in ("single", "double"):
        if match[quoted] is not None:
            return re.sub(r"\\(.)", r"\1", match[quoted])
    if match["key"]:
        return match["key"], match["text"]
    return int(match["index"]) if match["index"] else match["name"]


def select(document: Any, path: Sequence[tuple[bool, Step]]) -> Iterator[tuple[Any, Key]]:
    """Container and key of every node that a path selects; the container of the root is None."""
    nodes: list[tuple[Any, Key]] = [(None, "")]

    def value(node: tuple[Any, Key]) -> Any:
        return document if node[0] is None else node[0][node[1]]

    for deep, step in path:
        within = [below for node in nodes for below in _descendants(value(node), node)] if deep else nodes
        nodes = [child for node in within for child in _children(value(node), step)]
    yield from nodes


def _children(value: Any, step: Step) -> Iterator[tuple[Any, Key]]:
    keys: list[Key] = list(value) if isinstance(value, dict) else []
    if isinstance(value, list):
        keys = list(range(len(value)))
    for key in keys:
        child = value[key]
        if isinstance(step, tuple):
            if isinstance(child, dict) and child.get(step[0]) == step[1]:
                yield value, key
        elif step is None or step == key:
            yield value, key


def _descendants(value: Any, node: tuple[Any, Key]) -> Iterator[tuple[Any, Key]]:
    yield node
    for child in _children(value, None):
        yield from _descendants(child[0][child[1]], child)
