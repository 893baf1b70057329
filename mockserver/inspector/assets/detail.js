// The panel beside the lists: the whole of one task, call or delivery.

import { call, callServer, picture } from './api.js';
import { asCurl, asPytest } from './copy.js';
import { button, code, facts, fill, h } from './dom.js';
import { count, duration, instant, money, stateOf } from './format.js';
import { nowMs, state } from './store.js';

const MOST_PICTURES = 8;

/** The clause that a finding names, with what to do instead. */
export function findingCard(finding, about, heading = 'h3') {
  const because = finding.because?.length ? `Rests on ${finding.because.join(', ')} (docs/contradictions.md).` : '';
  return h(
    'article',
    { class: `finding ${finding.level ?? about?.level ?? ''}` },
    h(heading, {}, h('span', { class: 'badge', text: finding.code }), ' ', about?.title ?? finding.name ?? '', finding.count > 1 ? ` (${finding.count}×)` : ''),
    h('p', { class: 'where', text: finding.where }),
    h('p', { text: finding.message }),
    because ? h('p', { class: 'sub', text: because }) : null,
    about ? h('p', { class: 'instead' }, h('strong', { text: 'Instead: ' }), about.instead) : null,
  );
}

/** The verbs of a webhook's delivery. */
export function deliveryButtons(delivery, page) {
  const path = `/webhooks/deliveries/${encodeURIComponent(delivery.id)}`;
  const act = (verb, words, body) => button(words[0], () => page.act(words[1], () => call('POST', `${path}/${verb}`, { body })));
  const owed = delivery.state === 'pending' || delivery.state === 'held';
  return h(
    'div',
    { class: 'buttons' },
    delivery.state === 'held' ? act('release', ['Release', 'Released.']) : null,
    delivery.state === 'pending' ? act('hold', ['Hold', 'Held: no attempt is made until it is released.']) : null,
    act('replay', ['Replay', 'Sent once more.']),
    act('duplicate', ['Send twice', 'Sent two more times.'], { times: 2 }),
    owed ? act('drop', ['Drop', 'Dropped: no attempt is made any more.']) : null,
  );
}

function offset(ms) {
  return ms === 0 ? '0' : `+${duration(ms)}`;
}

function stepItem(step, task, page) {
  const span = step.until_ms > step.at_ms ? ` to ${offset(step.until_ms - task.submitted_ms)}` : '';
  const calls = step.calls.slice(0, 3).map((number) => button(`call ${number}`, () => page.open('call', number), { class: 'link' }));
  return h(
    'li',
    { class: `step ${step.kind} ${step.tone}${step.happened ? '' : ' planned'}` },
    h('span', { class: 'step-at', text: offset(step.at_ms - task.submitted_ms) + span, title: instant(step.at_ms) }),
    h(
      'div',
      {},
      h('span', { class: 'step-title', text: step.title + (step.happened ? '' : ' (planned)') }),
      step.detail ? h('span', { class: 'step-detail', text: step.detail }) : null,
      calls.length ? h('span', { class: 'step-calls' }, ...calls, step.calls.length > 3 ? ` and ${step.calls.length - 3} more` : '') : null,
    ),
  );
}

async function pictures(task, box) {
  const shown = Math.min(task.pictures, MOST_PICTURES);
  const cards = [];
  for (let index = 0; index < shown; index += 1) {
    const source = await picture(`/tasks/${task.task_id}/pictures/${index}`);
    const image = h('img', { src: source, alt: `Picture ${index + 1} of ${task.pictures}`, loading: 'lazy', width: '160', height: '160' });
    image.addEventListener('error', () => image.replaceWith(h('p', { class: 'sub', text: 'This picture cannot be shown.' })));
    cards.push(h('a', { href: source, target: '_blank', rel: 'noopener', class: 'picture' }, image));
  }
  fill(box, ...cards, task.pictures > shown ? h('p', { class: 'sub', text: `and ${task.pictures - shown} more` }) : null);
}

