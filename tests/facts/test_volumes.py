"""What a volume create makes."""

import pytest

from authz.errors import RefusedError
from authz.facts.volumes import volume_create_facts
from tests.builders import a_known, words


def facts(**body):
    """Describe a volume create; keywords are members of its body."""
    return words(volume_create_facts(body, a_known()))


@pytest.mark.parametrize("driver", ["", "local"])
def test_an_ordinary_volume(driver):
    """By its name."""
    assert facts(Name="data", Driver=driver) == ["volume:data"]


def test_a_volume_without_a_name():
    """The daemon gives it one."""
    assert facts() == facts(Name="") == ["volume:anonymous"]


def test_a_volume_cannot_be_called_nameless():
    """It would pass for one that nobody else has."""
    with pytest.raises(RefusedError, match="volume 'anonymous'"):
        facts(Name="anonymous")


def test_a_volume_that_is_a_host_path():
    """What its options reach is told with each of them."""
    options = {"type": "none", "o": "bind", "device": "/etc"}

    assert facts(Name="data", DriverOpts=options) == [
        "volume:data",
        "bind:/etc",
        "bind.rw:/etc",
        "volume.opt:type=none",
        "volume.opt:o=bind",
        "volume.opt:device=/etc",
    ]


def test_a_volume_of_another_driver():
    """Code that is not the daemon's."""
    assert facts(Name="data", Driver="rexray") == ["volume:data", "volume.driver:rexray"]


def test_reserved_labels_are_refused():
    """Nobody says whose a volume is but Dockgate."""
    with pytest.raises(RefusedError, match=r"Labels has the label 'dockgate\.owner'"):
        facts(Labels={"dockgate.owner": "user:bob"})


def test_a_volume_of_the_swarm():
    """It is told beside the volume that it is."""
    assert facts(Name="data", ClusterVolumeSpec={}) == ["volume:data", "volume.cluster:on"]
