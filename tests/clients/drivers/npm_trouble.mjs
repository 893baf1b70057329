// The JavaScript client's jobs, as a caller writes them who trusts the client: what comes out, good or bad.
//
// Takes a folder with `jobs.json`, a list of jobs; each has a key, hence a world, of its own. `v2` is the one call of
// 1.1.0 that submits, polls and downloads. `v3` is the loop that a caller of either version has to write.

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { download, failure, NovitaSDK, run } from "./driving.mjs";

const folder = process.argv[3];
const UNFINISHED = ["TASK_STATUS_QUEUED", "TASK_STATUS_PROCESSING"];
const BASE = {
  model_name: "dreamshaper_8_93211.safetensors",
  prompt: "a quiet harbour",
  negative_prompt: "blurry",
  width: 512,
  height: 512,
  steps: 12,
  seed: 7,
  sampler_name: "Euler a",
};

/** What the client hands on without a word; it is the caller's to see what is wrong. */
const asItIs = (what) => ({ text: `hands on the answer as it is: ${what}` });

async function v2(sdk) {
  const request = { ...BASE, cfg_scale: 7, n_iter: 1, batch_size: 1 };
  const urls = await sdk.txt2ImgSync(request, { interval: 40, img_type: "base64" });
  return urls.map((url) => Buffer.from(/^data:.*?;base64,(.*)$/s.exec(url)[1], "base64"));
}

async function v3(sdk) {
  const submit = (sdk.txt2ImgV3 ?? sdk.txt2Img).bind(sdk);
  const progress = (sdk.progressV3 ?? sdk.progress).bind(sdk);
  const submitted = await submit({ request: { ...BASE, image_num: 1, guidance_scale: 7.5 } });
  if (!submitted.task_id) return asItIs("without a task_id");
  let result;
  let polls = 0;
  do {
    result = await progress({ task_id: submitted.task_id });
    polls += 1;
  } while (UNFINISHED.includes(result.task.status) && polls < 50);
  if (result.task.status !== "TASK_STATUS_SUCCEED") {
    return asItIs(`status ${result.task.status}`);
  }
  if (!Array.isArray(result.images)) return asItIs(`images ${JSON.stringify(result.images)}`);
  const { files } = await download(result.images.map((image) => image.image_url));
  return Promise.all(files.map((name) => readFile(join(folder, name))));
}

/** The caller tries the whole job once more when it fails. */
async function again(sdk) {
  try {
    return await v3(sdk);
  } catch {
    return v3(sdk);
  }
}

async function done({ key, kind }) {
  const sdk = new NovitaSDK(key);
  sdk.setBaseUrl(process.env.NOVITA_API_URI);
  try {
    const pictures = await { v2, v3, again }[kind](sdk);
    if (!Array.isArray(pictures)) return pictures;
    const files = pictures.map((_, index) => `${key}-${index}.bin`);
    await Promise.all(files.map((name, index) => writeFile(join(folder, name), pictures[index])));
    return { files };
  } catch (error) {
    return failure(error);
  }
}

async function jobs() {
  const reports = {};
  for (const job of JSON.parse(await readFile(join(folder, "jobs.json"), "utf8"))) {
    reports[job.key] = await done(job);
  }
  return reports;
}

await run({ jobs });
