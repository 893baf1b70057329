"""The engine as its users see it: runs repeat, are told of, end early, and outlive what goes wrong."""

from __future__ import annotations

import io
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from reference_impl.engine.cache import Cache
from reference_impl.engine.device import DeviceError
from reference_impl.engine.engine import LocalEngine
from reference_impl.engine.loading import Loaded
from reference_impl.engine.network import Network
from reference_impl.engine.protocol import Engine, batch_key
from reference_impl.jobs import Cancelled, CannotDraw, Hires, Job, Nsfw, Step
from reference_impl.shelf import Kind, Shelf
from tests.reference.engine.conftest import JOB, Drawn


def quiet(step: Step) -> None:
    """Nobody listens."""


def pictures(engine: Engine, *jobs: Job) -> list[list[Drawn]]:
    return [[Drawn(finished) for finished in files] for files in engine.run(jobs[0].model, jobs, quiet)]


def test_a_run_repeats_to_the_byte(engine: LocalEngine, shelf: Shelf) -> None:
    first = engine.run("plain", [JOB], quiet)
    other = LocalEngine(shelf, device="cpu", threads=1)
    assert engine.run("plain", [JOB], quiet) == first
    assert other.run("plain", [JOB], quiet) == first


def test_a_run_repeats_to_the_byte_with_other_work_beside_it(engine: LocalEngine) -> None:
    alone = engine.run("plain", [JOB], quiet)
    over = threading.Event()

    def work() -> None:
        generator = torch.Generator().manual_seed(3)
        while not over.is_set():
            torch.randn(64, 64, generator=generator) @ torch.ones(64, 64)
            torch.manual_seed(5)

    beside = threading.Thread(target=work)
    beside.start()
    try:
        assert engine.run("plain", [JOB], quiet) == alone
    finally:
        over.set()
        beside.join()


def test_jobs_of_a_batch_are_drawn_as_if_each_were_alone(engine: LocalEngine) -> None:
    jobs = [replace(JOB, seed=3, count=2), replace(JOB, prompt="a blue square", seed=40)]
    together = engine.run("plain", jobs, quiet)
    assert together == [engine.run("plain", [job], quiet)[0] for job in jobs]


def test_more_at_once_differ_by_rounding_only(engine: LocalEngine, shelf: Shelf) -> None:
    jobs = [
        replace(JOB, seed=3, count=2),
        replace(JOB, prompt="a cat " * 60, seed=40),
        replace(JOB, negative_prompt="dog", seed=9),
    ]
    assert len({batch_key(job) for job in jobs}) == 1
    side_by_side = pictures(LocalEngine(shelf, device="cpu", threads=1, pictures_at_once=3), *jobs)
    alone = pictures(engine, *jobs)
    for ours, theirs in zip(side_by_side, alone, strict=True):
        assert [one.finished.seed for one in ours] == [one.finished.seed for one in theirs]
        for a, b in zip(ours, theirs, strict=True):
            assert abs(a.pixels - b.pixels).max() <= 2


def test_jobs_that_are_no_batch_are_refused(engine: LocalEngine) -> None:
    for other in (
        replace(JOB, steps=5),
        replace(JOB, hires=Hires(width=96, height=96, strength=0.5, upscaler="Latent")),
    ):
        for batch in ([JOB, other], [other, JOB], [other, replace(other, prompt="a cat", steps=9)]):
            with pytest.raises(ValueError, match="no batch"):
                engine.run("plain", batch, quiet)


def test_dpm_adaptive_draws_one_at_a_time_whatever_is_asked(engine: LocalEngine, shelf: Shelf) -> None:
    job = replace(JOB, sampler="DPM adaptive", count=2, steps=2)
    assert batch_key(job) is None
    assert LocalEngine(shelf, device="cpu", threads=1, pictures_at_once=4).run("plain", [job], quiet) == engine.run(
        "plain", [job], quiet
    )


def test_each_call_of_the_network_is_told(engine: LocalEngine) -> None:
    steps: list[Step] = []
    job = replace(JOB, count=2, hires=Hires(width=96, height=96, strength=0.5, upscaler="Latent"))
    engine.run("plain", [job], steps.append)
    assert [step.done for step in steps] == list(range(1, 13))
    assert {step.total for step in steps} == {12}


