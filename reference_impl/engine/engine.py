"""The engine: jobs in, files of finished pictures out. One for each device, used by one thread; no HTTP here."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence

import torch
from PIL import Image

from reference_impl.engine import hooks, loras
from reference_impl.engine.cache import Cache
from reference_impl.engine.device import (
    choose_device,
    choose_dtype,
    hush,
    is_out_of_memory,
    out_of_memory,
    repeatable,
    threads,
)
from reference_impl.engine.drawing import Drawing, Texts, Wish
from reference_impl.engine.embeddings import embeddings_for
from reference_impl.engine.encoding import encode
from reference_impl.engine.files import as_file
from reference_impl.engine.infotext import parameters
from reference_impl.engine.loading import Loaded, Vae, bytes_of, factor_of, load_checkpoint, load_vae
from reference_impl.engine.plan import Detector, Tools
from reference_impl.engine.preview import Previewer
from reference_impl.engine.progress import Progress
from reference_impl.engine.protocol import OnStep, batch_key
from reference_impl.jobs import CannotDraw, Finished, Job, Nsfw
from reference_impl.shelf import Kind, Model, Shelf

DEFAULT_CACHE_BYTES = 8 * 2**30


class LocalEngine:
    """Draws on the device of this process; see `protocol.Engine`.

    Pictures are drawn one at a time unless `pictures_at_once` says otherwise: then picture i of a task is the same
    whether it is drawn alone (seed + i) or with others, on whatever shape of batch the kernels of a device are tuned
    for. More at once is faster where the device gains by it, and costs differences of 1/255 between batches of
    different sizes.

    Args:
        shelf: what models there are.
        device: auto, cpu, cuda, cuda:<n>.
        dtype: auto, float32, float16, bfloat16.
        cache_bytes: how much of models is kept between runs.
        threads: of the CPU; None: one for small models, torch's choice for others.
        pictures_at_once: of one task or of a batch of tasks.
        detector: looks at pictures when a job asks for it; None: the shelf's; where it has none nobody looks, and the
            answer says so.
        nsfw: which of the shelf's detectors, by name; None: its first.
        previews: whether steps carry a preview now and then.

    Raises:
        DeviceError: there is no such device or number format.
    """

    def __init__(
        self,
        shelf: Shelf,
        *,
        device: str = "auto",
        dtype: str = "auto",
        cache_bytes: int = DEFAULT_CACHE_BYTES,
        threads: int | None = None,
        pictures_at_once: int = 1,
        detector: Detector | None = None,
        nsfw: str | None = None,
        previews: bool = True,
    ) -> None:
        hush()
        chosen = choose_device(device)
        self.tools = Tools(shelf=shelf, cache=Cache(cache_bytes), device=chosen, dtype=choose_dtype(dtype, chosen))
        self._threads = threads
        self._at_once = pictures_at_once
        self._detector = detector
        self._detector_name = nsfw
        self._previews = previews

    def run(self, model: str, batch: Sequence[Job], on_step: OnStep) -> list[list[Finished]]:
        """See `protocol.Engine.run`."""
        first = batch[0]
        if len(batch) > 1 and {batch_key(job) for job in batch} != {batch_key(first) or object()}:
            raise ValueError("these jobs are no batch: protocol.batch_key says which may be drawn together")
        if any(job.restore_faces for job in batch):
            raise CannotDraw("restore_faces needs the weights of a face restorer, which this server has not")
        try:
            with repeatable():
                return self._run(model, batch, on_step)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            short = out_of_memory(self.tools.device, *first.size, self._at_once)
        # Behind the handler nothing holds the tensors of the run any more, so that they can be given back.
        self.tools.cache.clear()
        gc.collect()
        if self.tools.device.type == "cuda":
            torch.cuda.empty_cache()
        raise short

    def _run(self, model: str, batch: Sequence[Job], on_step: OnStep) -> list[list[Finished]]:
        loaded = self._checkpoint(model)
        with threads(self._threads, loaded.nbytes), loras.applied(loaded, batch[0].loras, self.tools):
            return self._draw(loaded, batch, on_step)

    def _draw(self, loaded: Loaded, batch: Sequence[Job], on_step: OnStep) -> list[list[Finished]]:
        first = batch[0]
        vae = self._vae(first, loaded)
        refiner = self._refiner(first, loaded, vae)
        drawing = Drawing(first, loaded=loaded, vae=vae, refiner=refiner, tools=self.tools)
        texts = [(self._texts(job, loaded), self._texts(job, refiner) if refiner else None) for job in batch]
        wishes = [
            (n, Wish(job=job, seed=job.seed + i, texts=own, refining=refining))
            for n, (job, (own, refining)) in enumerate(zip(batch, texts, strict=True))
            for i in range(job.count)
        ]
        groups = list(self._groups(wishes))
        if any(job.nsfw_level is not None for job in batch) and self._detector is None:
            self._detector = hooks.open_detector(self.tools, self._detector_name)
        previewer = (lambda: self._previewer(vae, first, loaded)) if self._previews else None
        progress = Progress(on_step, drawing.calls * len(groups), previewer)
        finished: list[list[Finished]] = [[] for _ in batch]
        for group in groups:
            drawn = drawing.draw([wish for _, wish in group], progress)
            for (n, wish), picture in zip(group, drawn, strict=True):
                finished[n].append(self._finished(wish, picture))
        return finished

    def _groups(self, wishes: Sequence[tuple[int, Wish]]) -> Iterator[list[tuple[int, Wish]]]:
        """What is drawn side by side: neighbours whose prompts are equally long."""
        group: list[tuple[int, Wish]] = []
        for n, wish in wishes:
            alone = wish.job.sampler == "DPM adaptive"  # its steps follow the error of all that it draws
            if group and (alone or len(group) >= self._at_once or _lengths(wish) != _lengths(group[0][1])):
                yield group
                group = []
            group.append((n, wish))
        if group:
            yield group

    def _finished(self, wish: Wish, picture: Image.Image) -> Finished:
        job = wish.job
        nsfw = None
        if job.nsfw_level is not None:
            nsfw = self._detector.look(picture.convert("RGB"), job.nsfw_level) if self._detector else Nsfw(valid=False)
        checkpoint = self.tools.shelf.find(Kind.CHECKPOINT, job.model)
        text = parameters(job, wish.seed, checkpoint.digest if checkpoint else "")
        return Finished(
            file=as_file(picture, job.file_format, text),
            seed=wish.seed,
            width=picture.width,
            height=picture.height,
            nsfw=nsfw,
        )

    def _texts(self, job: Job, loaded: Loaded) -> Texts:
        prompts = (job.negative_prompt, hooks.prompt_to_draw(job))
        learned = embeddings_for(loaded, () if loaded.refiner else job.embeddings, prompts, self.tools)
        negative, positive = encode(loaded, prompts, job.clip_skip, learned)
        return Texts(negative=negative, positive=positive)

    def _checkpoint(self, name: str) -> Loaded:
        model = self._find(Kind.CHECKPOINT, name, "checkpoint")
        return self.tools.cache.get(
            (Kind.CHECKPOINT, model.name),
            lambda: load_checkpoint(model, self.tools.device, self.tools.dtype),
            lambda loaded: loaded.nbytes,
        )

    def _vae(self, job: Job, loaded: Loaded) -> Vae:
        if job.vae is None:
            return loaded.vae
        model = self._find(Kind.VAE, job.vae, "VAE")
        vae = self.tools.cache.get(
            (Kind.VAE, model.name), lambda: load_vae(model, self.tools.device, self.tools.dtype), bytes_of
        )
        _same_latents(vae, loaded, model.name)
        return vae

    def _refiner(self, job: Job, loaded: Loaded, vae: Vae) -> Loaded | None:
        if job.refiner is None or job.refiner.switch_at >= 1:
            return None
        refiner = self._checkpoint(job.refiner.checkpoint)
        if refiner.family is not loaded.family:
            raise CannotDraw(f"{refiner.name} refines {refiner.family} pictures, not those of {loaded.name}", "MISFIT")
        _same_latents(vae, refiner, loaded.name)
        return refiner

    def _previewer(self, vae: Vae, job: Job, loaded: Loaded) -> Previewer:
        key = ("preview", job.vae or loaded.name)
        return self.tools.cache.get(key, lambda: Previewer(vae), lambda _: 0)

    def _find(self, kind: Kind, name: str, word: str) -> Model:
        model = self.tools.shelf.find(kind, name)
        if model is None:
            raise CannotDraw(f"there is no {word} {name!r}; the list of models names those there are", "NO_MODEL")
        return model


def _lengths(wish: Wish) -> tuple[int, int]:
    return wish.texts.positive.length, wish.refining.positive.length if wish.refining else 0


def _same_latents(vae: Vae, loaded: Loaded, name: str) -> None:
    if factor_of(vae) != loaded.factor or vae.config["latent_channels"] != loaded.vae.config["latent_channels"]:
        raise CannotDraw(f"{name} and {loaded.name} do not speak of the same latents: choose another VAE", "MISFIT")
