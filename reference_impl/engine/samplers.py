"""All sampling methods by their names in requests: one table, each row with its reason."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    HeunDiscreteScheduler,
    PNDMScheduler,
    UniPCMultistepScheduler,
)
from torch import Tensor

from reference_impl.engine import ksamplers
from reference_impl.engine.courses import Course, MethodCourse, SchedulerCourse

MOST_CALLS_A_STEP = 3
"""Of DPM adaptive, which chooses its steps itself; the request's steps bound it."""
LEAST_ADAPTIVE_STEPS = 10

Floats: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]
MakeCourse: TypeAlias = Callable[[Mapping[str, Any], int, int], Course]
"""Makes a course from the settings of the training, the steps asked for, and the first of them to take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampler:
    """A row of the table.

    Attributes:
        course: makes one from the settings of the training, the steps asked for, and the first step to take.
        why: why this class with these options stands for the name.
    """

    course: MakeCourse
    why: str


def training_sigmas(training: Mapping[str, Any]) -> Floats:
    """Sigma of each timestep of the training, rising."""
    kept = DDIMScheduler(**training).alphas_cumprod.double().numpy()
    result: Floats = np.sqrt((1 - kept) / kept)
    return result


def _by_scheduler(kind: Any, *, order: int = 1, unit: bool = False, **options: Any) -> MakeCourse:
    """Rows whose scheduler keeps a list of sigmas."""

    def course(training: Mapping[str, Any], steps: int, begin: int) -> Course:
        # k-diffusion spreads the timesteps evenly from the last to the first; with one step that is the first alone,
        # which is a picture without noise, so one step is taken from the noisiest.
        spacing = "trailing" if steps == 1 else "linspace"
        with warnings.catch_warnings():
            # diffusers 0.42 turns tensors into arrays in a way that NumPy 2 wants to forbid one day.
            warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
            scheduler = kind(**{**training, "timestep_spacing": spacing, "steps_offset": 0, **options})
            scheduler.set_timesteps(steps)
        skipped = begin * order
        scheduler.set_begin_index(skipped)
        sigmas = scheduler.sigmas.tolist()[: len(scheduler.timesteps)]
        timesteps = scheduler.timesteps[skipped:]
        return SchedulerCourse(scheduler=scheduler, timesteps=timesteps, sigmas=sigmas[skipped:], unit=unit)

    return course


def _by_timesteps(kind: Any, **options: Any) -> MakeCourse:
    """Rows whose scheduler knows the training's timesteps only."""

    def course(training: Mapping[str, Any], steps: int, begin: int) -> Course:
        spacing = "trailing" if steps == 1 else "leading"
        scheduler = kind(
            **{**training, "timestep_spacing": spacing, "steps_offset": int(steps > 1), "set_alpha_to_one": False},
            **options,
        )
        scheduler.set_timesteps(steps)
        timesteps = scheduler.timesteps
        if kind is PNDMScheduler:
            # The second timestep comes twice; a run that begins later must double its own second one.
            plain = torch.cat([timesteps[:1], timesteps[2:]]) if steps > 1 else timesteps
            rest = plain[begin:]
            timesteps = torch.cat([rest[:2], rest[1:]])
        else:
            timesteps = timesteps[begin:]
        table = training_sigmas(training)
        sigmas = [float(table[int(t)]) for t in timesteps]
        return SchedulerCourse(scheduler=scheduler, timesteps=timesteps, sigmas=sigmas, unit=True)

    return course


def _by_method(
    method: Callable[..., ksamplers.Method], *, spread_by_karras: bool = False, coarse_end: bool = False
) -> MakeCourse:
    """Rows of our own methods.

    Args:
        method: of `ksamplers`.
        spread_by_karras: sigmas dense near the end instead of evenly spread timesteps.
        coarse_end: leave the smallest sigma out, as A1111 does for methods that overshoot in the step to it.
    """

    def course(training: Mapping[str, Any], steps: int, begin: int) -> Course:
        logs = np.log(training_sigmas(training))
        count = steps + coarse_end
        if spread_by_karras:
            sigmas = ksamplers.karras(count, math.exp(logs[0]), math.exp(logs[-1]))
        else:
            sigmas = _even(logs, count)
        left = [*sigmas[begin:steps], 0.0]
        return MethodCourse(method=method, sigmas=left, log_sigmas=logs.tolist(), calls=_count(method, left))

    return course


def _adaptive(training: Mapping[str, Any], steps: int, begin: int) -> Course:
    logs = np.log(training_sigmas(training))
    high, low = _even(logs, steps)[begin], math.exp(logs[0])
    calls = MOST_CALLS_A_STEP * max(steps - begin, LEAST_ADAPTIVE_STEPS)

    def method(x: Tensor, sigmas: Sequence[float], noise: ksamplers.Noise) -> ksamplers.Method:
        return ksamplers.dpm_adaptive(x, sigmas, noise, calls=calls)

    sigmas = [high, low, 0.0] if high > low * 1.001 else [high, 0.0]
    return MethodCourse(method=method, sigmas=sigmas, log_sigmas=logs.tolist(), calls=calls)


def _even(logs: Floats, steps: int) -> list[float]:
    """Sigmas of evenly spread timesteps, from the noisiest down."""
    at = np.linspace(len(logs) - 1, 0, steps)
    sigmas: list[float] = np.exp(np.interp(at, np.arange(len(logs)), logs)).tolist()
    return sigmas


