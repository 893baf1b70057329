"""Every field that the pages name, with its type, bounds, words and default: a table, compared with the document.

A row is: path, type (`!` required, `?` null allowed), then in any order a range of values, lengths `#[..]` or entries
`n<=..`, words `=a|b` or `=@list`, a default `:value`. Nothing else may stand in the document.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from openapi.vocabulary import JsonObject
from tests.openapi.samples import contract, merged
from tests.openapi.value_lists import LISTS

EXTRA = """
extra                                     object
extra.response_image_type                 string  =png|webp|jpeg :png
extra.webhook                             object
extra.webhook.url                         string!
extra.webhook.test_mode                   object
extra.webhook.test_mode.enabled           boolean! :False
extra.webhook.test_mode.return_task_status string! =TASK_STATUS_SUCCEED|TASK_STATUS_FAILED
extra.custom_storage                      object
extra.custom_storage.aws_s3               object
extra.custom_storage.aws_s3.region        string!
extra.custom_storage.aws_s3.bucket        string!
extra.custom_storage.aws_s3.path          string!
extra.custom_storage.aws_s3.save_to_path_directly boolean :False
extra.enterprise_plan                     object
extra.enterprise_plan.enabled             boolean :False
extra.enable_nsfw_detection               boolean
extra.nsfw_detection_level                integer =0|1|2 :0
request                                   object!
"""
SHARED = """
request.model_name                        string!
request.prompt                            string! #[1,1024]
request.negative_prompt                   string  #[1,1024]
request.width                             integer! [128,2048]
request.height                            integer! [128,2048]
request.image_num                         integer! [1,8]
request.steps                             integer! [1,100]
request.guidance_scale                    number! [1,30]
request.sampler_name                      string! =@v3-samplers
request.sd_vae                            string
request.seed                              integer [-1,] :-1
request.loras                             array   n<=5
request.loras[].model_name                string!
request.loras[].strength                  number! [0,1]
request.embeddings                        array   n<=5
request.embeddings[].model_name           string!
request.clip_skip                         integer [1,12]
"""
TABLES = {
    "createTxt2imgTask": EXTRA
    + SHARED
    + """
request.hires_fix                         object
request.hires_fix.target_width            integer! [128,4096]
request.hires_fix.target_height           integer! [128,4096]
request.hires_fix.strength                number! [0,1]
request.hires_fix.upscaler                string  =RealESRGAN_x4plus_anime_6B|RealESRNet_x4plus|Latent
request.refiner                           object
request.refiner.switch_at                 number! [0,1]
request.enable_transparent_background     boolean
request.restore_faces                     boolean
""",
    "createImg2imgTask": EXTRA
    + SHARED
    + """
request.image_base64                      string!
request.strength                          number? [0,1]
request.controlnet                        object
request.controlnet.units                  array!
request.controlnet.units[].model_name     string! =@v3-control-models
request.controlnet.units[].image_base64   string!
request.controlnet.units[].strength       number! [0,1] :1
request.controlnet.units[].preprocessor   string  =@v3-preprocessors
request.controlnet.units[].guidance_start number  [0,1]
request.controlnet.units[].guidance_end   number  [0,1]
request.ip_adapters                       array   n<=1
request.ip_adapters[].model_name          string! =ip-adapter_sd15.bin|ip-adapter_sdxl.bin
request.ip_adapters[].image_base64        string!
request.ip_adapters[].strength            number! [0,1]
""",
    "createTxt2imgTaskV2": """
extra                                     object
extra.enable_nsfw_detection               boolean
extra.nsfw_detection_level                integer =0|1|2 :0
extra.enable_progress_info                boolean?
extra.response_image_type                 string  =png|jpeg :png
prompt                                    string!
negative_prompt                           string!
sampler_name                              string! =@v2-samplers
batch_size                                integer! [0,8]
n_iter                                    integer! [0,8]
steps                                     integer! (0,50]
cfg_scale                                 integer! (0,30]
seed                                      integer!
height                                    integer! (0,2048]
width                                     integer! (0,2048]
model_name                                string!
restore_faces                             boolean!
restore_faces_model                       null!?
sd_vae                                    string?
clip_skip                                 integer
enable_hr                                 boolean?
hr_upscaler                               string? =Latent|ESRGAN_4x|R-ESRGAN 4x+|R-ESRGAN 4x+ Anime6B
hr_scale                                  number? =1|2
hr_resize_x                               integer? [,2048]
hr_resize_y                               integer? [,2048]
img_expire_ttl                            integer? [0,604800]
sd_refiner                                object?
sd_refiner.checkpoint                     string! =sd_xl_refiner_1.0.safetensors
sd_refiner.switch_at                      number! [0,1]
controlnet_units                          array?
controlnet_units[].model                  string! =@v2-control-models
controlnet_units[].weight                 number!? :1
controlnet_units[].input_image            string!
controlnet_units[].module                 string! =@v2-modules
controlnet_units[].control_mode           integer!? =0|1|2
controlnet_units[].mask                   string?
controlnet_units[].resize_mode            integer? =0|1|2
controlnet_units[].processor_res          integer
controlnet_units[].threshold_a            integer
controlnet_units[].threshold_b            integer
controlnet_units[].guidance_start         number
controlnet_units[].guidance_end           number
controlnet_units[].pixel_perfect          boolean
""",
    "createImg2imgTaskV2": """
