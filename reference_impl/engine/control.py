"""ControlNets lead the network: a picture's map goes in, residuals for each call come out. Opens all guides of a job.

A unit of weight 0, or one whose share of the run is empty, is no unit: nothing of it is loaded or computed.
What a unit does per call follows the v2 control modes (openapi.yaml, V2ControlMode): where the prompt leads, outer
layers count less; where the picture leads, the unguided half of the call goes without it as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext

import numpy as np
import torch
from diffusers import ControlNetModel

from reference_impl.engine.loading import BROKEN, Loaded, broken, bytes_of
from reference_impl.engine.pictures import opened_mask
from reference_impl.engine.plan import Call, Canvas, Guide, Lead, Tools
from reference_impl.engine.preprocessors import TABLE, fitted, prepared
from reference_impl.jobs import CannotDraw, Control, Guess, Job, Resize
from reference_impl.shelf import Kind, Model

FADING = 0.825
"""From the middle block outwards each residual counts this much of the one before, unless both lead alike."""


@contextmanager
def open_guides(job: Job, loaded: Loaded, canvas: Canvas, tools: Tools) -> Iterator[Sequence[Guide]]:
    """The guides of a job for one pass: see `plan.OpenGuides`.

    A refiner has none: what leads a checkpoint is not made for its refiner, whose network is another.
    """
    from reference_impl.engine.adapters import open_picture_prompts, open_t2i_adapter  # only for those who use them

    if loaded.refiner:
        yield ()
        return
    guides: list[Guide] = []
    for control in job.controls:
        if acts_ever(control):
            adapter = tools.shelf.find(Kind.T2I_ADAPTER, control.model)
            if adapter is not None:
                guides.append(open_t2i_adapter(adapter, control, job, loaded, canvas, tools))
            else:
                guides.append(_control_net(control, job, loaded, canvas, tools))
    with open_picture_prompts(job.picture_prompts, loaded, tools) as prompts:
        yield (*guides, *prompts)


def acts_ever(control: Control) -> bool:
    """Whether a unit changes anything at any step."""
    return control.weight != 0 and control.start < control.end and control.start < 1


def acts(control: Control, share: float) -> bool:
    """Whether a unit acts when this share of the run is done."""
    return control.start <= share < control.end


def hint(control: Control, job: Job, canvas: Canvas, tools: Tools, channels: int) -> torch.Tensor:
    """What a control model sees of a unit's picture.

    Args:
        control: the unit.
        job: its mask blanks out an inpainting map when the unit brings none of its own.
        canvas: what the pass shows.
        tools: for preprocessors, dtype and device.
        channels: 3, or 1 for models of line drawings.

    Returns:
        (1, channels, height, width) in [0, 1], -1 where it is blanked out.

    Raises:
        CannotDraw: the preprocessor cannot be had.
    """
    picture = canvas.shown(prepared(control, canvas.picture, tools))
    pixels = np.asarray(picture if channels == 3 else picture.convert("L"), np.float32) / 255
    planes = torch.from_numpy(np.atleast_3d(pixels)).permute(2, 0, 1)[None]
    if TABLE[control.preprocessor].masks:
        mask = _mask(control, job, canvas)
        if mask is not None:
            planes = torch.where(mask > 0.5, torch.tensor(-1.0), planes)
    return planes.to(tools.device, tools.dtype)


def region(control: Control, canvas: Canvas, tools: Tools) -> torch.Tensor | None:
    """Where a unit acts, (1, 1, height, width) in [0, 1]; None: everywhere."""
    if control.mask is None or TABLE[control.preprocessor].masks:
        return None
    return _plane(control.mask, control.resize, canvas).to(tools.device, tools.dtype)


def halved(control: Control, call: Call) -> int:
    """How many pictures at the front of a call go without the unit: the unguided ones where the picture leads."""
    return call.latents.shape[0] // 2 if call.guided and control.guess is Guess.CONTROL else 0


class ControlNet:
    """A control unit in one pass.

    Args:
        net: the model, on the device.
        control: what the request says of it.
        hint: see `hint`.
        region: see `region`.
    """

    def __init__(self, net: ControlNetModel, control: Control, hint: torch.Tensor, region: torch.Tensor | None) -> None:
        self._net = net
        self._control = control
        # The first layers see the map alone and give the same at each call; with small models they are half the work.
        self._seen_once = net.config["controlnet_conditioning_channel_order"] == "rgb"
        with torch.inference_mode():
            self._hint = net.controlnet_cond_embedding(hint) if self._seen_once else hint
        self._region = region
        self._pooled = bool(net.config["global_pool_conditions"])

    def lead(self, call: Call) -> Lead | None:
        """The residuals of this call; None outside of the unit's share of the run."""
        if not acts(self._control, call.share):
            return None
        # Models that pool over the picture are trained to leave the unguided half alone.
        skipped = call.latents.shape[0] // 2 if self._pooled and call.guided else halved(self._control, call)
        with _passed_on(self._net) if self._seen_once else nullcontext():
            down, mid = self._residuals(call, skipped)
        residuals = [self._weighted(part, len(down) - i) for i, part in enumerate((*down, mid))]
        if skipped:
            residuals = [torch.cat([torch.zeros_like(part), part]) for part in residuals]
        return Lead(down=residuals[:-1], mid=residuals[-1])

    def _residuals(self, call: Call, skipped: int) -> tuple[Sequence[torch.Tensor], torch.Tensor]:
        found: tuple[Sequence[torch.Tensor], torch.Tensor] = self._net(
            call.latents[skipped:],
            call.timestep[skipped:] if call.timestep.ndim and len(call.timestep) > 1 else call.timestep,
            encoder_hidden_states=call.text[skipped:],
            controlnet_cond=self._hint,
            added_cond_kwargs={name: tensor[skipped:] for name, tensor in call.added.items()},
            return_dict=False,
        )
        return found

    def _weighted(self, residual: torch.Tensor, from_middle: int) -> torch.Tensor:
        fading = 1.0 if self._control.guess is Guess.BALANCED else FADING**from_middle
        weighted = residual * (self._control.weight * fading)
        if self._region is None or self._pooled:
            return weighted
        return weighted * torch.nn.functional.adaptive_avg_pool2d(self._region, residual.shape[-2:])