function drawTask(box, story, page) {
  const { task } = story;
  const status = stateOf(task, nowMs());
  const ended = status === 'succeeded' || status === 'failed';
  const end = (result) =>
    button(result === 'TASK_STATUS_SUCCEED' ? 'End: succeed' : 'End: fail', () =>
      page.act('Ended now.', () => call('POST', `/tasks/${task.task_id}/end`, { body: { status: result } })),
    );
  const copies = {
    curl: () => page.copy('The curl line', asCurl(story.request, location.origin)),
    pytest: () => page.copy('The test', asPytest(story)),
  };
  const drawn = h('div', { class: 'pictures' });
  const wanted = `${story.world.id} ${task.task_id} ${task.submitted_ms} ${task.status}`;
  const kept = [...box.querySelectorAll('.pictures')].find((one) => one.dataset.of === wanted);
  fill(
    box,
    h('h2', { class: 'detail-title', text: task.prompt || '(no prompt)', tabindex: '-1' }),
    h('p', { class: 'chips' }, h('span', { class: `chip ${status}`, text: status }), h('span', { class: 'chip', text: task.task_type === 'IMG_TO_IMG' ? 'image to image' : 'text to image' }), h('span', { class: 'chip', text: money(task.micro_usd) })),
    h('div', { class: 'buttons' }, button('Copy as curl', copies.curl), button('Copy as pytest', copies.pytest), ended ? null : end('TASK_STATUS_SUCCEED'), ended ? null : end('TASK_STATUS_FAILED')),
    kept ?? drawn,
    h('h3', { text: 'Story' }),
    story.forgotten ? h('p', { class: 'sub', text: 'The journal has dropped its oldest calls: early polls may be missing.' }) : null,
    h('ol', { class: 'story' }, story.steps.map((step) => stepItem(step, task, page))),
    story.findings.length ? h('h3', { text: `Findings (${story.findings.length})` }) : null,
    story.findings.map((finding) => findingCard(finding, page.codes.get(finding.code), 'h4')),
    story.deliveries.length ? h('h3', { text: 'Webhooks' }) : null,
    story.deliveries.map((delivery) =>
      h('article', { class: 'card' }, h('p', {}, h('span', { class: `chip ${delivery.state}`, text: delivery.state }), ' ', h('code', { text: delivery.url })), h('p', { class: 'sub', text: `${count(delivery.attempts, 'attempt')}${delivery.last ? `; the last: ${delivery.last}` : ''}` }), deliveryButtons(delivery, page), button('All of it', () => page.open('delivery', delivery.id), { class: 'link' })),
    ),
    h('h3', { text: 'Facts' }),
    facts([
      ['Task', h('span', {}, h('code', { text: task.task_id }), ' ', button('copy', () => page.copy('The id', task.task_id), { class: 'link', 'aria-label': 'Copy the id of the task' }))],
      ['Operation', h('code', { text: task.operation_id })],
      ['Submitted', instant(task.submitted_ms)],
      ['Work begins', instant(task.started_ms)],
      ['Ends', instant(task.finished_ms)],
      ['Seed', task.seed],
      ['Pictures', `${task.pictures} ${task.image_type}`],
      ['Reason', task.reason],
    ]),
    h('h3', { text: 'Request' }),
    code(story.request.body, 'Request'),
  );
  if (status === 'succeeded' && !kept) {
    drawn.dataset.of = wanted;
    pictures(task, drawn).catch((error) => fill(drawn, h('p', { class: 'sub', text: error.message })));
  }
  return copies;
}

