"""Services: what their tasks are, where they run, and what an update brings."""

from hashlib import sha256
from time import process_time

import pytest

from authz.errors import Reason, RefusedError
from authz.facts.catalogue import catalogue
from authz.facts.questions import MISSING, Question, Topic
from authz.facts.services import (
    attachments,
    log_facts,
    named_facts,
    rolled_back,
    service_create_facts,
    service_update_facts,
)
from tests.builders import a_call, a_known, words

POSTURE = {
    "user", "cap.keep", "nnp", "rootfs", "health", "log", "restart", "seccomp", "apparmor",
    "mem.limit", "mem.swap", "cpu.limit", "pids.limit", "service.mode", "service.replicas",
    "image", "image.ref", "image.tag", "image.digest", "net",
}  # fmt: skip
RESERVED = {"dockgate.owner": "user:bob"}


def create(spec=None, body=None, *, version=(1, 55), known=None, **task):
    """Return the facts of a service with this ContainerSpec."""
    container = {"Image": "nginx", **(spec or {})}
    whole = {"TaskTemplate": {"ContainerSpec": container, **task}, **(body or {})}
    request = a_call("ServiceCreate", body=whole, version=version)
    found = words(service_create_facts(request, known or a_known()))
    assert all(catalogue().can_yield("service.create", fact.partition(":")[0]) for fact in found)
    return found


def beyond(*args, **kwargs):
    """Return what goes beyond an ordinary service."""
    return [fact for fact in create(*args, **kwargs) if fact.partition(":")[0] not in POSTURE]


def of_kind(facts, kind):
    """Return the values of a kind."""
    return [value for name, _, value in (fact.partition(":") for fact in facts) if name == kind]


def reserving(resource):
    """Return resources that reserve a generic one."""
    return {"Reservations": {"GenericResources": [resource]}}


def refusal(*args, **kwargs):
    """Return why a service is refused."""
    with pytest.raises(RefusedError) as caught:
        create(*args, **kwargs)
    return caught.value


def test_an_ordinary_service_states_its_posture():
    """One replica, restarted always, with the daemon's own confinement and no limit."""
    found = create(known=a_known(image={"nginx": {"Config": {"User": ""}}}))

    assert beyond() == []
    assert [fact for fact in found if not fact.startswith("cap.keep:")] == [
        "image:docker.io/library/nginx",
        "image.ref:name",
        "image.tag:latest",
        "image.digest:none",
        "seccomp:default",
        "apparmor:default",
        "mem.limit:none",
        "mem.swap:none",
        "cpu.limit:none",
        "pids.limit:none",
        "user:root",
        "nnp:off",
        "rootfs:rw",
        "health:none",
        "net:default",
        "service.mode:replicated",
        "service.replicas:1",
        "log:json-file",
        "restart:always",
    ]
    assert len(of_kind(found, "cap.keep")) == 14


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"CapabilityAdd": ["sys_admin"]}, ["cap.add:SYS_ADMIN"]),
        ({"Groups": ["docker"]}, ["group.add:docker"]),
        ({"Sysctls": {"kernel.msgmax": "1"}}, ["sysctl:kernel.msgmax=1"]),
        ({"OomScoreAdj": -5}, ["oom:score=-5"]),
        ({"Isolation": "Process"}, ["isolation:process"]),
        ({"Env": ["DB_PASSWORD=x", "DB_PASSWORD_FILE=/x"]}, ["env.secret:DB_PASSWORD"]),
        ({"Isolation": "default"}, []),
        ({"Hosts": ["10.0.0.1 db"]}, ["host.extra:db:10.0.0.1"]),
        ({"DNSConfig": {"Nameservers": ["1.1.1.1"]}}, ["dns:1.1.1.1"]),
        ({"Ulimits": [{"Name": "nofile", "Soft": 1, "Hard": 2}]}, ["ulimit:nofile=1:2"]),
        ({"Privileges": {"SELinuxContext": {"Disable": True}}}, ["selinux:disable"]),
        ({"Privileges": {"SELinuxContext": {"Type": "spc_t"}}}, ["selinux.type:spc_t"]),
        ({"Privileges": {"CredentialSpec": {"Config": "c1"}}}, ["credential.spec:config=c1"]),
        ({"Privileges": {"CredentialSpec": {"File": "a"}}}, ["credential.spec:file=a"]),
        ({"Privileges": {"CredentialSpec": {"Registry": "a"}}}, ["credential.spec:registry=a"]),
        ({"Mounts": [{"Type": "bind", "Source": "/srv"}]}, ["bind:/srv", "bind.rw:/srv"]),
        ({"Mounts": [{"Type": "VOLUME", "Source": "v"}]}, ["volume:v"]),
        (
            {"Mounts": [{"Type": "tmpfs", "TmpfsOptions": {"Options": [["exec"]]}}]},
            ["tmpfs.opt:exec"],
        ),
        ({"Mounts": [{"Type": "npipe", "Source": "p"}]}, ["mount.npipe:p"]),
        ({"Mounts": [{"Type": "cluster", "Source": "group:a"}]}, ["mount.cluster:group:a"]),
        (
            {
                "Mounts": [
                    {
                        "Type": "volume",
                        "VolumeOptions": {
                            "DriverConfig": {"Options": {"o": "bind", "device": "/etc"}}
                        },
                    }
                ]
            },
            [
                "volume:anonymous",
                "bind:/etc",
                "bind.rw:/etc",
                "volume.opt:o=bind",
                "volume.opt:device=/etc",
            ],
        ),
    ],
)
def test_a_container_is_described_as_a_container(spec, expected):
    """Whatever a create would say, a service says in its own members."""
    assert beyond(spec) == expected


