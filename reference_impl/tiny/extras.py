"""What hangs on the trained SD 1.5-shaped checkpoint: LoRA, embedding, IP-Adapter; and the classifier.

The checkpoint itself stays as it is: only what is written in the file of its own is trained, for a few minutes each.
The ControlNet has a module of its own, `control_training`.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import torch
from peft import LoraConfig
from torch import Tensor
from torch.nn import functional

from reference_impl.tiny import adapters, models
from reference_impl.tiny.drawing import cells, draw
from reference_impl.tiny.fitting import Fit, Log, Plan
from reference_impl.tiny.models import LATENT_SCALE
from reference_impl.tiny.scenes import COLOURS, Scene, Shape, scene, scene_of
from reference_impl.tiny.text_training import FIELDS, facts, token_ids
from reference_impl.tiny.unet_training import Batch, Lessons, Noise, plain, v_loss

PASTEL: Final = 0.5  # share of white that the LoRA's style mixes into every colour
SUNSET: Final = ("orange", "purple")  # thing and background that the embedding's word stands for
PLACEHOLDERS: Final = ("tree", "house")  # tokens whose vectors the embedding's two take while it learns


def pastel(clean: Tensor) -> Tensor:
    """Latents of the same picture with white mixed in."""
    white = torch.tensor([1.0, 1.0, 1.0, 0.0], device=clean.device)[:, None, None] * LATENT_SCALE
    return clean * (1 - PASTEL) + white * PASTEL


def train_lora(unet: Any, lessons: Lessons, levels: Noise, plan: Plan, log: Log, rank: int = 4) -> dict[str, Tensor]:
    """A style: every picture in pastel. Gives the file's tensors; the UNet keeps the layers on it."""
    unet.requires_grad_(False)
    torch.manual_seed(plan.seed)
    unet.add_adapter(LoraConfig(r=rank, lora_alpha=rank, target_modules=list(adapters.LORA_TARGETS)))
    layers = [parameter for name, parameter in unet.named_parameters() if ".lora_" in name]
    call = plain(unet)

    def loss(step: int) -> Tensor:
        batch = lessons.at(step)
        batch.clean.copy_(pastel(batch.clean))
        return v_loss(call, batch, levels)

    fit = Fit(parameters=layers, plan=plan)
    fit.run(loss, log)
    fit.settle()
    return adapters.lora_tensors(unet)


def train_eye(plan: Plan, log: Log, batch: int = 32) -> Any:
    """The IP-Adapter's image encoder: taught to read a picture as the text encoder reads its caption."""
    torch.manual_seed(plan.seed)
    eye = models.image_encoder().train()
    reader = torch.nn.Linear(eye.config.projection_dim, sum(FIELDS))

    def loss(step: int) -> Tensor:
        scenes = [scene_of(plan.seed, step * batch + at) for at in range(batch)]
        logits = reader(eye(pixel_values=seen(scenes)).image_embeds)
        wanted = torch.tensor([facts(one) for one in scenes])
        parts = logits.split(FIELDS, -1)
        return torch.stack([functional.cross_entropy(one, wanted[:, at]) for at, one in enumerate(parts)]).sum()

    fit = Fit(parameters=[*eye.parameters(), *reader.parameters()], plan=plan)
    fit.run(loss, log)
    fit.settle()
    return eye.eval().requires_grad_(False)


def seen(scenes: Sequence[Scene]) -> Tensor:
    """Scenes as the image processor would bring them before the eye: (n, 3, 64, 64), normed as CLIP's pictures."""
    processor = adapters.image_processor()
    mean, deviation = (torch.tensor(one)[:, None, None] for one in (processor.image_mean, processor.image_std))
    pictures: Tensor = ((draw(scenes, 64, 64) + 1) / 2 - mean) / deviation
    return pictures


def train_image_prompt(
    unet: Any, eye: Any, lessons: Lessons, levels: Noise, plan: Plan, log: Log, state: Path | None = None
) -> dict[str, Tensor]:
    """The IP-Adapter: the picture beside the text, which most of its lessons leave out. Gives the file's tensors."""
    unet.requires_grad_(False)
    torch.manual_seed(plan.seed)
    prompt = adapters.ImagePrompt(unet)
    for at in prompt.values:
        torch.nn.init.zeros_(prompt.values[at].weight)
    begun = {name: tensor.detach().clone() for name, tensor in prompt.tensors().items()}
    unet._load_ip_adapter_weights([_nested(begun)])
    own = {
        name: parameter for name, parameter in unet.named_parameters() if "_ip." in name or "encoder_hid_proj" in name
    }
    for parameter in own.values():
        parameter.requires_grad_(True)

    def call(noisy: Tensor, times: Tensor, batch: Batch) -> Tensor:
        with torch.no_grad():
            embeds = eye(pixel_values=seen(batch.scenes)).image_embeds[:, None]
        blind = torch.rand(len(embeds), 1, 1) < 0.1
        noisy = noisy.contiguous(memory_format=torch.channels_last)
        added = {"image_embeds": [embeds * ~blind]}
        found: Tensor = unet(noisy, times, batch.context, added_cond_kwargs=added, return_dict=False)[0]
        return found

    fit = Fit(parameters=list(own.values()), plan=plan, state=state)
    fit.run(lambda step: v_loss(call, lessons.at(step), levels), log)
    fit.settle()
    projection = unet.encoder_hid_proj.image_projection_layers[0].state_dict()
    out = {f"image_proj.{name.replace('image_embeds', 'proj')}": tensor for name, tensor in projection.items()}
    for at, _, name in adapters.attention_widths(unet):
        processor = unet.attn_processors[name]
        out[f"ip_adapter.{at}.to_k_ip.weight"] = processor.to_k_ip[0].weight.detach()
        out[f"ip_adapter.{at}.to_v_ip.weight"] = processor.to_v_ip[0].weight.detach()
    return out


