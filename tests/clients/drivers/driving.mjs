// What both JavaScript drivers share: the client out of its own environment (the working directory), where the server
// is, where pictures go, and the one JSON line at the end.
//
//   NOVITA_API_URI=.. NOVITA_API_KEY=.. node npm_v3.mjs SCENARIO FOLDER      (in .clients/npm-3.1.3)

import { readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";

const [scenarioName, folder] = process.argv.slice(2);

export const { NovitaSDK, NovitaError, ...vendor } = createRequire(join(process.cwd(), "package.json"))("novita-sdk");
export const NOWHERE = "00000000-0000-4000-8000-000000000000";

/** The client as a caller makes it: the constructor takes the key, the server's address comes after. */
export function client() {
  const sdk = new NovitaSDK(process.env.NOVITA_API_KEY);
  sdk.setBaseUrl(process.env.NOVITA_API_URI);
  return sdk;
}

/** Base64 of one of the input pictures, source.png or mask.png. */
export async function picture(name) {
  return (await readFile(join(folder, name))).toString("base64");
}

/** Writes downloaded bytes, whatever they are, and gives the file names. */
export async function save(pictures) {
  const names = pictures.map((_, index) => `picture-${index}.bin`);
  await Promise.all(pictures.map((content, index) => writeFile(join(folder, names[index]), content)));
  return names;
}

/** Fetches links the way callers do who get only links from the client: without any header of theirs. */
export async function download(links) {
  const answers = await Promise.all(links.map((link) => fetch(link)));
  const contents = await Promise.all(answers.map(async (answer) => Buffer.from(await answer.arrayBuffer())));
  return { statuses: answers.map((answer) => answer.status), files: await save(contents) };
}

/** An error of the client as a report: its fields are what a caller can decide by. */
export function failure(error) {
  return {
    error: error.constructor.name,
    isNovitaError: error instanceof NovitaError,
    text: error.message ?? error.msg,
    code: error.code,
    reason: error.reason,
    metadata: error.metadata,
    status: error.response?.status,
  };
}

/** What a call fails with; a call that does not fail is an error of the scenario. */
export async function failing(call) {
  try {
    await call();
  } catch (error) {
    return failure(error);
  }
  throw new Error("the call went through");
}

/** Prints an interim report and waits until the test has written a line: it moves the clock meanwhile. */
export async function pause(report) {
  console.log(JSON.stringify(report));
  const lines = createInterface({ input: process.stdin });
  await lines[Symbol.asyncIterator]().next();
  lines.close();
}

/** Runs the scenario that the command line names and prints its report. */
export async function run(scenarios) {
  console.log(JSON.stringify(await scenarios[scenarioName](client())));
}
