"""What hangs on a checkpoint: LoRA, embedding, IP-Adapter and classifier, as networks and as files' tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import torch
from diffusers.models.embeddings import ImageProjection
from torch import Tensor
from transformers import CLIPImageProcessor, ResNetConfig, ResNetForImageClassification, ViTImageProcessor

LORA_TARGETS: Final = ("to_q", "to_k", "to_v", "to_out.0")
IMAGE_TOKENS: Final = 4
SAFETY_LABELS: Final = ("plain", "star", "ring", "purple-ring")
SAFETY_EDGE: Final = 64


def lora_tensors(unet: Any) -> dict[str, Tensor]:
    """The LoRA layers that hang on a UNet, named as diffusers' and peft's files name them."""
    return {
        f"unet.{name}".replace(".default.", "."): parameter
        for name, parameter in unet.named_parameters()
        if ".lora_" in name
    }


def attention_widths(unet: Any) -> Iterator[tuple[int, int, str]]:
    """Number in IP-Adapter's counting, inner width and name of each attention to the text, in diffusers' order."""
    for at, name in enumerate(unet.attn_processors):
        if name.endswith("attn2.processor"):
            module = unet.get_submodule(name.removesuffix(".processor"))
            yield at, module.to_k.out_features, name


class ImagePrompt(torch.nn.Module):
    """The trained part of an IP-Adapter: a projection, and keys and values of each attention."""

    def __init__(self, unet: Any, embedding: int = 64) -> None:
        super().__init__()
        cross = unet.config.cross_attention_dim
        self.projection = ImageProjection(
            image_embed_dim=embedding, cross_attention_dim=cross, num_image_text_embeds=IMAGE_TOKENS
        )
        self.keys = torch.nn.ModuleDict()
        self.values = torch.nn.ModuleDict()
        for at, width, _ in attention_widths(unet):
            self.keys[str(at)] = torch.nn.Linear(cross, width, bias=False)
            self.values[str(at)] = torch.nn.Linear(cross, width, bias=False)

    def tensors(self) -> dict[str, Tensor]:
        """As an IP-Adapter file names them."""
        projection: Mapping[str, Tensor] = self.projection.state_dict()
        out = {f"image_proj.{name.replace('image_embeds', 'proj')}": tensor for name, tensor in projection.items()}
        for at in self.keys:
            out[f"ip_adapter.{at}.to_k_ip.weight"] = self.keys[at].weight
            out[f"ip_adapter.{at}.to_v_ip.weight"] = self.values[at].weight
        return out


def image_processor() -> CLIPImageProcessor:
    """How a picture is brought before the IP-Adapter's eye."""
    return CLIPImageProcessor(size={"shortest_edge": 64}, crop_size={"height": 64, "width": 64})


def classifier() -> ResNetForImageClassification:
    """The safety classifier: 64 px pictures, four labels of the tiny world."""
    config = ResNetConfig(
        embedding_size=16,
        hidden_sizes=[16, 32, 64],
        depths=[1, 1, 1],
        layer_type="basic",
        num_labels=len(SAFETY_LABELS),
        id2label=dict(enumerate(SAFETY_LABELS)),
        label2id={label: at for at, label in enumerate(SAFETY_LABELS)},
    )
    return ResNetForImageClassification(config)


def classifier_processor() -> ViTImageProcessor:
    """How a picture is brought before the classifier: 64 x 64, [-1, 1]."""
    edge = {"height": SAFETY_EDGE, "width": SAFETY_EDGE}
    return ViTImageProcessor(size=edge, image_mean=[0.5] * 3, image_std=[0.5] * 3)
