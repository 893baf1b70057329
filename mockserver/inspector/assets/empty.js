// What a newcomer sees: nothing has happened yet, and what to send.

import { asCurl } from './copy.js';
import { button, code, fill, h } from './dom.js';

const SHOWN = 5;
const SAMPLE = {
  path: '/v3/async/txt2img',
  body: {
    request: {
      model_name: 'dreamshaper_8_93211.safetensors',
      prompt: 'a lighthouse at dawn',
      width: 512,
      height: 512,
      image_num: 1,
      steps: 20,
      seed: 42,
      guidance_scale: 7.5,
      sampler_name: 'Euler a',
    },
  },
};

/** Shows the first steps, or hides them. */
export function drawEmpty(box, shown, page, inWorld, outside) {
  box.hidden = !shown;
  const title = inWorld ? 'Nothing has happened in this world' : 'Nothing has happened yet';
  const look = `${title} ${outside.at(-1)?.number}`;
  if (!shown || box.dataset.look === look) return;
  box.dataset.look = look;
  const line = asCurl(SAMPLE, location.origin).replace('$NOVITA_API_KEY', 'sk-any');
  const follow = `curl -sS '${location.origin}/v3/async/task-result?task_id=TASK' -H 'Authorization: Bearer sk-any'`;
  fill(
    box,
    h('h2', { text: title }),
    h('p', {}, 'Point your client at ', h('code', { text: location.origin }), ' with any API key, or send this from a terminal:'),
    code(line, 'A first call'),
    h('div', { class: 'buttons' }, button('Copy', () => page.copy('The line', line), { class: 'primary' })),
    h('p', {}, 'The answer names a task. Ask for it until it has ended, and watch it here:'),
    code(follow, 'A poll'),
    outside.length
      ? h(
          'section',
          {},
          h('h3', { text: 'Calls that are of no world' }),
          h('p', { class: 'sub', text: 'They carried no key that is accepted, or asked for what there is not:' }),
          h('ul', { class: 'plain' }, outside.slice(-SHOWN).reverse().map((entry) => h('li', { class: 'line' }, h('span', { class: 'chip failed', text: String(entry.status) }), ' ', h('code', { text: `${entry.method} ${entry.path}` }), ' ', button('look', () => page.open('outside', entry.number), { class: 'link', 'aria-label': `Look at call ${entry.number}` })))),
        )
      : null,
    h('p', { class: 'sub' }, 'Each API key is a world of its own, with its own clock, tasks and faults. Clients of the vendor read ', h('code', { text: 'NOVITA_API_KEY' }), ' and ', h('code', { text: 'NOVITA_API_URI' }), '.'),
  );
}
