"""Whose request it is: the API key in the forms that the document knows, as the digest that stands for an account."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from starlette.requests import Request

from openapi.document import KeyForm, Operation


class InvalidKey(Exception):
    """No key, or one that no account has."""


class Keys:
    """The accounts.

    Args:
        keys: those that are let in; none: every key is, and each is an account of its own.
        strict: only the documented form of a key is read; otherwise also those that clients use (O3, O4).
    """

    def __init__(self, keys: Iterable[str], *, strict: bool) -> None:
        self._known = frozenset(_digest(key) for key in keys)
        self._strict = strict

    def account(self, request: Request, operation: Operation) -> str:
        """The digest of the request's key; nothing behind this point sees the key itself.

        Raises:
            InvalidKey: there is none, or it is not known.
        """
        for form in operation.key_forms:
            key = "" if self._strict and form.because else _key(request, form)
            if key and (not self._known or _digest(key) in self._known):
                return _digest(key)
        raise InvalidKey


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _key(request: Request, form: KeyForm) -> str:
    """What a header says in one form; empty when it has another."""
    words = request.headers.get(form.header, "").split()
    if not form.scheme:
        return words[0] if len(words) == 1 and words[0].lower() != "bearer" else ""
    return words[1] if len(words) == 2 and words[0].lower() == form.scheme.lower() else ""