def test_a_sampler_that_needs_fewer_calls_ends_at_the_total_all_the_same(engine: LocalEngine) -> None:
    steps: list[Step] = []
    engine.run("plain", [replace(JOB, sampler="DPM adaptive", steps=50)], steps.append)
    assert steps[-1].done == steps[-1].total == 150
    assert len(steps) < 150


def test_previews_are_small_pictures_that_come_now_and_then(shelf: Shelf, engine: LocalEngine) -> None:
    steps: list[Step] = []
    engine.run("plain", [replace(JOB, steps=8, width=128)], steps.append)
    shown = [step.preview for step in steps if step.preview is not None]
    assert 1 <= len(shown) < 8
    with Image.open(io.BytesIO(shown[0])) as preview:
        assert preview.format == "PNG"
        assert preview.size == (128, 64)
    without: list[Step] = []
    LocalEngine(shelf, device="cpu", previews=False).run("plain", [JOB], without.append)
    assert all(step.preview is None for step in without)


def test_a_cancelled_run_ends_within_a_step_and_the_engine_lives_on(
    engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = engine.run("plain", [JOB], quiet)
    calls = counted(monkeypatch)

    def stop(step: Step) -> None:
        if step.done == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        engine.run("plain", [replace(JOB, steps=50)], stop)
    assert len(calls) == 3
    assert engine.run("plain", [JOB], quiet) == before


def counted(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The shares of the way at which the network is called from now on."""
    calls: list[float] = []
    call = Network.__call__

    def noted(self: Network, ask: Any, share: float) -> torch.Tensor:
        calls.append(share)
        return call(self, ask, share)

    monkeypatch.setattr(Network, "__call__", noted)
    return calls


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory: you tried ..."),
        MemoryError(),
    ],
)
def test_short_memory_fails_the_job_and_empties_the_cache(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    engine = LocalEngine(shelf, device="cpu", threads=1)
    before = engine.run("plain", [JOB], quiet)

    def fail(self: Network, ask: object, share: float) -> torch.Tensor:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(Network, "__call__", fail)
        with pytest.raises(CannotDraw, match=r"64 x 64 pixels.*fewer pixels") as caught:
            engine.run("plain", [JOB], quiet)
    assert caught.value.code == "OUT_OF_MEMORY"
    assert engine.tools.cache.keys == []
    assert engine.run("plain", [JOB], quiet) == before


def test_other_errors_are_not_taken_for_short_memory(engine: LocalEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Network, ask: object, share: float) -> torch.Tensor:
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(Network, "__call__", fail)
    with pytest.raises(RuntimeError, match="shapes do not match"):
        engine.run("plain", [JOB], quiet)


def test_models_are_kept_up_to_the_bound_and_loaded_again_beyond_it(shelf: Shelf) -> None:
    roomy = LocalEngine(shelf, device="cpu", threads=1)
    kept = roomy.run("plain", [JOB], quiet)
    size = roomy.tools.cache.nbytes
    tight = LocalEngine(shelf, device="cpu", threads=1, cache_bytes=size + 10)
    for model in ("plain", "velocity", "plain"):
        tight.run(model, [replace(JOB, model=model, steps=1)], quiet)
        assert (Kind.CHECKPOINT, model) in tight.tools.cache.keys
        assert tight.tools.cache.nbytes <= size + 10
    assert tight.run("plain", [JOB], quiet) == kept


def test_the_cache_forgets_what_was_not_used_for_the_longest_time() -> None:
    cache = Cache(10)
    loads: list[str] = []

    def get(key: str, size: int) -> str:
        def load() -> str:
            loads.append(key)
            return key

        return cache.get(key, load, lambda _: size)

    for key in ("a", "b", "a", "c"):
        get(key, 5)
    assert cache.keys == ["a", "c"]
    get("b", 5)
    get("large", 50)
    assert cache.keys == ["large"]
    assert loads == ["a", "b", "c", "b", "large"]


def test_what_cannot_be_loaded_is_not_kept() -> None:
    cache = Cache(10)

    def fail() -> int:
        raise ValueError("damaged")

    with pytest.raises(ValueError, match="damaged"):
        cache.get("a", fail, lambda _: 1)
    assert cache.keys == []


def damaged(change: Callable[[Path], None], shelf: Shelf, folder: Path) -> LocalEngine:
    """An engine over a copy of one checkpoint with something wrong in it."""
    copy = folder / "checkpoints" / "plain"
    shutil.copytree(shelf.folder / "checkpoints" / "plain", copy)
    change(copy)
    return LocalEngine(Shelf(folder), device="cpu", threads=1)


@pytest.mark.parametrize(
    "change",
    [
        lambda copy: (copy / "unet" / "diffusion_pytorch_model.safetensors").unlink(),
        lambda copy: (copy / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"\x10" + b"\0" * 7),
        lambda copy: (copy / "model_index.json").write_text('{"_class_name": "StableDiffusionPipeline"}'),
        lambda copy: (copy / "vae" / "config.json").write_text("{}"),
    ],
    ids=["no weights", "cut off", "no parts", "no configuration"],
)
def test_a_damaged_checkpoint_fails_the_job_with_its_name(
    change: Callable[[Path], None], shelf: Shelf, tmp_path: Path
) -> None:
    engine = damaged(change, shelf, tmp_path)
    with pytest.raises(CannotDraw, match="plain") as caught:
        engine.run("plain", [JOB], quiet)
    assert caught.value.code == "MODEL_BROKEN"


@pytest.mark.filterwarnings("ignore::FutureWarning")  # what is saved is another test's scheduler
def test_a_folder_of_half_precision_files_is_read(
    checkpoint: Callable[[str], Loaded], engine: LocalEngine, tmp_path: Path
) -> None:
    checkpoint("plain").pipeline.save_pretrained(tmp_path / "checkpoints" / "half", variant="fp16")
    checkpoint("plain").vae.save_pretrained(tmp_path / "vae" / "half", variant="fp16")
    half = LocalEngine(Shelf(tmp_path), device="cpu", threads=1)
    drawn = pictures(half, replace(JOB, model="half", vae="half"))[0][0]
    assert drawn.distance(pictures(engine, JOB)[0][0]) == 0


def test_torch_is_left_as_it_was(engine: LocalEngine) -> None:
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled(), torch.is_grad_enabled()
    state = torch.random.get_rng_state()
    engine.run("plain", [JOB], quiet)
    assert before == (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled(), torch.is_grad_enabled())
    assert torch.equal(state, torch.random.get_rng_state())


def test_numbers_that_overflow_fail_the_job(engine: LocalEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    def overflow(self: Network, ask: Any, share: float) -> torch.Tensor:
        return torch.full_like(ask.latents, torch.inf)

    monkeypatch.setattr(Network, "__call__", overflow)
    with pytest.raises(CannotDraw, match="float32"):
        engine.run("plain", [JOB], quiet)


def test_nobody_looked_where_there_is_no_detector(engine: LocalEngine) -> None:
    assert engine.run("plain", [JOB], quiet)[0][0].nsfw is None
    assert engine.run("plain", [replace(JOB, nsfw_level=1)], quiet)[0][0].nsfw == Nsfw(valid=False, confidence=0.0)


def test_a_detector_looks_at_the_finished_picture(shelf: Shelf) -> None:
    class Sees:
        def look(self, picture: Image.Image, level: int) -> Nsfw:
            assert (picture.mode, picture.size) == ("RGB", (64, 64))
            return Nsfw(valid=True, confidence=10.0 * level)

    engine = LocalEngine(shelf, device="cpu", threads=1, detector=Sees())
    assert engine.run("plain", [replace(JOB, nsfw_level=2)], quiet)[0][0].nsfw == Nsfw(valid=True, confidence=20.0)


def test_a_device_or_number_format_that_is_not_there_is_named(shelf: Shelf) -> None:
    with pytest.raises(DeviceError, match="cuda:99"):
        LocalEngine(shelf, device="cuda:99")
    with pytest.raises(DeviceError, match=r"'toaster'.*cpu"):
        LocalEngine(shelf, device="toaster")
    with pytest.raises(DeviceError, match=r"'int8'.*bfloat16"):
        LocalEngine(shelf, device="cpu", dtype="int8")


def test_half_precision_draws_nearly_the_same(engine: LocalEngine, shelf: Shelf) -> None:
    half = LocalEngine(shelf, device="cpu", dtype="bfloat16", threads=1)
    a, b = pictures(half, JOB)[0][0], pictures(engine, JOB)[0][0]
    assert a.distance(b) < 4
