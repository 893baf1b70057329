"""Python, the package, what it needs, and which extras are there."""

from __future__ import annotations

import operator
import platform
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from itertools import zip_longest
from pathlib import Path
from types import MappingProxyType

from mockserver import __version__
from mockserver.doctor.values import Line, note, ok, problem, warning

DISTRIBUTION = "novita-mock"
EXTRAS: Mapping[str, str] = MappingProxyType(
    {
        "conformance": "novita-conformance, which judges a server requirement by requirement",
        "reference": "novita-reference, which draws with torch and diffusers",
        "intercept": "run --intercept and sweep --intercept, for programs with the vendor's address built in",
        "metrics": "--metrics, figures for Prometheus",
        "s3": "--s3, pictures in a bucket",
        "signing": "--webhook-secret and webhook audit --secret, signed webhooks",
        "postgres": "novita-reference with several servers on one store",
        "ray": "novita-reference replicas, one command for many servers",
    }
)
"""Extras, and what each gives."""

_REQUIREMENT = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(\[[^]]*\])?\s*\(?(?P<bounds>[^;)]*)\)?\s*(;(?P<when>.*))?"
)
_EXTRA = re.compile(r"extra\s*==\s*['\"]([^'\"]+)['\"]")
_BOUND = re.compile(r"(>=|<=|==|!=|>|<)\s*([0-9][0-9.]*)")
_COMPARE: Mapping[str, Callable[[int, int], bool]] = MappingProxyType(
    {
        ">=": operator.ge,
        "<=": operator.le,
        "==": operator.eq,
        "!=": operator.ne,
        ">": operator.gt,
        "<": operator.lt,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """A distribution that the package asks for.

    Attributes:
        bounds: on its version, as written.
        extra: the extra that brings it; empty: the base install.
        only_where: it is needed on some machines only.
        found: the version that is installed; None: it is not.
    """

    name: str
    bounds: str
    extra: str
    only_where: bool
    found: str | None

    @property
    def fits(self) -> bool:
        """Whether it is there in a version that will do."""
        return self.found is not None and within(self.found, self.bounds)


def needed(written: Iterable[str], installed: Callable[[str], str | None]) -> Iterator[Needed]:
    """What requirements ask for, as a package's metadata writes them.

    Args:
        written: requirements, such as `click>=8.1.7` and `boto3>=1.37; extra == 's3'`.
        installed: gives a distribution's version.
    """
    for text in written:
        match = _REQUIREMENT.fullmatch(text.strip())
        if match is None or match["name"].lower().replace("_", "-") == DISTRIBUTION:  # an extra that is made of others
            continue
        when = match["when"] or ""
        extra = _EXTRA.search(when)
        yield Needed(
            name=match["name"],
            bounds=match["bounds"].strip(),
            extra=extra[1] if extra else "",
            only_where=bool(_EXTRA.sub("", when).strip(" ()")),
            found=installed(match["name"]),
        )


def within(found: str, bounds: str) -> bool:
    """Whether a version lies within bounds; what is written in another way than `>=1.2` is not held against it."""
    parts = _parts(found)
    for word, bound in _BOUND.findall(bounds):
        pairs = list(zip_longest(parts, _parts(bound), fillvalue=0))
        here, there = next(((mine, other) for mine, other in pairs if mine != other), (0, 0))
        if not _COMPARE[word](here, there):
            return False
    return True


def installed_version(name: str) -> str | None:
    """The version of a distribution that is installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def installation(path: str) -> Iterator[Line]:
    """Python, the package, and what it cannot do without.

    Args:
        path: the variable PATH.
    """
    where = f"{platform.python_implementation()} on {platform.system()} {platform.machine()}"
    yield ok("python", f"Python {platform.python_version()}, {where}, in {sys.prefix}")
    yield ok("package", f"{DISTRIBUTION} {__version__} in {Path(__file__).parents[1]}")
    yield from _command(path)
    asked = _asked()
    if not asked:
        yield warning(
            "dependencies",
            f"{DISTRIBUTION} runs from a folder and is not installed: what it needs is not known",
            "pip install . in a checkout, or pip install novita-mock",
        )
        return
    base = [one for one in asked if not one.extra]
    wrong = [one for one in base if not one.fits and not (one.only_where and one.found is None)]
    for one in wrong:
        came = "is not installed" if one.found is None else f"{one.found} is installed"
        yield problem("dependencies", f"{one.name}{one.bounds} is needed, {came}", "pip install --upgrade novita-mock")
    if not wrong:
        listed = ", ".join(f"{one.name} {one.found}" for one in base if one.found)
        yield ok("dependencies", f"what it needs is there: {listed}")
        yield from _protocol()


def extras(asked: Iterable[Needed] | None = None) -> Iterator[Line]:
    """Every extra: there, or what it would give.

    Args:
        asked: what the package asks for; None: as its metadata says.
    """
    asked = _asked() if asked is None else list(asked)
    for name, gives in EXTRAS.items():
        brought = [one for one in asked if one.extra == name]
        lacking = [one for one in brought if one.found is None]
        other = [one for one in brought if one.found is not None and not one.fits]
        install = f"pip install 'novita-mock[{name}]'"
        if other and not lacking:
            told = ", ".join(f"{one.name} {one.found}, expected {one.bounds}" for one in other)
            yield warning(f"extra-{name}", f"{name}: {told}", install)
        elif lacking or not brought:
            yield note(f"extra-{name}", f"{name} is not installed; it gives {gives}", f"{install}, if you want that")
        else:
            yield ok(f"extra-{name}", f"{name}: {gives}")


def _asked() -> list[Needed]:
    try:
        written = requires(DISTRIBUTION) or []
    except PackageNotFoundError:
        return []
    return list(needed(written, installed_version))


def _command(path: str) -> Iterator[Line]:
    found = shutil.which(DISTRIBUTION, path=path)
    own = Path(sys.executable).parent
    if found is None:
        yield note("command", f"{DISTRIBUTION} is not on the PATH", f"add {own} to it, or say python -m mockserver")
    elif Path(found).parent.resolve() != own.resolve():
        yield warning(
            "command",
            f"{found} is what the shell finds; this is the one of {own}",
            "activate the environment that you mean, or call the command with its folder",
        )
    else:
        yield ok("command", f"the shell finds {found}")


def _protocol() -> Iterator[Line]:
    import uvicorn  # it is there, as was just seen

    from mockserver.running import SHORT_WAY_FITS

    if not uvicorn.__version__.startswith(SHORT_WAY_FITS):
        known = ", ".join(f"{beginning}x" for beginning in SHORT_WAY_FITS)
        yield note(
            "uvicorn", f"uvicorn {uvicorn.__version__} answers in its own, slower way; the fast one is for {known}"
        )


def _parts(text: str) -> list[int]:
    """The numbers of a version, to its first word: those of 2.13.0 for `2.13.0+cpu`."""
    match = re.match(r"\d+(\.\d+)*", text)
    return [int(part) for part in match[0].split(".")] if match else []
