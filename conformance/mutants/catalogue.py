"""All mutants: every module of this package that has a list `MUTANTS` adds its family."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules

from conformance.mutants.values import Mutant


def load_mutants() -> Mapping[str, Mutant]:
    """All mutants by name, family by family.

    Raises:
        ValueError: two have the same name.
    """
    from conformance import mutants

    found: dict[str, Mutant] = {}
    for module in sorted(iter_modules(mutants.__path__), key=lambda one: one.name):
        if module.name == "__main__":
            continue
        for mutant in getattr(import_module(f"conformance.mutants.{module.name}"), "MUTANTS", ()):
            if mutant.name in found:
                raise ValueError(f"two mutants are named {mutant.name}")
            found[mutant.name] = mutant
    return found
