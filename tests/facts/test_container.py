"""What a container may do: a new one, and one that is there already."""

import pytest

from authz.errors import Reason, RefusedError
from authz.facts.container import create_facts, reached_containers, target_facts
from authz.facts.questions import MISSING, Question, Topic
from tests.builders import MASKED, READONLY, a_create, a_known, a_stored_container, words

ORDINARY = {
    "image:docker.io/library/nginx",
    "image.ref:name",
    "image.tag:latest",
    "image.digest:none",
    "pid:private",
    "ipc:private",
    "uts:private",
    "userns:default",
    "cgroupns:default",
    "net:default",
    "seccomp:default",
    "apparmor:default",
    "runtime:default",
    "user:root",
    "nnp:off",
    "rootfs:rw",
    "mem.limit:none",
    "mem.swap:none",
    "cpu.limit:none",
    "cpuset:none",
    "pids.limit:none",
    "blkio.weight:none",
    "shm.size:67108864",
    "restart:no",
    "log:json-file",
    "health:none",
}
NGINX = {"nginx": {"Config": {"User": "", "Labels": None}}}
HEX = "4b" * 32


def created(config=None, *, known=None, networks=None, **host):
    """Describe a create; keywords are HostConfig's members."""
    body = a_create(config, networks=networks, **host)
    return set(words(create_facts(body, known or a_known(image=NGINX), version=(1, 45))))


def more(config=None, **host):
    """Return what a create says beyond an ordinary one."""
    found = created(config, **host) - ORDINARY
    return {fact for fact in found if not fact.startswith("cap.keep:")}


def reached(container, /, **topics):
    """Describe what reaching into a stored container reaches."""
    return set(words(target_facts(container, a_known(**topics))))


def test_an_ordinary_container():
    """Its posture is told, defaults included, and nothing else."""
    found = created()

    assert {fact for fact in found if not fact.startswith("cap.keep:")} == ORDINARY
    assert len(found) == len(ORDINARY) + 14


@pytest.mark.parametrize(
    ("config", "host", "facts"),
    [
        ({}, {"CapAdd": ["SYS_ADMIN"]}, {"cap.add:SYS_ADMIN"}),
        ({"Env": ["PATH=/bin", "DB_PASSWORD=x"]}, {}, {"env.secret:DB_PASSWORD"}),
        ({}, {"Binds": ["/etc:/x"]}, {"bind:/etc", "bind.rw:/etc"}),
        ({}, {"Devices": [{"PathOnHost": "/dev/sda"}]}, {"device:/dev/sda"}),
        ({}, {"PidMode": "host"}, {"pid:host", "selinux:disable"}),
        ({}, {"NetworkMode": "host"}, {"net:host"}),
        ({}, {"SecurityOpt": ["seccomp=unconfined"]}, {"seccomp:unconfined"}),
        ({}, {"PublishAllPorts": True}, {"port.random:all", "port.ip:0.0.0.0", "port.ip:::"}),
        ({}, {"OomScoreAdj": -1}, {"oom:score=-1"}),
        ({}, {"CgroupParent": "/"}, {"cgroup.parent:/"}),
        ({}, {"Runtime": "runsc"}, {"runtime:runsc"}),
        ({}, {"Isolation": "default"}, set()),
        ({}, {"Isolation": "process"}, {"isolation:process"}),
        ({}, {"Annotations": {"a": "b"}}, {"annotation:a=b"}),
        ({}, {"ExtraHosts": ["a:1.1.1.1"]}, {"host.extra:a:1.1.1.1"}),
        (
            {},
            {"LogConfig": {"Type": "syslog", "Config": {"a": "b"}}},
            {"log:syslog", "log.opt:a=b"},
        ),
        ({"Hostname": "db"}, {}, set()),
        ({"Hostname": "db"}, {"NetworkMode": "host"}, {"net:host"}),
        ({"User": "7"}, {}, {"user:7"}),
    ],
)
def test_what_a_container_asks_for(config, host, facts):
    """Each part is described by its own module."""
    assert more(config, **host) == facts


