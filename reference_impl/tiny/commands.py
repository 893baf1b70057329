"""The commands that make, train and judge the tiny models. torch is imported when one of them runs, not before."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import click

STAGES = (
    "text",
    "decoder",
    "sd15",
    "sdxl",
    "refiner",
    "lora",
    "lora-xl",
    "embedding",
    "control",
    "eye",
    "image-prompt",
    "safety",
    "upscaler",
)
SHIPPED = Path(__file__).parents[1] / "weights"
FOLDER = click.Path(path_type=Path, file_okay=False)


def _device(wanted: str, threads: int) -> str:
    """The device by name, checked; `auto` is the GPU where there is one."""
    import torch

    torch.set_num_threads(threads)
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if wanted.startswith("cuda") and not torch.cuda.is_available():
        raise click.ClickException(f"--device {wanted}: torch sees no CUDA device here; use --device cpu")
    return wanted


@click.command("make-models")
@click.argument("folder", type=FOLDER)
@click.option("--seed", type=int, default=0, show_default=True, help="What the random weights are drawn from.")
@click.option("--shipped", is_flag=True, help="Copy the trained models that come with a clone of the repository.")
def make_models(folder: Path, seed: int, shipped: bool) -> None:
    """Write a FOLDER of models with random weights: every kind the server loads, made in seconds."""
    if shipped:
        if not SHIPPED.is_dir():
            raise click.ClickException(
                f"{SHIPPED} is not there: a wheel leaves it out. Clone the repository, or train."
            )
        shutil.copytree(SHIPPED, folder, dirs_exist_ok=True)
        click.echo(folder)
        return
    from reference_impl.tiny import making

    for written in making.make_models(folder, seed):
        click.echo(written)


@click.command("train")
@click.argument("folder", type=FOLDER)
@click.option("--work", type=FOLDER, required=True, help="Where checkpoints are kept; a run goes on from them.")
@click.option("--stage", "stages", multiple=True, type=click.Choice(STAGES), help="Only these; all if left out.")
@click.option("--steps", type=click.IntRange(min=1), help="Steps of each chosen stage, in the place of the recipe's.")
@click.option("--batch", type=click.IntRange(min=4), default=32, show_default=True, help="Pictures to a step.")
@click.option("--seed", type=int, default=0, show_default=True, help="What all chance comes from.")
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, or auto.")
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Of the CPU.")
def train(
    folder: Path,
    work: Path,
    stages: tuple[str, ...],
    steps: int | None,
    batch: int,
    seed: int,
    device: str,
    threads: int,
) -> None:
    """Train the tiny models stage by stage and write them to FOLDER.

    A run that was stopped goes on when it is started again with the same --work; more --steps than a stage has done
    carry it on.
    """
    where = _device(device, threads)
    from reference_impl.tiny.training import PLANS, NotTrainedYet, Stage, Workshop

    chosen = [Stage(name) for name in stages] or list(Stage)
    changed = {stage: replace(PLANS[stage], steps=steps) for stage in chosen} if steps else {}
    shop = Workshop(
        work=work,
        log=click.echo,
        device=where,
        batch=batch,
        seed=seed,
        plans=MappingProxyType({**PLANS, **changed}),
    )
    try:
        for stage in chosen:
            shop.run(stage)
        for written in shop.publish(folder):
            click.echo(written)
    except NotTrainedYet as error:
        raise click.ClickException(str(error)) from None


@click.command("evaluate")
@click.argument("checkpoint", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option(
    "--pictures", type=click.IntRange(min=6), default=100, show_default=True, help="Prompts with a seed each."
)
@click.option("--size", type=click.IntRange(min=256), default=512, show_default=True, help="Edge of the pictures.")
@click.option(
    "--sheet",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where a sheet of them is written (PNG); with --extras another one beside it, of outlines.",
)
@click.option(
    "--extras", is_flag=True, help="Also what hangs on it in the same folder of models: LoRA, ControlNet and so on."
)
@click.option("--keep", is_flag=True, help="Write the figures to figures.json of that folder of models.")
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, or auto.")
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Of the CPU.")
def evaluate(
    checkpoint: Path, pictures: int, size: int, sheet: Path | None, extras: bool, keep: bool, device: str, threads: int
) -> None:
    """Let a CHECKPOINT draw held-out prompts and judge its pictures by their pixels."""
    where = _device(device, threads)
    from reference_impl.tiny import evaluate as judging
    from reference_impl.tiny import measures, records

    found, drawn = records.measure(checkpoint, click.echo, pictures=pictures, size=size, extras=extras, device=where)
    if keep:
        click.echo(records.keep(checkpoint, found))
    if sheet is not None:
        judging.sheet(drawn, 12).save(sheet)
        click.echo(f"sheet in {sheet}")
        if extras:
            other = sheet.with_stem(f"{sheet.stem}-control")
            judging.sheet(measures.outlines_followed(checkpoint.parents[1]), 12).save(other)
            click.echo(f"outlines in {other}")
