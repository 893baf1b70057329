"""What is measured on which device: values only, nothing is loaded here."""

from __future__ import annotations

from dataclasses import dataclass, replace

TINY = "shapes-sd15"
"""The trained model of the clone; the others are made with random weights, which take as long as trained ones."""
SD15 = "random-sd15"
SDXL = "random-sdxl"
SMALLEST = 128
"""Pixels: the contract knows no smaller picture."""
COMPILED = ("default", "reduce-overhead")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One row of the comparison: the same pictures by the bare loop and by the server.

    Attributes:
        part: what `--only` names it by.
        pictures: in each round.
        batch: pictures drawn at once, by both.
        threads: of a CPU; 0 leaves it to torch.
        compiled: further ways in which the bare loop draws them: its network compiled by torch, `default`, or
            `reduce-overhead`, which uses CUDA graphs. The server does not compile; this says what that costs.
        limit_s: seconds that a picture of the server may take; None: no demand.
        share: of the bare loop's rate that the server has to reach; None: no demand.
    """

    part: str
    model: str
    size: int
    steps: int
    pictures: int
    dtype: str = "float32"
    batch: int = 1
    threads: int = 0
    compiled: tuple[str, ...] = ()
    limit_s: float | None = None
    share: float | None = None

    @property
    def name(self) -> str:
        """Such as `random-sd15, 512 px, 20 steps, float16, 8 at once`."""
        words = [self.model, f"{self.size} px", f"{self.steps} steps", self.dtype]
        words += [f"{self.batch} at once"] * (self.batch > 1)
        words += ["one thread"] * (self.threads == 1)
        return ", ".join(words)


PARTS = ("tiny", "sd15", "sdxl", "polls", "start")


def cases(device: str, *, smallest: bool = False) -> list[Case]:
    """The rows for a device, `cpu` or `cuda`.

    Args:
        device: where.
        smallest: only what shows that everything runs.
    """
    if smallest:
        return [Case(part="tiny", model=TINY, size=SMALLEST, steps=2, pictures=4, threads=1, batch=2)]
    tiny = [
        Case(part="tiny", model=TINY, size=512, steps=20, pictures=12, threads=1, limit_s=1.0),
        Case(part="tiny", model=TINY, size=1024, steps=20, pictures=5, threads=1, limit_s=2.5),
        Case(part="tiny", model=TINY, size=512, steps=20, pictures=24, threads=1, batch=8),
    ]
    if device == "cpu":
        # Few steps of a small picture: the network is of full size, and its steps take seconds here. A checkpoint of
        # SDXL's size does not fit into an ordinary machine's memory twice.
        return [*tiny, Case(part="sd15", model=SD15, size=128, steps=4, pictures=5, share=0.97)]
    return [
        *(replace(case, dtype="float16", threads=0, limit_s=None) for case in tiny),
        *(
            Case(
                part=part,
                model=model,
                size=size,
                steps=20,
                pictures=5 * batch if batch > 1 else 12,
                dtype=dtype,
                batch=batch,
                compiled=COMPILED,
                share=0.97,
            )
            for part, model, size, most in (("sd15", SD15, 512, 8), ("sdxl", SDXL, 1024, 4))
            for dtype in ("float16", "bfloat16")
            for batch in (1, most)
        ),
    ]
