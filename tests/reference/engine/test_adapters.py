"""T2I-Adapters and IP-Adapters: they lead, silence is exact, and the network is as it was afterwards."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from reference_impl.engine.adapters import open_picture_prompts
from reference_impl.engine.engine import LocalEngine
from reference_impl.engine.loading import load_checkpoint
from reference_impl.jobs import Cancelled, CannotDraw, Control, Guess, PicturePrompt, Step
from reference_impl.shelf import Kind, Shelf
from tests.reference.engine import parts

CIRCLE = parts.png(parts.drawing("circle"))
SQUARE = parts.png(parts.drawing("square", ground="yellow"))


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both families with an adapter of each kind, named as the document names them."""
    folder = tmp_path_factory.mktemp("shelf")
    small, large = parts.sd15(folder / "words"), parts.sdxl(folder / "words")
    parts.saved(small, folder / "checkpoints" / "tiny")
    parts.saved(large, folder / "checkpoints" / "tiny-xl")
    parts.t2i_adapter(small.unet).save_pretrained(folder / "t2i_adapter" / "sketch")
    parts.t2i_adapter(large.unet).save_pretrained(folder / "t2i_adapter" / "t2i-adapter_xl_sketch")
    parts.ip_adapter(small.unet, folder / "ip_adapter" / "ip-adapter_sd15.safetensors")
    parts.ip_adapter(small.unet, folder / "ip_adapter" / "second.safetensors", seed=16)
    parts.ip_adapter(large.unet, folder / "ip_adapter" / "ip-adapter_sdxl.safetensors")
    pickled: dict[str, dict[str, torch.Tensor]] = {"image_proj": {}, "ip_adapter": {}}
    for name, tensor in load_file(folder / "ip_adapter" / "second.safetensors").items():
        part, _, rest = name.partition(".")
        pickled[part][rest] = tensor
    torch.save(pickled, folder / "ip_adapter" / "pickled.bin")
    parts.image_encoder(folder / "ip_adapter" / "image_encoder")
    return folder


@pytest.fixture(scope="module")
def engine(shelf: Path) -> LocalEngine:
    return LocalEngine(Shelf(shelf), device="cpu", threads=1, previews=False)


def sketch(file: bytes = CIRCLE, model: str = "sketch", **more: Any) -> Control:
    return Control(model=model, file=file, **more)


def said(file: bytes = CIRCLE, model: str = "ip-adapter_sd15.bin", strength: float = 0.8) -> PicturePrompt:
    return PicturePrompt(model=model, file=file, strength=strength)


def drawn(engine: LocalEngine, **more: Any) -> bytes:
    job = parts.job(**more)
    [[finished]] = engine.run(job.model, [job], lambda _: None)
    return Image.open(io.BytesIO(finished.file)).convert("RGB").tobytes()


@pytest.mark.parametrize("more", [{}, {"source": SQUARE, "strength": 0.6, "steps": 4}], ids=["txt2img", "img2img"])
def test_a_t2i_adapter_leads(engine: LocalEngine, more: dict[str, Any]) -> None:
    plain = drawn(engine, **more)
    led = drawn(engine, controls=(sketch(),), **more)
    assert len({plain, led, drawn(engine, controls=(sketch(SQUARE),), **more)}) == 3
    assert drawn(engine, controls=(sketch(weight=0.0),), **more) == plain
    assert drawn(engine, controls=(sketch(), sketch(SQUARE)), **more) != led


def test_a_t2i_adapter_leads_sdxl(engine: LocalEngine) -> None:
    plain = drawn(engine, model="tiny-xl")
    assert drawn(engine, model="tiny-xl", controls=(sketch(model="t2i-adapter_xl_sketch"),)) != plain


@pytest.mark.parametrize("model", ["tiny", "tiny-xl"])
def test_adapters_lead_pictures_of_any_size(engine: LocalEngine, model: str) -> None:
    """Sizes that are no multiple of what an adapter sees as one cell."""
    size: dict[str, Any] = {"model": model, "width": 72, "height": 100}
    units = (sketch(model="sketch" if model == "tiny" else "t2i-adapter_xl_sketch"),)
    assert drawn(engine, **size) != drawn(engine, controls=units, **size)


def test_a_t2i_adapter_knows_share_mode_and_mask(engine: LocalEngine) -> None:
    half = parts.png(parts.half_mask())
    units = [sketch(), sketch(end=0.5), sketch(mask=half), *(sketch(guess=guess) for guess in Guess if guess)]
    assert len({drawn(engine, controls=(one,)) for one in units}) == len(units)


def test_a_t2i_adapter_for_another_family_is_told(engine: LocalEngine) -> None:
    with pytest.raises(CannotDraw, match="is made for another kind of checkpoint than tiny"):
        drawn(engine, controls=(sketch(model="t2i-adapter_xl_sketch"),))


