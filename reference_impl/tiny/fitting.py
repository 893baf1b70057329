"""The training loop that every network here shares: learning rate, running average of weights, checkpoints.

A step's chance depends on the seed and the step's number alone, so a stopped run goes on as if it had not been.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

Log = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long and how fast.

    Attributes:
        steps: when it is done.
        rate: the highest learning rate.
        warmup: steps until it is reached.
        decay: share of the steps, at the end, over which the rate falls to a fiftieth.
        average: weight of the past in the running average of the weights, once it has a past.
        seed: what all chance comes from.
        weight_decay: AdamW's.
        save_every_s: seconds from one checkpoint to the next.
        log_every: steps from one line of the log to the next.
    """

    steps: int
    rate: float
    warmup: int = 200
    decay: float = 0.3
    average: float = 0.999
    seed: int = 0
    weight_decay: float = 0.01
    save_every_s: float = 120.0
    log_every: int = 100

    def rate_at(self, step: int) -> float:
        """Up, level, down."""
        left = (self.steps - step) / max(1.0, self.decay * self.steps)
        return self.rate * min(1.0, (step + 1) / max(1, self.warmup)) * min(1.0, 0.02 + 0.98 * max(0.0, left))


def seed_step(seed: int, step: int) -> None:
    """Chance for one step."""
    torch.manual_seed((seed * 1_000_003 + step) % (2**63))


@dataclass(slots=True, kw_only=True)
class Fit:
    """A training run: the parameters, their running average, the optimizer and how far it is.

    Attributes:
        parameters: what is trained.
        plan: how.
        state: the checkpoint's file; None to keep none.
        step: steps done.
    """

    parameters: Sequence[torch.nn.Parameter]
    plan: Plan
    state: Path | None = None
    step: int = 0
    clock: Callable[[], float] = time.monotonic
    _optimizer: Any = field(init=False)
    _average: list[Tensor] = field(init=False)
    _loss: float | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._optimizer = torch.optim.AdamW(
            self.parameters, lr=self.plan.rate, betas=(0.9, 0.99), weight_decay=self.plan.weight_decay, fused=True
        )
        self._average = [parameter.detach().clone() for parameter in self.parameters]
        if self.state is not None and self.state.exists():
            self._load(self.state)

    @property
    def loss(self) -> float:
        """The loss, averaged over about the last hundred steps."""
        return float("nan") if self._loss is None else self._loss

    def run(self, loss_of: Callable[[int], Tensor], log: Log) -> None:
        """Take the steps that are left; `loss_of` gives the loss of a step and draws its chance after `seed_step`."""
        saved = started = self.clock()
        first = self.step
        while self.step < self.plan.steps:
            seed_step(self.plan.seed, self.step)
            self._take(loss_of(self.step))
            now = self.clock()
            if self.step % self.plan.log_every == 0:
                pace = (now - started) / (self.step - first)
                log(f"step {self.step} of {self.plan.steps}, loss {self.loss:.4f}, {pace:.3f} s a step")
            if self.state is not None and now - saved > self.plan.save_every_s:
                self.save()
                saved = now
        self.save()

    def _take(self, loss: Tensor) -> None:
        for group in self._optimizer.param_groups:
            group["lr"] = self.plan.rate_at(self.step)
        self._optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self._optimizer.step()
        self.step += 1
        keep = min(self.plan.average, (self.step + 1) / (self.step + 10))
        torch._foreach_mul_(self._average, keep)
        torch._foreach_add_(self._average, [one.detach() for one in self.parameters], alpha=1 - keep)
        now = loss.item()
        self._loss = now if self._loss is None else 0.99 * self._loss + 0.01 * now

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """The running average in the place of the weights, for as long as the block runs."""
        own = [parameter.detach().clone() for parameter in self.parameters]
        _copy(self._average, self.parameters)
        try:
            yield
        finally:
            _copy(own, self.parameters)

    def settle(self) -> None:
        """The running average becomes the weights, for good."""
        _copy(self._average, self.parameters)

    def save(self) -> None:
        """Write the checkpoint, all or nothing."""
        if self.state is None:
            return
        self.state.parent.mkdir(parents=True, exist_ok=True)
        part = self.state.with_suffix(".part")
        facts = {
            "step": self.step,
            "loss": self._loss,
            "weights": [parameter.detach() for parameter in self.parameters],
            "average": self._average,
            "optimizer": self._optimizer.state_dict(),
        }
        torch.save(facts, part)
        os.replace(part, self.state)

    def _load(self, path: Path) -> None:
        facts = torch.load(path, map_location="cpu", weights_only=True)
        self.step, self._loss = facts["step"], facts["loss"]
        _copy(facts["weights"], self.parameters)
        _copy(facts["average"], self._average)
        self._optimizer.load_state_dict(facts["optimizer"])


def _copy(source: Sequence[Tensor], target: Sequence[Tensor]) -> None:
    with torch.no_grad():
        for one, other in zip(source, target, strict=True):
            other.copy_(one)
