"""For test suites: worlds without a pytest fixture, and the warnings that findings become.

    with novita_mock_world(clock="manual") as world: ...

`mockserver.pytest_plugin` offers the same as fixtures. Importing this package imports no server; warning filters name
its classes, in suites that may never start one.
"""

from __future__ import annotations

from mockserver.testing.contexts import novita_mock_async_world, novita_mock_server, novita_mock_world
from mockserver.testing.warnings import NovitaFindingError, NovitaFindingNote, NovitaFindingWarning

__all__ = [
    "NovitaFindingError",
    "NovitaFindingNote",
    "NovitaFindingWarning",
    "novita_mock_async_world",
    "novita_mock_server",
    "novita_mock_world",
]
