// Builds elements. Text only ever becomes a text node: nothing here, or anywhere on the page, reads markup from data.

/**
 * An element.
 * @param {string} tag its name
 * @param {object} [props] `class`, `text`, `on` (handlers by event), `data` (dataset), else attributes; null leaves one out
 * @param {...(Node|string|null|undefined|false)} children what is in it
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === 'class') element.className = value;
    else if (name === 'text') element.textContent = value;
    else if (name === 'on') for (const [event, act] of Object.entries(value)) element.addEventListener(event, act);
    else if (name === 'data') Object.assign(element.dataset, value);
    else if (name in element && typeof value !== 'string') element[name] = value;
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  for (const child of children.flat()) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child);
  }
  return element;
}

/** The element of an id. */
export const $ = (id) => document.getElementById(id);

/** Puts children in place of those that an element has. */
export function fill(element, ...children) {
  element.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
}

/** A button with a text. */
export function button(text, act, props = {}) {
  return h('button', { type: 'button', text, on: { click: act }, ...props });
}

/** Pairs of term and description; those without a description are left out. */
export function facts(pairs) {
  return h(
    'dl',
    { class: 'facts' },
    pairs
      .filter(([, value]) => value !== null && value !== undefined && value !== '')
      .map(([name, value]) => h('div', {}, h('dt', { text: name }), h('dd', {}, value))),
  );
}

/** JSON or text, as it came, in a box that scrolls and can be reached with the keyboard. */
export function code(value, label) {
  const text = typeof value === 'string' ? value : JSON.stringify(value, null, 2);
  return h('pre', { class: 'code', tabindex: '0', role: 'group', 'aria-label': label }, h('code', { text }));
}
