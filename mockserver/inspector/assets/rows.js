// A list of any length of which only the rows in view exist. One stop of the tab key; arrows move within.

import { h } from './dom.js';

const BEYOND = 6;

/** A virtual listbox. */
export class Rows {
  /**
   * @param {HTMLElement} box scrolls; becomes a listbox
   * @param {object} options
   * @param {string} options.label of the list, for assistive technology
   * @param {() => number} options.height of a row, in pixels
   * @param {(row: HTMLElement, item: object) => void} options.draw fills a row, which may have shown another item
   * @param {(item: object) => string} options.look what the drawing depends on; a row that has it already is left as it is
   * @param {(item: object) => string} options.id of an item
   * @param {(item: object) => void} options.open an item was chosen
   */
  constructor(box, options) {
    this.options = options;
    this.box = box;
    this.items = [];
    this.index = new Map();
    this.active = null;
    this.pool = new Map();
    this.looks = new WeakMap();
    this.inner = h('div', { class: 'rows-inner', role: 'presentation' });
    box.append(this.inner);
    box.classList.add('rows');
    box.tabIndex = 0;
    box.setAttribute('role', 'listbox');
    box.setAttribute('aria-label', options.label);
    box.addEventListener('scroll', () => this.soon(), { passive: true });
    box.addEventListener('keydown', (event) => this.key(event));
    box.addEventListener('focus', () => {
      if (this.active === null && this.items.length && box.matches(':focus-visible')) this.mark(this.items[this.first()]);
    });
    new ResizeObserver(() => this.soon()).observe(box);
    this.pending = false;
    this.drawn = () => {};
  }

  /** The items from now on; what is in view stays in view. */
  show(items) {
    const { id } = this.options;
    const height = this.options.height();
    const top = Math.floor(this.box.scrollTop / height);
    const anchor = this.box.scrollTop > height / 2 && this.items[top] ? id(this.items[top]) : null;
    this.items = items;
    this.index = new Map(items.map((item, position) => [id(item), position]));
    this.inner.style.height = `${items.length * height}px`;
    const now = anchor === null ? undefined : this.index.get(anchor);
    if (now !== undefined && now !== top) this.box.scrollTop += (now - top) * height;
    if (this.active !== null && !this.index.has(this.active)) this.active = null;
    this.draw();
  }

  /** Draws at the next frame, once. */
  soon() {
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => {
      this.pending = false;
      this.draw();
    });
  }

  first() {
    return Math.min(this.items.length - 1, Math.max(0, Math.floor(this.box.scrollTop / this.options.height())));
  }

  /** The items in view. */
  inView() {
    const height = this.options.height();
    const from = this.first();
    return this.items.slice(Math.max(0, from), from + Math.ceil(this.box.clientHeight / height) + 1);
  }

  draw() {
    const { height: rowHeight, draw, id } = this.options;
    const height = rowHeight();
    if (!this.box.clientHeight) return;
    const from = Math.max(0, Math.floor(this.box.scrollTop / height) - BEYOND);
    const to = Math.min(this.items.length, Math.ceil((this.box.scrollTop + this.box.clientHeight) / height) + BEYOND);
    this.drawn();
    const kept = new Map();
    const free = [...this.pool.entries()].filter(([key]) => {
      const position = this.index.get(key);
      return position === undefined || position < from || position >= to;
    });
    for (let position = from; position < to; position += 1) {
      const item = this.items[position];
      const key = id(item);
      let row = this.pool.get(key);
      if (!row) {
        row = free.pop()?.[1];
        if (!row) {
          row = h('div', { class: 'row', role: 'option' });
          row.addEventListener('click', () => this.choose(row.dataset.key));
          this.inner.append(row);
        }
      }
      kept.set(key, row);
      row.dataset.key = key;
      row.id = `${this.box.id}-${position}`;
      row.style.transform = `translateY(${position * height}px)`;
      row.style.height = `${height}px`;
      row.setAttribute('aria-posinset', position + 1);
      row.setAttribute('aria-setsize', this.items.length);
      row.setAttribute('aria-selected', String(key === this.active));
      const look = `${key} ${this.options.look(item)}`;
      if (this.looks.get(row) !== look) {
        this.looks.set(row, look);
        draw(row, item);
      }
    }
    for (const [, row] of free) row.remove();
    this.pool = kept;
    const at = this.active === null ? undefined : this.index.get(this.active);
    if (at !== undefined && at >= from && at < to) this.box.setAttribute('aria-activedescendant', `${this.box.id}-${at}`);
    else this.box.removeAttribute('aria-activedescendant');
  }

  choose(key) {
    const position = this.index.get(key);
    if (position === undefined) return;
    this.mark(this.items[position]);
    this.options.open(this.items[position]);
  }

  /** Makes an item the active one, and brings it into view. */
  mark(item) {
    this.active = item === null ? null : this.options.id(item);
    const position = this.index.get(this.active);
    if (position !== undefined) {
      const height = this.options.height();
      const { scrollTop, clientHeight } = this.box;
      if (position * height < scrollTop) this.box.scrollTop = position * height;
      else if ((position + 1) * height > scrollTop + clientHeight) this.box.scrollTop = (position + 1) * height - clientHeight;
    }
    this.draw();
  }

  key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const last = this.items.length - 1;
    const at = this.active === null ? -1 : (this.index.get(this.active) ?? -1);
    const page = Math.max(1, Math.floor(this.box.clientHeight / this.options.height()) - 1);
    const to = {
      ArrowDown: at + 1,
      j: at + 1,
      ArrowUp: at - 1,
      k: at - 1,
      PageDown: at + page,
      PageUp: at - page,
      Home: 0,
      End: last,
    }[event.key];
    if (to !== undefined && last >= 0) {
      event.preventDefault();
      this.mark(this.items[Math.min(last, Math.max(0, to))]);
    } else if ((event.key === 'Enter' || event.key === ' ') && this.active !== null) {
      event.preventDefault();
      this.choose(this.active);
    }
  }
}