function drawCall(box, entry, page) {
  const query = entry.query ? `?${entry.query}` : '';
  const bad = entry.status === 0 || entry.status >= 400;
  fill(
    box,
    h('h2', { class: 'detail-title mono', text: `${entry.method} ${entry.path}`, tabindex: '-1' }),
    h('p', { class: 'chips' }, h('span', { class: `chip ${bad ? 'failed' : 'succeeded'}`, text: entry.status ? String(entry.status) : 'no answer' }), entry.fault ? h('span', { class: 'chip fault', text: `fault: ${entry.fault}` }) : null),
    entry.told.map((finding) => findingCard(finding, page.codes.get(finding.code))),
    facts([
      ['Call', String(entry.number)],
      ['At', instant(entry.at_ms)],
      ['Operation', entry.operation_id ? h('code', { text: entry.operation_id }) : 'none'],
      ['Query', query ? h('code', { text: query }) : null],
      ['Task', entry.task_id ? button(entry.task_id, () => page.open('task', entry.task_id), { class: 'link' }) : null],
      ...Object.entries(entry.headers).map(([name, value]) => [name, value]),
    ]),
    h('h3', { text: `Request${entry.request_bytes ? ` (${entry.request_bytes.toLocaleString('en')} bytes)` : ''}` }),
    entry.request === null ? h('p', { class: 'sub', text: 'no body' }) : code(entry.request, 'Request'),
    h('h3', { text: `Answer${entry.answer_bytes ? ` (${entry.answer_bytes.toLocaleString('en')} bytes)` : ''}` }),
    entry.answer === null ? h('p', { class: 'sub', text: entry.operation_id ? 'nothing was sent' : 'a file, which the journal does not keep' }) : code(entry.answer, 'Answer'),
  );
  return {};
}

function drawDelivery(box, delivery, page) {
  fill(
    box,
    h('h2', { class: 'detail-title mono', text: delivery.url, tabindex: '-1' }),
    h('p', { class: 'chips' }, h('span', { class: `chip ${delivery.state}`, text: delivery.state }), delivery.test_mode ? h('span', { class: 'chip', text: 'test mode' }) : null),
    delivery.note ? h('p', { text: delivery.note }) : null,
    deliveryButtons(delivery, page),
    h('h3', { text: `Attempts (${delivery.attempts})` }),
    h(
      'ol',
      { class: 'story' },
      delivery.history.map((attempt) =>
        h(
          'li',
          { class: `step webhook ${attempt.ok ? 'good' : 'bad'}` },
          h('span', { class: 'step-at', text: offset(attempt.at_ms - delivery.owed_since_ms), title: instant(attempt.at_ms) }),
          h('div', {}, h('span', { class: 'step-title', text: `${attempt.cause} ${attempt.number}: ${attempt.verdict}` }), h('span', { class: 'step-detail', text: `${attempt.took_ms} ms by the wall${attempt.effect ? `; fault: ${attempt.effect}` : ''}` }), attempt.answer?.beginning ? code(attempt.answer.beginning, 'Answer of the receiver') : null),
        ),
      ),
      delivery.next_attempt_ms === null ? null : h('li', { class: 'step webhook planned' }, h('span', { class: 'step-at', text: offset(delivery.next_attempt_ms - delivery.owed_since_ms) }), h('div', {}, h('span', { class: 'step-title', text: `attempt ${delivery.attempts + 1} is due (planned)` }))),
    ),
    facts([
      ['Delivery', h('code', { text: delivery.id })],
      ['Owed since', instant(delivery.owed_since_ms)],
      ['Task', state.tasks.has(delivery.task_id) ? button(delivery.task_id, () => page.open('task', delivery.task_id), { class: 'link' }) : delivery.task_id],
    ]),
    h('h3', { text: 'Event' }),
    delivery.body === null ? h('p', { class: 'sub', text: 'made at the first attempt' }) : code(delivery.body, 'Event'),
  );
  return {};
}

/** What the panel can show: how each kind is asked for, and drawn; drawing gives what the keys `c` and `p` do. */
export const DETAILS = {
  task: { load: (id) => call('GET', `/tasks/${encodeURIComponent(id)}/story`), draw: drawTask },
  call: { load: (number) => call('GET', `/requests/${number}`), draw: drawCall },
  outside: { load: (number) => callServer('GET', `/requests/${number}`), draw: drawCall },
  delivery: { load: (id) => call('GET', `/webhooks/deliveries/${encodeURIComponent(id)}`), draw: drawDelivery },
};