@pytest.mark.parametrize("more", [{}, {"source": SQUARE, "strength": 0.6, "steps": 4}], ids=["txt2img", "img2img"])
def test_a_picture_prompt_speaks(engine: LocalEngine, more: dict[str, Any]) -> None:
    plain = drawn(engine, **more)
    spoken = [drawn(engine, picture_prompts=(one,), **more) for one in (said(), said(SQUARE), said(strength=0.3))]
    assert len({plain, *spoken}) == 4
    assert drawn(engine, picture_prompts=(said(strength=0.0),), **more) == plain
    assert drawn(engine, **more) == plain


def test_a_picture_prompt_speaks_to_sdxl(engine: LocalEngine) -> None:
    plain = drawn(engine, model="tiny-xl")
    spoken = drawn(engine, model="tiny-xl", picture_prompts=(said(model="ip-adapter_sdxl.bin"),))
    assert spoken != plain
    assert drawn(engine, model="tiny-xl") == plain


def test_two_picture_prompts_speak_together(engine: LocalEngine) -> None:
    both = drawn(engine, picture_prompts=(said(), said(SQUARE, "second")))
    assert both not in {
        drawn(engine, picture_prompts=(said(),)),
        drawn(engine, picture_prompts=(said(SQUARE, "second"),)),
    }


def test_a_pickled_adapter_is_the_same_adapter(engine: LocalEngine) -> None:
    one, other = (drawn(engine, picture_prompts=(said(model=name),)) for name in ("second", "pickled.bin"))
    assert one == other


def test_control_net_and_picture_prompt_go_together(engine: LocalEngine) -> None:
    both = drawn(engine, controls=(sketch(),), picture_prompts=(said(),))
    assert both not in {drawn(engine, controls=(sketch(),)), drawn(engine, picture_prompts=(said(),))}


def test_without_guidance_there_is_one_half(engine: LocalEngine) -> None:
    plain = drawn(engine, guidance=1.0)
    assert drawn(engine, guidance=1.0, picture_prompts=(said(),), controls=(sketch(guess=Guess.CONTROL),)) != plain


def test_a_cancelled_run_leaves_nothing_on_the_network(engine: LocalEngine) -> None:
    plain = drawn(engine)

    def stop(_: Step) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        engine.run("tiny", [parts.job(picture_prompts=(said(),))], stop)
    assert drawn(engine) == plain


def test_the_network_gets_back_the_very_parts_it_had(shelf: Path) -> None:
    tools = parts.tools(shelf)
    model = tools.shelf.find(Kind.CHECKPOINT, "tiny")
    assert model is not None
    loaded = load_checkpoint(model, tools.device, tools.dtype)
    before, names = dict(loaded.unet.attn_processors), set(loaded.unet.state_dict())
    with open_picture_prompts((said(),), loaded, tools):
        assert set(loaded.unet.state_dict()) > names
    assert loaded.unet.attn_processors == before
    assert set(loaded.unet.state_dict()) == names
    assert loaded.unet.encoder_hid_proj is None
    assert loaded.unet.config.encoder_hid_dim_type is None


def test_an_adapter_for_another_family_is_told_and_leaves_nothing(engine: LocalEngine) -> None:
    plain = drawn(engine)
    with pytest.raises(CannotDraw, match=r"ip-adapter_sdxl\.bin is made for another kind of checkpoint than tiny"):
        drawn(engine, picture_prompts=(said(model="ip-adapter_sdxl.bin"),))
    assert drawn(engine) == plain


def linked(shelf: Path, folder: Path) -> LocalEngine:
    """An engine on a copy of the shelf without its image encoder."""
    (folder / "checkpoints").symlink_to(shelf / "checkpoints")
    (folder / "ip_adapter").mkdir()
    shutil.copy(shelf / "ip_adapter" / "ip-adapter_sd15.safetensors", folder / "ip_adapter")
    return LocalEngine(Shelf(folder), device="cpu", threads=1, previews=False)


def test_missing_weights_and_encoders_are_told_with_the_place_to_put_them(shelf: Path, tmp_path: Path) -> None:
    engine = linked(shelf, tmp_path)
    with pytest.raises(CannotDraw, match=r"put them in ip_adapter/ip-adapter_sdxl\.safetensors"):
        drawn(engine, picture_prompts=(said(model="ip-adapter_sdxl.bin"),))
    with pytest.raises(CannotDraw, match=r"needs its image encoder: put it .* in ip_adapter/ip-adapter_sd15/"):
        drawn(engine, picture_prompts=(said(),))


