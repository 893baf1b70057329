// Arming faults and scenarios, and what has happened because of them.

import { call, callServer } from './api.js';
import { button, fill, h } from './dom.js';
import { timeOfDay } from './format.js';
import { state } from './store.js';

const MOST_FIRED = 100;

/** The form that arms a fault: points and effects come from the server. */
export class FaultForm {
  constructor(box, page) {
    this.page = page;
    this.points = [];
    this.point = h('select', { id: 'fault-point', on: { change: () => this.drawEffects() } });
    this.effect = h('select', { id: 'fault-effect', on: { change: () => this.drawOptions() } });
    this.about = h('p', { class: 'sub' });
    this.options = h('div', { class: 'fields' });
    this.times = h('input', { id: 'fault-times', type: 'number', min: '1', value: '1', inputmode: 'numeric' });
    const form = h(
      'form',
      { class: 'card' },
      h('h3', { text: 'Arm a fault' }),
      h('div', { class: 'fields' }, field('Point', this.point), field('Effect', this.effect), field('Times', this.times)),
      this.options,
      this.about,
      h('div', { class: 'buttons' }, h('button', { type: 'submit', class: 'primary', text: 'Arm' })),
    );
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.arm();
    });
    this.scenario = h('select', { id: 'scenario' });
    this.scenarioAbout = h('p', { class: 'sub' });
    this.scenario.addEventListener('change', () => this.tellScenario());
    const scenarios = h(
      'section',
      { class: 'card' },
      h('h3', { text: 'Scenario' }),
      h('div', { class: 'fields' }, field('Situation', this.scenario)),
      this.scenarioAbout,
      h('div', { class: 'buttons' }, button('Put the world into it', () => this.enact()), button('Leave it', () => page.act('The world is in no scenario.', () => call('DELETE', '/scenario')))),
    );
    this.list = h('div', {});
    box.append(h('div', { class: 'two' }, form, scenarios), this.list);
  }

  async load() {
    if (this.points.length) return;
    const [effects, scenarios] = await Promise.all([callServer('GET', '/faults/effects'), callServer('GET', '/scenarios')]);
    this.points = effects.points;
    this.scenarios = scenarios.scenarios;
    fill(this.point, this.points.map((one) => h('option', { value: one.point, text: one.point })));
    fill(this.scenario, this.scenarios.map((one) => h('option', { value: one.name, text: one.name })));
    this.point.value = 'submit.after_commit';
    this.drawEffects();
    this.effect.value = 'CONNECTION_RESET_BY_PEER';
    this.drawOptions();
    this.tellScenario();
  }

  tellScenario() {
    this.scenarioAbout.textContent = this.scenarios.find((one) => one.name === this.scenario.value)?.description ?? '';
  }

  drawEffects() {
    const point = this.points.find((one) => one.point === this.point.value);
    fill(this.effect, point.effects.map((one) => h('option', { value: one.effect, text: one.effect })));
    this.drawOptions();
  }

  drawOptions() {
    const point = this.points.find((one) => one.point === this.point.value);
    const effect = point.effects.find((one) => one.effect === this.effect.value);
    this.about.textContent = `At ${point.about}: ${effect.what}.`;
    fill(
      this.options,
      Object.entries(effect.options).map(([name, schema]) => {
        const id = `option-${name}`;
        const input = schema.enum
          ? h('select', { id }, h('option', { value: '', text: 'usual' }), schema.enum.map((one) => h('option', { value: one, text: one })))
          : h('input', { id, type: schema.type === 'integer' || schema.type === 'number' ? 'number' : 'text', step: schema.type === 'number' ? 'any' : null, placeholder: schema.oneOf ? 'such as 2s' : null });
        input.dataset.option = name;
        input.dataset.type = schema.type ?? 'text';
        if (name === effect.main && schema.type === 'integer') input.value = '503';
        return field(name, input);
      }),
    );
  }

  arm() {
    const options = {};
    for (const input of this.options.querySelectorAll('[data-option]')) {
      if (input.value === '') continue;
      options[input.dataset.option] = ['integer', 'number'].includes(input.dataset.type) ? Number(input.value) : input.dataset.type === 'boolean' ? input.value === 'true' : input.value;
    }
    const name = this.effect.value;
    const body = { point: this.point.value, effect: Object.keys(options).length ? { [name]: options } : name };
    if (this.times.value) body.times = Number(this.times.value);
    return this.page.act('Armed.', () => call('POST', '/faults', { body }));
  }

  enact() {
    const name = this.scenario.value;
    return this.page.act(`The world is in ${name}.`, () => call('PUT', '/scenario', { body: { name } }));
  }

  /** Draws what is armed and what has happened. */
  draw() {
    const { armed, fired, total } = state.faults;
    const shown = fired.slice(-MOST_FIRED).reverse();
    fill(
      this.list,
      h('div', { class: 'heading' }, h('h3', { text: `Armed (${armed.length})` }), armed.length ? button('Disarm all', () => this.page.act('Nothing is armed.', () => call('DELETE', '/faults'))) : null),
      armed.length
        ? h('ul', { class: 'plain' }, armed.map((one) => h('li', { class: 'card line' }, h('code', { text: JSON.stringify(one.rule) }), h('span', { class: 'sub', text: ` from ${one.source || 'here'}, happened ${one.fired} of ${one.asked} times asked${one.spent ? ', spent' : ''} ` }), button('Disarm', () => this.page.act('Disarmed.', () => call('DELETE', `/faults/${one.id}`)), { 'aria-label': `Disarm fault ${one.id}` }))))
        : h('p', { class: 'sub', text: 'Nothing is armed: nothing goes wrong.' }),
      h('h3', { text: `Happened (${total})` }),
      shown.length
        ? h('ul', { class: 'plain' }, shown.map((one) => h('li', { class: 'line' }, h('span', { class: 'time', text: timeOfDay(one.at_ms) }), ' ', h('code', { text: one.at }), ' ', h('span', { class: 'chip fault', text: effectText(one.effect) }), ' ', h('span', { class: 'sub', text: one.operation_id }))))
        : h('p', { class: 'sub', text: 'Nothing yet.' }),
      total > shown.length ? h('p', { class: 'sub', text: `and ${total - shown.length} earlier ones` }) : null,
    );
  }
}

/** An effect in words: its name, and what it was given. */
function effectText(effect) {
  if (typeof effect === 'string') return effect;
  return Object.entries(effect)
    .map(([name, options]) => [name, ...Object.values(options).map((value) => (typeof value === 'object' ? JSON.stringify(value) : value))].join(' '))
    .join(', ');
}

/** A control with its label. */
export function field(label, input) {
  return h('label', { class: 'field' }, h('span', { text: label }), input);
}
