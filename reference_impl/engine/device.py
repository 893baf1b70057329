"""Which device and which numbers: chosen once, and what torch is told about them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from diffusers.utils import logging as diffusers_logging
from transformers.utils import logging as transformers_logging

from reference_impl.jobs import CannotDraw

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}

SMALL_BYTES = 200 * 2**20
"""Of weights: below it two threads spend more time waiting for each other than they save."""


class DeviceError(ValueError):
    """The device or number format asked for does not exist here; the message says what does."""


def choose_device(name: str) -> torch.device:
    """The device of a name: `auto` is CUDA where there is one, the CPU elsewhere.

    Raises:
        DeviceError: there is no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise DeviceError(f"unknown device {name!r}: auto, cpu, cuda or cuda:<n> expected") from None
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise DeviceError(f"there is no {name}: this machine shows {torch.cuda.device_count()} CUDA devices")
    return device


def choose_dtype(name: str, device: torch.device) -> torch.dtype:
    """The number format of a name.

    `auto` is float32 on a CPU, whose half precision is slower; on CUDA it is float16, which Stable Diffusion's weights
    are published in, its three more bits showing less noise than bfloat16.

    Raises:
        DeviceError: it is none of those in `DTYPES`.
    """
    if name == "auto":
        return torch.float32 if device.type == "cpu" else torch.float16
    if name not in DTYPES:
        raise DeviceError(f"unknown number format {name!r}: auto, {', '.join(DTYPES)} expected")
    return DTYPES[name]


def hush() -> None:
    """Keeps the libraries' notes and bars off the terminal: what matters to a user is said by `CannotDraw`."""
    for library in (diffusers_logging, transformers_logging):
        library.set_verbosity_error()
        library.disable_progress_bar()


@contextmanager
def repeatable() -> Iterator[None]:
    """Inside, equal work gives equal bits on the same device, without gradients; outside torch is as it was before."""
    cudnn, memory = torch.backends.cudnn, torch.utils.deterministic
    before = torch.are_deterministic_algorithms_enabled(), cudnn.benchmark, memory.fill_uninitialized_memory
    # Only a warning where an operation has no repeatable form: none of ours is among them, a user's model may be.
    warn_before = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    cudnn.benchmark = False  # it picks kernels by stopwatch: another one on another day
    memory.fill_uninitialized_memory = False  # every new tensor would be written twice; nobody reads one unwritten
    try:
        with torch.inference_mode():
            yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=warn_before)
        cudnn.benchmark = before[1]
        memory.fill_uninitialized_memory = before[2]


@contextmanager
def threads(count: int | None, nbytes: int) -> Iterator[None]:
    """Inside, torch uses so many threads on the CPU; None: one for small models, torch's own choice for others."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or (1 if nbytes < SMALL_BYTES else before))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory was short: CUDA's, the CPU allocator's, or Python's own."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    said = str(error)
    return isinstance(error, RuntimeError) and ("not enough memory" in said or "can't allocate memory" in said)


def out_of_memory(device: torch.device, width: int, height: int, pictures: int) -> CannotDraw:
    """The failure to tell a user."""
    return CannotDraw(
        f"the memory of {device} does not suffice for {pictures} x {width} x {height} pixels with this model; ask for "
        "fewer pixels, or start the server with a smaller --cache or half precision",
        "OUT_OF_MEMORY",
    )