def _count(method: Callable[..., ksamplers.Method], sigmas: Sequence[float]) -> int:
    """Calls of a method, by running it on a single zero."""
    zero = torch.zeros(1)
    running, calls = method(zero, sigmas, lambda: zero), 1
    try:
        next(running)
        while True:
            running.send(zero)
            calls += 1
    except StopIteration:
        return calls


def _multistep(*, order: int = 2, sde: bool = False, **options: Any) -> MakeCourse:
    kind = "sde-dpmsolver++" if sde else "dpmsolver++"
    return _by_scheduler(DPMSolverMultistepScheduler, unit=True, algorithm_type=kind, solver_order=order, **options)


KARRAS: Mapping[str, Any] = {"use_karras_sigmas": True}
EXPONENTIAL: Mapping[str, Any] = {"use_exponential_sigmas": True}
HEUN: Mapping[str, Any] = {"solver_type": "heun"}

_dpm2_ancestral = partial(ksamplers.dpm2, ancestral=True)

_DPM2 = "own: diffusers' class takes half a second before its first step"
_2S = "own: diffusers' single step solver is not ancestral, so another method"
_SDE = "own: diffusers' class draws its noise from a source that no seed reaches"
_LMS = "own: diffusers' class needs SciPy, and begins wrongly in the middle (img2img)"

SAMPLERS: Mapping[str, Sampler] = {
    name: Sampler(course=course, why=why)
    for name, course, why in (
        (
            "Euler a",
            _by_scheduler(EulerAncestralDiscreteScheduler),
            "EulerAncestralDiscreteScheduler, the same equations, seeded",
        ),
        ("Euler", _by_scheduler(EulerDiscreteScheduler), "EulerDiscreteScheduler, the same equations"),
        ("LMS", _by_method(ksamplers.lms), _LMS),
        ("LMS Karras", _by_method(ksamplers.lms, spread_by_karras=True), _LMS),
        ("Heun", _by_scheduler(HeunDiscreteScheduler, order=2), "HeunDiscreteScheduler, the same equations"),
        ("DPM2", _by_method(ksamplers.dpm2, coarse_end=True), _DPM2),
        ("DPM2 Karras", _by_method(ksamplers.dpm2, spread_by_karras=True, coarse_end=True), _DPM2),
        ("DPM2 a", _by_method(_dpm2_ancestral, coarse_end=True), _DPM2),
        ("DPM2 a Karras", _by_method(_dpm2_ancestral, spread_by_karras=True, coarse_end=True), _DPM2),
        ("DPM++ 2S a", _by_method(ksamplers.dpmpp_2s_ancestral), _2S),
        ("DPM++ 2S a Karras", _by_method(ksamplers.dpmpp_2s_ancestral, spread_by_karras=True), _2S),
        ("DPM++ 2M", _multistep(), "DPMSolverMultistepScheduler of order 2"),
        ("DPM++ 2M Karras", _multistep(**KARRAS), "2M on Karras' sigmas"),
        ("DPM++ SDE", _by_method(ksamplers.dpmpp_sde), _SDE),
        ("DPM++ SDE Karras", _by_method(ksamplers.dpmpp_sde, spread_by_karras=True), _SDE),
        ("DPM++ 2M SDE", _multistep(sde=True), "DPMSolverMultistepScheduler for the SDE, midpoint, seeded"),
        ("DPM++ 2M SDE Karras", _multistep(sde=True, **KARRAS), "2M SDE on Karras' sigmas"),
        ("DPM++ 2M SDE Exponential", _multistep(sde=True, **EXPONENTIAL), "2M SDE, sigmas equal in the logarithm"),
        ("DPM++ 2M SDE Heun", _multistep(sde=True, **HEUN), "2M SDE with the correction that is called Heun's"),
        ("DPM++ 2M SDE Heun Karras", _multistep(sde=True, **HEUN, **KARRAS), "the same on Karras' sigmas"),
        (
            "DPM++ 2M SDE Heun Exponential",
            _multistep(sde=True, **HEUN, **EXPONENTIAL),
            "the same, sigmas equal in the logarithm",
        ),
        ("DPM++ 3M SDE", _multistep(order=3, sde=True), "DPMSolverMultistepScheduler of order 3 for the SDE"),
        ("DPM++ 3M SDE Karras", _multistep(order=3, sde=True, **KARRAS), "3M SDE on Karras' sigmas"),
        (
            "DPM++ 3M SDE Exponential",
            _multistep(order=3, sde=True, **EXPONENTIAL),
            "3M SDE, sigmas equal in the logarithm",
        ),
        ("DPM fast", _by_method(ksamplers.dpm_fast), "own: diffusers' single step solver takes other orders"),
        ("DPM adaptive", _adaptive, "own: in no class of diffusers; bounded, since progress must end"),
        (
            "Restart",
            _by_method(ksamplers.restart, spread_by_karras=True),
            "own: in no class of diffusers; Heun by A1111's plan",
        ),
        (
            "DDIM",
            _by_timesteps(DDIMScheduler, clip_sample=False),
            "DDIMScheduler, the same equations, A1111's timesteps",
        ),
        (
            "PLMS",
            _by_timesteps(PNDMScheduler, skip_prk_steps=True),
            "PNDMScheduler without its Runge-Kutta start",
        ),
        ("UniPC", _by_scheduler(UniPCMultistepScheduler, unit=True), "UniPCMultistepScheduler, the same equations"),
    )
}
"""v2's 30 names; v3's 20 are among them (C23)."""
