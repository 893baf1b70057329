"""The sampling methods that diffusers has no class for, or none that repeats or is fast: one generator each.

A method asks by `denoised = yield latents, sigma` what the network makes of latents = picture + sigma * noise, and
returns its result. It draws noise by calling `noise()`: standard normal, of the latents' shape. So a method is its
equations and nothing else; which network, which guidance and which mask are somebody else's.

Sigmas fall from the first to 0. Names follow the papers: d is the denoised picture, t = -log sigma, h a step of t.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

Noise = Callable[[], Tensor]
Method = Generator[tuple[Tensor, float], Tensor, Tensor]


def lms(x: Tensor, sigmas: Sequence[float], noise: Noise, order: int = 4) -> Method:
    """Linear multistep (Adams-Bashforth) on the probability flow, steps of unequal length.

    The integral of the interpolating polynomial is exact by three Gauss points, so no SciPy is needed; diffusers' class
    needs it, and takes coefficients of a history that is not there when it begins in the middle (img2img).
    """
    slopes: list[Tensor] = []
    for i, (s, s_next) in enumerate(pairwise(sigmas)):
        d = yield x, s
        slopes = [*slopes, (x - d) / s][-order:]
        past = [sigmas[i - k] for k in range(len(slopes))]
        for slope, weight in zip(reversed(slopes), _adams(past, s, s_next), strict=True):
            x = x + weight * slope
    return x


def _adams(past: Sequence[float], start: float, end: float) -> list[float]:
    """Weights of the slopes at `past`: integrals of their Lagrange polynomials from start to end."""
    nodes, weights = np.polynomial.legendre.leggauss(3)
    at = start + (nodes + 1) / 2 * (end - start)
    result = []
    for j, own in enumerate(past):
        value = np.ones_like(at)
        for k, other in enumerate(past):
            if k != j:
                value *= (at - other) / (own - other)
        result.append(float((value * weights).sum() * (end - start) / 2))
    return result


def dpm2(x: Tensor, sigmas: Sequence[float], noise: Noise, *, ancestral: bool = False) -> Method:
    """DPM-Solver-2 with its middle call halfway in log sigma, with or without ancestral noise.

    diffusers' classes give the same latents, but take half a second to lay out their timesteps.
    """
    for s, s_next in pairwise(sigmas):
        d = yield x, s
        down, up = _ancestral(s, s_next) if ancestral else (s_next, 0.0)
        if down == 0:
            x = d
            continue
        half = math.sqrt(s * down)
        mid = x + (half - s) * (x - d) / s
        d2 = yield mid, half
        x = x + (down - s) * (mid - d2) / half
        if ancestral:
            x = x + up * noise()
    return x


def dpmpp_2s_ancestral(x: Tensor, sigmas: Sequence[float], noise: Noise) -> Method:
    """DPM-Solver++(2S) with ancestral noise (arXiv 2211.01095, algorithm 1)."""
    for s, s_next in pairwise(sigmas):
        d = yield x, s
        down, up = _ancestral(s, s_next)
        if down == 0:
            x = d
        else:
            h = math.log(s / down)
            half = math.sqrt(s * down)
            d2 = yield (half / s) * x - math.expm1(-h / 2) * d, half
            x = (down / s) * x - math.expm1(-h) * d2
        if s_next > 0:
            x = x + up * noise()
    return x


def dpmpp_sde(x: Tensor, sigmas: Sequence[float], noise: Noise) -> Method:
    """DPM-Solver++ for the SDE, two calls a step; its noise is one Brownian path, seen at half and whole step.

    diffusers' class draws from a source of its own that no generator reaches: two runs of a seed would differ.
    """
    for s, s_next in pairwise(sigmas):
        d = yield x, s
        if s_next == 0:
            x = d
            continue
        half = math.sqrt(s * s_next)
        first, second = noise(), noise()
        whole = (math.sqrt(s - half) * first + math.sqrt(half - s_next) * second) / math.sqrt(s - s_next)
        down, up = _ancestral(s, half)
        d2 = yield (down / s) * x - math.expm1(-math.log(s / down)) * d + up * first, half
        down, up = _ancestral(s, s_next)
        x = (down / s) * x - math.expm1(-math.log(s / down)) * d2 + up * whole
    return x


def dpm_fast(x: Tensor, sigmas: Sequence[float], noise: Noise) -> Method:
    """DPM-Solver-fast (arXiv 2206.00927): steps of order 3 for as long as calls last, then 2 or 1.

    Only the first and the last positive sigma count; the steps between are equal in t. One call for each step asked.
    """
    positive = [s for s in sigmas if s > 0]
    calls = len(positive)
    t, t_end = -math.log(positive[0]), -math.log(positive[-1])
    if calls == 1:
        return (yield x, positive[0])
    steps = calls // 3 + 1
    orders = [3] * (steps - 2) + [2, 1] if calls % 3 == 0 else [3] * (steps - 1) + [calls % 3]
    h = (t_end - t) / len(orders)
    for order in orders:
        s = math.exp(-t)
        d = yield x, s
        slope = (x - d) / s
        if order == 1:
            x = x - math.exp(-t - h) * math.expm1(h) * slope
        elif order == 2:
            x, _ = yield from _second_order(x, t, h, slope, 1 / 2)
        else:
            x, _ = yield from _third_order(x, t, h, slope)
        t += h
    return x


def dpm_adaptive(
    x: Tensor, sigmas: Sequence[float], noise: Noise, calls: int = 90, rtol: float = 0.05, atol: float = 0.0078
) -> Method:
    """DPM-Solver-12-adaptive's sibling of orders 2 and 3, with k-diffusion's tolerances; steps choose themselves.

    Args:
        x: one picture: the error is measured over all of it, so two in a batch would steer each other.
        sigmas: only the first and the last positive one count.
        noise: not used.
        calls: the most network calls; what is left of the way is taken in one step when they end.
        rtol: relative tolerance.
        atol: absolute tolerance, in latents.
    """
    positive = [s for s in sigmas if s > 0]
    t, t_end, h, left = -math.log(positive[0]), -math.log(positive[-1]), 0.05, calls // 3
    if len(positive) == 1:
        return (yield x, positive[0])
    before = x
    while t < t_end - 1e-5:
        last = left <= 1
        h = t_end - t if last else min(h, t_end - t)
        s = math.exp(-t)
        d = yield x, s
        high, low = yield from _third_order(x, t, h, (x - d) / s)
        left -= 1
        allowed = torch.clamp(rtol * torch.maximum(low.abs(), before.abs()), min=atol)
        error = float((((low - high) / allowed) ** 2).mean() ** 0.5)
        growth = 1 + math.atan((1 / (error + 1e-8)) ** (1 / 3) - 1)
        if last or growth >= 0.81:
            before, x, t = low, high, t + h
        h *= growth
    return x


def restart(x: Tensor, sigmas: Sequence[float], noise: Noise) -> Method:
    """Heun's steps, and from 20 steps on a way back up through noise (arXiv 2306.14878) by A1111's plan.

    The plan: 9 of the steps (from 36 steps on a quarter of them, twice) go from sigma 2 down to 0.1 once more.
    """
    for s, s_next, lift in restart_plan(sigmas):
        if lift:
            x = x + lift * noise()
        d = yield x, s
        if s_next == 0:
            x = d
            continue
        slope = (x - d) / s
        ahead = x + (s_next - s) * slope
        d2 = yield ahead, s_next
        x = x + (s_next - s) * (slope + (ahead - d2) / s_next) / 2
    return x


def restart_plan(sigmas: Sequence[float]) -> list[tuple[float, float, float]]:
    """Steps (from, to, how much noise is added first) of the restart method."""
    count = len(sigmas) - 1
    if count < 20:
        return [(s, s_next, 0.0) for s, s_next in pairwise(sigmas)]
    again, times = (count // 4, 2) if count >= 36 else (9, 1)
    down = [*karras(count - again * times, sigmas[-2], sigmas[0]), 0.0]
    low = min(range(len(down)), key=lambda i: abs(down[i] - 0.1))
    high = min(range(len(down)), key=lambda i: abs(down[i] - 2.0))
    steps = [(s, s_next, 0.0) for s, s_next in pairwise(down)]
    if high >= low:  # the run begins below the place to go back to
        return steps
    lap = karras(again + 1, down[low], down[high])
    lift = math.sqrt(lap[0] ** 2 - lap[-1] ** 2)
    again_down = [(s, s_next, lift if i == 0 else 0.0) for i, (s, s_next) in enumerate(pairwise(lap))]
    return [*steps[:low], *again_down * times, *steps[low:]]


def karras(count: int, low: float, high: float, rho: float = 7.0) -> list[float]:
    """Falling sigmas, dense near the end (arXiv 2206.00364, equation 5)."""
    a, b = high ** (1 / rho), low ** (1 / rho)
    return [(a + i / max(count - 1, 1) * (b - a)) ** rho for i in range(count)]


def _ancestral(s: float, s_next: float) -> tuple[float, float]:
    """How far to go down, and how much noise to add, so that the noise is s_next afterwards."""
    up = min(s_next, math.sqrt(s_next**2 * (s**2 - s_next**2) / s**2))
    return math.sqrt(s_next**2 - up**2), up


def _second_order(
    x: Tensor, t: float, h: float, slope: Tensor, r: float
) -> Generator[tuple[Tensor, float], Tensor, tuple[Tensor, Tensor]]:
    """A step of DPM-Solver-2: the result, and the slope at t + r h."""
    s_mid, s_next = math.exp(-t - r * h), math.exp(-t - h)
    mid = x - s_mid * math.expm1(r * h) * slope
    d = yield mid, s_mid
    slope_mid = (mid - d) / s_mid
    x = x - s_next * math.expm1(h) * slope - s_next / (2 * r) * math.expm1(h) * (slope_mid - slope)
    return x, slope_mid


def _third_order(
    x: Tensor, t: float, h: float, slope: Tensor
) -> Generator[tuple[Tensor, float], Tensor, tuple[Tensor, Tensor]]:
    """A step of DPM-Solver-3: the result, and that of order 2 from the same first two calls."""
    r1, r2 = 1 / 3, 2 / 3
    low, slope1 = yield from _second_order(x, t, h, slope, r1)
    s2, s_next = math.exp(-t - r2 * h), math.exp(-t - h)
    at = x - s2 * math.expm1(r2 * h) * slope - s2 * (r2 / r1) * (math.expm1(r2 * h) / (r2 * h) - 1) * (slope1 - slope)
    d = yield at, s2
    slope2 = (at - d) / s2
    high = x - s_next * math.expm1(h) * slope - s_next / r2 * (math.expm1(h) / h - 1) * (slope2 - slope)
    return high, low