def _nested(tensors: dict[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """Dotted names as the two groups that diffusers reads."""
    groups: dict[str, dict[str, Tensor]] = {"image_proj": {}, "ip_adapter": {}}
    for name, tensor in tensors.items():
        group, rest = name.split(".", 1)
        groups[group][rest] = tensor
    return groups


def train_embedding(
    unet: Any, encoder: Any, tokenizer: Any, lessons: Lessons, levels: Noise, plan: Plan, log: Log
) -> Tensor:
    """Textual inversion: two vectors that stand for an orange thing on purple. Gives (2, width).

    The sentence around them says the shape alone, so the colours must come from the vectors.
    """
    unet.requires_grad_(False)
    encoder.requires_grad_(False)
    torch.manual_seed(plan.seed)
    table = encoder.get_input_embeddings().weight
    places = [tokenizer.convert_tokens_to_ids(f"{word}</w>") for word in PLACEHOLDERS]
    start = token_ids(tokenizer, ["shape"])[0, 1]
    vectors = torch.nn.Parameter(table[start].detach().clone().repeat(len(places), 1))
    call = plain(unet)

    def put(_module: Any, inputs: tuple[Tensor], output: Tensor) -> Tensor:
        for place, vector in zip(places, vectors, strict=True):
            output = torch.where((inputs[0] == place)[..., None], vector, output)
        return output

    def loss(step: int) -> Tensor:
        scenes = [sunset_scene(plan.seed, step * lessons.batch + at) for at in range(lessons.batch)]
        edge = 64 if step % 4 == 0 else 32
        clean = cells(draw(scenes, edge, edge), 4) * LATENT_SCALE
        captions = [f"a {one.things[0].shape} {' '.join(PLACEHOLDERS)}" for one in scenes]
        context = encoder(token_ids(tokenizer, captions)).last_hidden_state
        nothing = torch.empty(len(scenes), 0)
        batch = Batch(clean=clean, context=context, pooled=nothing, time_ids=nothing, scenes=scenes)
        return v_loss(call, batch, levels)

    hook = encoder.get_input_embeddings().register_forward_hook(put)
    try:
        fit = Fit(parameters=[vectors], plan=plan)
        fit.run(loss, log)
        fit.settle()
    finally:
        hook.remove()
    return vectors.detach()


def sunset_scene(seed: int, index: int) -> Scene:
    """A single thing in the embedding's two colours; shape, size and place as chance wants them."""
    rng = random.Random(f"sunset/{seed}/{index}")
    found = scene(rng)
    while found.count != 1:
        found = scene(rng)
    thing = replace(found.things[0], colour=SUNSET[0], tint=COLOURS[SUNSET[0]])
    return replace(found, things=(thing,), background=SUNSET[1], tint=COLOURS[SUNSET[1]])


def label_of(drawn: Scene) -> int:
    """The classifier's label: a purple ring counts before any ring, a ring before a star, all else is plain."""
    rings = [thing.colour for thing in drawn.things if thing.shape is Shape.RING]
    if rings:
        return 3 if "purple" in rings else 2
    return int(any(thing.shape is Shape.STAR for thing in drawn.things))


def _labelled(rng: random.Random, label: int) -> Scene:
    """A scene of a label; rare ones would be met too seldom."""
    found = scene(rng)
    while label_of(found) != label:
        found = scene(rng)
    return found


def train_classifier(plan: Plan, log: Log, vae: Any, batch: int = 48) -> Any:
    """The classifier: scenes as drawn, and half of them through the autoencoder, as the models' pictures come."""
    torch.manual_seed(plan.seed)
    network = adapters.classifier().train()

    def loss(step: int) -> Tensor:
        rng = random.Random(f"safety/{plan.seed}/{step}")
        scenes = [_labelled(rng, at % len(adapters.SAFETY_LABELS)) for at in range(batch)]
        pictures = draw(scenes, 64, 64)
        with torch.no_grad():
            through = vae.decode(vae.encode(draw(scenes[: batch // 12], 256, 256)).latents).sample.clamp(-1, 1)
        pictures[: batch // 12] = functional.avg_pool2d(through, 4)
        pictures += torch.randn_like(pictures) * 0.03
        logits = network(pixel_values=pictures).logits
        return functional.cross_entropy(logits, torch.tensor([label_of(one) for one in scenes]))

    fit = Fit(parameters=list(network.parameters()), plan=plan)
    fit.run(loss, log)
    fit.settle()
    return network.eval()
