// A task as a command for the shell and as a test: what was sent, to be sent again.

const KEY = '$NOVITA_API_KEY';
const REFERENCE = 'mock-input:';
const STOOD_IN = '# A small grey picture stands in for each source picture.';
/** 64 x 64 pixels, PNG. */
const GREY =
  'iVBORw0KGgoAAAANSUhEUgAAAEAAAABACAIAAAAlC+aJAAAAqElEQVR4Ae3SsQ0AIAzEwIye0RniChTJ9H6BzezxM8fvvz3gd8EK' +
  'VAAN9IVQIOMVYIU4UAEUyHgFWCEOVAAFMl4BVogDFUCBjFeAFeJABVAg4xVghThQARTIeAVYIQ5UAAUyXgFWiAMVQIGMV4AV4kAFUCDjFWCFOFABFMh4BVghDlQABTJeAVaIAxVAgYxXgBXiQAVQIOMVYIU4UAEUyHgFWCEOnC/wAB8+AWlgfpfVAAAAAElFTkSuQmCC';

/** A request with a picture in place of each reference to one, which the server keeps apart. */
function whole(value) {
  if (typeof value === 'string') return value.startsWith(REFERENCE) ? GREY : value;
  if (Array.isArray(value)) return value.map(whole);
  if (value !== null && typeof value === 'object') return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, whole(one)]));
  return value;
}

const lacksPictures = (value) => JSON.stringify(value).includes(`"${REFERENCE}`);

/** Text as one word for a POSIX shell. */
export const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

/** The submit of a task as a curl line; the key comes from the environment. */
export function asCurl(request, origin) {
  const line = [
    `curl -sS ${quoted(origin + request.path)}`,
    `  -H "Authorization: Bearer ${KEY}"`,
    "  -H 'Content-Type: application/json'",
    `  -d ${quoted(typeof request.body === 'string' ? request.body : JSON.stringify(whole(request.body)))}`,
  ].join(' \\\n');
  return lacksPictures(request.body) ? `${STOOD_IN}\n${line}` : line;
}

/** A JSON value as a Python expression. */
export function asPython(value, indent = 0) {
  const pad = ' '.repeat(indent + 4);
  if (value === null) return 'None';
  if (value === true) return 'True';
  if (value === false) return 'False';
  if (typeof value === 'string') return pythonText(value);
  if (typeof value === 'number') return String(value);
  const entries = Array.isArray(value)
    ? value.map((one) => asPython(one, indent + 4))
    : Object.entries(value).map(([name, one]) => `${pythonText(name)}: ${asPython(one, indent + 4)}`);
  const [open, close] = Array.isArray(value) ? '[]' : '{}';
  if (!entries.length) return open + close;
  return `${open}\n${entries.map((entry) => `${pad}${entry},\n`).join('')}${' '.repeat(indent)}${close}`;
}

function pythonText(text) {
  // JSON's escapes are Python's too, but for characters beyond the first plane, which JSON.stringify leaves as they are.
  return JSON.stringify(text).replace(/[\u007f-\u009f\u2028\u2029\ud800-\udfff]/gu, (one) => `\\U${one.codePointAt(0).toString(16).padStart(8, '0')}`);
}

/** A test that submits the same, under the same faults, and follows the task to its end. */
export function asPytest(story) {
  const { request, task, faults } = story;
  const v2 = request.path.startsWith('/v2/');
  const arms = faults.map((rule) => {
    const { point, effect, ...when } = rule;
    const options = Object.entries(when).map(([name, value]) => `, ${name}=${asPython(value, 4)}`);
    return `    novita_world.faults.arm(${asPython(point)}, ${asPython(effect, 4)}${options.join('')})`;
  });
  const failed = task.status === 'TASK_STATUS_FAILED';
  const [path, part, ended, end] = v2
    ? ['/v2/progress', 'data', '(2, 3, 4)', failed ? 3 : 2]
    : ['/v3/async/task-result', 'task', '("TASK_STATUS_SUCCEED", "TASK_STATUS_FAILED")', failed ? '"TASK_STATUS_FAILED"' : '"TASK_STATUS_SUCCEED"'];
  return [
    'import httpx',
    '',
    '',
    `def test_task_${task.task_id.slice(0, 8)}(novita_world):`,
    ...arms,
    lacksPictures(request.body) ? `    ${STOOD_IN}` : null,
    `    body = ${asPython(whole(request.body), 4)}`,
    '    headers = {"Authorization": f"Bearer {novita_world.key}"}',
    '    with httpx.Client(base_url=novita_world.url, headers=headers, trust_env=False) as client:',
    `        submitted = client.post("${request.path}", json=body)`,
    `        task_id = submitted.json()${v2 ? '["data"]' : ''}["task_id"]`,
    '        for _ in range(20):  # the clock of `novita_world` moves with each poll',
    `            polled = client.get("${path}", params={"task_id": task_id})`,
    `            if polled.status_code == 200 and polled.json()["${part}"]["status"] in ${ended}:`,
    '                break',
    `    assert polled.json()["${part}"]["status"] == ${end}`,
    '',
  ]
    .filter((line) => line !== null)
    .join('\n');
}

/** Puts text on the clipboard, also where a page without TLS may not use the clipboard's own interface. */
export async function toClipboard(text) {
  if (navigator.clipboard && window.isSecureContext) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const area = document.createElement('textarea');
  area.value = text;
  area.className = 'off-screen';
  document.body.append(area);
  area.select();
  const done = document.execCommand('copy');
  area.remove();
  if (!done) throw new Error('the browser does not let the page copy');
}
