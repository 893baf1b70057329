// Keeps the page up to date: server-sent events, and asking every two seconds where those cannot be had.

import { address, byKey } from './api.js';

const POLL_MS = 2000;
const AGAIN_MS = 10000;

/** Listens to the server for as long as the page is open. */
export class Live {
  /**
   * @param {object} told
   * @param {(kinds: string[], data: object|null) => void} told.changed something is not as it was
   * @param {() => void} told.worlds the list of worlds has changed
   * @param {() => void} told.gone the world was forgotten
   * @param {(mode: string, words: string) => void} told.mode how it listens now
   */
  constructor(told) {
    this.told = told;
    this.source = null;
    this.timers = [];
  }

  /** Begins anew, for the world that calls act on now; null stands for no world. */
  listen(worldId) {
    this.stop();
    if (byKey()) {
      this.poll('polling', 'Asking every 2 s: a world opened by its key has no event stream.');
      return;
    }
    if (typeof EventSource === 'undefined') {
      this.poll('polling', 'Asking every 2 s: this browser has no event streams.');
      return;
    }
    const source = new EventSource(address('/events', worldId === null ? {} : { world: worldId }));
    this.source = source;
    const parsed = (act) => (event) => act(JSON.parse(event.data));
    source.addEventListener('open', () => {
      this.clearTimers();
      this.told.mode('live', 'Live: the server tells what changes.');
    });
    source.addEventListener('change', parsed((data) => this.told.changed(data.changed, data)));
    source.addEventListener('worlds', () => this.told.worlds());
    source.addEventListener('gone', () => {
      this.stop();
      this.told.gone();
    });
    source.addEventListener('error', () => {
      const over = source.readyState === EventSource.CLOSED;
      if (this.timers.length) return;
      this.poll('polling', 'The event stream broke: asking every 2 s, and trying the stream again.');
      if (over) this.timers.push(setTimeout(() => this.listen(worldId), AGAIN_MS));
    });
  }

  /** Asks for everything again and again. */
  poll(mode, words) {
    this.told.mode(mode, words);
    this.timers.push(
      setInterval(() => {
        this.told.worlds();
        this.told.changed(null, null);
      }, POLL_MS),
    );
  }

  clearTimers() {
    for (const timer of this.timers) clearTimeout(timer);
    this.timers = [];
  }

  /** Listens no more. */
  stop() {
    this.clearTimers();
    this.source?.close();
    this.source = null;
  }
}
