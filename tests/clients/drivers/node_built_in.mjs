// A script of Node without packages that knows no address but the vendor's: one picture by fetch into the file of the
// first argument, the list of models by node:https, and what becomes of another host.
import { writeFileSync } from "node:fs";
import { get } from "node:https";

const SERVICE = "https://api.novita.ai";
const headers = { Authorization: "Bearer sk-built-in", "User-Agent": "script", "Content-Type": "application/json" };
const request = {
  model_name: "dreamshaper_8_93211.safetensors", prompt: "a dog", width: 512, height: 512, image_num: 1, steps: 20,
  seed: 7, guidance_scale: 7.5, sampler_name: "Euler a",
};

const submitted = await fetch(`${SERVICE}/v3/async/txt2img`, { method: "POST", headers, body: JSON.stringify({ request }) });
const { task_id } = await submitted.json();
let result;
do {
  result = await (await fetch(`${SERVICE}/v3/async/task-result?task_id=${task_id}`, { headers })).json();
} while (result.task.status !== "TASK_STATUS_SUCCEED");
const picture = await fetch(result.images[0].image_url);
writeFileSync(process.argv[2], Buffer.from(await picture.arrayBuffer()));

const status = await new Promise((resolve, reject) => {
  get(`${SERVICE}/v3/model`, { headers }, (answer) => resolve(answer.resume().statusCode)).on("error", reject);
});
console.log("models", status);
const other = await fetch("https://other.example.test/").then((answer) => answer.status, () => "an error");
console.log("another host", other);
