"""What is not of the contract: how the server is, and what it loads."""

from __future__ import annotations

import subprocess
import sys

import pytest

from openapi.document import Document
from reference_impl.http.app import make_app
from reference_impl.settings import Settings
from tests.reference.fakes import PaintingWorker
from tests.reference.http.conftest import MakeFront
from tests.reference.http.front import Front
from tests.reference.submissions.bodies import txt2img


def test_a_server_that_loads_takes_tasks_and_says_that_it_is_not_ready(make_front: MakeFront) -> None:
    worker = PaintingWorker(ready=False)
    front = make_front(worker=worker)
    front.submit("/v3/async/txt2img", txt2img(width=128, height=128, image_num=2))
    loading = front.call("GET", "/ready", key=None)
    assert (loading.status_code, loading.json()) == (503, {"status": "loading", "reason": "", "waiting": 2})
    assert front.call("GET", "/health", key=None).json() == {"status": "ok"}
    worker.become_ready()
    assert front.call("GET", "/ready", key=None).status_code == 200


def test_an_operation_without_a_handler_is_found_at_the_start(lenient: Front, document: Document) -> None:
    class Larger(Document):
        def __init__(self) -> None:
            super().__init__(document.raw)
            self.operations = {**self.operations, "oneMore": self.operations["listModels"]}

    settings = Settings(models=lenient.house.pictures, data=lenient.house.pictures)
    with pytest.raises(ValueError, match=r"operations and handlers differ: \['oneMore'\]"):
        make_app(lenient.house.service, None, Larger(), settings)  # type: ignore[arg-type]


def test_the_http_process_imports_no_torch() -> None:
    """It starts within a second, and the libraries that draw take ten."""
    code = (
        "import sys, reference_impl.assembly, reference_impl.running, openapi.document\n"
        "openapi.document.load()\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules} & {'torch', 'diffusers', 'transformers',"
        " 'numpy', 'mockserver', 'conformance', 'PIL'}))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout.strip() == "[]"