@pytest.mark.parametrize(
    ("spec", "kind", "value"),
    [
        ({"Privileges": {"Seccomp": {"Mode": "unconfined"}}}, "seccomp", "unconfined"),
        (
            {"Privileges": {"Seccomp": {"Mode": "custom", "Profile": "e30="}}},
            *("seccomp", f"file:{sha256(b'{}').hexdigest()}"),
        ),
        ({"Privileges": {"AppArmor": {"Mode": "disabled"}}}, "apparmor", "unconfined"),
        ({"Privileges": {"NoNewPrivileges": True}}, "nnp", "on"),
        ({"ReadOnly": True}, "rootfs", "ro"),
        ({"User": "0:0"}, "user", "root"),
        ({"Healthcheck": {"Test": ["CMD", "true"]}}, "health", "set"),
        ({"CapabilityDrop": ["ALL"], "CapabilityAdd": ["CHOWN"]}, "cap.keep", "CHOWN"),
    ],
)
def test_a_container_states_its_posture(spec, kind, value):
    """In the words that packs use for containers."""
    assert of_kind(create(spec), kind) == [value]


@pytest.mark.parametrize(
    ("resources", "kind", "value"),
    [
        ({"Limits": {"MemoryBytes": 1024}}, "mem.limit", "1024"),
        ({"Limits": {"MemoryBytes": 1024}}, "mem.swap", "2048"),
        ({"Limits": {"MemoryBytes": 1024}, "SwapBytes": -1}, "mem.swap", "unlimited"),
        ({"Limits": {"NanoCPUs": 1_500_000_000}}, "cpu.limit", "1.5"),
        ({"Limits": {"Pids": 9}}, "pids.limit", "9"),
        (
            reserving({"DiscreteResourceSpec": {"Kind": "GPU", "Value": 2}}),
            *("resource.generic", "GPU=2"),
        ),
        (
            reserving({"NamedResourceSpec": {"Kind": "GPU", "Value": "a"}}),
            *("resource.generic", "GPU=a"),
        ),
    ],
)  # fmt: skip
def test_limits_and_resources(resources, kind, value):
    """Limits bound a task; generic resources are devices that a node lends."""
    assert of_kind(create(Resources=resources), kind) == [value]


def test_a_read_only_bind_counts_as_such_from_its_version_on():
    """Before, or where it was not asked for, submounts stay writable."""
    mount = {"Type": "bind", "Source": "/srv", "ReadOnly": True}

    assert beyond({"Mounts": [mount]}) == ["bind:/srv"]
    assert beyond({"Mounts": [mount]}, version=(1, 43)) == ["bind:/srv", "bind.rw:/srv"]


