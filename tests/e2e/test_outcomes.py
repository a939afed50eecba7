"""How requests ended, as a real daemon tells its plugin, and the chain that has it."""

import json

from authz.audit.reader import read, whole
from authz.audit.verify import verify
from tests.e2e.gate import Gate, wait_for


def test_the_id_of_what_was_created_is_in_the_record(daemons):
    """The daemon's second call is linked to the decision; the log is whole in the end."""
    daemon = daemons(["dockgate"])
    with Gate(daemon) as gate:
        daemon.start()
        created = daemon.api("POST", "/v1.41/containers/create?name=told", {"Image": "alpine"})
        listed = daemon.api("GET", "/v1.41/containers/json?all=1")
        assert (created.status, listed.status) == (201, 200)
        assert wait_for(lambda: len(outcomes(gate)) >= 2, 10)
        found = outcomes(gate)
        decisions = {
            record["request"]["operation"]: record["id"]
            for record in gate.records()
            if record["verdict"] == "allow"
        }

    create = found[decisions["ContainerCreate"]]
    assert (create["status"], create["object"]) == (201, created.json()["Id"])
    assert create["bytes_in"] > 0
    assert found[decisions["ContainerList"]]["bytes_out"] > 0
    assert verify(whole([gate.audit])).problems == []


def outcomes(gate: Gate) -> dict[str, dict[str, object]]:
    """Return outcomes by the ids of their decisions."""
    return {
        str(entry.record["id"]): json.loads(entry.text)
        for entry in read(whole([gate.audit]))
        if entry.kind == "outcome"
    }
