"""The sampling methods against a world whose answer is known, and against the document's lists.

If pictures were normal noise of deviation S, the denoiser would be x S^2 / (S^2 + sigma^2), and the flow that
deterministic methods follow would end at x S / sqrt(S^2 + sigma^2); methods that add noise would end at deviation S.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import pytest
import torch
from torch import Tensor

from openapi.document import load
from reference_impl.engine.courses import Course
from reference_impl.engine.noise import Noise
from reference_impl.engine.samplers import SAMPLERS
from tests.reference.engine.conftest import Draw

TRAINING = {"num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
S = 0.8
CPU = torch.device("cpu")
NOISY = {name for name in SAMPLERS if name.startswith(("Euler a", "DPM2 a", "DPM++ 2S a")) or "SDE" in name}
NOISY.add("Restart")


Denoiser = Callable[[Tensor, float], Tensor]


def of_one_kind(x: Tensor, sigma: float) -> Tensor:
    return x * S**2 / (S**2 + sigma**2)


def of_two_kinds(x: Tensor, sigma: float) -> Tensor:
    """Where each value is near -1 or near 1: the noise decides early, and a wrong step ends at the wrong one."""
    small = 0.05**2
    return (small * x + sigma**2 * torch.tanh(x / (small + sigma**2))) / (small + sigma**2)


def walked(
    course: Course, seed: int = 1, clean: Tensor | None = None, denoiser: Denoiser = of_one_kind
) -> tuple[Tensor, Tensor, list[float]]:
    """The result, the noise it began with, and the sigmas that were asked at."""
    noise = Noise([seed], CPU)
    first = noise.shaped(4, 64, 64)
    walk = course.walk(clean, first, noise)
    sigmas = []
    ask = next(walk)
    try:
        while True:
            sigmas.append(ask.sigma)
            x = ask.latents * math.sqrt(ask.sigma**2 + 1)
            ask = walk.send(denoiser(x, ask.sigma))
    except StopIteration as end:
        return end.value, first, sigmas


def names(schema: str) -> set[str]:
    return set(load().raw["components"]["schemas"][schema]["enum"])


def test_the_table_has_the_samplers_of_both_lists_and_no_others() -> None:
    """C23: 30 names in v2, 20 of them in v3."""
    assert set(SAMPLERS) == names("V2SamplerName") | names("SamplerName")
    assert len(names("V2SamplerName")) == 30
    assert len(names("SamplerName")) == 20


def test_each_row_has_its_reason() -> None:
    assert all(len(sampler.why) > 10 for sampler in SAMPLERS.values())


@pytest.mark.parametrize("name", sorted(set(SAMPLERS) - NOISY))
def test_a_method_without_noise_follows_the_flow_to_its_known_end(name: str) -> None:
    course = SAMPLERS[name].course(TRAINING, 40, 0)
    result, first, sigmas = walked(course)
    begin = first if name in ("DDIM", "PLMS", "UniPC") or "2M" in name else first * sigmas[0]
    if begin is first:  # of unit variance: the same in the other measure
        begin = first * math.sqrt(sigmas[0] ** 2 + 1)
    exact = begin * S / math.sqrt(S**2 + sigmas[0] ** 2)
    assert (result - exact).abs().mean() < 0.05 * S


@pytest.mark.parametrize("name", sorted(NOISY))
def test_a_method_with_noise_ends_in_the_known_distribution(name: str) -> None:
    result, _, _ = walked(SAMPLERS[name].course(TRAINING, 40, 0))
    assert float(result.std()) == pytest.approx(S, rel=0.12)
    assert abs(float(result.mean())) < 0.05


@cache
def heun_of_many_steps() -> Tensor:
    return walked(SAMPLERS["Heun"].course(TRAINING, 200, 0), denoiser=of_two_kinds)[0]


@pytest.mark.parametrize("name", sorted(set(SAMPLERS) - NOISY))
def test_a_method_without_noise_ends_near_heuns_of_many_steps(name: str) -> None:
    many = heun_of_many_steps()
    result, _, _ = walked(SAMPLERS[name].course(TRAINING, 30, 0), denoiser=of_two_kinds)
    assert float((result - many).abs().mean()) < 0.05


@pytest.mark.parametrize("name", sorted(set(SAMPLERS) - {"PLMS"}))
def test_only_plms_cares_in_which_form_it_is_told_the_answers(name: str) -> None:
    by_noise, by_velocity = (
        walked(SAMPLERS[name].course({**TRAINING, "prediction_type": form}, 8, 0), denoiser=of_two_kinds)[0]
        for form in ("epsilon", "v_prediction")
    )
    torch.testing.assert_close(by_noise, by_velocity, atol=1e-2, rtol=1e-2)


@pytest.mark.parametrize("name", sorted(NOISY))
def test_a_method_with_noise_ends_at_one_of_the_two_kinds(name: str) -> None:
    result, _, _ = walked(SAMPLERS[name].course(TRAINING, 30, 0), denoiser=of_two_kinds)
    assert float(((result.abs() - 1).abs() < 0.2).float().mean()) > 0.97
    assert abs(float(result.mean())) < 0.05


@pytest.mark.parametrize("name", SAMPLERS)
def test_calls_are_known_in_advance(name: str) -> None:
    for steps, begin in ((1, 0), (2, 1), (4, 0), (20, 0), (20, 9), (50, 49)):
        course = SAMPLERS[name].course(TRAINING, steps, begin)
        _, _, sigmas = walked(course, clean=torch.zeros(1, 4, 64, 64) if begin else None)
        if name == "DPM adaptive":
            assert 1 <= len(sigmas) <= course.calls
        else:
            assert len(sigmas) == course.calls


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_seed_gives_the_same_walk_and_another_seed_another(name: str) -> None:
    first, again, other = (walked(SAMPLERS[name].course(TRAINING, 5, 0), seed)[0] for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("name", SAMPLERS)
def test_one_step_begins_at_the_noisiest(name: str) -> None:
    result, _, sigmas = walked(SAMPLERS[name].course(TRAINING, 1, 0))
    assert sigmas[0] > 14
    assert bool(result.isfinite().all())
    assert float(result.std()) < 2 * S


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_later_begin_stays_nearer_to_the_picture(name: str) -> None:
    clean = torch.full((1, 4, 64, 64), 2.0)
    far, near = (walked(SAMPLERS[name].course(TRAINING, 20, begin), clean=clean)[0] for begin in (8, 17))
    assert abs(float(near.mean()) - 2) < abs(float(far.mean()) - 2)


def test_noise_of_a_picture_does_not_depend_on_its_company() -> None:
    together = Noise([5, 6], CPU)
    alone = Noise([6], CPU)
    assert torch.equal(together.shaped(4, 8, 8)[1], alone.shaped(4, 8, 8)[0])
    assert torch.equal(together.draw()[1], alone.draw()[0])


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_draws_and_repeats_itself(draw: Draw, name: str) -> None:
    first, again = (draw(sampler=name, steps=2)[0] for _ in range(2))
    assert first.finished.file == again.finished.file
