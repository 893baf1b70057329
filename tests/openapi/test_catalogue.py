"""The catalogue of models: what it holds, how names are found, how the list is filtered."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import openapi
from openapi.catalogue import Catalogue, CatalogueError, Kind, Model, Source, Visibility, expand, load_catalogue

PACKAGE = Path(openapi.__file__).parent
RAW: dict[str, Any] = yaml.safe_load((PACKAGE / "catalogue.yaml").read_text(encoding="utf-8"))
CATALOGUE = Catalogue(expand(RAW))
MODELS = st.sampled_from(CATALOGUE.models)


def one_model(**changes: object) -> dict[str, Any]:
    """A catalogue file with one model."""
    group = {"kind": "lora", "base_model": "SD 1.5", "ending": ".safetensors", "models": [{"stem": "thing_1"}]}
    return {"format": 1, "groups": [{**group, **changes}]}


def only(raw: dict[str, Any]) -> Model:
    (model,) = expand(raw)
    return model


def test_the_compiled_catalogue_holds_the_same_models() -> None:
    """The file that programs load is the YAML file, converted."""
    assert load_catalogue().models == CATALOGUE.models


def test_ids_are_unique_and_hashes_have_ten_digits() -> None:
    """No two models share an id; every hash is ten upper-case hexadecimal digits, as on the page."""
    assert len({model.id for model in CATALOGUE}) == len(CATALOGUE)
    assert all(re.fullmatch("[0-9A-F]{10}", model.hash_sha256) for model in CATALOGUE)


def test_the_list_has_two_pages_of_a_hundred() -> None:
    """The Python client asks for c_0 and c_100 and gets models both times."""
    assert 100 < len(CATALOGUE) < 200


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_has_usable_models(kind: Kind) -> None:
    """Each word of filter.types finds something that requests may name."""
    assert any(model.usable for model in CATALOGUE.query(types=[kind]))


def test_every_filter_value_is_met() -> None:
    """Both visibilities, the three sources, both base models, inpainting, the refiner and status 0 occur."""
    assert {model.visibility for model in CATALOGUE} == set(Visibility)
    assert {model.source for model in CATALOGUE} == set(Source)
    assert {model.is_sdxl for model in CATALOGUE if model.kind is Kind.CHECKPOINT} == {True, False}
    assert {model.base_model_type for model in CATALOGUE} == {"Standard", "Inpainting", "Refiner"}
    assert {model.status for model in CATALOGUE} == {0, 1}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("sd_xl_base_1.0.safetensors", Kind.CHECKPOINT),
        ("sd_xl_refiner_1.0.safetensors", Kind.CHECKPOINT),
        ("dreamshaper_5BakedVae.safetensors", Kind.CHECKPOINT),
        ("majicmixRealistic_v7_134792.safetensors", Kind.CHECKPOINT),
        ("realisticVisionV51_v51VAE_94301.safetensors", Kind.CHECKPOINT),
        ("add_detail_44319", Kind.LORA),
        ("GoodHands-beta2_39807", Kind.LORA),
        ("badhandv4_16755", Kind.TEXTUALINVERSION),
        ("badhandv4_16755.pt", Kind.TEXTUALINVERSION),
        ("sdxl_vae.safetensors", Kind.VAE),
        ("control_v11p_sd15_canny", Kind.CONTROLNET),
        ("ip-adapter_sd15", Kind.CONTROLNET),
        ("ip-adapter_sd15.bin", Kind.CONTROLNET),
        ("R-ESRGAN 4x+ Anime6B", Kind.UPSCALER),
    ],
)
def test_names_used_by_examples_and_clients_are_known(name: str, kind: Kind) -> None:
    """C27: the names that the examples and the public clients send find a usable model."""
    found = CATALOGUE.find(name, kind)
    assert found is not None
    assert found.model.usable


@pytest.mark.parametrize("kind", ["model_name.sd15", "model_name.sdxl"])
def test_control_models_know_their_base_model(kind: str) -> None:
    """A control model of one of the two lists of the v3 page belongs to the base model that heads the list."""
    names = {
        "model_name.sd15": ["control_v11p_sd15_openpose", "control_v1p_sd15_qrcode_monster_v2"],
        "model_name.sdxl": ["controlnet-canny-sdxl-1.0", "controlnet-softedge-sdxl-1.0"],
    }[kind]
    for name in names:
        found = CATALOGUE.find(name, Kind.CONTROLNET)
        assert found is not None
        assert found.model.is_sdxl == kind.endswith("sdxl")


@given(model=MODELS)
def test_either_name_finds_the_model_and_only_one_is_documented(model: Model) -> None:
    """C27: sd_name and sd_name_in_api both work; the one that the pages do not ask for is told apart."""
    for name in (model.sd_name, model.sd_name_in_api):
        found = CATALOGUE.find(name, model.kind)
        assert found is not None
        assert found.model is model
        assert found.documented_name == model.documented_name
        if model.kind not in {Kind.CONTROLNET, Kind.UPSCALER}:
            assert found.documented == (name == model.documented_name)


def test_a_checkpoint_is_found_without_its_file_ending() -> None:
    """C27: a known name without its ending is understood, but is not the documented one."""
    found = CATALOGUE.find("sd_xl_base_1.0", Kind.CHECKPOINT)
    assert found is not None
    assert found.model.sd_name == "sd_xl_base_1.0.safetensors"
    assert not found.documented


@pytest.mark.parametrize("name", ["sd_xl_base_1", "SD_XL_BASE_1.0.safetensors", "add_detail", "", "nothing.pt"])
def test_other_names_are_unknown(name: str) -> None:
    """Spelling and case are exact."""
    assert CATALOGUE.find(name, Kind.CHECKPOINT) is None
    assert CATALOGUE.find(name, Kind.LORA) is None


def test_a_name_is_known_only_as_its_kind() -> None:
    """A checkpoint's name is no LoRA."""
    assert CATALOGUE.find("sd_xl_base_1.0.safetensors", Kind.LORA) is None