extra                                     object
extra.enable_nsfw_detection               boolean
extra.nsfw_detection_level                integer =0|1|2 :0
extra.enable_progress_info                boolean?
extra.response_image_type                 string  =png|jpeg :png
prompt                                    string!?
negative_prompt                           string?
sampler_name                              string!? =@v2-samplers
batch_size                                integer!? [0,8]
n_iter                                    integer!? [0,8]
steps                                     integer!? (0,50]
cfg_scale                                 number!? (0,30]
seed                                      integer?
height                                    integer! (0,2048]
width                                     integer! (0,2048]
model_name                                string!
init_images                               array!
denoising_strength                        number? [0,1]
restore_faces                             boolean?
sd_vae                                    string?
clip_skip                                 integer?
mask                                      string
mask_blur                                 integer
resize_mode                               integer? =0|1|2|3
image_cfg_scale                           integer?
inpainting_fill                           integer? =0|1|2|3
inpaint_full_res                          integer? =0|1
inpaint_full_res_padding                  integer?
inpainting_mask_invert                    integer =0|1
initial_noise_multiplier                  number
img_expire_ttl                            integer [0,604800]
sd_refiner                                object
sd_refiner.checkpoint                     string! =sd_xl_refiner_1.0.safetensors
sd_refiner.switch_at                      number! [0,1]
controlnet_units                          array?
controlnet_units[].model                  string! =@v2-control-models
controlnet_units[].weight                 number!? :1
controlnet_units[].input_image            string!
controlnet_units[].module                 string! =@v2-modules
controlnet_units[].control_mode           integer!? =0|1|2
controlnet_units[].mask                   string?
controlnet_units[].resize_mode            integer? =0|1|2
controlnet_units[].processor_res          integer?
controlnet_units[].threshold_a            integer?
controlnet_units[].threshold_b            integer?
controlnet_units[].guidance_start         number?
controlnet_units[].guidance_end           number?
controlnet_units[].pixel_perfect          boolean?
""",
    "getTaskResult": """
extra                                     object
extra.seed                                string
extra.enable_nsfw_detection               boolean
extra.debug_info                          object
extra.debug_info.request_info             string
extra.debug_info.submit_time_ms           string
extra.debug_info.execute_time_ms          string
extra.debug_info.complete_time_ms         string
extra.has_nsfw_contents                   array
extra.webhook                             object
extra.webhook.url                         string
task                                      object!
task.task_id                              string!
task.status                               string! =@v3-statuses
task.reason                               string
task.task_type                            string
task.eta                                  number  [0,]
task.progress_percent                     number  [0,100]
images                                    array
images[].image_url                        string
images[].image_url_ttl                    string|integer [0,]
images[].image_type                       string  =png|webp|jpeg
images[].nsfw_detection_result            object?
images[].nsfw_detection_result.valid      boolean!
images[].nsfw_detection_result.confidence number! [0,100]
videos                                    array
videos[].video_url                        string
videos[].video_url_ttl                    string|integer [0,]
videos[].video_type                       string  =mp4|gif
audios                                    array
audios[].audio_url                        string
audios[].audio_url_ttl                    string|integer [0,]
audios[].audio_type                       string  =wav
audios[].audio_metadata                   object
audios[].audio_metadata.text              string
audios[].audio_metadata.start_time        number
audios[].audio_metadata.end_time          number
""",
    "getProgressV2": """
code                                      any!    =0
msg                                       string
data                                      object!
data.status                               integer! =0|1|2|3|4
data.progress                             number  [0,1]
data.eta_relative                         number  [0,]
data.imgs                                 array?
data.failed_reason                        string
data.current_images                       array
data.submit_time                          string
data.execution_time                       string
data.txt2img_time                         string
data.finish_time                          string
data.info                                 string
data.enable_nsfw_detection                boolean
data.nsfw_detection_result                array?
data.nsfw_detection_result[].valid        boolean!
data.nsfw_detection_result[].confidence   number! [0,100]
data.debug_info                           object
data.debug_info.submit_time_ms            integer
data.debug_info.execution_time_ms         integer
data.debug_info.txt2img_time_ms           integer
data.debug_info.finish_time_ms            integer
""",
    "listModels": """
