"""The whole table of the control interface."""

from __future__ import annotations

from mockserver.control.clock import CLOCK_RESOURCES
from mockserver.control.coverage import COVERAGE_RESOURCES
from mockserver.control.faults import FAULT_RESOURCES
from mockserver.control.findings import FINDING_RESOURCES
from mockserver.control.ledger import LEDGER_RESOURCES
from mockserver.control.metrics import METRIC_RESOURCES
from mockserver.control.page import PAGE_RESOURCES
from mockserver.control.requests import REQUEST_RESOURCES
from mockserver.control.resource import Resource
from mockserver.control.scenarios import SCENARIO_RESOURCES
from mockserver.control.server import SERVER_RESOURCES
from mockserver.control.stream import STREAM_RESOURCES
from mockserver.control.tasks import TASK_RESOURCES
from mockserver.control.webhooks import WEBHOOK_RESOURCES
from mockserver.control.worlds import WORLD_RESOURCES

RESOURCES: tuple[Resource, ...] = (
    *SERVER_RESOURCES,
    *WORLD_RESOURCES,
    *CLOCK_RESOURCES,
    *TASK_RESOURCES,
    *FAULT_RESOURCES,
    *SCENARIO_RESOURCES,
    *WEBHOOK_RESOURCES,
    *LEDGER_RESOURCES,
    *REQUEST_RESOURCES,
    *FINDING_RESOURCES,
    *COVERAGE_RESOURCES,
    *METRIC_RESOURCES,
    *STREAM_RESOURCES,
    *PAGE_RESOURCES,
)
