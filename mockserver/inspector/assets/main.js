// The page: puts views, clock, worlds and keys together. What is known stands in store.js, how it comes in live.js.

import { actOn, call, callServer, byKey } from './api.js';
import { callMatches, drawCall, drawDelivery } from './calls.js';
import { toClipboard } from './copy.js';
import { DETAILS } from './detail.js';
import { $, fill, h } from './dom.js';
import { drawEmpty } from './empty.js';
import { FaultForm } from './faults.js';
import { count, instant, money, stateOf } from './format.js';
import { KEYS, listenToKeys } from './keys.js';
import { Scale, drawAxis, drawLane, lookOf } from './lanes.js';
import { Live } from './live.js';
import { drawCoverage, drawFindings } from './reports.js';
import { Rows } from './rows.js';
import { ALL, forget, loadWorlds, nowMs, readClock, refresh, someEndIsDue, state } from './store.js';

const VIEWS = ['tasks', 'calls', 'webhooks', 'findings', 'faults', 'coverage'];
const SHORTEST_MS = 250;
const LATER_MS = 500;
const WORLDS_MS = 1000;
const NOTICE_MS = 4000;
const narrow = matchMedia('(max-width: 899px)');

const page = {
  view: 'tasks',
  open: openDetail,
  act,
  copy,
  codes: new Map(),
};
let detail = null;
let detailText = '';
let pressed = false;
let needsKey = false;
let copies = {};
let scale = new Scale('submit', []);

// Lists

const rowHeight = () => (narrow.matches ? 64 : 44);
const lanes = new Rows($('lanes'), {
  label: 'Tasks, newest first',
  height: rowHeight,
  id: (task) => task.task_id,
  look: (task) => lookOf(task, scale),
  draw: (row, task) => drawLane(row, task, scale),
  open: (task) => openDetail('task', task.task_id),
});
lanes.drawn = () => {
  scale = new Scale($('scale').value, lanes.inView());
  drawAxis($('axis'), scale);
};
const calls = new Rows($('calls'), {
  label: 'Calls, newest first',
  height: () => (narrow.matches ? 56 : 32),
  id: (entry) => String(entry.number),
  look: (entry) => `${entry.at_ms} ${$('call-which').value === 'outside'}`,
  draw: drawCall,
  open: (entry) => openDetail($('call-which').value === 'outside' ? 'outside' : 'call', entry.number),
});
const deliveries = new Rows($('deliveries'), {
  label: 'Webhook deliveries, newest first',
  height: () => (narrow.matches ? 56 : 32),
  id: (delivery) => delivery.id,
  look: (delivery) => `${delivery.state} ${delivery.attempts} ${delivery.next_attempt_ms}`,
  draw: drawDelivery,
  open: (delivery) => openDetail('delivery', delivery.id),
});
const faults = new FaultForm($('faults'), page);

function drawLanes() {
  const text = $('task-filter').value.trim().toLowerCase();
  const which = $('task-which').value;
  const now = nowMs();
  const shown = [];
  for (const task of state.tasks.values()) {
    if (which && stateOf(task, now) !== which) continue;
    if (text && !`${task.prompt} ${task.task_id} ${task.operation_id} ${task.reason}`.toLowerCase().includes(text)) continue;
    shown.push(task);
  }
  shown.reverse();
  show(lanes, shown, 'no-tasks', state.tasks.size ? 'No task is like that.' : 'This world has no tasks.');
}

function drawCalls() {
  const text = $('call-filter').value.trim().toLowerCase();
  const which = $('call-which').value;
  const outside = which === 'outside';
  const from = outside ? state.outside : state.calls;
  const shown = from.filter((entry) => callMatches(entry, text, outside ? '' : which)).reverse();
  const none = outside ? 'Every call had a key that is accepted, and a path that there is.' : 'Nothing was called yet.';
  show(calls, shown, 'no-calls', from.length ? 'No call is like that.' : none);
}

function drawDeliveries() {
  show(deliveries, [...state.deliveries].reverse(), 'no-deliveries', 'No webhook is owed. A submit asks for one with extra.webhook.url; the inbox above takes them without a receiver of your own.');
  $('hold-all').textContent = state.holding ? 'Held: new ones wait' : 'Hold new ones';
  $('hold-all').setAttribute('aria-pressed', String(state.holding));
}

