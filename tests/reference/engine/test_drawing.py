"""What a job asks for is what the picture shows: txt2img, img2img, masks, sizes, hires fix, and what hangs on them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from reference_impl.engine import hooks
from reference_impl.engine.encoding import encode
from reference_impl.engine.loading import Loaded
from reference_impl.engine.samplers import SAMPLERS
from reference_impl.jobs import CannotDraw, Hires, Lora, Mask, MaskStart, Refiner, Resize, Step
from tests.reference.engine.conftest import Draw, png


def scene(width: int = 64, height: int = 64) -> Image.Image:
    picture = Image.new("RGB", (width, height), (30, 60, 200))
    ImageDraw.Draw(picture).ellipse((8, 8, width // 2, height // 2), fill=(220, 40, 30))
    return picture


def left_half(width: int = 64, height: int = 64) -> Image.Image:
    mask = Image.new("L", (width, height), 0)
    ImageDraw.Draw(mask).rectangle((0, 0, width // 2 - 1, height), fill=255)
    return mask


SOURCE = png(scene())
MASK = png(left_half())


@pytest.mark.parametrize(
    ("model", "sampler"),
    [
        ("plain", "Euler"),
        ("velocity", "Euler a"),
        ("plain", "DPM++ 2M Karras"),
        ("velocity", "DPM++ 2M SDE"),
        ("velocity", "DDIM"),
        ("velocity", "PLMS"),
        ("plain", "PLMS"),
        ("velocity", "Heun"),
        ("plain", "UniPC"),
    ],
)
def test_a_picture_is_that_of_the_libraries_own_pipeline(
    draw: Draw, checkpoint: Callable[[str], Loaded], model: str, sampler: str
) -> None:
    loaded = checkpoint(model)
    course: Any = SAMPLERS[sampler].course(loaded.schedule, 4, 0)
    pipeline = loaded.pipeline
    with torch.no_grad(), warnings.catch_warnings(action="ignore"):
        pipeline.scheduler = type(course.scheduler).from_config(
            course.scheduler.config, prediction_type=loaded.prediction.value
        )
        negative, positive = encode(loaded, ["", "a red circle"])
        theirs = pipeline(
            prompt_embeds=positive.tokens,
            negative_prompt_embeds=negative.tokens,
            width=64,
            height=64,
            num_inference_steps=4,
            guidance_scale=7.5,
            generator=torch.Generator().manual_seed(7),
            output_type="np",
        ).images[0]
    ours = draw(model=model, sampler=sampler)[0]
    assert np.abs(ours.pixels - theirs * 255).max() <= 1.5


@pytest.mark.parametrize("size", [(64, 64), (72, 56), (70, 50), (67, 129)])
def test_a_picture_has_the_size_asked_for(draw: Draw, size: tuple[int, int]) -> None:
    drawn = draw(width=size[0], height=size[1], steps=1)[0]
    assert drawn.picture.size == size == (drawn.finished.width, drawn.finished.height)


def test_picture_i_is_the_picture_of_seed_plus_i(draw: Draw) -> None:
    three = draw(count=3)
    assert [drawn.finished.seed for drawn in three] == [7, 8, 9]
    assert np.array_equal(three[2].pixels, draw(seed=9)[0].pixels)
    assert three[0].distance(three[1]) > 0


@pytest.mark.parametrize("seed", [0, 2**32, 2**64 - 1, 2**70])
def test_any_seed_that_the_contract_allows_draws(draw: Draw, seed: int) -> None:
    assert draw(seed=seed, steps=1)[0].finished.seed == seed


def test_the_negative_prompt_and_the_guidance_count(draw: Draw) -> None:
    plain = draw()[0]
    assert plain.distance(draw(negative_prompt="blue square")[0]) > 0
    assert plain.distance(draw(guidance=3.0)[0]) > 0


def test_without_guidance_the_negative_prompt_is_not_asked(draw: Draw) -> None:
    assert draw(guidance=1.0, negative_prompt="cat")[0].distance(draw(guidance=1.0)[0]) == 0


def test_clip_skip_and_vae_change_the_picture(draw: Draw) -> None:
    plain = draw()[0]
    assert plain.distance(draw(clip_skip=1)[0]) == 0
    assert plain.distance(draw(clip_skip=2)[0]) > 0
    assert plain.distance(draw(vae="other")[0]) > 0


def test_an_unknown_vae_checkpoint_or_sampler_is_named(draw: Draw) -> None:
    with pytest.raises(CannotDraw, match="no VAE 'nothing'"):
        draw(vae="nothing")
    with pytest.raises(CannotDraw, match="no checkpoint 'nothing'"):
        draw(model="nothing")
    with pytest.raises(CannotDraw, match=r"no sampler 'nothing'.*Euler a"):
        draw(sampler="nothing")


def test_faces_are_not_restored_and_the_failure_says_why(draw: Draw) -> None:
    with pytest.raises(CannotDraw, match="restore_faces"):
        draw(restore_faces=True)


# ---- img2img


def test_strength_0_gives_the_source_back(draw: Draw) -> None:
    steps: list[Step] = []
    drawn = draw(source=SOURCE, strength=0.0, on_step=steps.append)[0]
    assert np.array_equal(drawn.pixels, np.asarray(scene()))
    assert steps == []


def test_strength_is_the_share_of_the_steps_that_are_taken(draw: Draw) -> None:
    for strength, calls in ((0.01, 1), (0.5, 5), (0.84, 8), (1.0, 10)):
        steps: list[Step] = []
        draw(source=SOURCE, strength=strength, steps=10, sampler="Euler", on_step=steps.append)
        assert [step.done for step in steps] == list(range(1, calls + 1))
        assert {step.total for step in steps} == {calls}


def test_a_source_counts_and_so_does_the_noise_put_on_it(draw: Draw) -> None:
    drawn = draw(source=SOURCE, strength=0.5)[0]
    assert drawn.distance(draw(source=png(Image.new("RGB", (64, 64), "white")), strength=0.5)[0]) > 0
    assert drawn.distance(draw(source=SOURCE, strength=0.5, noise_multiplier=0.5)[0]) > 0


@pytest.mark.parametrize("mode", Resize)
def test_a_source_of_another_shape_is_fitted(draw: Draw, mode: Resize) -> None:
    drawn = draw(source=png(scene(90, 40)), strength=0.5, resize=mode, width=72, height=80)[0]
    assert drawn.picture.size == (72, 80)


def test_a_source_of_an_odd_size_stays_where_it_is(draw: Draw) -> None:
    drawn = draw(source=png(scene(70, 50)), strength=0.0, width=70, height=50)[0]
    assert np.array_equal(drawn.pixels, np.asarray(scene(70, 50)))


# ---- inpainting


@pytest.mark.parametrize("start", MaskStart)
@pytest.mark.parametrize("whole", [True, False])
def test_a_mask_keeps_the_rest_to_the_pixel(draw: Draw, start: MaskStart, whole: bool) -> None:
    mask = Mask(file=MASK, blur=0, start=start, whole=whole, padding=4)
    drawn = draw(source=SOURCE, strength=0.8, mask=mask)[0]
    source = np.asarray(scene()).astype(int)
    assert np.array_equal(drawn.pixels[:, 32:], source[:, 32:])
    assert np.abs(drawn.pixels[:, :32] - source[:, :32]).mean() > 1


def test_an_inverted_mask_draws_the_other_side(draw: Draw) -> None:
    drawn = draw(source=SOURCE, strength=0.8, mask=Mask(file=MASK, blur=0, invert=True))[0]
    source = np.asarray(scene()).astype(int)
    assert np.array_equal(drawn.pixels[:, :32], source[:, :32])
    assert np.abs(drawn.pixels[:, 32:] - source[:, 32:]).mean() > 1


def test_a_blurred_mask_has_a_soft_edge(draw: Draw) -> None:
    drawn = draw(source=SOURCE, strength=0.8, mask=Mask(file=MASK, blur=4))[0]
    changed = np.abs(drawn.pixels - np.asarray(scene()).astype(int)).sum(axis=(0, 2))
    assert changed[33] > 0
    assert changed[60:].sum() == 0


def test_the_ways_to_begin_give_different_pictures(draw: Draw) -> None:
    seen = {
        draw(source=SOURCE, strength=0.6, mask=Mask(file=MASK, start=start))[0].finished.file for start in MaskStart
    }
    assert len(seen) == len(MaskStart)


def test_only_the_masked_part_is_drawn_at_full_size(draw: Draw) -> None:
    spot = Image.new("L", (64, 64), 0)
    spot.paste(255, (40, 40, 48, 48))
    mask = Mask(file=png(spot), blur=0, whole=False, padding=2)
    drawn = draw(source=SOURCE, strength=0.9, mask=mask)[0]
    changed = np.abs(drawn.pixels - np.asarray(scene()).astype(int)).sum(axis=2)
    assert changed[40:48, 40:48].mean() > 1
    assert changed.sum() == changed[40:48, 40:48].sum()


def test_a_black_mask_leaves_the_source(draw: Draw) -> None:
    drawn = draw(source=SOURCE, strength=0.9, mask=Mask(file=png(Image.new("L", (64, 64), 0))))[0]
    assert np.array_equal(drawn.pixels, np.asarray(scene()))


def test_a_mask_of_another_size_is_stretched_over_the_source(draw: Draw) -> None:
    small, full = Mask(file=png(left_half(16, 16)), blur=0), Mask(file=MASK, blur=0)
    assert (
        draw(source=SOURCE, strength=0.8, mask=small)[0].distance(draw(source=SOURCE, strength=0.8, mask=full)[0]) < 8
    )


def test_a_mask_may_be_the_transparency_of_its_picture(draw: Draw) -> None:
    clear = Image.new("RGBA", (64, 64))
    clear.putalpha(left_half())
    by_alpha, by_grey = (
        draw(source=SOURCE, strength=0.8, mask=Mask(file=file, blur=0))[0] for file in (png(clear), MASK)
    )
    assert by_alpha.distance(by_grey) == 0


def test_a_checkpoint_for_inpainting_sees_mask_and_source(draw: Draw) -> None:
    drawn = draw(model="painter", source=SOURCE, strength=1.0, mask=Mask(file=MASK, blur=0))[0]
    assert np.array_equal(drawn.pixels[:, 32:], np.asarray(scene()).astype(int)[:, 32:])
    with pytest.raises(CannotDraw, match="needs a source"):
        draw(model="painter")


def test_a_checkpoint_for_instructions_follows_source_and_prompt(draw: Draw) -> None:
    def followed(**changes: Any) -> Any:
        return draw(**{"model": "follower", "source": SOURCE, "strength": 1.0, **changes})[0]

    drawn = followed()
    assert followed(source_guidance=1.5).distance(drawn) == 0
    assert followed(source_guidance=4.0).distance(drawn) > 0
    assert followed(guidance=1.0).distance(drawn) > 0
    assert followed(source=png(Image.new("RGB", (64, 64), "white"))).distance(drawn) > 0
    with pytest.raises(CannotDraw, match="needs a source"):
        draw(model="follower")


# ---- a second pass


@pytest.mark.parametrize("upscaler", ["Latent", "Latent (nearest)", "Latent (bicubic)", "Lanczos", "Nearest", "up"])
def test_hires_fix_draws_at_the_target_size(draw: Draw, upscaler: str) -> None:
    steps: list[Step] = []
    hires = Hires(width=96, height=112, strength=0.5, upscaler=upscaler)
    drawn = draw(hires=hires, sampler="Euler", on_step=steps.append)[0]
    assert drawn.picture.size == (96, 112)
    assert (steps[-1].done, steps[-1].total, len(steps)) == (6, 6, 6)


def test_hires_fix_of_strength_0_only_enlarges(draw: Draw) -> None:
    steps: list[Step] = []
    hires = Hires(width=128, height=128, strength=0.0, upscaler="Lanczos")
    large, small = draw(hires=hires, on_step=steps.append)[0], draw()[0]
    assert len(steps) == 4
    shrunk = np.asarray(large.picture.resize((64, 64), Image.Resampling.BOX)).astype(int)
    assert shrunk.shape == small.pixels.shape


def test_a_large_picture_goes_through_the_vae_in_tiles(draw: Draw, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = draw(width=96, height=128)[0]
    monkeypatch.setattr("reference_impl.engine.latents.LARGE", 64 * 64)
    tiled = draw(width=96, height=128)[0]
    assert tiled.picture.size == (96, 128)
    assert 0 < tiled.distance(whole) < 30
    monkeypatch.undo()
    assert draw(width=96, height=128)[0].distance(whole) == 0


def test_an_upscaler_without_weights_is_named_with_what_helps(draw: Draw) -> None:
    with pytest.raises(CannotDraw, match=r"RealESRNet_x4plus needs weights.*upscaler.*Latent"):
        draw(hires=Hires(width=128, height=128, strength=0.5, upscaler="RealESRNet_x4plus"), on_step=pytest.fail)


# ---- LoRA, SDXL, refiner


@pytest.mark.parametrize("name", ["peft", "kohya"])
def test_a_lora_changes_the_picture_as_much_as_its_strength_says(draw: Draw, name: str) -> None:
    plain = draw()[0]
    weak, strong = (draw(loras=(Lora(name=name, strength=strength),))[0] for strength in (0.3, 1.0))
    assert 0 < plain.distance(weak) < plain.distance(strong)


def test_a_lora_of_strength_0_is_none_and_none_is_left_behind(draw: Draw) -> None:
    plain = draw()[0]
    assert draw(loras=(Lora(name="peft", strength=0.0),))[0].pixels.tolist() == plain.pixels.tolist()
    draw(loras=(Lora(name="peft", strength=1.0),))
    assert draw()[0].pixels.tolist() == plain.pixels.tolist()


def test_several_loras_add_up(draw: Draw) -> None:
    both = draw(loras=(Lora(name="peft", strength=0.5), Lora(name="kohya", strength=0.5)))[0]
    twice = draw(loras=(Lora(name="peft", strength=0.5), Lora(name="peft", strength=0.5)))[0]
    whole = draw(loras=(Lora(name="peft", strength=1.0),))[0]
    assert twice.distance(whole) == 0
    assert both.distance(whole) < 1, "the two files hold the same weights"


def test_a_lora_of_the_text_encoder_changes_how_prompts_are_read(draw: Draw) -> None:
    assert draw(loras=(Lora(name="words", strength=1.0),))[0].distance(draw()[0]) > 0


def test_a_lora_is_taken_off_when_the_job_is_cancelled(draw: Draw) -> None:
    plain = draw()[0]

    def stop(step: Step) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        draw(loras=(Lora(name="peft", strength=1.0),), on_step=stop)
    assert draw()[0].distance(plain) == 0


def test_a_lora_that_is_missing_or_does_not_fit_is_named(draw: Draw) -> None:
    with pytest.raises(CannotDraw, match="no LoRA 'nothing'"):
        draw(loras=(Lora(name="nothing", strength=1.0),))
    with pytest.raises(CannotDraw, match=r"hollow.safetensors does not fit plain"):
        draw(loras=(Lora(name="hollow", strength=1.0),))
    with pytest.raises(CannotDraw, match=r"peft\.safetensors does not fit large"):
        draw(model="large", loras=(Lora(name="peft", strength=1.0),))


def test_the_refiner_takes_over_after_its_share_of_the_steps(draw: Draw) -> None:
    def refined(switch_at: float) -> Any:
        return draw(model="large", refiner=Refiner(checkpoint="finisher", switch_at=switch_at))[0]

    plain = draw(model="large")[0]
    assert refined(1.0).distance(plain) == 0
    assert refined(0.75).distance(plain) > 0
    assert refined(0.5).distance(refined(0.75)) > 0
    assert refined(0.5).distance(refined(0.26)) == 0, "the switch stands before a step, not within one"


@pytest.mark.parametrize("strength", [0.0, 0.5])
def test_the_refiner_works_in_the_last_pass_only(draw: Draw, strength: float) -> None:
    hires = Hires(width=96, height=96, strength=strength, upscaler="Latent")
    plain, refined = (
        draw(model="large", hires=hires, refiner=refiner)[0]
        for refiner in (None, Refiner(checkpoint="finisher", switch_at=0.5))
    )
    assert refined.distance(plain) > 0


def test_a_transparent_picture_is_handed_to_the_cut_out(draw: Draw, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut_out(picture: Image.Image, latents: torch.Tensor, job: object, tools: object) -> Image.Image:
        assert latents.shape == (1, 4, 8, 8)
        picture.putalpha(99)
        return picture

    monkeypatch.setattr(hooks, "cut_out", cut_out)
    drawn = draw(transparent=True)[0]
    assert drawn.picture.mode == "RGBA"
    assert drawn.picture.getchannel("A").getextrema() == (99, 99)