@pytest.mark.parametrize(
    ("mount", "expected"),
    [
        ({"Type": "bind", "Source": '/{{"etc"}}'}, ["bind:unknown", "bind.rw:unknown"]),
        (
            {"Type": "bind", "Source": "/{{.Node.ID}}", "BindOptions": {"Propagation": "Shared"}},
            ["bind:unknown", "bind.rw:unknown", "bind.prop:shared"],
        ),
        (
            {"Type": "volume", "Source": "data-{{.Task.Slot}}"},
            ["bind:unknown", "bind.rw:unknown", "volume:unknown"],
        ),
        (
            {
                "Type": "volume",
                "VolumeOptions": {
                    "DriverConfig": {"Name": "nfs", "Options": {"device": "{{.Node.ID}}"}}
                },
            },
            [
                "bind:unknown",
                "bind.rw:unknown",
                "volume:unknown",
                "volume.driver:nfs",
                "volume.opt:device={{.Node.ID}}",
            ],
        ),
    ],
)
def test_a_template_may_become_anything(mount, expected):
    """A volume can be a host folder, so it may be one as well."""
    assert beyond({"Mounts": [mount]}) == expected


def test_a_template_elsewhere_in_a_mount_is_refused():
    """No client sends one."""
    problem = refusal({"Mounts": [{"Type": "cluster", "Source": "{{.Node.ID}}"}]})

    assert "a template in a mount of type 'cluster'" in problem.detail


@pytest.mark.parametrize(
    ("port", "expected"),
    [
        (
            {"TargetPort": 80, "PublishedPort": 8080},
            ["port:8080/tcp", "port.ip:0.0.0.0", "port.ip:::"],
        ),
        (
            {"Protocol": "UDP", "TargetPort": 53, "PublishedPort": 53, "PublishMode": "HOST"},
            ["port:53/udp", "port.ip:0.0.0.0", "port.ip:::"],
        ),
        ({"TargetPort": 80}, ["port.random:80/tcp", "port.ip:0.0.0.0", "port.ip:::"]),
    ],
)
def test_ports_are_open_on_every_node(port, expected):
    """Through the swarm's own network or directly."""
    assert beyond(body={"EndpointSpec": {"Ports": [port]}}) == expected


@pytest.mark.parametrize(
    "port",
    [
        {"Protocol": "icmp"},
        {"PublishMode": "none"},
        {"TargetPort": 65536},
        {"PublishedPort": 65536},
    ],
)
def test_what_is_no_port_is_refused(port):
    """The daemon would take an unknown word for the default one."""
    assert refusal(body={"EndpointSpec": {"Ports": [port]}}).detail.startswith("Ports: ")


def test_networks_are_those_of_the_task_and_of_old_clients():
    """Each by its name, with what the service is there."""
    known = a_known(network={"n1": {"Name": "app", "Driver": "overlay"}, "h": {"Driver": "host"}})
    body = {"Networks": [{"Target": "h"}]}
    joined = [{"Target": "n1", "Aliases": ["db"], "DriverOpts": {"a": "b"}}, {"Target": "host"}]

    found = create({"Hostname": "box"}, body, known=known, Networks=joined)

    assert of_kind(found, "net") == ["app", "host", "host"]
    assert of_kind(found, "net.alias") == ["db", "box"]
    assert of_kind(found, "net.opt") == ["a=b"]
    assert len(attachments({"TaskTemplate": {"Networks": joined}, **body})) == 3


def test_a_host_name_is_no_alias_where_names_are_not_resolved():
    """Networks of the daemon have no names."""
    assert of_kind(create({"Hostname": "box"}, Networks=[{"Target": "host"}]), "net.alias") == []


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ({}, ["service.mode:replicated", "service.replicas:1"]),
        ({"Replicated": {}}, ["service.mode:replicated", "service.replicas:1"]),
        ({"Replicated": {"Replicas": 0}}, ["service.mode:replicated", "service.replicas:0"]),
        ({"Replicated": {"Replicas": 9}}, ["service.mode:replicated", "service.replicas:9"]),
        ({"Global": {}}, ["service.mode:global"]),
        (
            {"ReplicatedJob": {"MaxConcurrent": 4, "TotalCompletions": 8}},
            ["service.mode:replicated-job", "service.replicas:4"],
        ),
        ({"GlobalJob": {}}, ["service.mode:global-job"]),
    ],
)
def test_modes_say_how_many_run(mode, expected):
    """An empty object chooses a mode, too."""
    found = create(body={"Mode": mode})

    assert [fact for fact in found if fact.startswith("service.")] == expected