function show(rows, items, noneId, none) {
  rows.box.hidden = !items.length;
  $(noneId).hidden = items.length > 0;
  $(noneId).textContent = none;
  rows.show(items);
}

// Drawing

function draw() {
  const empty = state.worldId === null || (state.loaded && !state.tasks.size && !state.calls.length && page.view === 'tasks');
  drawEmpty($('empty'), empty, page, state.worldId !== null, state.outside);
  $('clock').hidden = $('tabs').hidden = state.worldId === null;
  for (const name of VIEWS) $(`view-${name}`).hidden = state.worldId === null || name !== page.view || (empty && name === 'tasks');
  if (state.worldId === null) return;
  const counts = { tasks: state.tasks.size, calls: state.calls.length, webhooks: state.deliveries.length, findings: state.findings.length, faults: state.faults.armed.length };
  for (const name of VIEWS) $(`tab-${name}`).querySelector('.count').textContent = counts[name] ? counts[name].toLocaleString('en') : '';
  if (page.view === 'tasks' && !empty) drawLanes();
  if (page.view === 'calls') drawCalls();
  if (page.view === 'webhooks') drawDeliveries();
  if (page.view === 'findings') drawFindings($('findings'), page.codes);
  if (page.view === 'faults') faults.draw();
  drawSums();
  drawClock();
}

function drawSums() {
  const now = nowMs();
  const tally = {};
  for (const task of state.tasks.values()) {
    const status = stateOf(task, now);
    tally[status] = (tally[status] ?? 0) + 1;
  }
  const parts = Object.entries(tally).map(([status, number]) => h('span', {}, h('b', { text: number.toLocaleString('en') }), ` ${status}`));
  if (state.ledger) {
    parts.push(h('span', {}, h('b', { text: money(state.ledger.spent.micro_usd) }), ' spent'));
    if (state.ledger.wasted_micro_usd) parts.push(h('span', { class: 'wasted' }, h('b', { text: money(state.ledger.wasted_micro_usd) }), ' paid twice'));
  }
  fill($('sums'), parts);
}

function drawClock() {
  const { mode, frozen } = state.clock;
  const now = instant(nowMs());
  $('now').textContent = `${now.slice(0, -4)} UTC`;
  $('now').setAttribute('datetime', now.replace(' ', 'T') + 'Z');
  $('mode').textContent = frozen ? `${mode}, frozen` : mode;
  $('freeze').textContent = frozen ? 'Resume' : 'Freeze';
  const choice = $('clock-mode');
  if (document.activeElement !== choice) {
    if (![...choice.options].some((one) => one.value === mode)) choice.append(h('option', { value: mode, text: mode }));
    choice.value = mode;
  }
}

function drawWorlds() {
  const choice = $('world');
  if (document.activeElement === choice) return;
  const named = state.worlds.map((world) => h('option', { value: world.id, text: `${world.key} (${world.id.slice(0, 4)}) · ${count(world.tasks.held, 'task')}` }));
  if (state.worldId !== null && !state.worlds.some((world) => world.id === state.worldId)) named.unshift(h('option', { value: state.worldId, text: state.worldId }));
  if (!named.length) named.push(h('option', { value: '', text: 'none yet' }));
  fill(choice, named);
  if (state.worldId !== null) choice.value = state.worldId;
  choice.disabled = state.worlds.length === 0;
}

// Bringing up to date

let wanted = new Set();
let busy = false;
let last = 0;

function changed(kinds, data) {
  if (data) readClock(data);
  if (state.worldId === null) return;
  for (const kind of kinds ?? ALL) wanted.add(kind);
  soon();
}

