"""What a target says that it offers: a YAML file, written by hand or by `novita-conformance probe`.

    operations:
      createImg2imgTask: true
      createTxt2imgTaskV2: false
    features:
      webhooks: true

What is claimed and absent is a violation; what is disclaimed and absent is not applicable; what is not mentioned and
absent cannot be judged. A claim is named by its operation or feature.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

PARTS = ("operations", "features")


class CapabilitiesError(ValueError):
    """The file is not as it should be."""


def read_claims(path: Path, operations: Iterable[str]) -> dict[str, bool]:
    """Claims by name.

    Args:
        operations: ids that the document knows.

    Raises:
        CapabilitiesError: the file cannot be read or says something else than this module's docstring shows.
    """
    import yaml

    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise CapabilitiesError(f"cannot read {path}: {error}") from None
    except yaml.YAMLError as error:
        raise CapabilitiesError(f"{path} is not YAML: {error}") from None
    if not isinstance(raw, Mapping):
        raise CapabilitiesError(f"{path}: expected the keys {' and '.join(PARTS)}")
    known = set(operations)
    claims: dict[str, bool] = {}
    for part, entries in raw.items():
        if part not in PARTS:
            raise CapabilitiesError(f"{path}: unknown key {part!r}; known: {', '.join(PARTS)}")
        if not isinstance(entries, Mapping):
            raise CapabilitiesError(f"{path}: {part} holds 'name: true' or 'name: false' lines")
        for name, claimed in entries.items():
            if part == "operations" and name not in known:
                raise CapabilitiesError(f"{path}: no operation {name!r}; known: {', '.join(sorted(known))}")
            if not isinstance(claimed, bool):
                raise CapabilitiesError(f"{path}: {name} is {claimed!r}; expected true or false")
            claims[str(name)] = claimed
    return claims