def test_constraints_have_one_spelling():
    """Blanks around the sign change nothing."""
    placement = {"Constraints": [" node.role == manager", "node.labels.a!=b c"]}

    assert beyond(Placement=placement) == [
        "placement:node.role==manager",
        "placement:node.labels.a!=b c",
    ]


def test_the_time_for_a_constraint_grows_with_its_length_alone():
    """However many blanks it has that stand before nothing."""
    long = f"a{' ' * 50_000}b"
    began = process_time()
    assert beyond(Placement={"Constraints": [long, "a == ==b"]}) == [
        f"placement:{long}",
        "placement:a====b",
    ]

    assert process_time() - began < 0.5


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ({"Condition": "none"}, ["restart:no"]),
        ({"Condition": "any"}, ["restart:always"]),
        (
            {"Condition": "on-failure", "MaxAttempts": 5},
            ["restart:on-failure", "restart.count:5"],
        ),
    ],
)
def test_restarts(policy, expected):
    """In the words that containers use."""
    assert [f for f in create(RestartPolicy=policy) if f.startswith("restart")] == expected


def test_a_restart_policy_that_no_engine_has_is_refused():
    """The daemon refuses it, too."""
    assert "RestartPolicy 'always'" in refusal(RestartPolicy={"Condition": "always"}).detail


def test_logs_go_where_the_task_says():
    """Else where the daemon's own settings say."""
    driver = {"Name": "syslog", "Options": {"a": "b"}}

    assert words(log_facts(driver, a_known())) == ["log:syslog", "log.opt:a=b"]
    assert words(log_facts({}, a_known(daemon=None))) == ["log:unknown"]


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ({"Runtime": "container"}, []),
        ({"Runtime": "wasm"}, ["service.runtime:wasm"]),
        (
            {"Runtime": "plugin", "PluginSpec": {}},
            ["service.runtime:plugin"],
        ),
        ({"NetworkAttachmentSpec": {"ContainerID": "x"}}, ["service.runtime:attachment"]),
        (
            {
                "PluginSpec": {
                    "name": "p",
                    "remote": "vieux/sshfs",
                    "privileges": [{"Name": "network", "Value": ["host"]}],
                    "env": ["DEBUG=1"],
                }
            },
            [
                "service.runtime:plugin",
                "plugin.remote:docker.io/vieux/sshfs",
                "plugin.remote:docker.io/library/p",
                "plugin.privilege:network=host",
                "plugin.setting:DEBUG",
            ],
        ),
    ],
)
def test_a_service_may_run_something_else(task, expected):
    """A plugin gets its privileges without being asked again."""
    request = a_call("ServiceCreate", body={"TaskTemplate": task})
    found = words(service_create_facts(request, a_known()))

    assert [fact for fact in found if fact.partition(":")[0] not in POSTURE] == expected
    assert of_kind(found, "image") == []


def test_secrets_and_configs_are_named():
    """By the name that is given and by the one that the id has."""
    known = a_known(secret={"s1": {"Spec": {"Name": "db"}}, "s2": MISSING})
    secrets = [
        {"SecretID": "s1", "SecretName": "db"},
        {"SecretID": "s1", "SecretName": "other"},
        {"SecretID": "s2"},
        {},
    ]

    found = create({"Secrets": secrets, "Configs": [{"ConfigID": "c"}]}, known=known)

    assert of_kind(found, "secret") == ["db", "other", "db", "unknown", "unknown"]
    assert of_kind(found, "config") == ["unknown"]
    assert Question(Topic.CONFIG, "c") in known.pending


def test_a_name_that_only_a_lookup_told_is_marked():
    """The caller is not told what others call their secrets."""
    known = a_known(secret={"s1": {"Spec": {"Name": "db"}}})

    found = list(named_facts("secret", Topic.SECRET, "x", "s1", known))

    assert [fact.looked_up for fact in found] == [False, True]