@pytest.mark.parametrize("host", [{}, {"Runtime": "runsc"}])
def test_a_runtime_at_the_top_level_is_told_beside_the_other(host):
    """Engines up to 26 take it where there is no HostConfig, newer ones never do."""
    found = created({"Runtime": "kata"}, **host)

    assert {"runtime:kata", f"runtime:{host.get('Runtime', 'default')}"} <= found


def test_a_privileged_container():
    """Everything that privileged implies is spelt out."""
    found = more(Privileged=True)

    assert {
        "privileged:true",
        "cap.add:ALL",
        "cap.add:SYS_ADMIN",
        "device.rule:a *:* rwm",
        "seccomp:unconfined",
        "apparmor:unconfined",
        "proc:unmasked",
    } <= found


def test_a_host_name_is_an_alias_where_names_are_resolved():
    """In the networks of users, whichever way they are joined."""
    known = a_known(image=NGINX, network={"team": {"Name": "team"}})

    assert "net.alias:db" in created({"Hostname": "db"}, known=known, NetworkMode="team")
    assert "net.alias:db" in created({"Hostname": "db"}, known=known, networks={"team": None})
    assert "net.alias:db" not in created({"Hostname": "db"}, known=known, networks={"bridge": None})


@pytest.mark.parametrize(
    ("test", "image", "health"),
    [
        (["CMD", "x"], None, "set"),
        (["CMD-SHELL", "x"], None, "set"),
        (["NONE"], ["CMD", "x"], "none"),
        (["x"], None, "none"),
        ([""], None, "none"),
        ([], ["CMD", "x"], "image"),
        ([], ["NONE"], "none"),
        ([], ["x"], "none"),
        ([], None, "none"),
    ],
)
def test_health_checks(test, image, health):
    """Only checks that run count; without one of its own a container takes the image's."""
    config = {"Healthcheck": {"Test": test, "Interval": 5}}
    known = a_known(image={"nginx": {"Config": {"Healthcheck": image and {"Test": image}}}})

    assert f"health:{health}" in created(config, known=known)


def test_the_health_check_of_an_image_that_is_not_there():
    """The image decides, and nobody knows how."""
    known = a_known(image={"nginx": MISSING})

    assert {"health:image", "user:unset"} <= created(known=known)


@pytest.mark.parametrize(
    "host",
    [
        {"VolumesFrom": ["web:ro"]},
        {"VolumesFrom": ["/web"]},
        {"PidMode": "container:web"},
        {"IpcMode": "container:/web"},
        {"NetworkMode": "container:web"},
    ],
)
def test_what_another_container_may_do_is_told(host):
    """Sharing its mounts or namespaces reaches whatever it reaches."""
    web = a_stored_container(Privileged=True, PidMode="host", Binds=["/etc:/x"])
    known = a_known(image=NGINX, container={"web": web})

    assert list(reached_containers(host)) == ["web"]
    assert {"target.privileged:true", "target.pid:host", "target.bind:/etc"} <= created(
        known=known, **host
    )


def test_a_container_is_described_once():
    """However often and by whichever slash it is named."""
    assert list(reached_containers({"VolumesFrom": ["web", "/web:ro"], "PidMode": "host"})) == [
        "web"
    ]


def test_sharing_with_very_many_containers_is_refused():
    """Each of them would have to be described."""
    many = [f"c{n}" for n in range(17)]

    assert len(reached_containers({"VolumesFrom": many[:16]})) == 16
    with pytest.raises(RefusedError, match="shares with more than 16 others") as error:
        created(VolumesFrom=many)

    assert error.value.reason is Reason.TOO_MANY_FACTS


def test_a_container_that_is_not_there_reaches_nothing():
    """Whose it is is unknown, which no row covers by accident."""
    known = a_known(image=NGINX, container={"web": MISSING})

    assert "volumes.from:unknown" in created(known=known, VolumesFrom=["web"])


