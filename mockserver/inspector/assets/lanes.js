// A lane per task: its plan as bars, what happened to it as marks, on one scale for all lanes in view.

import { h } from './dom.js';
import { NEVER_MS, count, duration, money, short, stateOf, timeOfDay } from './format.js';
import { nowMs, state } from './store.js';

const STEPS = [1, 2, 3, 5, 8, 10];
const OUTLIER = 5;
const MOST_MARKS = 80;
const NEAREST = 0.006;

const SIGNS = { queued: '…', running: '▸', succeeded: '✓', failed: '✕', unknown: '?' };

/** Everything of a task that a lane marks, with the instant of each. */
function eventsOf(task) {
  const events = [];
  for (const call of state.callsOfTask.get(task.task_id) ?? []) {
    const bad = call.fault !== null || call.status === 0 || call.status >= 400;
    const kind = call.operation_id === null ? 'download' : /^create/.test(call.operation_id) ? 'submit' : 'poll';
    if (kind === 'submit' && !bad) continue;
    events.push({ at: call.at_ms, kind, bad });
  }
  for (const delivery of state.deliveriesOfTask.get(task.task_id) ?? []) {
    for (const attempt of delivery.attempted) events.push({ at: attempt.at_ms, kind: 'webhook', bad: !attempt.ok });
    if (delivery.next_attempt_ms !== null) events.push({ at: delivery.next_attempt_ms, kind: 'webhook', planned: true });
  }
  return events;
}

/** The last instant that a lane needs: the end of its plan, or what came after it. */
function endOf(task, events, now) {
  let end = task.finished_ms < NEVER_MS ? task.finished_ms : Math.max(now, task.submitted_ms + 1000);
  for (const event of events) if (event.at > end) end = event.at;
  return end;
}

function niceSpan(ms) {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, ms)));
  return (STEPS.find((step) => step * power >= ms) ?? 10) * power;
}

/** The scale of the lanes in view: `submit` counts from each task's submit, `clock` shows the world's time. */
export class Scale {
  constructor(mode, tasks) {
    this.mode = mode;
    const now = nowMs();
    const spans = tasks.map((task) => {
      const events = eventsOf(task);
      return { start: task.submitted_ms, end: endOf(task, events, now) };
    });
    this.origin = 0;
    this.span = 1000;
    if (!spans.length) return;
    if (mode === 'clock') {
      this.origin = Math.min(...spans.map((span) => span.start));
      this.span = niceSpan(Math.max(100, Math.max(...spans.map((span) => span.end)) - this.origin));
      return;
    }
    const lengths = spans.map((span) => span.end - span.start).sort((a, b) => a - b);
    const longest = lengths.at(-1);
    const usual = lengths[Math.floor((lengths.length - 1) * 0.75)];
    this.span = niceSpan(Math.max(100, longest > usual * OUTLIER && lengths.length > 2 ? usual * 1.25 : longest));
  }

  /** Where an instant of a task lies, from 0 to 1; beyond 1 it is off the scale. */
  at(task, ms) {
    return (ms - (this.mode === 'clock' ? this.origin : task.submitted_ms)) / this.span;
  }

  /** Marks of the axis. */
  ticks(most) {
    const step = niceSpan(this.span / most);
    const found = [];
    for (let at = 0; at <= this.span * 1.0001; at += step) {
      const text = this.mode === 'clock' ? timeOfDay(this.origin + at).slice(0, this.span < 10000 ? 12 : 8) : at === 0 ? '0' : duration(at);
      found.push({ share: at / this.span, text });
    }
    return found;
  }
}

function place(element, from, to) {
  element.style.left = `${from * 100}%`;
  element.style.width = `${Math.max(0, to - from) * 100}%`;
  return element;
}

function bars(track, task, scale, now) {
  const spans = [];
  const course = task.course;
  const end = task.finished_ms < NEVER_MS ? task.finished_ms : Math.max(now, task.submitted_ms);
  const start = Math.min(task.started_ms, end);
  if (course?.back_ms) {
    spans.push(['queued', task.submitted_ms, start], ['running', start, course.back_ms]);
    spans.push(['queued', course.back_ms, course.again_ms], ['running', course.again_ms, end]);
  } else {
    spans.push(['queued', task.submitted_ms, start], ['running', start, end]);
  }
  if (course?.held) spans.push(['held', task.finished_ms, Math.max(now, task.finished_ms)]);
  for (const [kind, from, to] of spans) {
    if (to <= from) continue;
    const past = Math.min(to, Math.max(from, now));
    const parts = [[from, past, ''], [past, to, ' future']];
    for (const [a, b, when] of parts) {
      if (b <= a) continue;
      const left = Math.min(1, Math.max(0, scale.at(task, a)));
      const right = Math.min(1, Math.max(0, scale.at(task, b)));
      track.append(place(h('i', { class: `bar ${kind}${when}` }), left, right));
    }
  }
}