function soon() {
  if (busy || !wanted.size) return;
  busy = true;
  setTimeout(async () => {
    const kinds = [...wanted];
    const id = state.worldId;
    wanted = new Set();
    last = performance.now();
    try {
      const left = await refresh(kinds);
      if (left.length) setTimeout(() => id === state.worldId && changed(left, null), LATER_MS);
      if (id === state.worldId) {
        draw();
        if (detail !== null) await drawDetail(false);
        if (page.view === 'webhooks' && kinds.includes('webhooks')) await drawInbox();
        if (page.view === 'coverage' && kinds.includes('requests')) await drawCoverage($('coverage'));
      }
    } catch (error) {
      if (error.status === 404) worldsChanged();
      else if (error.status === 403) alarm(error.message);
      else $('live').title = error.message;
    } finally {
      busy = false;
      soon();
    }
  }, Math.max(0, SHORTEST_MS - (performance.now() - last)));
}

let worldsTimer = null;
function worldsChanged() {
  worldsTimer ??= setTimeout(async () => {
    worldsTimer = null;
    try {
      await loadWorlds();
      drawWorlds();
      if (state.worldId === null && state.worlds.length && !needsKey) await choose({ world: state.worlds[0].id });
      else draw();
    } catch (error) {
      $('live').title = error.message;
    }
  }, state.worldId === null ? 0 : WORLDS_MS);
}

const live = new Live({
  changed,
  worlds: worldsChanged,
  gone: () => {
    notice('The world was forgotten.');
    leave();
  },
  mode: (mode, words) => {
    $('live').className = `live ${mode}`;
    $('live').title = words;
    $('live').lastElementChild.textContent = mode === 'live' ? 'live' : 'not live, asking every 2 s';
  },
});

function leave() {
  closeDetail();
  forget();
  state.worldId = null;
  actOn({});
  live.listen(null);
  drawWorlds();
  draw();
  worldsChanged();
}

async function choose({ world = null, key = null }, task = null) {
  closeDetail();
  forget();
  state.worldId = null;
  actOn({ world, key });
  try {
    await refresh(ALL);
  } catch (error) {
    actOn({});
    live.listen(null);
    draw();
    alarm(error.message);
    needsKey = error.status === 403;
    if (needsKey && !$('key-dialog').open) $('key-dialog').showModal();
    return;
  }
  needsKey = false;
  live.listen(state.worldId);
  drawWorlds();
  draw();
  await loadView();
  if (task !== null) await openDetail('task', task);
  remember();
}

// Details

async function openDetail(kind, id) {
  detail = { kind, id: String(id) };
  $('detail').hidden = false;
  document.body.classList.add('has-detail');
  await drawDetail(true);
  remember();
}

/** Draws the panel, unless it shows this already; what is pressed, focused and in view stays so. */
async function drawDetail(fresh) {
  const asked = detail;
  const body = $('detail-body');
  const kind = DETAILS[asked.kind];
  let told;
  try {
    told = await kind.load(asked.id);
  } catch (error) {
    if (asked === detail) fill(body, h('p', { class: 'nothing', text: error.message }));
    detailText = '';
    return;
  }
  const text = JSON.stringify(told);
  if (asked !== detail || pressed || (!fresh && text === detailText)) return;
  detailText = text;
  const top = body.scrollTop;
  const focused = body.contains(document.activeElement) ? document.activeElement.textContent : null;
  copies = kind.draw(body, told, page);
  body.scrollTop = fresh ? 0 : top;
  if (fresh) body.querySelector('h2')?.focus({ preventScroll: true });
  else if (focused !== null) [...body.querySelectorAll('button, h2')].find((one) => one.textContent === focused)?.focus({ preventScroll: true });
}

function closeDetail() {
  if (detail === null) return;
  detail = null;
  copies = {};
  $('detail').hidden = true;
  document.body.classList.remove('has-detail');
  fill($('detail-body'));
  detailText = '';
  ({ tasks: lanes, calls, webhooks: deliveries })[page.view]?.box.focus({ preventScroll: true });
  remember();
}

// Actions

async function act(words, doing) {
  try {
    const told = await doing();
    notice(told?.notes?.length ? `${words} ${told.notes.join(' ')}` : words);
    changed(ALL, null);
    return told;
  } catch (error) {
    alarm(error.message);
    return null;
  }
}

async function copy(what, text) {
  try {
    await toClipboard(text);
    notice(`${what} is on the clipboard.`);
  } catch (error) {
    alarm(`It could not be copied: ${error.message}`);
  }
}