@pytest.mark.parametrize(
    "container",
    [
        a_stored_container(),
        a_stored_container(NetworkMode="default"),
        a_stored_container(
            MaskedPaths=[*MASKED, "/sys/devices/virtual/powercap"], ReadonlyPaths=READONLY
        ),
        {**a_stored_container(), "NetworkSettings": {"Networks": None}},
        {**a_stored_container(), "NetworkSettings": None, "Mounts": None},
        {**a_stored_container(), "Mounts": [{"Type": "tmpfs", "Name": "", "RW": True}]},
        {**a_stored_container(), "Mounts": [{"Type": "volume", "Name": "", "RW": True}]},
        {**a_stored_container(), "Mounts": [{"Type": "volume", "Name": HEX, "Driver": "local"}]},
    ],
)
def test_reaching_into_an_ordinary_container(container):
    """It goes nowhere beyond it, in documents as daemons of all ages write them."""
    assert reached(container, volume={HEX: {"Driver": "local", "Options": None}}) == set()


def test_the_container_of_a_rehearsal_is_ordinary():
    """What the daemon decides counts as such where nobody asked it."""
    found = target_facts(a_stored_container(Runtime=""), a_known(daemon=None))

    assert list(found) == []


def test_an_unknown_owner_is_not_ordinary():
    """Somebody's container is shared, and nobody knows whose."""
    container = a_stored_container(PidMode="container:gone")

    assert reached(container, container={"gone": MISSING}) == {"target.pid:container:unknown"}


def test_reaching_into_a_privileged_container():
    """Everything that it may do is told as seen."""
    found = list(target_facts(a_stored_container(Privileged=True), a_known()))

    assert {
        "target.privileged:true",
        "target.cap.add:SYS_ADMIN",
        "target.device.rule:a *:* rwm",
    } <= {str(fact) for fact in found}
    assert all(fact.looked_up for fact in found)


