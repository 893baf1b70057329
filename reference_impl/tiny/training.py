"""All of the training, stage by stage: each begins from what earlier stages left in the working folder, and can go on.

The working folder holds a checkpoint for each stage; `publish` writes the models' folder from what is there.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import torch
from torch import Tensor
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from reference_impl.tiny import adapters, extras, folders, models
from reference_impl.tiny.control_training import train_control
from reference_impl.tiny.decoder_training import train_decoder
from reference_impl.tiny.fitting import Fit, Log, Plan
from reference_impl.tiny.making import write_classifier, write_image_prompt, write_upscaler, write_vaes
from reference_impl.tiny.practice import unshaped
from reference_impl.tiny.text_training import TextRecipe, train_text
from reference_impl.tiny.transfer import carry_lora, carry_over, example_captions, reading_map
from reference_impl.tiny.unet_training import (
    Lessons,
    noise_levels,
    plain,
    sd15_reader,
    sdxl_reader,
    v_loss,
)
from reference_impl.tiny.upscaler_training import train_upscaler, upscaler


class NotTrainedYet(RuntimeError):
    """A stage needs one that has not been run; the message says which."""


class Stage(StrEnum):
    """In the order in which they can be run."""

    TEXT = "text"
    DECODER = "decoder"
    SD15 = "sd15"
    SDXL = "sdxl"
    REFINER = "refiner"
    LORA = "lora"
    LORA_XL = "lora-xl"
    EMBEDDING = "embedding"
    CONTROL = "control"
    EYE = "eye"
    IMAGE_PROMPT = "image-prompt"
    SAFETY = "safety"
    UPSCALER = "upscaler"


PLANS: Final[Mapping[Stage, Plan]] = MappingProxyType(
    {
        Stage.TEXT: Plan(steps=1500, rate=2e-3),
        Stage.DECODER: Plan(steps=1750, rate=2e-3, warmup=50, average=0.98, decay=0.5, log_every=25),
        Stage.SD15: Plan(steps=4600, rate=1.5e-3, decay=0.4, average=0.997),
        Stage.SDXL: Plan(steps=400, rate=5e-4, warmup=20, average=0.98, decay=0.5, log_every=25),
        Stage.REFINER: Plan(steps=60, rate=4e-4, warmup=10, average=0.98, log_every=50),
        Stage.LORA: Plan(steps=120, rate=5e-3, warmup=20, average=0.98, log_every=50),
        Stage.LORA_XL: Plan(steps=1, rate=0.0),  # nothing is trained: the other LoRA is carried over
        Stage.EMBEDDING: Plan(steps=100, rate=5e-3, warmup=10, average=0.98, weight_decay=0.0, log_every=50),
        Stage.CONTROL: Plan(steps=3400, rate=1.5e-3, warmup=50, decay=0.5, average=0.99, log_every=50, save_every_s=60),
        Stage.EYE: Plan(steps=800, rate=2e-3, warmup=100, average=0.99),
        Stage.IMAGE_PROMPT: Plan(steps=330, rate=3e-3, warmup=20, average=0.98, log_every=25, save_every_s=60),
        Stage.SAFETY: Plan(steps=600, rate=2e-3, warmup=50, average=0.98),
        Stage.UPSCALER: Plan(steps=450, rate=2e-3, warmup=20, decay=0.6, average=0.98, log_every=50, save_every_s=60),
    }
)
XL_SIZES: Final = ((16, 16, 0.6), (32, 32, 0.25), (24, 24, 0.05), (24, 32, 0.05), (32, 24, 0.05))
SMALL_SIZES: Final = ((8, 8, 0.8), (16, 16, 0.2))  # enough for what only leans on a checkpoint
CONTROL_SIZES: Final = ((16, 16, 0.7), (8, 8, 0.2), (32, 32, 0.07), (4, 4, 0.03))
REFINED_TIMES: Final = 350  # a refiner takes over below this time; the SDXL pipelines' 0.8 of the way is about 200


@dataclass(slots=True, kw_only=True)
class Workshop:
    """A training in a working folder.

    Attributes:
        work: where checkpoints are kept.
        log: what is told of the progress.
        device: where networks live.
        batch: pictures to a step.
        seed: what all chance comes from.
        plans: how long and how fast, by stage.
    """

    work: Path
    log: Log
    device: str = "cpu"
    batch: int = 32
    seed: int = 0
    plans: Mapping[Stage, Plan] = field(default_factory=lambda: PLANS)

    def run(self, stage: Stage) -> None:
        """Run a stage, or what is left of it."""
        self.work.mkdir(parents=True, exist_ok=True)
        work: Mapping[Stage, Callable[[], None]] = {
            Stage.TEXT: self._text,
            Stage.DECODER: self._decoder,
            Stage.SD15: self._sd15,
            Stage.SDXL: self._sdxl,
            Stage.REFINER: self._refiner,
            Stage.LORA: self._lora,
            Stage.LORA_XL: self._lora_xl,
            Stage.EMBEDDING: self._embedding,
            Stage.CONTROL: self._control,
            Stage.EYE: self._eye,
            Stage.IMAGE_PROMPT: self._image_prompt,
            Stage.SAFETY: self._safety,
            Stage.UPSCALER: self._upscaler,
        }
        self.log(f"stage {stage}")
        work[stage]()

    # What earlier stages left.

    def tokenizer(self) -> Any:
        """The tiny world's tokenizer."""
        with tempfile.TemporaryDirectory() as scratch:
            return models.tokenizer(Path(scratch))

    def text(self) -> Any:
        """The first text encoder, trained."""
        return self._encoder(CLIPTextModel, "text")

    def second(self) -> Any:
        """The second text encoder, trained."""
        return self._encoder(CLIPTextModelWithProjection, "text-2")

    def _encoder(self, kind: Any, name: str) -> Any:
        if not (self.work / name).is_dir():
            raise NotTrainedYet(f"{self.work} holds no {name}; run the stage {Stage.TEXT} first")
        loaded = kind.from_pretrained(str(self.work / name), local_files_only=True)
        return loaded.to(self.device).eval().requires_grad_(False)

    def vae(self) -> Any:
        """The autoencoder, its decoder as trained so far."""
        model = models.autoencoder()
        return self._filled(Stage.DECODER, model, [one for one in model.parameters() if one.requires_grad])

    def unet(self, stage: Stage = Stage.SD15) -> Any:
        """A UNet, as trained so far (the running average)."""
        kinds = {Stage.SD15: models.SD15, Stage.SDXL: models.SDXL, Stage.REFINER: models.REFINER}
        model = models.unet(kinds[stage])
        return self._filled(stage, model, list(model.parameters()))

    def eye(self) -> Any:
        """The IP-Adapter's image encoder, trained."""
        if not self.has(Stage.EYE):
            raise NotTrainedYet(f"{self.work} holds no {Stage.EYE}; run the stage {Stage.EYE} first")
        model = models.image_encoder()
        model.load_state_dict(self._kept(Stage.EYE))
        return model.eval().requires_grad_(False)

    def has(self, stage: Stage) -> bool:
        """Whether a stage has left something."""
        return self._state(stage).exists() or (self.work / stage).is_dir()

    def _state(self, stage: Stage) -> Path:
        return self.work / f"{stage}.pt"

    def _filled(self, stage: Stage, model: Any, parameters: list[torch.nn.Parameter]) -> Any:
        if not self._state(stage).exists():
            raise NotTrainedYet(f"{self.work} holds no {stage}; run the stage {stage} first")
        Fit(parameters=parameters, plan=self.plans[stage], state=self._state(stage)).settle()
        return model.to(device=self.device, memory_format=torch.channels_last).eval().requires_grad_(False)

    # The stages.

    def _plan(self, stage: Stage) -> Plan:
        return replace(self.plans[stage], seed=self.seed)

    def _fit(self, stage: Stage, parameters: list[torch.nn.Parameter]) -> Fit:
        return Fit(parameters=parameters, plan=self._plan(stage), state=self._state(stage))

    def _text(self) -> None:
        tokenizer = self.tokenizer()
        for at, (name, make) in enumerate((("text", models.text_encoder), ("text-2", models.second_text_encoder))):
            torch.manual_seed(self.seed + at)
            encoder = make(len(tokenizer))
            plan = self._plan(Stage.TEXT)
            recipe = TextRecipe(seed=self.seed + at, steps=plan.steps, rate=plan.rate)
            train_text(encoder, tokenizer, recipe, self.log, self.device)
            encoder.save_pretrained(str(self.work / name))

    def _decoder(self) -> None:
        torch.manual_seed(self.seed)
        train_decoder(
            models.autoencoder(), self._plan(Stage.DECODER), self.log, self._state(Stage.DECODER), self.device
        )

    def _lessons(self, kind: models.UnetKind, **changed: Any) -> Lessons:
        reader = self._reader(kind)
        facts = {"batch": self.batch, "seed": self.seed, "device": self.device, **changed}
        return Lessons(kind=kind, encode=reader, **facts)

    def _reader(self, kind: models.UnetKind) -> Any:
        if kind is models.SD15:
            return sd15_reader(self.text(), self.tokenizer(), self.device)
        first = self.text() if kind is models.SDXL else None
        return sdxl_reader(first, self.second(), self.tokenizer(), self.device)

    def _train(self, stage: Stage, unet: Any, lessons: Lessons, latest: int = 1000) -> None:
        unet.to(device=self.device, memory_format=torch.channels_last).train().requires_grad_(True)
        levels = noise_levels(self.device, latest)
        call = plain(unet)
        self._fit(stage, list(unet.parameters())).run(lambda step: v_loss(call, lessons.at(step), levels), self.log)

    def _sd15(self) -> None:
        torch.manual_seed(self.seed)
        self._train(Stage.SD15, models.unet(models.SD15), self._lessons(models.SD15))

    def _sdxl(self) -> None:
        lessons = self._lessons(models.SDXL, batch=self.batch // 2, first=0, sizes=XL_SIZES, pool=512)
        self._train(Stage.SDXL, self._carried(models.SDXL), lessons)

    def _refiner(self) -> None:
        lessons = self._lessons(models.REFINER, batch=self.batch // 2, first=0, sizes=XL_SIZES, pool=512)
        self._train(Stage.REFINER, self._carried(models.REFINER), lessons, latest=REFINED_TIMES)

    def _carried(self, kind: models.UnetKind) -> Any:
        torch.manual_seed(self.seed)
        target = models.unet(kind)
        carry_over(self.unet().cpu(), target, self._mapping(kind).cpu())
        return target

    def _mapping(self, kind: models.UnetKind) -> Tensor:
        return reading_map(self._reader(models.SD15), self._reader(kind), example_captions())

    def _lora(self) -> None:
        lessons = self._lessons(models.SD15, batch=self.batch // 2, first=0, sizes=SMALL_SIZES, pool=512)
        plan = self._plan(Stage.LORA)
        tensors = extras.train_lora(self.unet(), lessons, noise_levels(self.device), plan, self.log)
        self._keep(Stage.LORA, tensors)

    def _lora_xl(self) -> None:
        if not self.has(Stage.LORA):
            raise NotTrainedYet(f"{self.work} holds no {Stage.LORA}; run the stage {Stage.LORA} first")
        self._keep(Stage.LORA_XL, carry_lora(self._kept(Stage.LORA), self._mapping(models.SDXL).cpu()))

    def _embedding(self) -> None:
        lessons = self._lessons(models.SD15, first=0, pool=256)
        encoder, tokenizer, levels = self.text(), self.tokenizer(), noise_levels(self.device)
        plan = self._plan(Stage.EMBEDDING)
        vectors = extras.train_embedding(self.unet(), encoder, tokenizer, lessons, levels, plan, self.log)
        self._keep(Stage.EMBEDDING, {"emb_params": vectors})

    def _control(self) -> None:
        lessons = self._lessons(
            models.SD15,
            batch=self.batch // 2,
            first=0,
            empty=0.25,
            sizes=CONTROL_SIZES,
            pool=1024,
            row=unshaped,
        )
        plan, unet = self._plan(Stage.CONTROL), self.unet()
        torch.manual_seed(self.seed)
        control = models.control_net(unet).to(self.device)
        levels, state = noise_levels(self.device, middle=800), self.work / f"{Stage.CONTROL}-state.pt"
        self._keep(Stage.CONTROL, train_control(unet, control, lessons, levels, plan, self.log, state).state_dict())

    def _eye(self) -> None:
        self._keep(Stage.EYE, extras.train_eye(self._plan(Stage.EYE), self.log).state_dict())

    def _image_prompt(self) -> None:
        plan, eye = self._plan(Stage.IMAGE_PROMPT), self.eye()
        lessons = self._lessons(models.SD15, batch=self.batch // 2, first=0, empty=0.7, sizes=SMALL_SIZES, pool=512)
        levels = noise_levels(self.device)
        state = self.work / f"{Stage.IMAGE_PROMPT}-state.pt"
        tensors = extras.train_image_prompt(self.unet(), eye, lessons, levels, plan, self.log, state)
        self._keep(Stage.IMAGE_PROMPT, tensors)

    def _safety(self) -> None:
        network = extras.train_classifier(self._plan(Stage.SAFETY), self.log, self.vae())
        self._keep(Stage.SAFETY, network.state_dict())

    def _upscaler(self) -> None:
        torch.manual_seed(self.seed)
        state = self.work / f"{Stage.UPSCALER}-state.pt"
        network = train_upscaler(upscaler(), self._plan(Stage.UPSCALER), self.log, state, self.device)
        self._keep(Stage.UPSCALER, network.state_dict())

    def _keep(self, stage: Stage, what: Any) -> None:
        torch.save(what, self._state(stage))

    def _kept(self, stage: Stage) -> Any:
        return torch.load(self._state(stage), map_location="cpu", weights_only=True)

    # What comes of it.

    def publish(self, folder: Path) -> list[Path]:
        """Write the models' folder from the stages that have left something; gives what was written."""
        tokenizer, written = self.tokenizer(), []
        parts: dict[str, Any] = {"tokenizer": tokenizer, "vae": self.vae()}
        if self.has(Stage.SD15):
            written.append(folders.write_sd15(folder, unet=self.unet(), text=self.text(), **parts))
        if self.has(Stage.SDXL):
            unet, second = self.unet(Stage.SDXL), self.second()
            written.append(folders.write_sdxl(folder, unet=unet, text=self.text(), second=second, **parts))
        if self.has(Stage.REFINER):
            unet = self.unet(Stage.REFINER)
            written.append(folders.write_refiner(folder, unet=unet, second=self.second(), **parts))
        files = {
            Stage.LORA: folder / "loras" / f"{folders.LORA_NAME}.safetensors",
            Stage.LORA_XL: folder / "loras" / f"{folders.LORA_XL_NAME}.safetensors",
            Stage.EMBEDDING: folder / "embeddings" / f"{folders.EMBEDDING_NAME}.safetensors",
        }
        written += [folders.write_tensors(file, self._kept(stage)) for stage, file in files.items() if self.has(stage)]
        if self.has(Stage.CONTROL):
            control = models.control_net(self.unet())
            control.load_state_dict(self._kept(Stage.CONTROL))
            written.append(folders.write_network(folder / "controlnet" / folders.CONTROL_NAME, control))
        if self.has(Stage.IMAGE_PROMPT):
            written.append(write_image_prompt(folder, self._kept(Stage.IMAGE_PROMPT), self.eye()))
        if self.has(Stage.SAFETY):
            network = adapters.classifier()
            network.load_state_dict(self._kept(Stage.SAFETY))
            written.append(write_classifier(folder, network))
        if self.has(Stage.UPSCALER):
            enlarging = upscaler()
            enlarging.load_state_dict(self._kept(Stage.UPSCALER))
            written.append(write_upscaler(folder, enlarging))
        written += write_vaes(folder, parts["vae"])
        steps = {stage.value: self.steps(stage) for stage in Stage if self.has(stage)}
        (folder / "trained.json").write_text(json.dumps(steps, indent=1) + "\n", encoding="utf-8")
        return written

    def steps(self, stage: Stage) -> int:
        """How many steps a stage has taken; the plan's where no checkpoint counts them."""
        for file in (self._state(stage), self.work / f"{stage}-state.pt"):
            kept = torch.load(file, map_location="cpu", weights_only=True) if file.exists() else None
            if isinstance(kept, dict) and isinstance(kept.get("step"), int):
                return int(kept["step"])
        return self.plans[stage].steps
