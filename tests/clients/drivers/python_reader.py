"""Which answers `novita-client` can read at all: its strict readers are fed from a file, without any server.

`answers.json` in the folder holds `{name: {"reader": .., "answer": ..}}`; the report says for each name what it gave.
"""

from __future__ import annotations

import json
from typing import Any

import novita_client as vendor  # type: ignore[import-not-found]  # only in the clients' own environments

from tests.clients.drivers.driving import Bench, Report, run

READERS: dict[str, Any] = {
    "task-result": vendor.V3TaskResponse,
    "model-list": vendor.MoodelsResponseV3,
    "v2-submit": vendor.Txt2ImgResponse,
    "v2-progress": vendor.ProgressResponse,
}


def read(bench: Bench) -> Report:
    """Reads every answer; an error is reported by the name of its type."""
    report: Report = {}
    for name, case in json.loads((bench.folder / "answers.json").read_text()).items():
        try:
            report[name] = {"read": READERS[case["reader"]].from_dict(case["answer"]).to_dict()}
        except Exception as error:  # whatever it is, it is what a caller of this client meets
            report[name] = {"error": type(error).__name__}
    return report


if __name__ == "__main__":
    run({"read": read})
