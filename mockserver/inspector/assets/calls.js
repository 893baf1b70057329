// The list of calls: what was asked and answered, in the order of the journal, newest first.

import { h } from './dom.js';
import { count, short, timeOfDay } from './format.js';

/** Fills a row of the list with a call. */
export function drawCall(row, entry) {
  const bad = entry.status === 0 || entry.status >= 400;
  const target = entry.path + (entry.query && !entry.task_id ? `?${entry.query}` : '');
  row.className = `row call${bad ? ' bad' : ''}`;
  row.replaceChildren(
    h('span', { class: 'num', text: String(entry.number) }),
    h('span', { class: 'time', text: timeOfDay(entry.at_ms) }),
    h('span', { class: `chip ${bad ? 'failed' : 'succeeded'}`, text: entry.status ? String(entry.status) : 'none' }),
    h('span', { class: 'target' }, h('b', { text: entry.method }), ` ${target}`),
    h('span', { class: 'flags' }, entry.task_id ? h('code', { text: short(entry.task_id) }) : null, entry.fault ? h('span', { class: 'chip fault', text: entry.fault }) : null, ...[...new Set(entry.told.map((one) => one.code))].map((one) => h('span', { class: 'badge', text: one }))),
  );
}

/** Whether a call is one of those asked for. */
export function callMatches(entry, text, only) {
  if (only === 'trouble' && !(entry.fault || entry.findings || entry.status === 0 || entry.status >= 400)) return false;
  if (only === 'findings' && !entry.findings) return false;
  if (only === 'faults' && !entry.fault) return false;
  if (!text) return true;
  const where = `${entry.method} ${entry.path} ${entry.query} ${entry.status} ${entry.operation_id} ${entry.fault} ${entry.told.map((one) => one.code).join(' ')}`;
  return where.toLowerCase().includes(text);
}

/** Fills a row of the list with a webhook's delivery. */
export function drawDelivery(row, delivery) {
  row.className = 'row call delivery';
  row.replaceChildren(
    h('span', { class: 'num', text: String(delivery.number) }),
    h('span', { class: 'time', text: timeOfDay(delivery.owed_since_ms) }),
    h('span', { class: `chip ${delivery.state}`, text: delivery.state }),
    h('span', { class: 'target', text: delivery.url }),
    h('span', { class: 'flags' }, h('code', { text: short(delivery.task_id) }), h('span', { class: 'attempts', 'aria-hidden': 'true' }, ...delivery.attempted.map((one) => h('i', { class: `dot ${one.ok ? 'good' : 'bad'}` })), delivery.next_attempt_ms === null ? null : h('i', { class: 'dot planned' })), h('span', { class: 'off-screen', text: count(delivery.attempts, 'attempt') })),
  );
}
