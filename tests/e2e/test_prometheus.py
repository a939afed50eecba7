"""Alert rules, dashboard and metrics, in the real program's hands."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.e2e.gate import Gate
from tests.e2e.prometheus import default_cache, promtool

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = DEPLOY / "prometheus" / "dockgate.rules.yml"
TOOL = promtool(default_cache())

pytestmark = pytest.mark.skipif(
    TOOL is None and os.environ.get("CI") != "true",
    reason="no promtool (tests/e2e/prometheus.py install)",
)


def told(*words, text=""):
    """Run promtool, and return what it says; it must be content."""
    done = subprocess.run(
        [TOOL, *words], input=text, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_takes_the_rules():
    """All of them."""
    assert f"{RULES.read_text().count('- alert:')} rules found" in told("check", "rules", RULES)


def test_the_rules_alert_when_they_should():
    """On a healthy gate none does."""
    assert "SUCCESS" in told("test", "rules", RULES.with_name("dockgate.tests.yml"))


def test_it_takes_every_question_of_the_dashboard(tmp_path):
    """As if each were a rule of its own."""
    dashboard = json.loads((DEPLOY / "grafana" / "dockgate.json").read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    rules = [
        {"record": f"panel:{number}", "expr": text.replace("$__rate_interval", "5m")}
        for number, text in enumerate(asked)
    ]
    file = tmp_path / "panels.yml"  # JSON is YAML as well
    file.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))

    assert f"{len(asked)} rules found" in told("check", "rules", file)


def test_it_takes_what_a_gate_tells(daemons):
    """The text of a real one, after a decision."""
    with Gate(daemons()) as gate:
        gate.question({"RequestMethod": "GET", "RequestUri": "/_ping"})
        text = gate.ask("GET", "/metrics").body.decode()

    assert "dockgate_actions_total{" in text
    told("check", "metrics", text=text)