models                                    array!
models[].id                               integer
models[].name                             string
models[].hash_sha256                      string
models[].sd_name                          string!
models[].sd_name_in_api                   string
models[].type                             object
models[].type.name                        string
models[].type.display_name                string
models[].categories                       array
models[].status                           integer =0|1
models[].download_url                     string
models[].download_url_ttl                 integer [0,]
models[].tags                             array
models[].cover_url                        string
models[].source                           string  =civitai|training|uploading
models[].base_model                       string
models[].base_model_type                  string
models[].is_sdxl                          boolean
pagination                                object
pagination.next_cursor                    string
""",
}


def rows(text: str) -> dict[str, set[str]]:
    """Path to the words of its row."""
    table: dict[str, set[str]] = {}
    for line in filter(None, (line.strip() for line in text.splitlines())):
        path, _, rest = line.partition(" ")
        kind, _, facts = rest.strip().partition(" ")
        # Words may hold blanks ("R-ESRGAN 4x+"), so a row is cut only before something that begins a fact.
        table[path] = {kind, *_facts(facts.strip())}
    return table


def _facts(text: str) -> Iterator[str]:
    words, _, default = text.partition(" :") if " :" in text else (text, "", "")
    if text.startswith(":"):
        words, default = "", text[1:]
    if words.startswith("=@"):
        yield "=" + LISTS[words[2:]]
    elif words:
        yield words.strip()
    if default:
        yield f":{default}"


def documented(document: JsonObject, schema: JsonObject, prefix: str = "") -> Iterator[tuple[str, set[str]]]:
    """The same table, made from the document."""
    schema = chosen(document, schema)
    if "items" in schema:
        yield from documented(document, schema["items"], f"{prefix}[]")
    for name, field in schema.get("properties", {}).items():
        path = f"{prefix}.{name}" if prefix else name
        yield path, row(document, field, required=name in schema.get("required", ()))
        yield from documented(document, field, path)


def chosen(document: JsonObject, schema: JsonObject) -> JsonObject:
    """The schema, or the first of its alternatives."""
    schema = merged(document, schema)
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            outside = {name: value for name, value in schema.items() if name != keyword}
            return {**chosen(document, schema[keyword][0]), **outside}
    return schema


def row(document: JsonObject, field: JsonObject, *, required: bool) -> set[str]:
    given = merged(document, field)
    schema = chosen(document, field)
    types = schema.get("type", "any")
    names = types if isinstance(types, list) else [types]
    null = "null" in names or {"type": "null"} in given.get("anyOf", ())
    kind = "|".join(name for name in names if name != "null") or "null"
    found = {f"{kind}{'!' * required}{'?' * null}"}
    low, high = schema.get("minimum"), schema.get("maximum")
    if "exclusiveMinimum" in schema:
        found.add(f"({schema['exclusiveMinimum']},{high}]")
    elif low is not None or high is not None:
        found.add(f"[{'' if low is None else low},{'' if high is None else high}]")
    if "maxLength" in schema:
        found.add(f"#[{schema['minLength']},{schema['maxLength']}]")
    if "maxItems" in schema:
        found.add(f"n<={schema['maxItems']}")
    words = [schema["const"]] if "const" in schema else schema.get("enum", ())
    if words:
        found.add("=" + "|".join(str(word) for word in words if word is not None))
    if "default" in schema:
        found.add(f":{schema['default']}")
    return found


def body(operation_id: str) -> JsonObject:
    document = contract()
    operation = document.operations[operation_id]
    holder = document.raw["paths"][operation.path][operation.method.lower()]
    holder = holder.get("requestBody") or holder["responses"]["200"]
    schema: JsonObject = merged(document.raw, holder)["content"]["application/json"]["schema"]
    return schema


@pytest.mark.parametrize("operation_id", TABLES)
def test_every_field_is_documented_as_the_pages_have_it(operation_id: str) -> None:
    """Path, type, required, null, range, length, words and default of every field agree, and no field is extra."""
    expected = rows(TABLES[operation_id])
    found = dict(documented(contract().raw, body(operation_id)))
    assert {path: facts for path, facts in found.items() if expected.get(path) != facts} == {}
    assert expected.keys() == found.keys()


def test_v3_samplers_are_among_those_of_v2() -> None:
    """The 20 samplers of version 3 are a part of the 30 of version 2 (C23)."""
    v3, v2 = (set(LISTS[name].split("|")) for name in ("v3-samplers", "v2-samplers"))
    assert (len(v3), len(v2)) == (20, 30)
    assert v3 < v2


def test_txt2img_takes_no_source_picture() -> None:
    """Control units, picture prompts and a source picture belong to image to image only."""
    fields = contract().raw["components"]["schemas"]["Txt2imgRequest"]["properties"]
    assert not {"controlnet", "ip_adapters", "image_base64", "strength"} & fields.keys()
