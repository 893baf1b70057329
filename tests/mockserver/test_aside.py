"""Large pictures are drawn aside of the event loop."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from mockserver.aside import draw_aside
from tests.bodies import png
from tests.mockserver.builders import make_recipe


@pytest.mark.parametrize(
    ("fields", "slow", "aside"),
    [
        ({}, False, False),
        ({"width": 1024}, False, True),
        ({"source": png()}, False, True),
        ({}, True, True),
    ],
)
def test_only_what_is_quick_is_drawn_on_the_spot(fields: dict[str, Any], slow: bool, aside: bool) -> None:
    """A large picture, one with a source to read first, and what the caller calls slow go to a thread."""

    async def drawn_in() -> threading.Thread:
        return await draw_aside(make_recipe(**fields), threading.current_thread, slow=slow)

    assert (asyncio.run(drawn_in()) is not threading.current_thread()) is aside
