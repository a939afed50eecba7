"""An administrator at the plugin: nothing that the CLI, buildx or compose send is in the way.

The whole comparison, also with other CLIs and through the proxy, is
``python -m tests.clients.cli``; here its commands run at the plugin alone, with the newest CLI.
"""

from tests.clients.cli import COMMANDS, newest, outcomes, with_client
from tests.clients.doors import Place
from tests.e2e.conftest import Daemons
from tests.e2e.gate import Gate


def test_an_administrators_commands_work(daemons, tmp_path):
    """Every one of them works where nobody is asked, so that none may fail here."""
    newer = Daemons(
        with_client(daemons.engine, newest()), daemons.image_store, daemons.stack, daemons.made
    )
    daemon = newer(["dockgate"])
    said: dict[str, str] = {}
    with Gate(daemon, "admin", "g, user:anonymous, role:admin, *\n") as gate:
        daemon.start()
        place = Place(daemon, {"DOCKER_HOST": f"unix://{daemon.socket}"}, gate)
        found = outcomes(place, tmp_path, said)

    assert said == {}
    assert len(found) == len(COMMANDS)
    assert place.refusals() == []
