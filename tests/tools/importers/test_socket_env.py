"""The environment variables of socket proxies made of HAProxy."""

import pytest

from authz.tools.importers.socket_env import ROLE, read


def operations(text):
    """Return everything that is granted."""
    return set().union(*(grant.operations for grant in read(text, ("group:os/docker",)).grants))


def test_what_is_open_by_default_is_granted():
    """Events, ping and version; nothing else."""
    assert operations("") == {"SystemEvents", "SystemPing", "SystemPingHead", "SystemVersion"}
    assert read("hello\n", ()).left == [
        "no setting is in the file; here is what such a proxy opens without any"
    ]
    assert operations("EVENTS=0\nPING=0\nVERSION=0") == set()


@pytest.mark.parametrize(
    "line",
    [
        "CONTAINERS=1",
        "      - CONTAINERS=1 # optional",
        "      CONTAINERS: 1",
        '  - "CONTAINERS=1"',
        "  -e CONTAINERS=1 \\",
        "CONTAINERS=true",
        "export CONTAINERS=1",
        "docker run -d -e EVENTS=1 -e CONTAINERS=1 --env=PING=1 proxy",
        'Environment="EVENTS=1" "CONTAINERS=1"',
        '{"EVENTS": "1", "CONTAINERS": "1"}',
    ],
)
def test_a_section_is_read_in_any_file(line):
    """Reading only: POST is closed by default."""
    found = operations(line)
    assert {"ContainerList", "ContainerInspect", "ContainerLogs"} <= found
    assert not {"ContainerCreate", "ContainerStart", "ContainerDelete", "ImageList"} & found


def test_post_opens_everything_of_the_open_sections():
    """But for exec, which has a switch of its own."""
    found = operations("CONTAINERS=1\nPOST=1")
    assert {"ContainerCreate", "ContainerDelete", "PutContainerArchive"} <= found
    assert not {"ContainerExec", "ExecStart", "ImagePull"} & found
    assert {"ContainerExec", "ExecStart"} <= operations("CONTAINERS=1\nPOST=1\nEXEC=1")
    assert any("EXEC=1" in text for text in read("CONTAINERS=1\nPOST=1", ()).left)


def test_single_operations_are_opened():
    """Whatever POST says."""
    base = operations("")
    assert operations("ALLOW_START=1") - base == {"ContainerStart"}
    assert operations("ALLOW_RESTARTS=1") - base == {
        "ContainerKill",
        "ContainerRestart",
        "ContainerStop",
    }


def test_what_is_neither_on_nor_off_is_told():
    """And opens nothing; nor does what is commented out."""
    found = read("CONTAINERS=${MAYBE}\n#IMAGES=1\n  # - INFO=1\nLOG_LEVEL=err", ())
    assert found.left == ["CONTAINERS=${MAYBE: is neither 1 nor 0, and counts as 0 here"]
    assert operations("CONTAINERS=${MAYBE}\n#IMAGES=1") == operations("")


def test_what_is_not_known_is_left():
    """And whoever could connect gets the role."""
    found = read("SOMETHING=1\nLOG_LEVEL=info\nimage: x\n", ("group:os/docker",))
    assert found.left == ["SOMETHING is no setting that is known here"]
    assert found.links == [("group:os/docker", ROLE)]
