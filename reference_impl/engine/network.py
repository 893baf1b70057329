"""The network with its guidance: what it makes of latents, and which sampler asked is none of its business."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from reference_impl.engine.courses import Ask
from reference_impl.engine.encoding import Text
from reference_impl.engine.loading import Loaded, Prediction
from reference_impl.engine.plan import Call, Canvas, Guide, Lead
from reference_impl.jobs import CannotDraw

GOOD_LOOKS, BAD_LOOKS = 6.0, 2.5
"""What SDXL's refiner is told of the beauty of the wanted and of the unwanted picture (its training's scores)."""


class Network:
    """A checkpoint's network, for N pictures of one pass.

    Args:
        loaded: the checkpoint.
        negative: one for each picture.
        positive: one for each picture, of the same length as the negative ones.
        guidance: how far to go from the negative to the positive; 1 leaves the negative out.
        canvas: the size, which SDXL wants to know.
        guides: control models and the like.
        beside: latents that stand beside those of the picture at the network's entry, as checkpoints for inpainting
            and for instructions want them, (1 or N, channels, h, w).
        source_guidance: for instructions: how far to go from no source to the source.

    Raises:
        CannotDraw: the network wants something beside the latents that the job has not.
    """

    def __init__(
        self,
        loaded: Loaded,
        negative: Sequence[Text],
        positive: Sequence[Text],
        *,
        guidance: float,
        canvas: Canvas,
        guides: Sequence[Guide] = (),
        beside: Tensor | None = None,
        source_guidance: float | None = None,
    ) -> None:
        channels = loaded.unet.config["in_channels"] - loaded.unet.config["out_channels"]
        if channels and (beside is None or beside.shape[1] != channels):
            raise CannotDraw(f"{loaded.name} is made to change pictures: it needs a source, and a mask if it inpaints")
        self._loaded = loaded
        self._guidance = guidance
        self._guides = guides
        self._beside = beside if channels else None
        self._instructed = channels == loaded.unet.config["out_channels"]
        self._source_guidance = 1.5 if source_guidance is None else source_guidance
        self._guided = guidance != 1.0 or self._instructed
        rows = [*negative, *positive] if self._guided else list(positive)
        if self._instructed:  # without the source, with the source, with source and prompt
            rows = [*negative, *rows]
            if guides:
                raise CannotDraw(f"{loaded.name} follows instructions; control pictures cannot lead it as well")
        self._text = torch.cat([text.tokens for text in rows]).to(loaded.dtype)
        wanted = [False] * (len(rows) - len(positive)) + [True] * len(positive)
        self._added = self._conditions(rows, wanted, canvas)

    def __call__(self, ask: Ask, share: float) -> Tensor:
        """The picture behind the latents, as latents of no noise: float32, (N, 4, h, w).

        Args:
            ask: the latents.
            share: how much of the sampling is done, in [0, 1).
        """
        loaded = self._loaded
        copies = 1 + self._guided + self._instructed
        latents = ask.latents.repeat(copies, 1, 1, 1).to(loaded.dtype)
        timestep = ask.timestep.to(loaded.device)
        lead = self._lead(latents, timestep, share)
        out = loaded.unet(
            self._entry(latents, copies),
            timestep,
            encoder_hidden_states=self._text,
            added_cond_kwargs={**self._added, **lead.added} or None,
            down_block_additional_residuals=tuple(lead.down) or None,
            mid_block_additional_residual=lead.mid,
            down_intrablock_additional_residuals=list(lead.intra) or None,
            return_dict=False,
        )[0]
        return _picture(loaded.prediction, ask, self._combined(out.float()))

    def _entry(self, latents: Tensor, copies: int) -> Tensor:
        entry = latents
        if self._beside is not None:
            pictures = len(latents) // copies
            beside = self._beside.to(latents.dtype).expand(pictures, -1, -1, -1).repeat(copies, 1, 1, 1)
            if self._instructed:
                beside[:pictures] = 0
            entry = torch.cat([latents, beside], dim=1)
        return entry.contiguous(memory_format=torch.channels_last)

    def _combined(self, out: Tensor) -> Tensor:
        if self._instructed:
            nothing, source, both = out.chunk(3)
            return nothing + self._source_guidance * (source - nothing) + self._guidance * (both - source)
        if not self._guided:
            return out
        negative, positive = out.chunk(2)
        return negative + self._guidance * (positive - negative)

    def _lead(self, latents: Tensor, timestep: Tensor, share: float) -> Lead:
        if not self._guides:
            return Lead()
        call = Call(
            latents=latents, timestep=timestep, share=share, text=self._text, added=self._added, guided=self._guided
        )
        leads = [lead for guide in self._guides if (lead := guide.lead(call)) is not None]
        added: dict[str, object] = {}
        for lead in leads:
            added |= lead.added
        mids = [lead.mid for lead in leads if lead.mid is not None]
        return Lead(
            down=_summed([lead.down for lead in leads if lead.down]),
            mid=torch.stack(mids).sum(0) if mids else None,
            intra=_summed([lead.intra for lead in leads if lead.intra]),
            added=added,
        )

    def _conditions(self, rows: Sequence[Text], wanted: Sequence[bool], canvas: Canvas) -> dict[str, Tensor]:
        """SDXL's conditions beside the text: sizes, and for the refiner the looks."""
        loaded = self._loaded
        if loaded.unet.config.get("addition_embed_type") != "text_time":
            return {}
        pooled = torch.cat([text.pooled for text in rows if text.pooled is not None])
        numbers = (loaded.unet.add_embedding.linear_1.in_features - pooled.shape[-1]) // loaded.unet.config[
            "addition_time_embed_dim"
        ]
        size = [canvas.height, canvas.width]
        if numbers == 5:  # a refiner
            lines = [[*size, 0, 0, GOOD_LOOKS if good else BAD_LOOKS] for good in wanted]
        else:
            lines = [[*size, 0, 0, *size] for _ in wanted]
        ids = torch.tensor(lines, dtype=loaded.dtype, device=loaded.device)
        return {"text_embeds": pooled.to(loaded.dtype), "time_ids": ids}


def _summed(many: list[Any]) -> tuple[Tensor, ...]:
    return tuple(torch.stack(tensors).sum(0) for tensors in zip(*many, strict=True)) if many else ()


def _picture(prediction: Prediction, ask: Ask, out: Tensor) -> Tensor:
    """The denoised picture, of what the network said."""
    size = math.sqrt(ask.sigma**2 + 1)
    if prediction is Prediction.NOISE:
        return ask.latents * size - ask.sigma * out
    if prediction is Prediction.VELOCITY:
        return (ask.latents - ask.sigma * out) / size
    return out
