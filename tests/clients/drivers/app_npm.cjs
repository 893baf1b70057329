// The shortest programs around the vendor's JavaScript client: one picture into out.png. Nothing is caught or checked.
// The argument is the folder in which the client is installed; its version decides which call there is.
const { writeFileSync } = require("node:fs");
const { createRequire } = require("node:module");
const { join } = require("node:path");
const { NovitaSDK } = createRequire(join(process.argv[2], "package.json"))("novita-sdk");

const BASE = {
  model_name: "dreamshaper_8_93211.safetensors", prompt: "a quiet harbour", negative_prompt: "", width: 512, height: 512,
  steps: 12, seed: 7, sampler_name: "Euler a",
};

async function main() {
  const sdk = new NovitaSDK(process.env.NOVITA_API_KEY);
  sdk.setBaseUrl(process.env.NOVITA_API_URI);
  if (sdk.txt2ImgSync) { // it submits, polls and downloads by itself
    const [picture] = await sdk.txt2ImgSync({ ...BASE, cfg_scale: 7, n_iter: 1, batch_size: 1 }, { img_type: "base64" });
    writeFileSync("out.png", Buffer.from(picture.split(",")[1], "base64"));
    return;
  }
  const { task_id } = await sdk.txt2Img({ request: { ...BASE, image_num: 1, guidance_scale: 7.5 } });
  let result;
  do {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    result = await sdk.progress({ task_id });
  } while (["TASK_STATUS_QUEUED", "TASK_STATUS_PROCESSING"].includes(result.task.status));
  const answer = await fetch(result.images[0].image_url);
  writeFileSync("out.png", Buffer.from(await answer.arrayBuffer()));
}

main();
