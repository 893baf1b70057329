// What the page knows of the chosen world, and how it is brought up to date. Draws nothing.

import { call, callServer } from './api.js';
import { NEVER_MS } from './format.js';

const MOST_TASKS = 10000;
const MOST_CALLS = 1000;
const MOST_OUTSIDE = 200;
const MOST_DELIVERIES = 5000;

/** Everything that views draw from. */
export const state = {
  worlds: [],
  outside: [],
  worldId: null,
  world: null,
  clock: { nowMs: 0, rate: 0, mode: 'real', frozen: false, readAt: 0 },
  tasks: new Map(),
  calls: [],
  callsOfTask: new Map(),
  deliveries: [],
  deliveriesOfTask: new Map(),
  holding: false,
  findings: [],
  faults: { armed: [], fired: [], total: 0 },
  ledger: null,
  moneyOfTask: new Map(),
  sinceMs: null,
  lastCall: 0,
  loaded: false,
};

/** The world's instant now, counted on from when the server last told it. */
export function nowMs() {
  const { nowMs: told, rate, readAt } = state.clock;
  return Math.min(NEVER_MS, told + (performance.now() - readAt) * rate);
}

/** Takes over what the server said of the clock. */
export function readClock({ now_ms, mode, frozen }) {
  const rate = frozen || mode === 'manual' ? 0 : mode.startsWith('x') ? Number(mode.slice(1)) : 1;
  state.clock = { nowMs: now_ms, rate, mode, frozen, readAt: performance.now() };
}

/** Forgets what is known of the world, which was reset or is another one. */
export function forget() {
  due.clear();
  state.tasks = new Map();
  state.calls = [];
  state.callsOfTask = new Map();
  state.deliveries = [];
  state.deliveriesOfTask = new Map();
  state.findings = [];
  state.faults = { armed: [], fired: [], total: 0 };
  state.ledger = null;
  state.moneyOfTask = new Map();
  state.sinceMs = null;
  state.lastCall = 0;
  state.loaded = false;
}

/** The worlds of the server, the one used last first, and the calls that are of none. */
export async function loadWorlds() {
  const [worlds, outside] = await Promise.all([callServer('GET', '/worlds'), callServer('GET', `/requests?brief=true&limit=${MOST_OUTSIDE}`)]);
  state.worlds = worlds.worlds.reverse();
  state.outside = outside.requests;
}

async function loadWorld() {
  state.world = await call('GET', '/worlds/current');
  state.worldId = state.world.id;
  readClock({ now_ms: state.world.now_ms, mode: state.world.clock, frozen: state.world.frozen });
}

async function loadTasks() {
  const told = await call('GET', '/tasks', { query: { limit: MOST_TASKS, since_ms: state.sinceMs } });
  for (const task of told.tasks) state.tasks.set(task.task_id, task);
  state.sinceMs = told.now_ms;
  while (state.tasks.size > MOST_TASKS) state.tasks.delete(state.tasks.keys().next().value);
}

async function loadCalls() {
  const told = await call('GET', '/requests', { query: { brief: 'true', after: state.lastCall, limit: MOST_CALLS } });
  if (!told.requests.length) return;
  state.calls.push(...told.requests);
  state.lastCall = state.calls.at(-1).number;
  if (state.calls.length > MOST_CALLS) state.calls.splice(0, state.calls.length - MOST_CALLS);
  state.callsOfTask = grouped(state.calls);
}

async function loadDeliveries() {
  const told = await call('GET', '/webhooks/deliveries', { query: { limit: MOST_DELIVERIES } });
  state.deliveries = told.deliveries;
  state.holding = told.holding;
  state.deliveriesOfTask = grouped(state.deliveries);
}

async function loadFindings() {
  state.findings = (await call('GET', '/findings')).findings;
}

async function loadFaults() {
  state.faults = await call('GET', '/faults');
}

async function loadLedger() {
  state.ledger = await call('GET', '/ledger', { query: { limit: 0 } });
  state.moneyOfTask = new Map();
  for (const loss of state.ledger.unclaimed) state.moneyOfTask.set(loss.task_id, 'answer lost');
  for (const verdict of state.ledger.verdicts) {
    if (verdict.kind !== 'double-spend') continue;
    state.moneyOfTask.set(verdict.first_task_id, 'answer lost');
    state.moneyOfTask.set(verdict.task_id, 'paid twice');
  }
}

function grouped(items) {
  const groups = new Map();
  for (const item of items) {
    if (!item.task_id) continue;
    if (!groups.has(item.task_id)) groups.set(item.task_id, []);
    groups.get(item.task_id).push(item);
  }
  return groups;
}

const SHARE = 10;
const due = new Map();

/** What the server has to work out from all tasks is asked for no more often than a tenth of its time. */
function rarely(load) {
  return async () => {
    const now = performance.now();
    if (now < (due.get(load) ?? 0)) return load.kind;
    due.set(load, Infinity);
    try {
      await load();
    } finally {
      due.set(load, performance.now() + (performance.now() - now) * SHARE);
    }
    return null;
  };
}
loadFindings.kind = 'findings';
loadLedger.kind = 'money';
const findingsRarely = rarely(loadFindings);
const ledgerRarely = rarely(loadLedger);

const NEEDS = {
  life: null,
  tasks: [loadTasks, ledgerRarely, findingsRarely],
  requests: [loadCalls, loadTasks, findingsRarely],
  findings: [findingsRarely],
  money: [ledgerRarely],
  webhooks: [loadDeliveries],
  faults: [loadFaults],
  settings: [loadWorld],
  clock: [loadTasks, findingsRarely],
};

/** Everything that can have changed. */
export const ALL = Object.keys(NEEDS).filter((kind) => kind !== 'life');

/**
 * Brings the kinds of things that have changed up to date; each is asked for once.
 * @param {Iterable<string>} kinds as the event `change` names them
 * @returns {Promise<string[]>} the kinds that it is too early for
 */
export async function refresh(kinds) {
  let wanted = new Set(kinds);
  if (wanted.has('life')) {
    forget();
    wanted = new Set(ALL);
  }
  const loads = new Set([...wanted].flatMap((kind) => NEEDS[kind] ?? []));
  const left = await Promise.all([...loads].map((load) => load()));
  state.loaded = true;
  return left.filter((kind) => typeof kind === 'string');
}

/** Whether a task has ended by now without the server having said how. */
export function someEndIsDue() {
  const now = nowMs();
  for (const task of state.tasks.values()) {
    if (task.finished_ms <= now && (task.status === 'TASK_STATUS_QUEUED' || task.status === 'TASK_STATUS_PROCESSING')) return true;
  }
  return false;
}
