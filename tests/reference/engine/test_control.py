"""ControlNets: they lead, a unit without weight is no unit, and nothing of them stays on the network."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import ControlNetModel
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file

from reference_impl.engine import control
from reference_impl.engine.engine import LocalEngine
from reference_impl.engine.loading import Loaded, load_checkpoint
from reference_impl.engine.plan import Call, Lead, Tools, whole_canvas
from reference_impl.jobs import CannotDraw, Control, Guess, Hires, Job, Mask, Resize
from reference_impl.shelf import Kind, Shelf
from tests.reference.engine import parts

CIRCLE = parts.png(parts.drawing("circle"))
SQUARE = parts.png(parts.drawing("square"))


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SD 1.5 and an SDXL checkpoint with ControlNets for each."""
    folder = tmp_path_factory.mktemp("shelf")
    small, large = parts.sd15(folder / "words"), parts.sdxl(folder / "words")
    parts.saved(small, folder / "checkpoints" / "tiny")
    parts.saved(large, folder / "checkpoints" / "tiny-xl")
    parts.control_net(small.unet).save_pretrained(folder / "controlnet" / "lines")
    parts.control_net(small.unet, seed=9).save_pretrained(folder / "controlnet" / "depths")
    parts.control_net(large.unet).save_pretrained(folder / "controlnet" / "lines-xl")
    pooled = parts.control_net(small.unet)
    pooled.register_to_config(global_pool_conditions=True)
    pooled.save_pretrained(folder / "controlnet" / "shuffled")
    save_file(parts.control_net(small.unet).state_dict(), folder / "controlnet" / "one-file.safetensors")
    return folder


@pytest.fixture(scope="module")
def engine(shelf: Path) -> LocalEngine:
    return LocalEngine(Shelf(shelf), device="cpu", threads=1, previews=False)


@pytest.fixture(scope="module")
def tools(shelf: Path) -> Tools:
    return parts.tools(shelf)


@pytest.fixture(scope="module")
def loaded(tools: Tools) -> Loaded:
    model = tools.shelf.find(Kind.CHECKPOINT, "tiny")
    assert model is not None
    return load_checkpoint(model, tools.device, tools.dtype)


def unit(model: str = "lines", file: bytes = CIRCLE, **more: Any) -> Control:
    return Control(model=model, file=file, **more)


def drawn(engine: LocalEngine, *controls: Control, **more: Any) -> NDArray[np.int64]:
    job = parts.job(controls=controls, **more)
    [[finished]] = engine.run(job.model, [job], lambda _: None)
    return np.asarray(Image.open(io.BytesIO(finished.file)).convert("RGB"), np.int64)


def same(one: NDArray[np.int64], other: NDArray[np.int64]) -> bool:
    return bool((one == other).all())


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"source": SQUARE, "strength": 0.6, "steps": 4},
        {"source": SQUARE, "mask": Mask(file=parts.png(parts.half_mask()))},
        {"source": SQUARE, "mask": Mask(file=parts.png(parts.half_mask()), whole=False, padding=4)},
        {"hires": Hires(width=96, height=96, strength=0.5, upscaler="Latent")},
    ],
    ids=["txt2img", "img2img", "inpaint", "only-masked", "hires"],
)
def test_a_unit_leads_and_its_picture_matters(engine: LocalEngine, more: dict[str, Any]) -> None:
    plain, led, other = drawn(engine, **more), drawn(engine, unit(), **more), drawn(engine, unit(file=SQUARE), **more)
    assert not same(plain, led)
    assert not same(led, other)
    assert same(plain, drawn(engine, **more))  # nothing is left on the network


def test_sdxl_is_led_too(engine: LocalEngine) -> None:
    plain = drawn(engine, model="tiny-xl")
    led = drawn(engine, unit("lines-xl"), model="tiny-xl")
    assert not same(plain, led)
    assert not same(led, drawn(engine, unit("lines-xl", SQUARE), model="tiny-xl"))


def test_pictures_of_any_size_are_led(engine: LocalEngine) -> None:
    assert not same(drawn(engine, width=72, height=100), drawn(engine, unit(), width=72, height=100))


@pytest.mark.parametrize("nothing", [{"weight": 0.0}, {"start": 0.5, "end": 0.5}, {"start": 1.0}])
def test_a_unit_that_never_acts_is_no_unit(engine: LocalEngine, nothing: dict[str, Any]) -> None:
    assert same(drawn(engine), drawn(engine, unit(model="not-there", **nothing)))


