// Instants, durations, money and states in words.

/** The instant of what never happens. */
export const NEVER_MS = 253402214399000;

const STATES = {
  TASK_STATUS_QUEUED: 'queued',
  TASK_STATUS_PROCESSING: 'running',
  TASK_STATUS_SUCCEED: 'succeeded',
  TASK_STATUS_FAILED: 'failed',
};

/** A duration for people: `250 ms`, `1.25 s`, `2 min 5 s`, `3 h 10 min`, `2 d 4 h`. */
export function duration(ms) {
  const sign = ms < 0 ? '−' : '';
  const all = Math.abs(ms);
  if (all < 1000) return `${sign}${Math.round(all)} ms`;
  if (all < 60000) return `${sign}${Number((all / 1000).toFixed(all < 10000 ? 2 : 1))} s`;
  const units = [['d', 86400000], ['h', 3600000], ['min', 60000], ['s', 1000]];
  const first = units.findIndex(([, unit]) => all >= unit);
  const [name, unit] = units[first];
  const [lesser, lesserUnit] = units[first + 1];
  const whole = Math.floor(all / unit);
  const rest = Math.floor((all - whole * unit) / lesserUnit);
  return `${sign}${whole} ${name}${rest ? ` ${rest} ${lesser}` : ''}`;
}

/** An instant in UTC: `2026-11-21 08:35:22.854`. */
export function instant(ms) {
  if (ms >= NEVER_MS) return 'never';
  return new Date(ms).toISOString().replace('T', ' ').replace('Z', '');
}

/** The time of day of an instant. */
export const timeOfDay = (ms) => instant(ms).slice(11);

/** Millionths of a dollar as dollars. */
export function money(micro) {
  const text = (micro / 1e6).toFixed(6).replace(/0{1,4}$/, '');
  return `${text} USD`;
}

/** A number with its noun. */
export const count = (number, one, many = `${one}s`) => `${number.toLocaleString('en')} ${number === 1 ? one : many}`;

/** What a task is at an instant, by its plan; the server has the last word on how it ends. */
export function stateOf(task, nowMs) {
  const told = STATES[task.status] ?? task.status;
  const course = task.course;
  if (course?.vanish_ms && nowMs >= course.vanish_ms) return 'unknown';
  if (told === 'succeeded' || told === 'failed' || course?.held) return told;
  if (course?.back_ms && nowMs >= course.back_ms && nowMs < course.again_ms) return 'queued';
  return nowMs >= task.started_ms ? 'running' : 'queued';
}

/** The first characters of an id. */
export const short = (id) => (id ?? '').slice(0, 8);
