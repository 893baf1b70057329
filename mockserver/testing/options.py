"""What a test says about its world: the arguments of the marker and of `novita_mock_world`.

They are the words of a scenario's file, so that whatever a file can say can stand in a test as well, and `scenario`,
which names the one to begin with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mockserver.faults.scenario import Scenario

SCENARIO = "scenario"
OPTIONS = (
    SCENARIO, "clock", "faults", "fleet", "webhooks", "account", "nsfw_confidences", "link_ttl", "max_in_a_row", "v2",
)  # fmt: skip
"""A test ties them to `mockserver.faults.scenario.WORDS`, whose module need not be imported to know them."""

_NAME = "of-a-test"


class BadOption(ValueError):
    """An argument says something that it cannot; the message says which, what was expected and what came."""


def check_names(given: Mapping[str, Any], known: tuple[str, ...] = OPTIONS) -> None:
    """Passes arguments that there are.

    Raises:
        BadOption: one is unknown; lists the known ones.
    """
    unknown = [name for name in given if name not in known]
    if unknown:
        from difflib import get_close_matches

        near = get_close_matches(unknown[0], known, 1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise BadOption(f"unknown argument {unknown[0]}{hint}; there are: {', '.join(known)}")


def read_options(given: Mapping[str, Any]) -> Scenario | None:
    """The situation that arguments describe; None: as the server is.

    Args:
        given: by name, those of `OPTIONS`.

    Raises:
        BadOption: one is unknown, or says something that it cannot.
    """
    check_names(given)
    if not given:
        return None
    from mockserver.faults.scenario import read_scenario
    from mockserver.scenarios import ScenarioError

    own: dict[str, Any] = {"name": _NAME, "description": "what a test asks for", **given}
    base = own.pop(SCENARIO, None)
    try:
        if base is None:
            return read_scenario(own, _in_library)
        loaded = _loaded(base)
        return read_scenario({**own, "extends": loaded.name}, _first(loaded))
    except (ScenarioError, ValueError) as error:  # a PlanError is a ValueError
        raise BadOption(str(error)) from None


def _loaded(base: object) -> Scenario:
    from mockserver.scenarios import find, from_json

    if isinstance(base, Mapping):
        return from_json({"name": _NAME, "description": "a scenario in a test", **base})
    if not isinstance(base, str):
        import os

        if not isinstance(base, os.PathLike):
            raise BadOption(f"scenario: expected a name, a file or a mapping, came {base!r:.80}")
        base = os.fspath(base)
    return find(str(base))


def _first(loaded: Scenario) -> Callable[[str], Mapping[str, Any] | None]:
    """Finds a loaded scenario once, and after that those of the library: it may extend one that is named alike."""
    given = [loaded.given]

    def find(name: str) -> Mapping[str, Any] | None:
        return given.pop() if given else _in_library(name)

    return find


def _in_library(name: str) -> Mapping[str, Any] | None:
    from mockserver.scenarios import names, shipped

    return shipped(name).given if name in names() else None