const timers = {};
function tell(id, words) {
  $(id).textContent = words;
  clearTimeout(timers[id]);
  timers[id] = setTimeout(() => {
    $(id).textContent = '';
  }, NOTICE_MS + words.length * 40);
}
const notice = (words) => tell('notice', words);
const alarm = (words) => tell('alarm', words);

const clock = (verb, words, body) => act(words, async () => readAndTell(await call('POST', `/clock/${verb}`, { body })));
function readAndTell(told) {
  readClock(told);
  drawClock();
  return told;
}

// Views

async function go(view) {
  page.view = view;
  for (const name of VIEWS) {
    $(`tab-${name}`).setAttribute('aria-selected', String(name === view));
    $(`tab-${name}`).tabIndex = name === view ? 0 : -1;
  }
  draw();
  remember();
  await loadView();
}

/** What a view shows beyond what is known anyway. */
async function loadView() {
  try {
    if (page.view === 'faults') await faults.load();
    if (page.view === 'coverage') await drawCoverage($('coverage'));
    if (page.view === 'webhooks' && state.worldId !== null) await drawInbox();
  } catch (error) {
    alarm(error.message);
  }
}

async function drawInbox() {
  const inbox = await call('GET', '/webhooks/inbox');
  fill($('inbox'), 'Inbox: ', h('code', { text: inbox.url }), ` took ${count(inbox.total, 'event')} `, h('button', { type: 'button', class: 'link', text: 'copy', 'aria-label': 'Copy the address of the inbox', on: { click: () => copy('The address', inbox.url) } }));
}

/** The address says what is shown, so that it can be sent to somebody; a key never stands in it. */
function remember() {
  const parts = new URLSearchParams();
  if (state.worldId !== null && !byKey()) parts.set('world', state.worldId);
  if (page.view !== 'tasks') parts.set('view', page.view);
  if (detail?.kind === 'task') parts.set('task', detail.id);
  history.replaceState(null, '', `${parts}` ? `#${parts}` : location.pathname);
}

// Theme

function paint(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
}
function turnTheme() {
  const dark = document.documentElement.dataset.theme ? document.documentElement.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  const theme = dark ? 'light' : 'dark';
  paint(theme);
  keep('theme', theme);
}
function keep(name, value) {
  try {
    localStorage.setItem(`novita-mock-${name}`, value);
  } catch {
    // a browser that keeps nothing: it is asked again next time
  }
}
function kept(name) {
  try {
    return localStorage.getItem(`novita-mock-${name}`);
  } catch {
    return null;
  }
}

// Wiring

const freeze = () => clock(state.clock.frozen ? 'resume' : 'freeze', state.clock.frozen ? 'The clock runs.' : 'The clock stands.');
const nextEvent = () => clock('advance-to-next-event', 'Moved to the next event.');
const runIdle = () => clock('run-until-idle', 'Moved to the end of the last task.');

