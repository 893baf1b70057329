"""T2I-Adapters and IP-Adapters lead the network. Whatever an IP-Adapter patches is put back when its pass ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import torch
from diffusers import T2IAdapter
from safetensors.torch import load_file
from transformers import CLIPImageProcessor, CLIPVisionModelWithProjection

from reference_impl.engine.control import acts, halved, hint, region
from reference_impl.engine.loading import BROKEN, Loaded, broken, bytes_of
from reference_impl.engine.pictures import opened
from reference_impl.engine.plan import Call, Canvas, Guide, Lead, Tools
from reference_impl.jobs import CannotDraw, Control, Guess, Job, PicturePrompt
from reference_impl.shelf import Family, Kind, Model

Weights: TypeAlias = dict[str, dict[str, torch.Tensor]]
"""`image_proj` and `ip_adapter`, as the files have them."""


class T2iAdapter:
    """A T2I-Adapter in one pass: it looks at its picture once, what it found is added inside of the down blocks.

    Args:
        features: one for each block, (1, channels, h, w), weighted already.
        control: what the request says of it.
    """

    def __init__(self, features: Sequence[torch.Tensor], control: Control) -> None:
        self._features = features
        self._control = control

    def lead(self, call: Call) -> Lead | None:
        """The features for each picture of the call; None outside of the unit's share of the run."""
        if not acts(self._control, call.share):
            return None
        count, skipped = call.latents.shape[0], halved(self._control, call)
        parts = [part.repeat(count, 1, 1, 1) for part in self._features]
        for part in parts:
            part[:skipped] = 0
        return Lead(intra=parts)


