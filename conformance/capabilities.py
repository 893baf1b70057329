"""What a target says that it offers: a YAML file, written by hand or by `novita-conformance probe`.

    operations:
      createImg2imgTask: true
      createTxt2imgTaskV2: false
    profiles:
      v3-webhooks: true

What is claimed and absent is a violation; what is disclaimed is not judged; what is not mentioned and absent cannot be
judged. A claim is named by its operation or profile.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from openapi.requirements import Profile

FORMAT = 1


class CapabilitiesError(ValueError):
    """A capabilities file is not as it should be."""


def claims_from(raw: Any, operations: Iterable[str]) -> dict[str, bool]:
    """Claims by operation id and profile from the parsed content of a capabilities file.

    Raises:
        CapabilitiesError: with the place and what was expected there.
    """
    if not isinstance(raw, dict) or raw.get("format", FORMAT) != FORMAT:
        raise CapabilitiesError(f"expected a mapping of format {FORMAT} (novita-conformance probe writes one)")
    known = {"operations": sorted(operations), "profiles": [str(profile) for profile in Profile]}
    other = set(raw) - {"format", "target", "probed", "virtual_clock", *known}
    if other:
        raise CapabilitiesError(f"{min(map(str, other))!r} is not known; expected operations and profiles")
    found: dict[str, bool] = {}
    for heading, names in known.items():
        section = raw.get(heading) or {}
        if not isinstance(section, dict):
            raise CapabilitiesError(f"{heading}: expected a mapping of names to true or false")
        for name, offered in section.items():
            if name not in names:
                raise CapabilitiesError(f"{heading}.{name}: no such name; known are {', '.join(names)}")
            if not isinstance(offered, bool):
                raise CapabilitiesError(f"{heading}.{name}: expected true or false, got {offered!r}")
            found[name] = offered
    return found


def read_claims(path: Path, operations: Iterable[str]) -> dict[str, bool]:
    """Claims by operation id and profile from a capabilities file.

    Raises:
        CapabilitiesError: the file cannot be read or is not as it should be.
    """
    import yaml

    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise CapabilitiesError(f"cannot read {path}: {error}") from None
    except yaml.YAMLError as error:
        raise CapabilitiesError(f"{path} is not YAML: {error}") from None
    try:
        return claims_from(raw, operations)
    except CapabilitiesError as error:
        raise CapabilitiesError(f"{path}: {error}") from None
