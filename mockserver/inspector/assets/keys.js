// Shortcuts. Single keys can be switched off, and never reach who is typing.

/** Keys and what they do, for people. */
export const KEYS = [
  ['1 … 6', 'tasks, calls, webhooks, findings, faults, coverage'],
  ['j k ↓ ↑', 'next and previous row'],
  ['Enter', 'open the row'],
  ['Esc', 'close the details'],
  ['/', 'filter'],
  ['w', 'choose a world'],
  ['f', 'freeze the clock, or let it run'],
  ['n', 'to the next event'],
  ['i', 'run until idle'],
  ['c', 'copy the open task as curl'],
  ['p', 'copy the open task as pytest'],
  ['t', 'light or dark'],
  ['?', 'this help'],
];

const ACTS = { '/': 'filter', w: 'world', f: 'freeze', n: 'next', i: 'idle', t: 'theme', c: 'curl', p: 'pytest', '?': 'help' };

/**
 * Acts on keys.
 * @param {() => boolean} wanted whether single keys are shortcuts
 * @param {object} acts what to do, by name
 */
export function listenToKeys(wanted, acts) {
  document.addEventListener('keydown', (event) => {
    if (event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey) return;
    if (document.querySelector('dialog[open]')) return;
    const typing = event.target.closest('input, textarea, select');
    if (event.key === 'Escape') {
      if (typing) typing.blur();
      else acts.close();
      return;
    }
    if (typing || !wanted()) return;
    if (/^[1-6]$/.test(event.key)) acts.view(Number(event.key));
    else if (['j', 'k'].includes(event.key)) acts.list(event);
    else if (ACTS[event.key]) {
      event.preventDefault();
      acts[ACTS[event.key]]();
    }
  });
}