def open_t2i_adapter(
    model: Model, control: Control, job: Job, loaded: Loaded, canvas: Canvas, tools: Tools
) -> T2iAdapter:
    """A T2I-Adapter of the shelf for one pass.

    Raises:
        CannotDraw: its weights cannot be read or are for another kind of checkpoint.
    """
    adapter: T2IAdapter = tools.cache.get((Kind.T2I_ADAPTER, model.name), lambda: _t2i(model, tools), bytes_of)
    seen = hint(control, job, canvas, tools, int(adapter.config["in_channels"]))
    cell = int(adapter.config["downscale_factor"])
    whole = [-(-side // cell) * cell for side in seen.shape[-2:]]
    if whole != list(seen.shape[-2:]):
        seen = torch.nn.functional.interpolate(seen, whole, mode="nearest")
    with torch.inference_mode():
        features = adapter(seen)
    xl = adapter.config["adapter_type"] == "full_adapter_xl"
    widths = tuple(loaded.unet.config["block_out_channels"])
    fits = all(part.shape[1] in widths for part in features) and (not xl or loaded.family is Family.SDXL)
    outer = loaded.factor * (2 if xl else 1)
    if not fits or features[0].shape[-2:] != (-(-canvas.height // outer), -(-canvas.width // outer)):
        raise _stranger(model.name, loaded)
    where = region(control, canvas, tools)
    # The shares that the outer features keep unless prompt and picture lead alike.
    shares = torch.linspace(0.25, 1.0, len(features)) if control.guess is not Guess.BALANCED else [1.0] * len(features)
    weighted = [part * (control.weight * float(share)) for part, share in zip(features, shares, strict=True)]
    if where is not None:
        pool = torch.nn.functional.adaptive_avg_pool2d
        weighted = [part * pool(where, part.shape[-2:]) for part in weighted]
    return T2iAdapter(weighted, control)


class IpAdapter:
    """Picture prompts in one pass: the same embeddings at each call."""

    def __init__(self, embeds: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> None:
        self._embeds = embeds

    def lead(self, call: Call) -> Lead:
        """What the picture says for the guided half, nothing for the unguided one."""
        count = call.latents.shape[0] // (2 if call.guided else 1)
        sides = (0, 1) if call.guided else (1,)
        tensors = [
            torch.cat([pair[side].expand(count, *pair[side].shape[1:]) for side in sides]) for pair in self._embeds
        ]
        return Lead(added={"image_embeds": tensors})


@contextmanager
def open_picture_prompts(prompts: Sequence[PicturePrompt], loaded: Loaded, tools: Tools) -> Iterator[Sequence[Guide]]:
    """IP-Adapters on the network for one pass; afterwards it is as it was. One of strength 0 is none.

    Raises:
        CannotDraw: adapter or image encoder are missing, or made for another kind of checkpoint.
    """
    loud = [prompt for prompt in prompts if prompt.strength != 0]
    if not loud:
        yield ()
        return
    weights = [_weights(prompt, loaded, tools) for prompt in loud]
    embeds = []
    for prompt, part in zip(loud, weights, strict=True):
        encoder, processor = _encoder(prompt.model, _wanted_width(prompt.model, part["image_proj"]), tools)
        embeds.append(_said(prompt, part, encoder, processor, tools))
    with _patched(loaded, weights, [prompt.strength for prompt in loud]):
        yield (IpAdapter(embeds),)


@contextmanager
def _patched(loaded: Loaded, weights: Sequence[Weights], scales: Sequence[float]) -> Iterator[None]:
    """The network with the adapters' attention; what it had before is put back, not made anew."""
    unet = loaded.unet
    processors, projection = dict(unet.attn_processors), unet.encoder_hid_proj
    kind = unet.config.encoder_hid_dim_type
    try:
        try:
            # What every pipeline's load_ip_adapter calls in the end; the pipeline itself stays out of it, so that
            # nothing has to be taken off there.
            unet._load_ip_adapter_weights(list(weights), low_cpu_mem_usage=False)
        except BROKEN as error:
            message = f"the picture prompt does not fit {loaded.name}: its weights have other shapes"
            raise CannotDraw(message, "MISFIT") from error
        for processor in unet.attn_processors.values():
            if hasattr(processor, "to_k_ip"):
                processor.scale = list(scales)
        yield
    finally:
        # The richer projections have attention of their own, which must be gone before the network's is counted.
        unet.encoder_hid_proj = projection
        unet.set_attn_processor(processors)
        unet.config.encoder_hid_dim_type = kind


def _said(
    prompt: PicturePrompt, weights: Weights, encoder: CLIPVisionModelWithProjection, processor: Any, tools: Tools
) -> tuple[torch.Tensor, torch.Tensor]:
    """What the unguided and the guided half are told: two tensors, (1, 1, ...) each."""
    pixels = processor(images=opened(prompt.file), return_tensors="pt")["pixel_values"].to(tools.device, tools.dtype)
    with torch.inference_mode():
        if "proj.weight" in weights["image_proj"]:
            said = encoder(pixels).image_embeds
            return torch.zeros_like(said)[:, None], said[:, None]
        # The richer adapters look at all tokens, and at those of a black picture for "nothing".
        said = encoder(pixels, output_hidden_states=True).hidden_states[-2]
        nothing = encoder(torch.zeros_like(pixels), output_hidden_states=True).hidden_states[-2]
    return nothing[:, None], said[:, None]


def _weights(prompt: PicturePrompt, loaded: Loaded, tools: Tools) -> Weights:
    model = tools.shelf.find(Kind.IP_ADAPTER, prompt.model)
    if model is None:
        stem = prompt.model.removesuffix(".bin")
        raise CannotDraw(
            f"the weights of {prompt.model} are not here: put them in {Kind.IP_ADAPTER}/{stem}.safetensors of the "
            f"folder of models, and its image encoder in {Kind.IP_ADAPTER}/image_encoder/",
            "NO_MODEL",
        )
    weights: Weights = tools.cache.get((Kind.IP_ADAPTER, model.name), lambda: _read(model), _size)
    keys = weights["ip_adapter"]
    width = next((tensor.shape[1] for name, tensor in keys.items() if name.endswith("to_k_ip.weight")), None)
    if width != loaded.unet.config["cross_attention_dim"]:
        raise _stranger(prompt.model, loaded)
    return weights


def _read(model: Model) -> Weights:
    try:
        raw: Mapping[str, Any] = (
            load_file(model.path)
            if model.path.suffix == ".safetensors"
            else torch.load(model.path, map_location="cpu", weights_only=True)
        )
        parts = ("image_proj", "ip_adapter")
        if all(part in raw for part in parts):
            return {part: dict(raw[part]) for part in parts}
        split = {
            part: {name.removeprefix(f"{part}."): raw[name] for name in raw if name.startswith(f"{part}.")}
            for part in parts
        }
    except BROKEN as error:
        raise broken(model, error) from error
    projection = split["image_proj"]
    if not split["ip_adapter"] or not projection:
        raise CannotDraw(f"{model.name} is no IP-Adapter: it should hold image_proj.* and ip_adapter.*", "MODEL_BROKEN")
    return split


def _wanted_width(name: str, projection: Mapping[str, torch.Tensor]) -> tuple[str, int]:
    """Which width of the image encoder an adapter reads: the key of its configuration, and the number."""
    if "proj.weight" in projection:
        return "projection_dim", projection["proj.weight"].shape[-1]
    if "proj.3.weight" in projection:
        return "hidden_size", projection["proj.0.weight"].shape[0]
    if "latents" in projection and "proj_in.weight" in projection:
        return "hidden_size", projection["proj_in.weight"].shape[1]
    raise CannotDraw(f"{name} needs a recogniser of faces that is not part of this server; use a plain IP-Adapter")


def _encoder(name: str, wanted: tuple[str, int], tools: Tools) -> tuple[CLIPVisionModelWithProjection, Any]:
    """The image encoder that lies beside an adapter: its own, or the one for all."""
    shelf = tools.shelf.folder / Kind.IP_ADAPTER.value
    stem = Path(name).stem if Path(name).suffix in (".safetensors", ".bin", ".pt") else name
    places = (shelf / stem / "image_encoder", shelf / "image_encoder")
    place = next((one for one in places if (one / "config.json").is_file()), None)
    expected = f"{Kind.IP_ADAPTER}/{stem}/image_encoder/ or {Kind.IP_ADAPTER}/image_encoder/"
    if place is None:
        raise CannotDraw(f"{name} needs its image encoder: put it in transformers' layout in {expected}", "NO_MODEL")

    def load() -> tuple[CLIPVisionModelWithProjection, Any]:
        try:
            encoder = CLIPVisionModelWithProjection.from_pretrained(place, local_files_only=True, dtype=tools.dtype)
            if (place / "preprocessor_config.json").is_file():
                processor = CLIPImageProcessor.from_pretrained(place, local_files_only=True)
            else:
                side = encoder.config.image_size
                processor = CLIPImageProcessor(size={"shortest_edge": side}, crop_size={"height": side, "width": side})
        except BROKEN as error:
            said = str(error).strip().partition("\n")[0][:200]
            raise CannotDraw(f"the image encoder in {expected} cannot be read ({said})", "MODEL_BROKEN") from error
        return encoder.eval().requires_grad_(False).to(tools.device), processor

    pair = tools.cache.get(("image_encoder", str(place)), load, lambda pair: bytes_of(pair[0]))
    key, width = wanted
    found = getattr(pair[0].config, key)
    if found != width:
        raise CannotDraw(
            f"{name} was made with an image encoder of {key} {width}, the one that is here has {found}; "
            f"put its own in {Kind.IP_ADAPTER}/{stem}/image_encoder/",
            "MISFIT",
        )
    return pair


def _t2i(model: Model, tools: Tools) -> T2IAdapter:
    try:
        adapter = T2IAdapter.from_pretrained(model.path, torch_dtype=tools.dtype, local_files_only=True)
    except BROKEN as error:
        raise broken(model, error) from error
    ready: T2IAdapter = adapter.eval().requires_grad_(False).to(tools.device, memory_format=torch.channels_last)
    return ready


def _size(weights: Weights) -> int:
    return sum(tensor.numel() * tensor.element_size() for part in weights.values() for tensor in part.values())


def _stranger(name: str, loaded: Loaded) -> CannotDraw:
    return CannotDraw(f"{name} is made for another kind of checkpoint than {loaded.name}", "MISFIT")