@given(
    visibility=st.none() | st.sampled_from(["public", "private"]),
    source=st.none() | st.sampled_from(["civitai", "training", "uploading"]),
    types=st.lists(st.sampled_from([*Kind, "locon", "unheard-of"]), max_size=3),
    is_sdxl=st.none() | st.booleans(),
    query=st.none() | st.sampled_from(["", "anime", "XL", "v2", "no such thing"]),
    is_inpainting=st.none() | st.booleans(),
)
def test_a_filtered_list_is_the_list_without_the_others(
    visibility: str | None,
    source: str | None,
    types: list[str],
    is_sdxl: bool | None,
    query: str | None,
    is_inpainting: bool | None,
) -> None:
    """Filters combine by and, keep the order, and drop exactly what fails one of them."""
    listed = CATALOGUE.query(
        visibility=visibility,
        source=source,
        types=types,
        is_sdxl=is_sdxl,
        query=query,
        is_inpainting=is_inpainting,
    )
    rest = [model for model in CATALOGUE if model not in listed]
    assert [model for model in CATALOGUE if model in listed] == listed

    def fails(model: Model) -> bool:
        texts = [text.lower() for text in (model.sd_name, model.name, *model.tags)]
        return (
            (visibility is not None and model.visibility != visibility)
            or (source is not None and model.source != source)
            or (bool(types) and model.kind not in types and model.type not in types)
            or (is_sdxl is not None and model.is_sdxl != is_sdxl)
            or (is_inpainting is True and model.base_model_type != "Inpainting")
            or (bool(query) and not any((query or "").lower() in text for text in texts))
        )

    assert not any(map(fails, listed))
    assert all(map(fails, rest))


def test_lora_includes_locon_and_locon_is_a_type_of_its_own() -> None:
    """The type name locon of the page's example is used like a LoRA, and can be asked for by name."""
    assert {model.type for model in CATALOGUE.query(types=["lora"])} == {"lora", "locon"}
    assert {model.type for model in CATALOGUE.query(types=["locon"])} == {"locon"}


def test_the_wire_form_of_the_documented_example() -> None:
    """A model of the page's example has the same values on the wire; links and the two optional fields are ours."""
    found = CATALOGUE.find("GoodHands-beta2_39807", Kind.LORA)
    assert found is not None
    wire = found.model.as_wire()
    assert wire.pop("download_url") == "https://models.example/55199"
    assert wire.pop("cover_url") == "https://covers.example/55199.jpeg"
    assert wire.pop("source") == "civitai"
    assert wire == {
        "id": 55199,
        "name": "beta2",
        "hash_sha256": "BA43B0EFEE",
        "sd_name": "GoodHands-beta2_39807.safetensors",
        "type": {"name": "locon", "display_name": "locon"},
        "categories": [],
        "status": 1,
        "tags": ["photorealistic", "concept", "hands"],
        "base_model": "SD 1.5",
        "base_model_type": "Standard",
        "download_url_ttl": 2592000,
        "sd_name_in_api": "GoodHands-beta2_39807",
        "is_sdxl": False,
    }


@given(model=MODELS)
def test_the_wire_form_is_json(model: Model) -> None:
    """as_wire holds plain values only."""
    assert orjson.loads(orjson.dumps(model.as_wire())) == model.as_wire()


def test_defaults_are_filled_in_and_do_not_depend_on_the_place() -> None:
    """Id and hash come from the name alone, so a new line moves no other model."""
    model = only(one_model())
    again = list(expand(one_model(models=[{"stem": "other"}, {"stem": "thing_1"}])))[1]
    assert model == again
    assert (model.name, model.status, model.source, model.visibility) == ("thing", 1, "civitai", "public")


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"format": 2, "groups": []}, "knows format 1"),
        (one_model(colour="red"), "group 1: unknown key 'colour'"),
        (one_model(models=[{"stem": "thing", "hsh": "1"}]), "group 1, 'thing': unknown key 'hsh'"),
        (one_model(kind="hypernetwork"), "group 1, 'thing_1': 'hypernetwork' is not a valid Kind"),
        (one_model(models=[{"name": "no stem"}]), "group 1, None: 'stem'"),
    ],
)
def test_a_mistake_in_the_file_is_named(raw: dict[str, Any], message: str) -> None:
    """An unknown key or value stops the load and says where it stands."""
    with pytest.raises(CatalogueError, match=re.escape(message)):
        list(expand(raw))


def test_two_models_may_not_answer_to_one_name() -> None:
    """A name that would be ambiguous is refused when the catalogue is made."""
    rows = [{"stem": "thing"}, {"stem": "thing", "ending": ".pt"}]
    with pytest.raises(CatalogueError, match="two models of kind lora answer to the name 'thing'"):
        Catalogue(expand(one_model(models=rows)))


def test_loading_needs_no_yaml() -> None:
    """Programs that only serve pay for no YAML parser."""
    program = "import sys; from openapi.catalogue import load_catalogue; load_catalogue(); print('yaml' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "False\n"


def test_a_missing_or_broken_file_is_named(tmp_path: Path) -> None:
    """The error says which file, and what makes it."""
    with pytest.raises(CatalogueError, match=r"absent\.json: cannot be read .No such file.*openapi\.build"):
        load_catalogue(tmp_path / "absent.json")
    (tmp_path / "broken.json").write_text("{", encoding="utf-8")
    with pytest.raises(CatalogueError, match=r"broken\.json: not JSON"):
        load_catalogue(tmp_path / "broken.json")
