"""Teach a UNet to draw the tiny world: v-prediction on latents, captions read by a frozen text encoder."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

import torch
from torch import Tensor

from reference_impl.tiny.models import CELL, NOISE, UnetKind
from reference_impl.tiny.pools import Encode, Pool, Words
from reference_impl.tiny.practice import Row, practice
from reference_impl.tiny.scenes import Scene
from reference_impl.tiny.text_training import token_ids

EMPTY_SHARE: Final = 0.1
SKIP_SHARE: Final = 8  # every eighth batch of captions is read off the last but one layer, so that clip_skip 2 works
SIZES: Final = ((16, 16, 0.64), (8, 8, 0.06), (16, 24, 0.04), (24, 16, 0.04), (32, 32, 0.22))
PERIOD: Final = 256  # steps after which an eighth of a pool's scenes are new
FIRST_STEPS: Final = 800  # on small latents, which show colours and layout at a quarter of the cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """The noise levels: `signal` and `noise` are the factors of picture and noise at each of 1000 times."""

    signal: Tensor
    noise: Tensor
    times: Tensor

    def at(self, times: Tensor) -> tuple[Tensor, Tensor]:
        """The two factors, to be multiplied with (n, 4, h, w)."""
        return self.signal[times][:, None, None, None], self.noise[times][:, None, None, None]


def noise_levels(device: str = "cpu", latest: int = 1000, middle: int = 620) -> Noise:
    """SD 1.5's noise levels, and how often each is met: half evenly, half around where shapes are decided.

    Args:
        device: where to.
        latest: times from here on are not met at all; a refiner has no use for them.
        middle: the time that is met most.
    """
    low, high, count = NOISE["beta_start"], NOISE["beta_end"], NOISE["num_train_timesteps"]
    kept = torch.cumprod(1 - torch.linspace(low**0.5, high**0.5, count) ** 2, 0)
    steps = torch.arange(count)
    around = torch.exp(-0.5 * ((steps - middle) / 200) ** 2)
    often = (0.5 / count + 0.5 * around / around.sum()) * (steps < latest)
    often = often / often.sum()
    return Noise(
        signal=kept.sqrt().to(device), noise=(1 - kept).sqrt().to(device), times=torch.cumsum(often, 0).to(device)
    )


def draw_times(levels: Noise, count: int) -> Tensor:
    """Times for a batch, spread evenly over their distribution: (count,), 0 to 999."""
    device = levels.times.device
    places = (torch.arange(count, device=device) + torch.rand(count, device=device)) / count
    return torch.searchsorted(levels.times, places[torch.randperm(count, device=device)]).clamp(max=999)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What a UNet is shown: latents, what goes with them, and the scenes they were drawn from."""

    clean: Tensor
    context: Tensor
    pooled: Tensor
    time_ids: Tensor
    scenes: Sequence[Scene]


