"""docs/reference/drawing.md says of the samplers what their table says."""

from __future__ import annotations

from pathlib import Path

from reference_impl.engine.samplers import SAMPLERS
from tests.reference.engine.test_samplers import TRAINING, names

PAGE = Path("docs/reference/drawing.md")
CALLS = {(4, 20): "n", (7, 39): "2n - 1", (5, 21): "n + 1", (30, 60): "up to 3n, at least 30"}


def table() -> str:
    """The samplers' table as Markdown."""
    in_v3 = names("SamplerName")
    lines = ["| `sampler_name` | v3 | calls | by |", "|---|---|---|---|"]
    for name, sampler in SAMPLERS.items():
        counted = sampler.course(TRAINING, 4, 0).calls, sampler.course(TRAINING, 20, 0).calls
        lines.append(f"| {name} | {'yes' if name in in_v3 else ''} | {CALLS[counted]} | {sampler.why} |")
    return "\n".join(lines) + "\n"


def test_the_page_has_the_table_of_the_code() -> None:
    assert table() in PAGE.read_text(encoding="utf-8")
