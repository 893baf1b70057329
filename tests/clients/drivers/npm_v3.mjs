// The calls of `novita-sdk` 3.1.3, each as a caller would write it. The client submits and polls once per call;
// looping and downloading are left to the caller.

import { download, failing, NOWHERE, pause, picture, run } from "./driving.mjs";

const SD15 = "dreamshaper_8_93211.safetensors";

const BASE = {
  model_name: SD15,
  prompt: "a lighthouse on a cliff, morning light",
  negative_prompt: "blurry",
  width: 512,
  height: 384,
  image_num: 1,
  steps: 12,
  seed: 4242,
  guidance_scale: 7.5,
  sampler_name: "DPM++ 2M Karras",
};

/** Polls to the end, at most 50 times: on the auto clock each poll brings the next event. */
async function finish(sdk, { task_id }) {
  const polls = [];
  let result;
  do {
    result = await sdk.progress({ task_id });
    const { status, progress_percent, eta } = result.task;
    polls.push({ status, percent: progress_percent, eta });
  } while (["TASK_STATUS_QUEUED", "TASK_STATUS_PROCESSING"].includes(result.task.status) && polls.length < 50);
  return { polls, result };
}

async function outcome(sdk, submitted) {
  const { polls, result } = await finish(sdk, submitted);
  const links = result.images.map((image) => image.image_url);
  return {
    polls,
    task_id: result.task.task_id,
    status: result.task.status,
    task_type: result.task.task_type,
    seed: result.extra.seed,
    links,
    types: result.images.map((image) => image.image_type),
    verdicts: result.images.map((image) => image.nsfw_detection_result),
    ...(await download(links)),
  };
}

async function txt2img(sdk) {
  return outcome(sdk, await sdk.txt2Img({ request: { ...BASE, image_num: 2 } }));
}

async function img2img(sdk) {
  const request = { ...BASE, height: 512, image_base64: await picture("source.png"), strength: 0.2, seed: 7 };
  return outcome(sdk, await sdk.img2Img({ extra: { response_image_type: "jpeg" }, request }));
}

async function controlnet(sdk) {
  const image_base64 = await picture("source.png");
  const unit = {
    model_name: "control_v11p_sd15_canny",
    image_base64,
    strength: 0.8,
    preprocessor: "canny",
    guidance_start: 0,
    guidance_end: 0.9,
  };
  const request = { ...BASE, image_base64, seed: 8, controlnet: { units: [unit] } };
  return outcome(sdk, await sdk.img2img({ extra: { response_image_type: "webp" }, request }));
}

async function hires(sdk) {
  const hires_fix = { target_width: 768, target_height: 512, strength: 0.4, upscaler: "RealESRGAN_x4plus_anime_6B" };
  const request = { ...BASE, width: 384, height: 256, seed: 9, hires_fix };
  return outcome(sdk, await sdk.txt2img({ extra: { response_image_type: "webp" }, request }));
}

async function loras(sdk) {
  const request = {
    ...BASE,
    seed: 10,
    loras: [{ model_name: "add_detail_44319", strength: 0.6 }],
    embeddings: [{ model_name: "badhandv4_16755.pt" }],
  };
  return outcome(sdk, await sdk.txt2Img({ request }));
}

async function nsfw(sdk) {
  const extra = { enable_nsfw_detection: true, nsfw_detection_level: 2 };
  return outcome(sdk, await sdk.txt2Img({ extra, request: { ...BASE, seed: 12 } }));
}

/** Follows next_cursor to the end, at most 200 pages; `at` writes the query of one page. */
async function walk(sdk, at) {
  const pages = [];
  let cursor;
  do {
    const page = await sdk.getModels(at(cursor));
    pages.push(page.models.map((model) => model.id));
    cursor = page.pagination?.next_cursor;
  } while (cursor && pages.length < 200);
  return pages;
}

async function models(sdk) {
  const loras = await sdk.getModels({ filter: { types: "lora" }, pagination: { limit: 100 } });
  return {
    flat: await walk(sdk, (cursor) => ({ "pagination.limit": 7, ...(cursor && { "pagination.cursor": cursor }) })),
    nested: await walk(sdk, (cursor) => ({ pagination: { limit: 7, ...(cursor && { cursor }) } })),
    lora_kinds: [...new Set(loras.models.map((model) => model.type.name))],
  };
}

async function expiredLink(sdk) {
  const { result } = await finish(sdk, await sdk.txt2Img({ request: BASE }));
  const links = result.images.map((image) => image.image_url);
  await pause({ links });
  return download(links);
}

async function refusedKey(sdk) {
  return {
    submit: await failing(() => sdk.txt2Img({ request: BASE })),
    poll: await failing(() => sdk.progress({ task_id: NOWHERE })),
    models: await failing(() => sdk.getModels()),
  };
}

async function unknownTask(sdk) {
  return failing(() => sdk.progress({ task_id: NOWHERE }));
}

async function badRequest(sdk) {
  return failing(() => sdk.txt2Img({ request: { ...BASE, steps: 101 } }));
}

await run({
  txt2img,
  img2img,
  controlnet,
  hires,
  loras,
  nsfw,
  models,
  "expired-link": expiredLink,
  "refused-key": refusedKey,
  "unknown-task": unknownTask,
  "bad-request": badRequest,
});
