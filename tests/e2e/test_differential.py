"""Our reading beside that of a daemon which asks nobody: a slice of the long comparison.

The whole is ``python -m tests.differential.daemon``; here stand its first
requests, and the proof that it finds what it is for.
"""

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.differential import bodies, mistakes, targets
from tests.differential.daemon import compare
from tests.differential.route import Routes
from tests.differential.stage import Stage
from tests.differential.trial import Trials
from tests.e2e.daemon import Dockerd

SEED = 7
"""A seed without a driver whose name is broken, for which the daemon looks 15 s."""

SLICE = 10
"""Seconds for each slice; a busy machine gets less far."""

A_MINUTE = 60
LAST = 26
"""The last engine that reads a HostConfig at the top level."""

ENOUGH = 100_000
"""More cases than a minute has room for."""


@pytest.fixture(scope="module")
def stage(dockerd: Dockerd) -> Iterator[Stage]:
    """Set up the objects that requests name."""
    with closing(Stage(dockerd)) as stage:
        yield stage


def test_bodies_read_as_the_daemon_reads_them(stage):
    """Whatever both take became what we read, and reaches no further than we said."""
    report = compare(
        stage, bodies.cases(SEED, 600, stage.newest, stage.oldest), Trials, seconds=SLICE
    )

    assert report.findings == []
    assert report.counts["daemon takes, we read"] > 0


def test_request_lines_read_as_the_daemon_reads_them(stage):
    """Whatever we read is answered like its plainest spelling."""
    report = compare(stage, targets.cases(SEED, 600, stage.newest), Routes, seconds=SLICE)

    assert report.findings == []
    assert report.counts["daemon takes, we read"] > 0


@pytest.mark.parametrize("mistake", mistakes.OF_BODIES)
def test_a_mistake_in_reading_bodies_is_found_within_a_minute(mistake, stage):
    """The comparison sees what each would let through."""
    if mistake in mistakes.OF_OLD_ENGINES and int(stage.daemon.engine.name.split(".")[0]) > LAST:
        pytest.skip("this engine reads nothing there")
    cases = bodies.cases(SEED, ENOUGH, stage.newest, stage.oldest)
    with mistakes.OF_BODIES[mistake]():
        report = compare(stage, cases, Trials, seconds=A_MINUTE, until_found=True)

    assert report.findings


@pytest.mark.parametrize("mistake", mistakes.OF_TARGETS)
def test_a_mistake_in_reading_targets_is_found_within_a_minute(mistake, stage):
    """The daemon answers for another object than we read."""
    cases = targets.cases(SEED, ENOUGH, stage.newest)
    with mistakes.OF_TARGETS[mistake]():
        report = compare(stage, cases, Routes, seconds=A_MINUTE, until_found=True)

    assert report.findings