@dataclass(slots=True, kw_only=True)
class Lessons:
    """Batches of latents of several sizes, each step's chosen by its number.

    Attributes:
        kind: the shape of UNet they are for.
        encode: the frozen reading of captions.
        batch: pictures at 16 x 16 latent pixels; larger ones come in smaller batches, smaller in larger.
        seed: of the scenes.
        empty: share of the pictures that are shown without their caption, for classifier-free guidance.
        first: steps on the smallest latents alone.
        sizes: latents' sizes, and how often after that.
        pool: scenes held at 16 x 16.
        device: where.
        row: where scenes and captions come from.
    """

    kind: UnetKind
    encode: Encode
    batch: int = 32
    seed: int = 0
    empty: float = EMPTY_SHARE
    first: int = FIRST_STEPS
    sizes: Sequence[tuple[int, int, float]] = SIZES
    pool: int = 4096
    device: str = "cpu"
    row: Row = practice
    _pools: Callable[[int, int], Pool] = field(init=False)
    _empty: Words = field(init=False)

    def __post_init__(self) -> None:
        self._pools = cache(self._make_pool)
        self._empty = self.encode([""], 0)

    def _make_pool(self, height: int, width: int) -> Pool:
        main = height == width == 16
        return Pool(
            height=height,
            width=width,
            size=self.pool if main else max(256, self.pool * 64 // (height * width)),
            period=PERIOD,
            seed=self.seed,
            encode=self.encode,
            cropped=self.kind.time_ids == 6,
            device=self.device,
            row=self.row,
        )

    def at(self, step: int) -> Batch:
        """Step number `step`'s batch; draws on torch's chance."""
        rng = random.Random(f"size/{self.seed}/{step}")
        height, width = (8, 8) if step < self.first else _chosen(rng, self.sizes)
        pool = self._pools(height, width)
        pool.bring_to(step)
        count = max(4, min(2 * self.batch, self.batch * 256 // (height * width)))
        slots = torch.randint(0, pool.size, (count,)).to(self.device)
        context, pooled = pool.context[slots].float(), pool.pooled[slots]
        empty = torch.rand(count, device=self.device) < self.empty
        zeroed = empty & (torch.rand(count, device=self.device) < (0.5 if self.kind.pooled else 0.0))
        context = torch.where(empty[:, None, None], self._empty.context, context) * ~zeroed[:, None, None]
        pooled = torch.where(empty[:, None], self._empty.pooled, pooled) * ~zeroed[:, None]
        return Batch(
            clean=pool.latents[slots],
            context=context,
            pooled=pooled,
            time_ids=self._time_ids(pool, slots, height * CELL, width * CELL),
            scenes=[pool.scenes[slot] for slot in slots.tolist()],
        )

    def _time_ids(self, pool: Pool, slots: Tensor, height: int, width: int) -> Tensor:
        """Original size, crop and target size as the SDXL pipelines give them; or size, crop and score."""
        if not self.kind.time_ids:
            return torch.empty(len(slots), 0, device=self.device)
        size = torch.tensor([float(height), float(width)], device=self.device)
        crops = pool.crops[slots] * size
        sizes = (size + crops).round()
        if self.kind.time_ids == 6:
            return torch.cat([sizes, crops.round(), size.expand_as(crops)], 1)
        scores = torch.where(torch.rand(len(slots), 1, device=self.device) < 0.5, 6.0, 2.5)
        return torch.cat([sizes, crops.round(), scores], 1)


def _chosen(rng: random.Random, sizes: Sequence[tuple[int, int, float]]) -> tuple[int, int]:
    height, width, _ = rng.choices(sizes, [share for _, _, share in sizes])[0]
    return height, width


def v_loss(network: Callable[[Tensor, Tensor, Batch], Tensor], batch: Batch, levels: Noise) -> Tensor:
    """Mean square error of the predicted velocity, `signal * noise - noise level * picture`."""
    times = draw_times(levels, len(batch.clean))
    signal, level = levels.at(times)
    noise = torch.randn_like(batch.clean)
    wanted = signal * noise - level * batch.clean
    found = network(signal * batch.clean + level * noise, times, batch)
    return torch.nn.functional.mse_loss(found.float(), wanted)


def plain(unet: Any) -> Callable[[Tensor, Tensor, Batch], Tensor]:
    """The UNet as `v_loss` calls it."""

    def call(noisy: Tensor, times: Tensor, batch: Batch) -> Tensor:
        added = {"text_embeds": batch.pooled, "time_ids": batch.time_ids} if batch.time_ids.shape[1] else None
        noisy = noisy.contiguous(memory_format=torch.channels_last)
        found: Tensor = unet(noisy, times, batch.context, added_cond_kwargs=added, return_dict=False)[0]
        return found

    return call


def sd15_reader(encoder: Any, tokenizer: Any, device: str = "cpu") -> Encode:
    """Captions as the SD 1.5 pipelines read them: the last layer, normed; now and then the last but one."""

    def encode(captions: Sequence[str], chance: int) -> Words:
        with torch.no_grad():
            out = encoder(token_ids(tokenizer, captions).to(device), output_hidden_states=True)
            skipped = encoder.final_layer_norm(out.hidden_states[-2])
        context = out.last_hidden_state
        if len(captions) > 1:
            which = (torch.arange(len(captions), device=device) + chance) % SKIP_SHARE == 0
            context = torch.where(which[:, None, None], skipped, context)
        return Words(context=context, pooled=torch.empty(len(captions), 0, device=device))

    return encode


def sdxl_reader(first: Any, second: Any, tokenizer: Any, device: str = "cpu") -> Encode:
    """Captions as the SDXL pipelines read them: both encoders' last but one layers, and the second's projection.

    `first` is None for the refiner, which has the second alone.
    """

    def encode(captions: Sequence[str], chance: int) -> Words:
        del chance
        ids = token_ids(tokenizer, captions).to(device)
        with torch.no_grad():
            out = second(ids, output_hidden_states=True)
            others = [] if first is None else [first(ids, output_hidden_states=True).hidden_states[-2]]
        states = [*others, out.hidden_states[-2]]
        return Words(context=torch.cat(states, -1), pooled=out.text_embeds)

    return encode
