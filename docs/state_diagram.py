"""Draws the Mermaid state diagrams of these pages as SVG, so that the site needs no script from anywhere.

Only what the pages use is understood: `A --> B: label` and `[*]` as the begin and the end. States that something leads
out of stand in a row, in the order in which they are named; ends stand below each other at the right.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape

ARROW = re.compile(r"^\s*(?P<from>\S+) --> (?P<to>[^\s:]+)(?:: (?P<label>.+))?$", re.M)
OUTSIDE = "[*]"
WIDTH, HEIGHT = 216, 40
GAP_X, GAP_Y = 110, 96
TOP, LEFT = 64, 56


@dataclass(frozen=True, slots=True)
class _Box:
    x: float
    y: float

    @property
    def middle(self) -> float:
        return self.x + WIDTH / 2


def draw(text: str) -> str:
    """A diagram as an SVG element; its lines have the colour of the text around it.

    Raises:
        ValueError: the text is no diagram of states.
    """
    arrows = [(one["from"], one["to"], one["label"] or "") for one in ARROW.finditer(text)]
    if "stateDiagram" not in text or not arrows:
        raise ValueError("only state diagrams with arrows such as `A --> B: label` can be drawn")
    boxes = _places(arrows)
    parts = [_box(name, box) for name, box in boxes.items()]
    parts += [_arrow(boxes[start], boxes[end], label) for start, end, label in arrows if OUTSIDE not in (start, end)]
    for start, end, label in arrows:
        if start == OUTSIDE:
            box = boxes[end]
            parts.append(_line(f"M{box.x - 44} {box.y} H{box.x - 4}", "", 0, 0))
            parts.append(
                f'<circle cx="{box.x - 48}" cy="{box.y}" r="5" fill="currentColor"><title>{label}</title></circle>'
            )
    width = max(box.x for box in boxes.values()) + WIDTH + 8
    height = max(box.y for box in boxes.values()) + HEIGHT / 2 + 8
    said = "; ".join(f"{start} to {end}: {label}" for start, end, label in arrows if OUTSIDE not in (start, end))
    return (
        f'<svg class="state-diagram" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img" '
        f'aria-label="{escape(said)}" font-size="13" font-family="sans-serif">'
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        f'<path d="M0 0L8 4L0 8z" fill="currentColor"/></marker></defs>{"".join(parts)}</svg>'
    )


def _places(arrows: list[tuple[str, str, str]]) -> dict[str, _Box]:
    names = list(dict.fromkeys(name for start, end, _ in arrows for name in (start, end) if name != OUTSIDE))
    ends = {start for start, end, _ in arrows if end == OUTSIDE}
    row = [name for name in names if name not in ends]
    right = LEFT + len(row) * (WIDTH + GAP_X)
    places = {name: _Box(LEFT + place * (WIDTH + GAP_X), TOP) for place, name in enumerate(row)}
    last = [name for name in names if name in ends]
    straight = [end for start, end, _ in arrows if row and start == row[-1] and end in ends]
    last.sort(key=lambda name: straight.index(name) if name in straight else len(straight))
    return {**places, **{name: _Box(right, TOP + place * GAP_Y) for place, name in enumerate(last)}}


def _box(name: str, box: _Box) -> str:
    return (
        f'<rect x="{box.x:g}" y="{box.y - HEIGHT / 2:g}" width="{WIDTH}" height="{HEIGHT}" rx="6" fill="none" '
        f'stroke="currentColor"/><text x="{box.middle:g}" y="{box.y + 4.5:g}" text-anchor="middle" '
        f'fill="currentColor">{escape(name)}</text>'
    )


def _arrow(start: _Box, end: _Box, label: str) -> str:
    if start.y == end.y and end.x > start.x:
        return _line(f"M{start.x + WIDTH} {start.y} H{end.x - 2}", label, (start.x + WIDTH + end.x) / 2, start.y - 8)
    if start.y == end.y:
        over = start.y - HEIGHT / 2
        path = f"M{start.middle} {over} C{start.middle} {over - 34} {end.middle} {over - 34} {end.middle} {over - 2}"
        return _line(path, label, (start.middle + end.middle) / 2, over - 31)
    below = start.y + HEIGHT / 2
    turn = end.y + (8 if end.x - start.x > WIDTH + GAP_X else -8)
    path = f"M{start.middle} {below} V{turn - 14} Q{start.middle} {turn} {start.middle + 14} {turn} H{end.x - 2}"
    return _line(path, label, start.middle + 48, turn - 6 if turn < end.y else turn + 15)


def _line(path: str, label: str, x: float, y: float) -> str:
    text = f'<text x="{x:g}" y="{y:g}" text-anchor="middle" fill="currentColor">{escape(label)}</text>' if label else ""
    return f'<path d="{path}" fill="none" stroke="currentColor" marker-end="url(#arrow)"/>{text}'
