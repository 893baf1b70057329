// Findings and coverage: what the client's calls have shown.

import { callServer } from './api.js';
import { code, fill, h } from './dom.js';
import { findingCard } from './detail.js';
import { state } from './store.js';

const ORDER = { error: 0, warning: 1, note: 2 };
const NEXT = 8;

/** Draws the findings of the world, the worst first. */
export function drawFindings(box, codes) {
  const found = [...state.findings].sort((a, b) => ORDER[a.level] - ORDER[b.level] || a.code.localeCompare(b.code));
  fill(
    box,
    found.length
      ? found.map((finding) => findingCard(finding, codes.get(finding.code)))
      : h('p', { class: 'nothing', text: 'Nothing to complain about so far.' }),
  );
}

/** Asks for the coverage and draws it. */
export async function drawCoverage(box) {
  let report;
  try {
    report = await callServer('GET', '/coverage');
  } catch (error) {
    fill(
      box,
      h('p', { class: 'nothing', text: error.message }),
      error.status === 409 ? code('novita-mock --coverage', 'How to start the server') : null,
    );
    return;
  }
  fill(
    box,
    h('p', { class: 'big' }, h('strong', { text: `${report.percent} %` }), ` of the contract (${report.versions.join(' and ')}) was exercised, by ${report.calls.toLocaleString('en')} calls of all worlds.`),
    h(
      'ul',
      { class: 'plain meters' },
      report.dimensions
        .filter((one) => one.percent !== null)
        .map((one) => {
          const id = `meter-${one.name}`;
          return h('li', {}, h('span', { id, text: one.title }), h('meter', { min: '0', max: '100', value: String(one.percent), 'aria-labelledby': id }), h('span', { class: 'sub', text: `${one.covered} of ${one.total}` }));
        }),
    ),
    report.next.length ? h('h3', { text: 'Tests to write next' }) : null,
    h('ol', { class: 'next' }, report.next.slice(0, NEXT).map((one) => h('li', {}, h('p', { text: one.test }), one.example ? code(one.example, 'Example') : null))),
  );
}