@pytest.mark.parametrize(
    ("host", "facts"),
    [
        ({"PidMode": "host"}, {"target.pid:host", "target.selinux:disable"}),
        ({"IpcMode": "host"}, {"target.ipc:host", "target.selinux:disable"}),
        ({"IpcMode": ""}, {"target.ipc:shareable"}),
        ({"UTSMode": "host"}, {"target.uts:host"}),
        ({"UsernsMode": "host"}, {"target.userns:host"}),
        ({"CgroupnsMode": "host"}, {"target.cgroupns:host"}),
        ({"NetworkMode": "host"}, {"target.net:host"}),
        ({"NetworkMode": HEX}, {"target.net:host"}),
        ({"NetworkMode": "team"}, {"target.net:team"}),
        ({"Binds": ["/etc:/x:ro"]}, {"target.bind:/etc"}),
        ({"Mounts": [{"Type": "bind", "Source": "/etc", "BindOptions": None}]}, {
            "target.bind:/etc", "target.bind.rw:/etc"}),
        ({"CapAdd": ["CAP_SYS_ADMIN"]}, {"target.cap.add:SYS_ADMIN"}),
        ({"SecurityOpt": ["label=disable", "apparmor=unconfined"]}, {
            "target.selinux:disable", "target.apparmor:unconfined"}),
        ({"MaskedPaths": []}, {"target.proc:unmasked"}),
        ({"MaskedPaths": None}, set()),
        ({"Devices": [{"PathOnHost": "/dev/sda"}]}, {"target.device:/dev/sda"}),
        ({"GroupAdd": ["0"]}, {"target.group.add:0"}),
        ({"Runtime": "kata"}, {"target.runtime:kata"}),
        ({"PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "80"}]}}, {"target.port:80/tcp"}),
        ({"PortBindings": {"80/tcp": None}}, {"target.port.random:80/tcp"}),
    ],
)  # fmt: skip
def test_reaching_into_a_container_reaches_what_it_may(host, facts):
    """Only grants are told: its posture was judged when it was made."""
    networks = {HEX: {"Name": "host", "Driver": "host"}, "team": {"Name": "team"}}

    assert reached(a_stored_container(**host), network=networks) == facts


def test_networks_that_were_joined_later():
    """They stand in the settings of the network alone."""
    assert reached(a_stored_container(networks={"bridge": None, "team": {"IPAMConfig": None}})) == {
        "target.net:team"
    }


@pytest.mark.parametrize(
    ("point", "facts"),
    [
        ({"Type": "bind", "Source": "/etc", "RW": False}, {"target.bind:/etc"}),
        (
            {"Type": "bind", "Source": "/etc", "RW": True, "Propagation": "rshared"},
            {"target.bind:/etc", "target.bind.rw:/etc", "target.bind.prop:rshared"},
        ),
        ({"Type": "bind", "Source": "/etc", "Propagation": "rprivate"}, {"target.bind:/etc"}),
        ({"Type": "volume", "Name": "gone", "RW": True}, {"target.volume:gone"}),
        (
            {"Type": "volume", "Name": "data", "Driver": "local", "RW": True},
            {"target.volume:data", "target.bind:/srv", "target.bind.rw:/srv"},
        ),
        (
            {"Type": "volume", "Name": HEX, "Driver": "rexray", "RW": True},
            {"target.volume.driver:rexray"},
        ),
        (
            {"Type": "image", "Name": "tools:1", "Source": "/var/lib/docker/x"},
            {"target.mount.image:docker.io/library/tools"},
        ),
        ({"Type": "volume", "Driver": "rexray", "RW": True}, {"target.volume.driver:rexray"}),
        ({"Type": "image", "Source": "/var/lib/docker/x"}, {"target.mount.image:unknown"}),
        ({"Type": "cluster", "Name": "csi"}, {"target.mount.cluster:csi"}),
        ({"Type": "npipe", "Source": r"\\.\pipe\x"}, {r"target.mount.npipe:\\.\pipe\x"}),
    ],
)
def test_mounts_that_came_from_another_container(point, facts):
    """VolumesFrom leaves them in the mount points alone."""
    bind = {"Driver": "local", "Options": {"type": "none", "o": "bind", "device": "/srv"}}
    volumes = {"data": bind, "gone": MISSING, HEX: MISSING}

    assert reached({**a_stored_container(), "Mounts": [point]}, volume=volumes) == facts


def test_what_is_behind_a_container_is_asked():
    """Its volumes, its networks and where its host paths lead."""
    container = a_stored_container(Binds=["data:/x", "/etc:/y"], NetworkMode="team")
    known = a_known()

    list(target_facts(container, known))

    assert set(known.pending) == {
        Question(Topic.VOLUME, "data"),
        Question(Topic.PATH, "/etc"),
        Question(Topic.NETWORK, "team"),
    }


@pytest.mark.parametrize(
    "container",
    [
        {"HostConfig": "x"},
        {"HostConfig": {"Binds": "/etc", "CapAdd": 7}},
        {"HostConfig": {"Devices": ["x"]}},
        {"HostConfig": {"Mounts": {}}},
        {"HostConfig": {"PortBindings": {"80/tcp": "x"}}},
        {"HostConfig": {"Privileged": "true"}},
        {"HostConfig": {"OomScoreAdj": "-1"}},
        {"HostConfig": {"Tmpfs": {"/x": 1}}},
        {"NetworkSettings": {"Networks": ["x"]}},
        {"Config": []},
        {"Mounts": [7]},
        {"Mounts": [{"Type": 7}]},
        {"Mounts": [{"Type": "bind", "Source": "/etc", "RW": "yes"}]},
    ],
)
def test_a_document_that_makes_no_sense_is_refused(container):
    """Nothing is guessed, and nothing but a refusal comes out."""
    with pytest.raises(RefusedError) as error:
        reached({**a_stored_container(IpcMode="private"), **container})

    assert error.value.reason in {Reason.LOOKUP_FAILED, Reason.UNREADABLE_REQUEST}