function marks(track, task, scale, now) {
  const shown = eventsOf(task);
  const status = stateOf(task, now);
  if (status === 'succeeded' || status === 'failed') shown.push({ at: task.finished_ms, kind: status });
  if (task.course?.vanish_ms) shown.push({ at: task.course.vanish_ms, kind: 'vanish', planned: now < task.course.vanish_ms });
  const last = {};
  let beyond = 0;
  let drawn = 0;
  for (const event of shown.sort((a, b) => a.at - b.at)) {
    const share = scale.at(task, event.at);
    if (share > 1.0001) {
      beyond += 1;
      continue;
    }
    const kind = event.kind + (event.bad ? ' bad' : '') + (event.planned ? ' planned' : '');
    if (drawn >= MOST_MARKS || (last[kind] !== undefined && share - last[kind] < NEAREST)) continue;
    last[kind] = share;
    drawn += 1;
    const mark = h('i', { class: `mark ${kind}` });
    mark.style.left = `${share * 100}%`;
    track.append(mark);
  }
  if (beyond) track.append(h('b', { class: 'beyond', text: `${beyond} ›`, title: `${beyond} later than the scale shows` }));
}

/** What the marks of a lane say, for who cannot see them. */
function words(task) {
  const calls = state.callsOfTask.get(task.task_id) ?? [];
  const downloads = calls.filter((call) => call.operation_id === null).length;
  const faults = calls.filter((call) => call.fault !== null).length;
  const deliveries = state.deliveriesOfTask.get(task.task_id) ?? [];
  const parts = [count(task.polls, 'poll')];
  if (downloads) parts.push(count(downloads, 'download'));
  if (faults) parts.push(count(faults, 'fault'));
  for (const delivery of deliveries) parts.push(`webhook ${delivery.state} after ${count(delivery.attempts, 'attempt')}`);
  return `, ${parts.join(', ')}`;
}

/** What the drawing of a lane depends on. Only what has not ended, or has the world's instant in it, moves with time. */
export function lookOf(task, scale) {
  const now = nowMs();
  const status = stateOf(task, now);
  const ended = status === 'succeeded' || status === 'failed';
  const share = scale.mode === 'clock' ? scale.at(task, now) : 2;
  const delivery = (state.deliveriesOfTask.get(task.task_id) ?? []).map((one) => `${one.state} ${one.attempts} ${one.next_attempt_ms}`);
  return [
    scale.mode,
    scale.origin,
    scale.span,
    status,
    task.finished_ms,
    task.polls,
    state.callsOfTask.get(task.task_id)?.length,
    delivery.join(),
    state.moneyOfTask.get(task.task_id),
    ended && (share < 0 || share > 1) ? '' : Math.round(now),
  ].join(' ');
}

/** Fills a row of the list with a task. */
export function drawLane(row, task, scale) {
  const now = nowMs();
  const status = stateOf(task, now);
  const deliveries = state.deliveriesOfTask.get(task.task_id) ?? [];
  const calls = state.callsOfTask.get(task.task_id) ?? [];
  const track = h('div', { class: 'track', 'aria-hidden': 'true' });
  bars(track, task, scale, now);
  const share = scale.at(task, now);
  if (share >= 0 && share <= 1 && (scale.mode === 'clock' || !['succeeded', 'failed'].includes(status))) {
    const line = h('i', { class: 'now-line' });
    line.style.left = `${share * 100}%`;
    track.append(line);
  }
  marks(track, task, scale, now);
  const end = task.finished_ms < NEVER_MS ? duration(task.finished_ms - task.submitted_ms) : 'never ends';
  const flags = [];
  const spent = state.moneyOfTask.get(task.task_id);
  if (calls.some((call) => call.fault !== null)) flags.push('fault');
  if (calls.some((call) => call.findings > 0)) flags.push('finding');
  if (deliveries.length) flags.push(`webhook ${deliveries.at(-1).state}`);
  row.className = `row lane is-${status}`;
  row.replaceChildren(
    h(
      'div',
      { class: 'lane-name' },
      h('span', { class: `sign ${status}`, text: SIGNS[status] ?? '?', 'aria-hidden': 'true' }),
      h('span', { class: 'prompt', text: task.prompt || '(no prompt)' }),
      h('span', { class: 'sub' }, h('code', { text: short(task.task_id) }), ` ${status}`, spent ? h('span', { class: 'spent', text: ` · ${spent}` }) : null, flags.length ? ` · ${flags.join(' · ')}` : ''),
    ),
    track,
    h('div', { class: 'lane-facts' }, h('span', { text: end }), h('span', { class: 'sub', text: money(task.micro_usd) }), h('span', { class: 'off-screen', text: words(task) })),
  );
}

/** Draws the axis above the lanes. */
export function drawAxis(box, scale) {
  const most = box.clientWidth > 560 ? 6 : 3;
  const ticks = scale.ticks(most).filter((tick) => tick.share < 0.97 || tick.share > 0.999);
  box.replaceChildren(
    ...ticks.map((tick) => {
      const mark = h('span', { text: tick.text, class: tick.share > 0.9 ? 'last' : tick.share === 0 ? 'first' : '' });
      mark.style.left = `${tick.share * 100}%`;
      return mark;
    }),
  );
}