def test_several_units_add_up_and_a_silent_one_changes_nothing(engine: LocalEngine) -> None:
    first, second = unit(weight=0.7), unit("depths", SQUARE)
    both = drawn(engine, first, second)
    assert not same(both, drawn(engine, first))
    assert not same(both, drawn(engine, second))
    assert same(both, drawn(engine, first, replace(second, weight=0.0), second))


def test_a_unit_acts_only_in_its_share_of_the_run(engine: LocalEngine) -> None:
    steps = 4
    pictures = [
        drawn(engine, unit(start=start, end=end), steps=steps)
        for start, end in ((0.0, 1.0), (0.0, 0.25), (0.5, 1.0), (0.9, 1.0))
    ]
    assert len({picture.tobytes() for picture in pictures}) == 4
    assert same(pictures[3], drawn(engine, steps=steps))  # no step begins in the last tenth of four


def test_weight_prompt_and_picture_each_lead_differently(engine: LocalEngine) -> None:
    pictures = [drawn(engine, unit(guess=guess)) for guess in Guess] + [drawn(engine, unit(weight=0.5))]
    assert len({picture.tobytes() for picture in pictures}) == 4


def test_the_picture_of_a_job_does_not_depend_on_those_drawn_beside_it(engine: LocalEngine) -> None:
    job = parts.job(controls=(unit(guess=Guess.CONTROL),), count=2, seed=6)
    [pictures] = engine.run("tiny", [job], lambda _: None)
    alone = parts.job(controls=(unit(guess=Guess.CONTROL),), seed=7)
    [[finished]] = engine.run("tiny", [alone], lambda _: None)
    assert Image.open(io.BytesIO(pictures[1].file)).tobytes() == Image.open(io.BytesIO(finished.file)).tobytes()


def test_a_mask_says_where_a_unit_acts(engine: LocalEngine) -> None:
    nowhere = parts.png(Image.new("L", (64, 64), 0))
    everywhere = parts.png(Image.new("L", (64, 64), 255))
    left = parts.png(parts.half_mask())
    assert same(drawn(engine, unit(mask=nowhere)), drawn(engine))
    assert same(drawn(engine, unit(mask=everywhere)), drawn(engine, unit()))
    assert not same(drawn(engine, unit(mask=left)), drawn(engine, unit()))


def test_how_a_picture_is_fitted_matters_when_its_shape_differs(engine: LocalEngine) -> None:
    wide = parts.png(parts.drawing("square", size=(128, 64)))
    modes = (Resize.STRETCH, Resize.CROP, Resize.PAD)
    assert len({drawn(engine, unit(file=wide, resize=mode)).tobytes() for mode in modes}) == 3


def test_a_model_in_one_file_is_the_model_of_the_folder(engine: LocalEngine) -> None:
    assert same(drawn(engine, unit("one-file")), drawn(engine, unit("lines")))


def test_a_model_that_pools_leaves_the_unguided_half_alone(loaded: Loaded, tools: Tools) -> None:
    job = parts.job(controls=(unit("shuffled", preprocessor="shuffle"),))
    lead = first_lead(loaded, tools, job)
    assert [part.shape[-2:] for part in lead.down] == [(1, 1)] * len(lead.down)
    assert all(not part[0].any() and part[1].any() for part in lead.down)


def test_the_residuals_are_those_that_the_model_itself_gives(loaded: Loaded, tools: Tools) -> None:
    job = parts.job(controls=(unit(weight=0.5),))
    lead = first_lead(loaded, tools, job)
    net = tools.cache.get((Kind.CONTROLNET, "lines"), unexpected, unexpected)
    seen = control.hint(job.controls[0], job, whole_canvas((64, 64), 8), tools, 3)
    call = first_call()
    with torch.inference_mode():
        down, mid = net(
            call.latents,
            call.timestep,
            encoder_hidden_states=call.text,
            controlnet_cond=seen,
            conditioning_scale=0.5,
            return_dict=False,
        )
    for ours, theirs in zip((*lead.down, lead.mid), (*down, mid), strict=True):
        torch.testing.assert_close(ours, theirs)


def unexpected(*_: object) -> Any:
    raise AssertionError("the model should be in the cache")


