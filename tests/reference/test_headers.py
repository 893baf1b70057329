"""What the head of a file tells the shelf, without torch: families of checkpoints, LoRAs and ControlNets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reference_impl.headers import HeadError, head
from reference_impl.shelf import Family, Kind, Shelf


def put(file: Path, names: list[str], notes: dict[str, str] | None = None) -> Path:
    """A file in the format with one number for each name."""
    about: dict[str, object] = {"__metadata__": notes} if notes else {}
    for place, name in enumerate(names):
        about[name] = {"dtype": "F32", "shape": [1], "data_offsets": [4 * place, 4 * place + 4]}
    raw = json.dumps(about).encode()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(len(raw).to_bytes(8, "little") + raw + bytes(4 * len(names)))
    return file


def test_names_shapes_and_notes_are_read(tmp_path: Path) -> None:
    top = head(put(tmp_path / "a.safetensors", ["x.y", "z"], {"made": "here"}))
    assert dict(top.shapes) == {"x.y": (1,), "z": (1,)}
    assert dict(top.notes) == {"made": "here"}
    assert top.any("x.")
    assert not top.any("y.", "w")


@pytest.mark.parametrize(
    "raw",
    [b"", b"abc", b"\x00" * 8, (5).to_bytes(8, "little") + b"{}", (2).to_bytes(8, "little") + b"[]", b"\xff" * 20],
)
def test_what_is_no_such_file_is_told(tmp_path: Path, raw: bytes) -> None:
    file = tmp_path / "odd.safetensors"
    file.write_bytes(raw)
    with pytest.raises(HeadError, match=r"odd\.safetensors is no \.safetensors file"):
        head(file)


@pytest.mark.parametrize(
    ("names", "notes", "expected"),
    [
        (["cond_stage_model.transformer.text_model.x"], {}, (Family.SD15, False)),
        (["conditioner.embedders.0.transformer.x", "conditioner.embedders.1.model.x"], {}, (Family.SDXL, False)),
        (["conditioner.embedders.0.model.x"], {}, (Family.SDXL, True)),
        (["lora_te2_text_model_x"], {}, (Family.SDXL, False)),
        (["lora_unet_x"], {"ss_base_model_version": "sdxl_base_v1-0"}, (Family.SDXL, False)),
        (["lora_unet_x"], {"ss_base_model_version": "sd_v1"}, (Family.SD15, False)),
        (["clip_g", "clip_l"], {}, (Family.SDXL, False)),
        (["lora_unet_x"], {}, (None, False)),
    ],
)
def test_the_shelf_knows_the_family_of_a_file(
    tmp_path: Path, names: list[str], notes: dict[str, str], expected: tuple[Family | None, bool]
) -> None:
    put(tmp_path / "loras" / "one.safetensors", names, notes)
    [model] = Shelf(tmp_path).models
    assert (model.family, model.refiner) == expected


def test_what_is_said_beside_a_file_wins(tmp_path: Path) -> None:
    put(tmp_path / "checkpoints" / "one.safetensors", ["cond_stage_model.transformer.text_model.x"])
    (tmp_path / "checkpoints" / "one.json").write_text('{"base_model": "SDXL 1.0", "refiner": true}')
    [model] = Shelf(tmp_path).models
    assert (model.family, model.refiner) == (Family.SDXL, True)


def test_a_damaged_file_is_on_the_shelf_without_a_family(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "cut.safetensors").write_bytes(b"cut off")
    [model] = Shelf(tmp_path).models
    assert model.family is None


@pytest.mark.parametrize(("added", "family"), [("text_time", Family.SDXL), (None, Family.SD15)])
def test_a_control_net_says_in_its_configuration_what_it_is_for(
    tmp_path: Path, added: str | None, family: Family
) -> None:
    place = tmp_path / "controlnet" / "lines"
    place.mkdir(parents=True)
    (place / "config.json").write_text(json.dumps({"addition_embed_type": added}))
    [model] = Shelf(tmp_path).models
    assert model.family is family


def test_companions_of_models_are_no_models(tmp_path: Path) -> None:
    for name in ("ip_adapter/image_encoder", "checkpoints/mine.config"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "config.json").write_text("{}")
        (tmp_path / name / "model_index.json").write_text("{}")
    assert Shelf(tmp_path).models == ()


def test_a_picture_prompts_documented_name_finds_its_file(tmp_path: Path) -> None:
    put(tmp_path / "ip_adapter" / "ip-adapter_sd15.safetensors", ["image_proj.x"])
    shelf = Shelf(tmp_path)
    found = shelf.find(Kind.IP_ADAPTER, "ip-adapter_sd15.bin")
    assert found is not None
    assert found is shelf.find(Kind.IP_ADAPTER, "ip-adapter_sd15")
