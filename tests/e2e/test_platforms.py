"""Images that are an index, in the store that is the usual one from 29 on.

Engines before 28 have that store, too, but do not say what is in an index.
"""

import pytest

from tests.e2e import engines, images
from tests.e2e.gate import Gate
from tests.e2e.images import Part

PEOPLE = "g, user:anonymous, role:admin, *\n"
NO_ROOT = "p, role:admin, *, container.create, user:root, *, deny\n"
LISTING = [name for name in engines.chosen() if int(name.split(".")[0]) >= 28]

pytestmark = pytest.mark.parametrize(
    "engine", LISTING or engines.MORE, indirect=True, scope="session"
)

CREATE = {"Image": "both", "Cmd": ["true"]}


@pytest.fixture(scope="module")
def daemon(module_daemons):
    """Run a daemon with indexes, that asks the gate."""
    daemon = module_daemons(features={"containerd-snapshotter": True})
    daemon.start()
    usual = Part("linux/amd64", "1000")
    images.load_index(daemon, "both:latest", [usual, Part("linux/386", "root")])
    images.load_index(
        daemon, "labelled:latest", [usual, Part("linux/386", "1000", {"dockgate.owner": "user:a"})]
    )
    images.load_index(
        daemon, "attested:latest", [usual, Part("unknown/unknown", "root", attests=True)]
    )
    images.load_index(
        daemon, "disguised:latest", [Part("linux/amd64", "root", attests=True), usual]
    )
    gate = Gate(daemon, "admin", PEOPLE)
    with (gate.policy / "policy.csv").open("a") as file:
        file.write(NO_ROOT)
    with gate:
        daemon.configure({"authorization-plugins": ["dockgate"]})
        daemon.reload()
        yield daemon


def create(daemon, image, platform=""):
    """Create a container; return the status, and what the daemon says."""
    query = f"?platform={platform}" if platform else ""
    answer = daemon.api("POST", f"/containers/create{query}", {**CREATE, "Image": image})
    return answer.status, answer.json()


@pytest.mark.parametrize("image", ["both", "labelled", "attested"])
@pytest.mark.parametrize("platform", ["", "linux/amd64"])
def test_the_image_for_this_host_is_what_is_judged(daemon, image, platform):
    """It starts as the user that was told."""
    status, made = create(daemon, image, platform)

    assert status == 201
    found = daemon.api("GET", f"/containers/{made['Id']}/json").json()
    assert found["Config"]["User"] == "1000"


@pytest.mark.parametrize("platform", ["linux/386", "linux/i386", "i386"])
def test_another_platform_has_another_user(daemon, platform):
    """Which this policy does not allow, whatever the platform is called."""
    status, said = create(daemon, "both", platform)

    assert status == 403
    assert "user:root" in said["message"]


def test_another_platform_has_labels_of_its_own(daemon):
    """By which the container would be somebody's."""
    status, said = create(daemon, "labelled", "linux/386")

    assert status == 403
    assert "dockgate.owner" in said["message"]


@pytest.mark.parametrize(
    ("image", "platform"),
    [("disguised", ""), ("disguised", "linux/amd64"), ("attested", "unknown/unknown")],
)
def test_what_is_not_shown_is_not_started(daemon, image, platform):
    """The daemon alone would start it."""
    status, said = create(daemon, image, platform)

    assert status == 403
    assert "unreadable_request" in said["message"]


def test_a_platform_that_is_not_here_is_not_found(daemon):
    """So that a client pulls it."""
    status, said = create(daemon, "both", "linux/arm64")

    assert status == 404
    assert "linux/arm64" in said["message"]
