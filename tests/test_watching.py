"""Alert rules and the dashboard watch what there is: every name in them exists."""

import json
import re
from itertools import pairwise
from pathlib import Path

import pytest

from authz.errors import Reason
from authz.metrics import Metrics

DEPLOY = Path(__file__).parents[1] / "deploy"
RULES = (DEPLOY / "prometheus" / "dockgate.rules.yml").read_text()
DASHBOARD = json.loads((DEPLOY / "grafana" / "dockgate.json").read_text())
ALERTS = RULES.split("- alert: ")[1:]
ASKED = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]

FAMILIES = {family.name: family for family in Metrics().registry.collect()}
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
SERIES = {
    name + suffix for name, family in FAMILIES.items() for suffix in SUFFIXES.get(family.type, ())
}
METRIC = re.compile(r"\b(?:dockgate|process)_[a-z_]+")


def expressions(alert):
    """Return what an alert asks."""
    return alert.partition("expr:")[2].partition("labels:")[0]


@pytest.mark.parametrize("asked", [*map(expressions, ALERTS), *ASKED])
def test_every_series_exists(asked):
    """Under the name that it is scraped by."""
    named = METRIC.findall(re.sub(r'"[^"]*"', '""', asked))

    assert named
    assert set(named) <= SERIES


@pytest.mark.parametrize("asked", [*map(expressions, ALERTS), *ASKED])
def test_every_reason_exists(asked):
    """The list is closed."""
    named = [each for text in re.findall(r'reason=~?"([^"]*)"', asked) for each in text.split("|")]

    assert set(named) <= {reason.value for reason in Reason}


@pytest.mark.parametrize("alert", ALERTS, ids=lambda text: text.split("\n")[0])
def test_every_alert_says_what_it_watches(alert):
    """By metric or reason code, with a sentence for whoever is woken."""
    watched = re.findall(r"[a-z_]+", alert.split("watches: ")[1].split("\n")[0])
    known = {*FAMILIES, *(reason.value for reason in Reason)}

    assert {*watched} - {"reason", "reasons"} <= known
    assert re.search(r"severity: (critical|warning|info) ", alert)
    assert re.search(r"summary: .{20,}", alert)


def test_alerts_have_names_of_their_own():
    """And tests; what is quiet and what fires is in dockgate.tests.yml."""
    names = [alert.split("\n")[0] for alert in ALERTS]
    tests = (DEPLOY / "prometheus" / "dockgate.tests.yml").read_text()

    assert len(set(names)) == len(names) > 10
    assert set(re.findall(r"alertname: (\w+)", tests)) <= set(names)


def test_panels_stand_beside_each_other():
    """Each with an id of its own, in twenty-four columns, over no other."""
    places = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    cells = [
        (place["x"] + column, place["y"] + row)
        for place in places
        for column in range(place["w"])
        for row in range(place["h"])
    ]

    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(places)
    assert len(set(cells)) == len(cells)
    assert max(column for column, _ in cells) < 24


def test_the_dashboard_has_what_the_program_wants():
    """Title, uid, the version of its form, and for each panel a type, a source and targets."""
    assert DASHBOARD["schemaVersion"] >= 36
    assert (DASHBOARD["uid"], DASHBOARD["title"]) == ("dockgate", "Dockgate")
    for panel in DASHBOARD["panels"]:
        assert panel["type"] in {"timeseries", "stat"}
        assert panel["datasource"] == {"type": "prometheus", "uid": "${source}"}
        references = [target["refId"] for target in panel["targets"]]
        assert all(one < other for one, other in pairwise(references))


def test_every_variable_is_declared():
    """Those with two underscores are the program's own."""
    declared = {each["name"] for each in DASHBOARD["templating"]["list"]}
    used = set(re.findall(r"\$\{?([a-z]\w*)", json.dumps(DASHBOARD)))

    assert used == declared
