"""A pytest plugin for other people's suites: writes down how each test ended, as it ends.

Loaded by name (`-p outcomes`) into a pytest that knows nothing of Dockgate, so it needs nothing but
pytest. DOCKGATE_OUTCOMES names the file, DOCKGATE_PATIENCE the seconds that one test may take.
"""

import json
import os
import signal
from collections.abc import Generator
from types import FrameType
from typing import Any

import pytest

_SHOWN = 2000


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Generator[None, Any, Any]:
    """Interrupt a test that hangs, as a failure of its own."""
    signal.signal(signal.SIGALRM, _end)
    signal.alarm(int(os.environ["DOCKGATE_PATIENCE"]))
    try:
        return (yield)
    finally:
        signal.alarm(0)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Write one line for each phase that says something: the call, and what fails around it."""
    if report.when == "call" or not report.passed:
        line = {
            "test": report.nodeid,
            "outcome": report.outcome,
            "why": str(report.longrepr or "")[-_SHOWN:],
        }
        with open(os.environ["DOCKGATE_OUTCOMES"], "a", encoding="utf-8") as file:  # noqa: PTH123
            file.write(json.dumps(line) + "\n")


def _end(_number: int, _frame: FrameType | None) -> None:
    raise TimeoutError("this test takes too long")