@pytest.mark.parametrize(
    ("spec", "body"),
    [
        ({}, {"Labels": RESERVED}),
        ({"Labels": RESERVED}, {}),
        ({"Mounts": [{"Type": "volume", "VolumeOptions": {"Labels": RESERVED}}]}, {}),
    ],
)
def test_reserved_labels_are_refused(spec, body):
    """On the service, its containers and its volumes."""
    assert refusal(spec, body).reason is Reason.RESERVED_LABEL


def test_an_update_sends_back_the_labels_that_are_there():
    """On the service and on its containers; others of their kind are refused."""
    spec = {"Image": "nginx", "Labels": RESERVED}
    body = {"Labels": RESERVED, "TaskTemplate": {"ContainerSpec": spec}}
    other = {**body, "TaskTemplate": {"ContainerSpec": {**spec, "Labels": {"dockgate.owner": "x"}}}}

    assert "image:docker.io/library/nginx" in words(update(body, service={"Spec": body}))
    with pytest.raises(RefusedError, match=r"ContainerSpec\.Labels"):
        update(other, service={"Spec": body})


def test_reserved_labels_of_an_image_are_refused():
    """Its containers would carry them."""
    known = a_known(image={"nginx": {"Config": {"Labels": RESERVED}}})

    assert refusal(known=known).reason is Reason.RESERVED_LABEL


def test_a_service_without_an_image_is_described():
    """The daemon refuses it later."""
    assert of_kind(create({"Image": ""}), "image") == []


BAD = {"TaskTemplate": {"ContainerSpec": {"Image": "evil", "Groups": ["0"]}}}


def update(body=None, *, service=MISSING, **query):
    """Return the facts of an update."""
    request = a_call("ServiceUpdate", "web", body or {}, **query)
    return list(service_update_facts(request, a_known(service={"web": service})))


def test_an_update_is_a_whole_new_definition():
    """Nothing of the old one stays."""
    found = words(update({"TaskTemplate": {"ContainerSpec": {"Image": "nginx"}}}))

    assert of_kind(found, "image") == ["docker.io/library/nginx"]
    assert of_kind(found, "service.rollback") == []


def test_a_rollback_brings_back_what_the_daemon_has_stored():
    """Which nobody sends, so that it is a matter of the look-up."""
    service = {"Spec": {}, "PreviousSpec": {**BAD, "Labels": RESERVED}}

    found = update(service=service, rollback="previous")

    former = [fact for fact in found if fact.looked_up]
    assert "service.rollback:previous" in words(found)
    assert of_kind(words(former), "image") == ["docker.io/library/evil"]
    assert of_kind(words(former), "group.add") == ["0"]


@pytest.mark.parametrize("service", [MISSING, {"Spec": {}}, {"PreviousSpec": None}])
def test_a_rollback_to_nobody_knows_what(service):
    """Only a row that writes unknown lets it through."""
    assert "service.rollback:unknown" in words(update(service=service, rollback="previous"))


@pytest.mark.parametrize("word", ["Previous", "1"])
def test_a_rollback_by_another_word_is_refused(word):
    """Engines differ in what they make of it."""
    with pytest.raises(RefusedError, match="expected previous or none"):
        update(rollback=word)


@pytest.mark.parametrize("word", ["", "none"])
def test_no_rollback(word):
    """Clients may say so."""
    assert rolled_back(a_call("ServiceUpdate", "web", {}, rollback=word), a_known()) is None


def test_an_update_sends_labels_back():
    """Those that the service has may stay; others are refused."""
    service = {"Spec": {"Labels": RESERVED}}

    assert update({"Labels": RESERVED}, service=service)
    with pytest.raises(RefusedError, match="Labels has the label 'dockgate"):
        update({"Labels": {"dockgate.owner": "user:alice"}}, service=service)
    with pytest.raises(RefusedError, match="Labels has the label 'dockgate"):
        update({"Labels": RESERVED})


def test_what_is_stored_counts_whatever_version_asks():
    """The daemon left out already what an old version does not have."""
    spec = {"Image": "nginx", "Privileges": {"NoNewPrivileges": True}}
    service = {"PreviousSpec": {"TaskTemplate": {"ContainerSpec": spec}}}

    found = update(service=service, rollback="previous", version=(1, 30))

    assert of_kind(words(found), "nnp") == ["on"]
