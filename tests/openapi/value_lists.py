"""The words that the pages list, spelled as they spell them. Kept apart from the document so that a slip shows."""

V3_SAMPLERS = (
    "Euler a|Euler|LMS|Heun|DPM2|DPM2 a|DPM++ 2S a|DPM++ 2M|DPM++ SDE|DPM fast|DPM adaptive|LMS Karras|DPM2 Karras|"
    "DPM2 a Karras|DPM++ 2S a Karras|DPM++ 2M Karras|DPM++ SDE Karras|DDIM|PLMS|UniPC"
)
V2_SAMPLERS = (
    "DPM++ 2M Karras|DPM++ SDE Karras|DPM++ 2M SDE Exponential|DPM++ 2M SDE Karras|Euler a|Euler|LMS|Heun|DPM2|DPM2 a|"
    "DPM++ 2S a|DPM++ 2M|DPM++ SDE|DPM++ 2M SDE|DPM++ 2M SDE Heun|DPM++ 2M SDE Heun Karras|"
    "DPM++ 2M SDE Heun Exponential|DPM++ 3M SDE|DPM++ 3M SDE Karras|DPM++ 3M SDE Exponential|DPM fast|DPM adaptive|"
    "LMS Karras|DPM2 Karras|DPM2 a Karras|DPM++ 2S a Karras|Restart|DDIM|PLMS|UniPC"
)
_SD15_CONTROL = (
    "control_v11e_sd15_ip2p|control_v11e_sd15_shuffle|control_v11f1e_sd15_tile|control_v11f1p_sd15_depth|"
    "control_v11p_sd15_canny|control_v11p_sd15_inpaint|control_v11p_sd15_lineart|control_v11p_sd15_mlsd|"
    "control_v11p_sd15_normalbae|control_v11p_sd15_openpose|control_v11p_sd15_scribble|control_v11p_sd15_seg|"
    "control_v11p_sd15_softedge|control_v11p_sd15s2_lineart_anime"
)
V3_CONTROL_MODELS = (
    f"{_SD15_CONTROL}|control_v1p_sd15_brightness|control_v1p_sd15_qrcode_monster|control_v1p_sd15_qrcode_monster_v2|"
    "controlnet-canny-sdxl-1.0|controlnet-depth-sdxl-1.0|controlnet-openpose-sdxl-1.0|controlnet-softedge-sdxl-1.0"
)
V2_CONTROL_MODELS = (
    f"{_SD15_CONTROL}|ip-adapter-plus-face_sd15|ip-adapter_sd15_plus|ip-adapter_sd15|t2i-adapter_diffusers_xl_canny|"
    "t2i-adapter_diffusers_xl_depth_midas|t2i-adapter_diffusers_xl_depth_zoe|t2i-adapter_diffusers_xl_lineart|"
    "t2i-adapter_diffusers_xl_openpose|t2i-adapter_diffusers_xl_sketch|t2i-adapter_xl_canny|t2i-adapter_xl_openpose|"
    "t2i-adapter_xl_sketch|ip-adapter_xl"
)
V3_PREPROCESSORS = (
    "scribble_hed|softedge_hed|scribble_hedsafe|softedge_hedsafe|depth_midas|mlsd|openpose|openpose_face|"
    "openpose_faceonly|openpose_full|openpose_hand|dwpose|scribble_pidinet|softedge_pidinet|scribble_pidsafe|"
    "softedge_pidsafe|normal_bae|lineart_coarse|lineart_realistic|lineart_anime|lineart|depth_zoe|shuffle|"
    "mediapipe_face|canny|depth|depth_leres|depth_leres++"
)
V2_MODULES = (
    "none|canny|depth|depth_leres|depth_leres++|hed|hed_safe|mediapipe_face|mlsd|normal_map|openpose|openpose_hand|"
    "openpose_face|openpose_faceonly|openpose_full|clip_vision|color|pidinet|pidinet_safe|pidinet_sketch|"
    "pidinet_scribble|scribble_xdog|scribble_hed|segmentation|threshold|depth_zoe|normal_bae|oneformer_coco|"
    "oneformer_ade20k|lineart|lineart_coarse|lineart_anime|lineart_standard|shuffle|tile_resample|invert|"
    "lineart_anime_denoise|reference_only|reference_adain|reference_adain+attn|inpaint|inpaint_only|"
    "inpaint_only+lama|tile_colorfix|tile_colorfix+sharp|depth_anything"
)
V3_STATUSES = "TASK_STATUS_QUEUED|TASK_STATUS_PROCESSING|TASK_STATUS_SUCCEED|TASK_STATUS_FAILED"

LISTS = {
    "v3-samplers": V3_SAMPLERS,
    "v2-samplers": V2_SAMPLERS,
    "v3-control-models": V3_CONTROL_MODELS,
    "v2-control-models": V2_CONTROL_MODELS,
    "v3-preprocessors": V3_PREPROCESSORS,
    "v2-modules": V2_MODULES,
    "v3-statuses": V3_STATUSES,
}
"""By the name that the field table uses; the words stand between bars."""