@contextmanager
def _passed_on(net: ControlNetModel) -> Iterator[None]:
    """For one call the net takes what its first layers have made of a map already."""
    first = net.controlnet_cond_embedding
    net.controlnet_cond_embedding = torch.nn.Identity()
    try:
        yield
    finally:
        net.controlnet_cond_embedding = first


def _control_net(control: Control, job: Job, loaded: Loaded, canvas: Canvas, tools: Tools) -> ControlNet:
    model = tools.shelf.find(Kind.CONTROLNET, control.model)
    if model is None:
        raise CannotDraw(
            f"the weights of {control.model} are not here: put them in diffusers' layout in {Kind.CONTROLNET}/"
            f"{control.model}/ of the folder of models, or as one file beside it (T2I-Adapters in {Kind.T2I_ADAPTER}/)",
            "NO_MODEL",
        )
    net: ControlNetModel = tools.cache.get(
        (Kind.CONTROLNET, model.name), lambda: _loaded(model, loaded, tools), bytes_of
    )
    for key in ("cross_attention_dim", "addition_embed_type", "block_out_channels"):
        if _plain(net.config[key]) != _plain(loaded.unet.config[key]):
            message = f"{control.model} is made for another kind of checkpoint than {loaded.name} ({key})"
            raise CannotDraw(message, "MISFIT")
    reduction = 2 ** (len(net.config["conditioning_embedding_out_channels"]) - 1)
    if reduction != loaded.factor:
        raise CannotDraw(
            f"{control.model} makes one cell of {reduction} pixels of its picture, the VAE of {loaded.name} makes "
            f"one of {loaded.factor}: it is made for another kind of checkpoint",
            "MISFIT",
        )
    channels = int(net.config["conditioning_channels"])
    return ControlNet(net, control, hint(control, job, canvas, tools, channels), region(control, canvas, tools))


def _plain(value: object) -> object:
    """Lists and tuples alike: configurations hold the ones that were written, defaults the others."""
    return tuple(value) if isinstance(value, list | tuple) else value


def _loaded(model: Model, loaded: Loaded, tools: Tools) -> ControlNetModel:
    from reference_impl.engine.single_file import control_net  # only for those who have such files

    try:
        if model.path.is_dir():
            net = ControlNetModel.from_pretrained(model.path, torch_dtype=tools.dtype, local_files_only=True)
        else:
            net = control_net(model, loaded.unet, tools.dtype)
    except BROKEN as error:
        raise broken(model, error) from error
    ready: ControlNetModel = net.eval().requires_grad_(False).to(tools.device, memory_format=torch.channels_last)
    return ready


def _mask(control: Control, job: Job, canvas: Canvas) -> torch.Tensor | None:
    """The masked part of an inpainting map, (1, 1, height, width): the unit's own, or that of the task."""
    if control.mask is not None:
        return _plane(control.mask, control.resize, canvas)
    if job.mask is None:
        return None
    plane = _plane(job.mask.file, job.resize, canvas)
    return 1 - plane if job.mask.invert else plane


def _plane(file: bytes, resize: Resize, canvas: Canvas) -> torch.Tensor:
    shown = canvas.shown(fitted(opened_mask(file), canvas.picture, resize))
    return torch.from_numpy(np.asarray(shown, np.float32) / 255)[None, None]