function wire() {
  paint(kept('theme'));
  $('theme').addEventListener('click', turnTheme);
  $('world').addEventListener('change', (event) => {
    const { value } = event.target;
    event.target.blur();
    if (value) choose({ world: value });
  });
  $('freeze').addEventListener('click', freeze);
  $('next-event').addEventListener('click', nextEvent);
  $('run-idle').addEventListener('click', runIdle);
  $('advance').addEventListener('submit', (event) => {
    event.preventDefault();
    const by = $('advance-by').value.trim();
    clock('advance', `Moved by ${by}.`, { duration: by });
  });
  $('clock-mode').addEventListener('change', (event) => {
    const mode = event.target.value;
    event.target.blur();
    act(`The clock is ${mode}.`, async () => readAndTell(await call('PUT', '/clock', { body: { mode } })));
  });
  for (const name of VIEWS) $(`tab-${name}`).addEventListener('click', () => go(name));
  $('tabs').addEventListener('keydown', (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = VIEWS[(VIEWS.indexOf(page.view) + step + VIEWS.length) % VIEWS.length];
    go(next);
    $(`tab-${next}`).focus();
  });
  for (const [id, redraw] of [['task-filter', drawLanes], ['call-filter', drawCalls]]) $(id).addEventListener('input', redraw);
  for (const [id, redraw] of [['task-which', drawLanes], ['scale', drawLanes], ['call-which', drawCalls]]) $(id).addEventListener('change', redraw);
  $('hold-all').addEventListener('click', () => act('New deliveries wait until they are released.', () => call('POST', '/webhooks/hold')));
  $('release-all').addEventListener('click', () => act('Released.', () => call('POST', '/webhooks/release', { body: {} })));
  $('release-reversed').addEventListener('click', () => act('Released, the last first.', () => call('POST', '/webhooks/release', { body: { order: 'reversed' } })));
  $('close-detail').addEventListener('click', closeDetail);
  $('help').addEventListener('click', () => $('help-dialog').showModal());
  fill($('keys'), KEYS.map(([key, words]) => h('div', {}, h('dt', {}, key.split(' ').map((one) => h('kbd', { text: one }))), h('dd', { text: words }))));
  $('keys-on').checked = kept('keys') !== 'off';
  $('keys-on').addEventListener('change', () => keep('keys', $('keys-on').checked ? 'on' : 'off'));
  $('open-key').addEventListener('click', () => $('key-dialog').showModal());
  $('key-cancel').addEventListener('click', () => $('key-dialog').close());
  $('key-form').addEventListener('submit', async (event) => {
    event.preventDefault();
    const key = $('key').value;
    $('key').value = '';
    $('key-dialog').close();
    await choose({ key });
  });
  $('detail').addEventListener('pointerdown', () => {
    pressed = true;
  });
  for (const end of ['pointerup', 'pointercancel']) {
    addEventListener(end, () => {
      if (!pressed) return;
      pressed = false;
      if (detail !== null) setTimeout(() => detail !== null && drawDetail(false));
    });
  }
  // A browser has six connections to a server: a page that nobody sees gives its stream back.
  document.addEventListener('visibilitychange', () => (document.hidden ? live.stop() : live.listen(state.worldId)));
  addEventListener('hashchange', () => location.reload());
  narrow.addEventListener('change', draw);
  listenToKeys(() => $('keys-on').checked, {
    view: (number) => state.worldId !== null && VIEWS[number - 1] && go(VIEWS[number - 1]),
    filter: () => ({ tasks: $('task-filter'), calls: $('call-filter') })[page.view]?.focus(),
    list: (event) => {
      const rows = { tasks: lanes, calls, webhooks: deliveries }[page.view];
      if (!rows) return;
      const fresh = rows.active === null;
      rows.box.focus({ preventScroll: true });
      if (!fresh) rows.key(event);
      else if (rows.active === null && rows.items.length) rows.mark(rows.items[rows.first()]);
    },
    world: () => $('world').focus(),
    freeze: () => state.worldId !== null && freeze(),
    next: () => state.worldId !== null && nextEvent(),
    idle: () => state.worldId !== null && runIdle(),
    theme: turnTheme,
    curl: () => copies.curl?.(),
    pytest: () => copies.pytest?.(),
    help: () => $('help-dialog').showModal(),
    close: closeDetail,
  });
}

function tick() {
  if (state.worldId === null || document.hidden || state.clock.rate === 0) return;
  drawClock();
  if (page.view === 'tasks' && !$('view-tasks').hidden) lanes.soon();
  if (someEndIsDue()) changed(['clock'], null);
}

async function start() {
  wire();
  setInterval(tick, 500);
  const asked = new URLSearchParams(location.hash.slice(1));
  if (VIEWS.includes(asked.get('view'))) await go(asked.get('view'));
  try {
    page.codes = new Map((await callServer('GET', '/findings/codes')).codes.map((one) => [one.code, one]));
    await loadWorlds();
    drawWorlds();
    let world = asked.get('world');
    const task = asked.get('task');
    if (task && !world) world = (await callServer('GET', `/worlds/of/${encodeURIComponent(task)}`)).id;
    if (!state.worlds.some((one) => one.id === world)) world = state.worlds[0]?.id;
    if (world) {
      await choose({ world }, task);
      return;
    }
  } catch (error) {
    alarm(error.message);
  }
  live.listen(null);
  draw();
}

start();
