// novita-sdk 1.0.10 as a caller uses it who never heard of another address: one picture into the file of the first argument.
const { writeFileSync } = require("node:fs");
const { createRequire } = require("node:module");
const { join } = require("node:path");
const { NovitaSDK } = createRequire(join(process.cwd(), "package.json"))("novita-sdk");

const request = {
  model_name: "dreamshaper_8_93211.safetensors", prompt: "a dog", width: 512, height: 512, batch_size: 1, n_iter: 1,
  steps: 20, cfg_scale: 7.5, sampler_name: "Euler a", seed: 7,
};

new NovitaSDK(process.env.NOVITA_API_KEY)
  .txt2ImgSync(request, { interval: 50, img_type: "base64" })
  .then(([picture]) => writeFileSync(process.argv[2], Buffer.from(picture.split(",")[1], "base64")))
  .catch((error) => {
    console.error(error);
    process.exit(1);
  });