def test_where_the_picture_leads_the_unguided_half_goes_without(loaded: Loaded, tools: Tools) -> None:
    balanced = first_lead(loaded, tools, parts.job(controls=(unit(),)))
    prompt = first_lead(loaded, tools, parts.job(controls=(unit(guess=Guess.PROMPT),)))
    picture = first_lead(loaded, tools, parts.job(controls=(unit(guess=Guess.CONTROL),)))
    middle = len(balanced.down)
    for place, (even, faded, lone) in enumerate(zip(balanced.down, prompt.down, picture.down, strict=True)):
        torch.testing.assert_close(faded, even * control.FADING ** (middle - place))
        assert not lone[0].any()
        torch.testing.assert_close(lone[1:], faded[1:])
    torch.testing.assert_close(prompt.mid, balanced.mid)


def test_an_inpainting_map_is_blanked_out_where_the_mask_is(tools: Tools) -> None:
    canvas = whole_canvas((64, 64), 8)
    masked = unit(preprocessor="inpaint_only", mask=parts.png(parts.half_mask()))
    own = control.hint(masked, parts.job(), canvas, tools, 3)
    task = parts.job(source=SQUARE, mask=Mask(file=parts.png(parts.half_mask())))
    of_the_task = control.hint(replace(masked, mask=None), task, canvas, tools, 3)
    inverted = parts.job(source=SQUARE, mask=Mask(file=parts.png(parts.half_mask()), invert=True))
    for seen in (own, of_the_task):
        assert bool((seen[..., :32] == -1).all())
        assert bool((seen[..., 32:] >= 0).all())
    assert bool((control.hint(replace(masked, mask=None), inverted, canvas, tools, 3)[..., 32:] == -1).all())
    assert bool((control.hint(replace(masked, mask=None), parts.job(), canvas, tools, 3) >= 0).all())
    assert control.region(masked, canvas, tools) is None


def test_missing_weights_are_told_with_the_place_to_put_them(engine: LocalEngine) -> None:
    with pytest.raises(CannotDraw, match=r"weights of \w+ are not here: put them .* in controlnet/control_v11p"):
        drawn(engine, unit("control_v11p_sd15_openpose"))


def test_a_model_for_another_family_is_told(engine: LocalEngine) -> None:
    with pytest.raises(CannotDraw, match="lines-xl is made for another kind of checkpoint than tiny"):
        drawn(engine, unit("lines-xl"))
    with pytest.raises(CannotDraw, match="lines is made for another kind of checkpoint than tiny-xl"):
        drawn(engine, unit("lines"), model="tiny-xl")


def test_a_model_for_a_vae_of_another_reach_is_told(shelf: Path, tmp_path: Path) -> None:
    config = ControlNetModel.load_config(shelf / "controlnet" / "lines")
    net = ControlNetModel.from_config(config, conditioning_embedding_out_channels=(8, 8))
    net.save_pretrained(tmp_path / "controlnet" / "near")
    (tmp_path / "checkpoints").symlink_to(shelf / "checkpoints")
    engine = LocalEngine(Shelf(tmp_path), device="cpu", threads=1, previews=False)
    with pytest.raises(CannotDraw, match="one cell of 2 pixels of its picture, the VAE of tiny makes one of 8"):
        drawn(engine, unit("near"))


def test_a_damaged_model_is_told(shelf: Path, tmp_path: Path) -> None:
    place = tmp_path / "controlnet" / "broken"
    place.mkdir(parents=True)
    (place / "config.json").write_text((shelf / "controlnet" / "lines" / "config.json").read_text())
    (place / "diffusion_pytorch_model.safetensors").write_bytes(b"cut off")
    (tmp_path / "checkpoints").symlink_to(shelf / "checkpoints")
    engine = LocalEngine(Shelf(tmp_path), device="cpu", threads=1, previews=False)
    with pytest.raises(CannotDraw, match="the weights of broken cannot be read"):
        drawn(engine, unit("broken"))


def first_call() -> Call:
    """The first call for one picture, guided."""
    numbers = torch.Generator().manual_seed(0)
    return Call(
        latents=torch.randn(1, 4, 8, 8, generator=numbers).repeat(2, 1, 1, 1),
        timestep=torch.tensor(500.0),
        share=0.0,
        text=torch.randn(1, 77, 32, generator=numbers).repeat(2, 1, 1),
        added={},
        guided=True,
    )


def first_lead(loaded: Loaded, tools: Tools, job: Job) -> Lead:
    """What the only unit of a job adds to the first call."""
    with torch.inference_mode(), control.open_guides(job, loaded, whole_canvas((64, 64), 8), tools) as guides:
        [guide] = guides
        lead = guide.lead(first_call())
    assert lead is not None
    return lead
