"""The bare loop: a pipeline of diffusers as everybody writes it, pictures to files in memory. A process of its own.

It reads numbers from standard input, draws so many pictures for each, and answers with a line of JSON: the instants at
which each call of the pipeline had ended, and the most memory that was used.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from benchmarks.reference.cases import Case

PROMPT = "a red circle on a blue background"
GUIDANCE = 7.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What one round of either side gave.

    Attributes:
        pace_s: seconds per picture, the first call left out.
        memory_mb: at the most; None where nobody says.
    """

    pace_s: float
    memory_mb: float | None


class BareLoop:
    """The parent's side."""

    def __init__(self, process: subprocess.Popen[str], case: Case) -> None:
        self._process = process
        self._case = case

    def draw(self, pictures: int) -> Drawn:
        """Draw so many, and say how fast that went.

        Raises:
            RuntimeError: it ended.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{pictures}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the bare loop ended with {self._process.wait()}")
        found = json.loads(answer)
        ended = found["ended"]
        rest = max(len(ended) - 1, 1) * self._case.batch
        return Drawn(pace_s=(ended[-1] - ended[0]) / rest, memory_mb=found["memory_mb"])


@contextmanager
def bare_loop(checkpoint: Path, case: Case, device: str, compiled: str = "none") -> Iterator[BareLoop]:
    """The loop, loaded and warm; it ends with the block."""
    options = [str(checkpoint), device, case.dtype, *map(str, (case.size, case.steps, case.batch, case.threads))]
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.reference.bare", *options, compiled],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        loop = BareLoop(process, case)
        loop.draw(case.batch)
        yield loop
    finally:
        process.kill()
        process.communicate()


def main() -> None:
    """The child's side."""
    import torch
    from diffusers import DiffusionPipeline, DPMSolverMultistepScheduler
    from diffusers.utils import logging

    options = _options()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    if options.threads:
        torch.set_num_threads(options.threads)
    pipe = DiffusionPipeline.from_pretrained(options.checkpoint, torch_dtype=getattr(torch, options.dtype))
    pipe.scheduler = DPMSolverMultistepScheduler.from_config(
        pipe.scheduler.config, use_karras_sigmas=True, algorithm_type="dpmsolver++"
    )
    pipe.set_progress_bar_config(disable=True)
    pipe.to(options.device)
    if options.compile != "none":
        pipe.unet = torch.compile(pipe.unet, mode=None if options.compile == "default" else options.compile)
    for line in sys.stdin:
        ended = []
        for call in range(max(int(line) // options.batch, 1)):
            first = call * options.batch
            seeds = [torch.Generator("cpu").manual_seed(first + index) for index in range(options.batch)]
            drawn = pipe(
                [PROMPT] * options.batch,
                height=options.size,
                width=options.size,
                num_inference_steps=options.steps,
                guidance_scale=GUIDANCE,
                generator=seeds,
            )
            for picture in drawn.images:
                picture.save(BytesIO(), "PNG")
            ended.append(time.time())
        print(json.dumps({"ended": ended, "memory_mb": _memory_mb(options.device)}), flush=True)


def _memory_mb(device: str) -> float | None:
    if device.startswith("cuda"):
        import torch

        return torch.cuda.max_memory_reserved() / 2**20
    return resident_mb(os.getpid())


def resident_mb(pid: int) -> float | None:
    """The most memory that a process had at once, where the system says."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return None
    found = [line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
    return int(found[0]) / 1024 if found else None


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reference.bare", description=__doc__)
    parser.add_argument("checkpoint")
    parser.add_argument("device")
    parser.add_argument("dtype")
    parser.add_argument("size", type=int)
    parser.add_argument("steps", type=int)
    parser.add_argument("batch", type=int)
    parser.add_argument("threads", type=int)
    parser.add_argument("compile")
    return parser.parse_args()


if __name__ == "__main__":
    main()