def test_an_encoder_of_another_width_is_told_and_an_own_one_wins(shelf: Path, tmp_path: Path) -> None:
    engine = linked(shelf, tmp_path)
    parts.image_encoder(tmp_path / "ip_adapter" / "image_encoder", projection=20)
    with pytest.raises(CannotDraw, match="image encoder of projection_dim 24, the one that is here has 20"):
        drawn(engine, picture_prompts=(said(),))
    parts.image_encoder(tmp_path / "ip_adapter" / "ip-adapter_sd15" / "image_encoder")
    assert drawn(engine, picture_prompts=(said(),))


@pytest.mark.parametrize(
    ("tensors", "told"),
    [
        ({"something": 1}, "is no IP-Adapter"),
        ({"image_proj.norm.weight": 32, "ip_adapter.1.to_k_ip.weight": 32}, "recogniser of faces"),
    ],
)
def test_what_is_no_plain_ip_adapter_is_told(shelf: Path, tmp_path: Path, tensors: dict[str, int], told: str) -> None:
    from safetensors.torch import save_file

    linked(shelf, tmp_path)
    save_file(
        {name: torch.zeros(width, width) for name, width in tensors.items()},
        tmp_path / "ip_adapter" / "odd.safetensors",
    )
    engine = LocalEngine(Shelf(tmp_path), device="cpu", threads=1, previews=False)
    with pytest.raises(CannotDraw, match=told):
        drawn(engine, picture_prompts=(said(model="odd"),))


def test_an_adapter_that_looks_at_all_tokens_works(shelf: Path, tmp_path: Path) -> None:
    """The "full" kind: a projection of each token of the encoder's last but one layer."""
    from safetensors.torch import save_file

    linked(shelf, tmp_path)
    shutil.copytree(shelf / "ip_adapter" / "image_encoder", tmp_path / "ip_adapter" / "image_encoder")
    tensors = load_file(shelf / "ip_adapter" / "ip-adapter_sd15.safetensors")
    full = {name: tensor for name, tensor in tensors.items() if name.startswith("ip_adapter.")}
    numbers = torch.Generator().manual_seed(0)
    full |= {
        "image_proj.proj.0.weight": torch.randn(32, 32, generator=numbers),
        "image_proj.proj.0.bias": torch.zeros(32),
        "image_proj.proj.2.weight": torch.randn(32, 32, generator=numbers),
        "image_proj.proj.2.bias": torch.zeros(32),
        "image_proj.proj.3.weight": torch.ones(32),
        "image_proj.proj.3.bias": torch.zeros(32),
    }
    save_file(full, tmp_path / "ip_adapter" / "full.safetensors")
    engine = LocalEngine(Shelf(tmp_path), device="cpu", threads=1, previews=False)
    pictures = [drawn(engine, picture_prompts=(said(file, "full"),)) for file in (CIRCLE, SQUARE)]
    assert len({drawn(engine), *pictures}) == 3
    assert np.frombuffer(pictures[0], np.uint8).std() > 0


def test_an_adapter_that_resamples_all_tokens_works(shelf: Path, tmp_path: Path) -> None:
    """The "plus" kind: learned queries look at the tokens through four layers, in the names of its authors."""
    from safetensors.torch import save_file

    linked(shelf, tmp_path)
    shutil.copytree(shelf / "ip_adapter" / "image_encoder", tmp_path / "ip_adapter" / "image_encoder")
    tensors = load_file(shelf / "ip_adapter" / "ip-adapter_sd15.safetensors")
    plus = {name: tensor for name, tensor in tensors.items() if name.startswith("ip_adapter.")}
    numbers, hidden = torch.Generator().manual_seed(0), 64
    shapes = {"latents": (1, 4, hidden), "proj_in": (hidden, 32), "proj_out": (32, hidden), "norm_out": (32,)}
    for layer in range(4):
        attention, forward = f"layers.{layer}.0", f"layers.{layer}.1"
        shapes |= {f"{attention}.norm1": (hidden,), f"{attention}.norm2": (hidden,), f"{forward}.0": (hidden,)}
        shapes |= {f"{attention}.to_q": (64, hidden), f"{attention}.to_kv": (128, hidden)}
        shapes |= {f"{attention}.to_out": (hidden, 64), f"{forward}.1": (4 * hidden, hidden)}
        shapes |= {f"{forward}.3": (hidden, 4 * hidden)}
    for name, shape in shapes.items():
        value = torch.randn(shape, generator=numbers) * 0.2
        plus["image_proj." + (name if name == "latents" else f"{name}.weight")] = value
        if name.startswith("proj_") or len(shape) == 1:
            plus[f"image_proj.{name}.bias"] = torch.zeros(shape[0])
    save_file(plus, tmp_path / "ip_adapter" / "plus.safetensors")
    engine = LocalEngine(Shelf(tmp_path), device="cpu", threads=1, previews=False)
    pictures = [drawn(engine, picture_prompts=(said(file, "plus"),)) for file in (CIRCLE, SQUARE)]
    assert len({drawn(engine), *pictures}) == 3
