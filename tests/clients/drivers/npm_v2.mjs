// The v2 calls of `novita-sdk` 1.1.0, each as a caller would write it. Its `...Sync` calls submit, poll on a timer and,
// when asked for base64, download.

import { download, failing, NOWHERE, pause, picture, run, save } from "./driving.mjs";

const CHECKPOINT = "dreamshaper_8_93211.safetensors";

const base = () => ({
  model_name: CHECKPOINT,
  prompt: "a lighthouse on a cliff, morning light",
  negative_prompt: "blurry",
  sampler_name: "Euler a",
  steps: 12,
  cfg_scale: 7,
  width: 384,
  height: 256,
  n_iter: 1,
  batch_size: 1,
  seed: 4242,
}); // a new one each time: the client writes the LoRA tags into the object it is given

const QUICK = { interval: 20, img_type: "base64" };

/** `data:TYPE;base64,TEXT` as the client hands it over, split and saved. */
async function unpack(urls) {
  const parts = urls.map((url) => /^data:([^;]*);base64,(.*)$/s.exec(url));
  return {
    content_types: parts.map((part) => part[1]),
    files: await save(parts.map((part) => Buffer.from(part[2], "base64"))),
  };
}

async function txt2img(sdk) {
  return unpack(await sdk.txt2ImgSync({ ...base(), batch_size: 2, n_iter: 2 }, QUICK));
}

async function img2img(sdk) {
  const request = {
    ...base(),
    init_images: [await picture("source.png")],
    mask: await picture("mask.png"),
    denoising_strength: 0.9,
    width: 512,
    height: 512,
    seed: 7,
  };
  return unpack(await sdk.img2imgSync(request, QUICK));
}

async function controlnet(sdk) {
  const unit = {
    model: "control_v11p_sd15_canny",
    weight: 1,
    control_mode: 1,
    module: "canny",
    input_image: await picture("source.png"),
    resize_mode: 1,
  };
  return unpack(await sdk.txt2ImgSync({ ...base(), seed: 8, controlnet_units: [unit] }, QUICK));
}

async function hires(sdk) {
  const request = { ...base(), seed: 9, enable_hr: true, hr_upscaler: "Latent", hr_resize_x: 768, hr_resize_y: 512 };
  return unpack(await sdk.txt2ImgSync(request, QUICK));
}

async function loras(sdk) {
  const request = { ...base(), seed: 10, lora: [{ sd_name: "add_detail_44319", weight: 0.6 }] };
  const report = await unpack(await sdk.txt2ImgSync(request, QUICK));
  return { ...report, prompt: request.prompt };
}

async function progress(sdk) {
  const { task_id } = await sdk.txt2Img(base());
  const polls = [];
  let state;
  do {
    state = await sdk.progress({ task_id });
    polls.push({ status: state.status, progress: state.progress, eta: state.eta_relative });
  } while (state.status < 2 && polls.length < 50);
  return { task_id, polls, failed_reason: state.failed_reason, ...(await download(state.imgs)) };
}

/** The v3 calls of this version: the same routes under other names. */
async function v3(sdk) {
  const { model_name, prompt, negative_prompt, sampler_name, steps, width, height, seed } = base();
  const request = { model_name, prompt, negative_prompt, sampler_name, steps, width, height, seed };
  const { task_id } = await sdk.txt2ImgV3({ request: { ...request, image_num: 1, guidance_scale: 7.5 } });
  let result;
  let polls = 0;
  do {
    result = await sdk.progressV3({ task_id });
    polls += 1;
  } while (["TASK_STATUS_QUEUED", "TASK_STATUS_PROCESSING"].includes(result.task.status) && polls < 50);
  return { task_id, status: result.task.status, ...(await download(result.images.map((image) => image.image_url))) };
}

async function expiredLink(sdk) {
  const links = await sdk.txt2ImgSync(base(), { ...QUICK, img_type: "url" });
  await pause({ links });
  return download(links);
}

async function refusedKey(sdk) {
  return {
    submit: await failing(() => sdk.txt2Img(base())),
    sync: await failing(() => sdk.txt2ImgSync(base(), QUICK)),
    poll: await failing(() => sdk.progress({ task_id: NOWHERE })),
    v3: await failing(() => sdk.progressV3({ task_id: NOWHERE })),
  };
}

async function unknownTask(sdk) {
  return failing(() => sdk.progress({ task_id: NOWHERE }));
}

async function badRequests(sdk) {
  return {
    steps: await failing(() => sdk.txt2Img({ ...base(), steps: 51 })),
    model: await failing(() => sdk.txt2Img({ ...base(), model_name: "no_such_model.safetensors" })),
    sampler: await failing(() => sdk.txt2Img({ ...base(), sampler_name: "DPM++ Karras" })),
  };
}

async function models(sdk) {
  return failing(() => sdk.getModels());
}

await run({
  txt2img,
  img2img,
  controlnet,
  hires,
  loras,
  progress,
  v3,
  "expired-link": expiredLink,
  "refused-key": refusedKey,
  "unknown-task": unknownTask,
  "bad-requests": badRequests,
  models,
});
