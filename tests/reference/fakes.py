"""Engines that draw with Pillow in milliseconds, for tests of everything but the drawing.

`Painter` obeys what the contract says of pictures: the same job gives the same bytes, another seed, prompt or model
others; size, count and format are as asked; strength leads from the source to the painting; a mask keeps what is
black. The factories below name it, and some with one vice each, for a worker's child process
(`tests.reference.fakes:painter`).
"""

from __future__ import annotations

import asyncio
import colorsys
import hashlib
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageFilter, ImageOps

from reference_impl.jobs import Cancelled, CannotDraw, FileFormat, Finished, Job, Mask, Nsfw, Resize, Step
from reference_impl.shelf import Kind, Shelf
from reference_impl.worker.process import EngineOptions
from reference_impl.worker.protocol import Condition, OnStep, Outcome, WorkerState

CELLS = 8
UNDRAWABLE = "undrawable"
"""A prompt with this word cannot be drawn."""
UNSAFE = "swimwear"
"""A prompt with this word gives pictures that the detector knows."""


class Painter:
    """An engine without a network: every picture is a pattern of cells whose colours come from a digest of its job.

    Args:
        step: called before each step; a vice sits here.
    """

    def __init__(self, step: Callable[[], object] = lambda: None) -> None:
        self._step = step

    def let_go(self) -> None:
        """The worker stops: wait for nothing any more."""

    def run(self, model: str, batch: Sequence[Job], on_step: OnStep) -> list[list[Finished]]:
        """The pictures of each job; see `reference_impl.engine.protocol.Engine`."""
        assert all(job.model == model for job in batch)
        if any(UNDRAWABLE in job.prompt for job in batch):
            raise CannotDraw("this painter cannot draw that; ask for something else")
        steps = max(job.steps for job in batch)
        for done in range(1, steps + 1):
            self._step()
            preview = _preview(batch[0], done / steps) if done in (1, steps // 2) else None
            on_step(Step(done=done, total=steps, preview=preview))
        return [[finished(job, index) for index in range(job.count)] for job in batch]


def finished(job: Job, index: int) -> Finished:
    """Picture `index` of a job."""
    width, height = job.size
    return Finished(
        file=_encoded(_drawn(job, index), job.file_format),
        seed=job.seed + index,
        width=width,
        height=height,
        nsfw=_judged(job),
    )


def _drawn(job: Job, index: int) -> Image.Image:
    painting = _painting(job, index)
    if job.source is None:
        return painting
    source = _fitted(Image.open(BytesIO(job.source)).convert("RGB"), job.size, job.resize)
    mixed = Image.blend(source, painting.convert("RGB"), job.strength)
    if job.mask is None:
        return mixed
    return Image.composite(mixed, source, _mask(job.mask, job.size))


def _painting(job: Job, index: int) -> Image.Image:
    """What the words alone give: nothing of source and mask, for strength 1 shows nothing of them either."""
    # What does not change a pixel, or not by itself, is left out.
    told = replace(
        job,
        seed=job.seed + index,
        count=1,
        source=None,
        mask=None,
        strength=1.0,
        resize=Resize.STRETCH,
        file_format=FileFormat.PNG,
        nsfw_level=None,
        loras=tuple(lora for lora in job.loras if lora.strength),
    )
    dice = random.Random(hashlib.sha256(repr(told).encode()).digest())
    cells = Image.new("RGBA", (CELLS, CELLS))
    for x in range(CELLS):
        for y in range(CELLS):
            red, green, blue = colorsys.hsv_to_rgb(dice.random(), 0.8, 0.4 + 0.6 * dice.random())
            clear = job.transparent and (x in (0, CELLS - 1) or y in (0, CELLS - 1))
            cells.putpixel((x, y), (int(red * 255), int(green * 255), int(blue * 255), 0 if clear else 255))
    large = cells.resize(job.size, Image.Resampling.NEAREST)
    return large if job.transparent else large.convert("RGB")


def _fitted(source: Image.Image, size: tuple[int, int], how: Resize) -> Image.Image:
    if how is Resize.CROP:
        return ImageOps.fit(source, size)
    if how is Resize.PAD:
        return ImageOps.pad(source, size)
    return source.resize(size)


def _mask(mask: Mask, size: tuple[int, int]) -> Image.Image:
    """White where the painting goes."""
    grey = Image.open(BytesIO(mask.file)).convert("L").resize(size)
    grey = ImageOps.invert(grey) if mask.invert else grey
    return grey.filter(ImageFilter.GaussianBlur(mask.blur)) if mask.blur else grey


def _judged(job: Job) -> Nsfw | None:
    """Sure of one word, and surer at a stricter level."""
    if job.nsfw_level is None:
        return None
    return Nsfw(valid=True, confidence=60.0 + 15 * job.nsfw_level if UNSAFE in job.prompt else 0.0)


def _preview(job: Job, share: float) -> bytes:
    grey = Image.new("RGB", (32, 32), (128, 128, 128))
    return _encoded(Image.blend(grey, _painting(job, 0).convert("RGB").resize((32, 32)), share), FileFormat.PNG)


def _encoded(picture: Image.Image, file_format: FileFormat) -> bytes:
    file = BytesIO()
    match file_format:
        case FileFormat.PNG:
            picture.save(file, "PNG", compress_level=1)
        case FileFormat.JPEG:
            picture.save(file, "JPEG", quality=92)
        case FileFormat.WEBP:
            picture.save(file, "WEBP", quality=92, method=0)
    return file.getvalue()


class PaintingWorker:
    """A worker in this process, a thread per batch; ready at once unless told to wait."""

    def __init__(self, engine: Painter | None = None, *, ready: bool = True) -> None:
        self.name = "painter"
        self.state = WorkerState(condition=Condition.LOADING)
        self.drawn: list[list[str]] = []
        """The ids of every batch, in order."""
        self._engine = engine or Painter()
        self._may_be_ready = ready
        self._ready = asyncio.Event()
        self._cancelled: set[str] = set()
        self._stopped = False

    async def start(self) -> None:
        """Ready at once, where that was asked for."""
        if self._may_be_ready:
            self.become_ready()

    def become_ready(self) -> None:
        """For a test that wants to see the queue first."""
        self.state = WorkerState(condition=Condition.READY)
        self._ready.set()

    async def wait_ready(self) -> None:
        """See the protocol."""
        await self._ready.wait()

    async def draw(self, batch: Sequence[tuple[str, Job]], on_step: OnStep) -> list[Outcome]:
        """See the protocol."""
        loop = asyncio.get_running_loop()
        self.drawn.append([task_id for task_id, _ in batch])

        def told(step: Step) -> None:
            if self._stopped or all(task_id in self._cancelled for task_id, _ in batch):
                raise Cancelled
            loop.call_soon_threadsafe(on_step, step)

        def run() -> list[Outcome]:
            try:
                return list(self._engine.run(batch[0][1].model, [job for _, job in batch], told))
            except (CannotDraw, Cancelled) as error:
                return [error for _ in batch]

        return await asyncio.to_thread(run)

    def cancel(self, task_id: str) -> None:
        """See the protocol."""
        self._cancelled.add(task_id)

    async def stop(self) -> None:
        """See the protocol."""
        self._stopped = True
        self._engine.let_go()


def make_shelf(folder: Path) -> Shelf:
    """A shelf of models that nobody can load: names are all that is true of them."""
    for name, parts in (
        ("shapes-sd15", '{"text_encoder": ["transformers", "CLIPTextModel"]}'),
        ("other-sd15", '{"text_encoder": ["transformers", "CLIPTextModel"]}'),
        ("shapes-sdxl", '{"text_encoder": ["a", "b"], "text_encoder_2": ["a", "b"]}'),
        ("refiner-sdxl", '{"text_encoder": [null, null], "text_encoder_2": ["a", "b"]}'),
    ):
        checkpoint = folder / Kind.CHECKPOINT.value / name
        checkpoint.mkdir(parents=True, exist_ok=True)
        (checkpoint / "model_index.json").write_text(parts)
    for kind, name, family in (
        (Kind.LORA, "pastel", "SD 1.5"),
        (Kind.LORA, "outline", "SDXL 1.0"),
        (Kind.EMBEDDING, "tidy", "SD 1.5"),
        (Kind.VAE, "sharp", "SD 1.5"),
        (Kind.UPSCALER, "RealESRNet_x4plus", None),
    ):
        (folder / kind.value).mkdir(parents=True, exist_ok=True)
        (folder / kind.value / f"{name}.safetensors").write_bytes(b"")
        if family:
            (folder / kind.value / f"{name}.json").write_text(f'{{"base_model": "{family}"}}')
    return Shelf(folder)


def painter(shelf: Shelf, options: EngineOptions) -> Painter:
    """A sound engine for a child process, with the cost of a cheap network: 2 ms a step."""
    return Painter(lambda: burn(0.002))


def quick_painter(shelf: Shelf, options: EngineOptions) -> Painter:
    """A sound engine that takes no time."""
    return Painter()


def patient_painter(shelf: Shelf, options: EngineOptions) -> Painter:
    """A sound engine that waits for a device which takes 25 ms a step, and says which process it lives in."""
    (shelf.folder / f"{os.getpid()}.pid").touch()
    return Painter(lambda: threading.Event().wait(0.025))


def known_painter(shelf: Shelf, options: EngineOptions) -> Painter:
    """A sound engine that says which process it lives in: by a file `<pid>.pid` on the shelf."""
    (shelf.folder / f"{os.getpid()}.pid").touch()
    return Painter()


def burning_painter(shelf: Shelf, options: EngineOptions) -> Painter:
    """Keeps its core busy: 50 ms of arithmetic a step."""
    return Painter(lambda: burn(0.05))


def dying_painter(shelf: Shelf, options: EngineOptions) -> Painter:
    """Is killed by the system at its first step."""
    return Painter(lambda: os.kill(os.getpid(), signal.SIGKILL))


def hanging_painter(shelf: Shelf, options: EngineOptions) -> Painter:
    """Never comes back from its first step."""
    return Painter(lambda: threading.Event().wait())


def failing_painter(shelf: Shelf, options: EngineOptions) -> Painter:
    """Has a bug."""
    return Painter(lambda: 1 // 0)


class AcceleratorError(RuntimeError):
    """Of the same name as torch's."""


def poisoned_painter(shelf: Shelf, options: EngineOptions) -> Painter:
    """Its device is lost for this process."""

    def step() -> None:
        raise AcceleratorError("an illegal memory access was encountered")

    return Painter(step)


def missing_engine(shelf: Shelf, options: EngineOptions) -> Painter:
    """Cannot be made: a library is missing."""
    raise ModuleNotFoundError("No module named 'torch'", name="torch")


def burn(seconds: float) -> None:
    """Keep a core busy."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        hashlib.sha256(b"busy" * 256).digest()
