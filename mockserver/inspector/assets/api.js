// Calls of the control interface, in the name of the chosen world: by its id, or by its key where that is asked for.

/** A call that was refused or did not come through; the message is for people. */
export class CallError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

const credential = { world: null, key: null };

/** Calls act on this world from now on. A key is kept in memory only, and goes out in a header only. */
export function actOn({ world = null, key = null }) {
  credential.world = world;
  credential.key = key;
}

/** Whether the world is opened by a key: then no event stream can be had, which takes no headers. */
export const byKey = () => credential.key !== null;

/** Address of a resource of the world, for what cannot send headers. */
export function address(path, query = {}) {
  const url = new URL(`/__mock${path}`, location.origin);
  for (const [name, value] of Object.entries(query)) if (value !== null && value !== undefined) url.searchParams.set(name, value);
  if (credential.key === null && credential.world !== null) url.searchParams.set('world', credential.world);
  return url;
}

async function send(method, url, body) {
  const headers = credential.key === null ? {} : { authorization: `Bearer ${credential.key}` };
  if (body !== undefined) headers['content-type'] = 'application/json';
  let answer;
  try {
    answer = await fetch(url, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch {
    throw new CallError('The server does not answer. Is it still running?', 0);
  }
  if (answer.ok) return answer;
  let told = null;
  try {
    told = await answer.json();
  } catch {
    // no problem document: the status has to do
  }
  throw new CallError(told?.detail ?? `The server answered ${answer.status}.`, answer.status);
}

/** Calls a resource of the chosen world; gives the JSON of the answer. */
export async function call(method, path, { query, body } = {}) {
  return (await send(method, address(path, query), body)).json();
}

/** Calls a resource that belongs to no world. */
export async function callServer(method, path, body) {
  return (await send(method, new URL(`/__mock${path}`, location.origin), body)).json();
}

/** A file of the chosen world as an address that an image can show. */
export async function picture(path) {
  if (credential.key === null) return address(path).href;
  return URL.createObjectURL(await (await send('GET', address(path))).blob());
}
