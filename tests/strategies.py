"""Hypothesis strategies for the values of this project, in one place."""

from __future__ import annotations

from hypothesis import strategies as st

from mockserver.core.clock import ClockKind, ClockMode
from mockserver.core.fleet import FleetSettings
from mockserver.core.recipe import Hires, ImageType, Recipe
from mockserver.core.task import Delivery, Status

SPRING_2024_MS = 1_709_284_800_000
"""Where a `FakeWall` stands: 2024-03-01 09:20:00 UTC."""


def instants_ms() -> st.SearchStrategy[int]:
    """Virtual instants that a world is likely to live at: 2001 to 2100."""
    return st.integers(1_000_000_000_000, 4_102_444_800_000)


def durations_ms() -> st.SearchStrategy[int]:
    """From nothing to ten weeks, with the short ones that tasks are made of."""
    return st.one_of(st.integers(0, 500), st.integers(0, 120_000), st.integers(0, 10 * 7 * 86_400_000))


def duration_texts() -> st.SearchStrategy[tuple[str, int]]:
    """A duration as text, such as `2h30m`, and its milliseconds."""
    units = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
    parts = st.lists(st.tuples(st.integers(0, 999), st.sampled_from(sorted(units))), min_size=1, max_size=4)
    return parts.map(
        lambda found: (
            "".join(f"{amount}{unit}" for amount, unit in found),
            sum(amount * units[unit] for amount, unit in found),
        )
    )


def clock_modes() -> st.SearchStrategy[ClockMode]:
    """Every kind of clock; scaled ones from a millionth to a million, to six decimals."""
    scaled = st.integers(1, 10**12).map(lambda millionths: ClockMode(kind=ClockKind.SCALED, rate=millionths / 10**6))
    return st.one_of(st.sampled_from(["real", "manual", "auto", "x100"]).map(ClockMode.parse), scaled)


def fleet_settings(max_workers: int = 5) -> st.SearchStrategy[FleetSettings]:
    """Fleets of a few workers, by size or of a fixed duration."""
    return st.builds(
        FleetSettings,
        workers=st.integers(1, max_workers),
        speed=st.sampled_from([0.1, 0.5, 1.0, 3.0, 100.0]),
        task_ms=st.none() | st.integers(0, 600_000),
    )


def recipes() -> st.SearchStrategy[Recipe]:
    """Text-to-image recipes of every documented size, with and without a hires pass."""
    side = st.integers(128, 2048)
    return st.builds(
        Recipe,
        model=st.just("dreamshaper_8_93211.safetensors"),
        prompt=st.text(min_size=1, max_size=30),
        width=side,
        height=side,
        count=st.integers(1, 8),
        steps=st.integers(1, 100),
        guidance=st.floats(1, 30),
        sampler=st.just("Euler a"),
        seed=st.integers(-1, 2**40),
        hires=st.none()
        | st.builds(
            Hires,
            width=st.integers(128, 4096),
            height=st.integers(128, 4096),
            strength=st.floats(0, 1),
            upscaler=st.just("Latent"),
        ),
    )


def deliveries() -> st.SearchStrategy[Delivery]:
    """Ways to hand a task over: formats, detection, dedicated capacity, webhook test mode."""
    return st.builds(
        Delivery,
        image_type=st.sampled_from(ImageType),
        nsfw=st.booleans(),
        nsfw_level=st.integers(0, 2),
        dedicated=st.booleans(),
        test_status=st.sampled_from([None, None, None, Status.SUCCEED, Status.FAILED]),
    )


def api_keys() -> st.SearchStrategy[str]:
    """Keys that a server can accept: 1 to 256 visible ASCII characters."""
    return st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=256).filter(
        lambda key: key != "sk-mock-invalid"
    )


def hostile_texts() -> st.SearchStrategy[str]:
    """What a stranger may put where a date or a number belongs, halves of surrogate pairs included."""
    odd = ["", "0", "-1", "1e9", "٣", "9" * 5000, "20240301T092000Z", "20241399T999999Z", "\x00", "\ud800", "%2F", "  "]
    return st.one_of(st.sampled_from(odd), st.text(st.characters(), max_size=40), st.integers().map(str))
