"""Confinement of a container."""

import hashlib

import pytest

from authz.errors import RefusedError
from authz.facts.security import implied_facts, posture_facts, security_facts
from tests.builders import DAEMON, MASKED, READONLY, a_known, words

CONFINED = ["seccomp:default", "apparmor:default"]


def facts(*options, known=None, stored=False, **host):
    """Describe a container with these security options."""
    host = {"SecurityOpt": list(options), **host}
    return words(security_facts(host, known or a_known(), stored=stored))


def posture(*options, known=None, **host):
    """Describe what the core pack allows."""
    return words(posture_facts({"SecurityOpt": list(options), **host}, known or a_known()))


def test_an_ordinary_container_is_confined():
    """The daemon's profiles are in force."""
    assert facts() == CONFINED


def test_an_unanswered_question_is_unknown():
    """Without the daemon's settings the seccomp profile is not known."""
    assert facts(known=a_known(daemon=None))[0] == "seccomp:unknown"


@pytest.mark.parametrize(
    ("option", "fact"),
    [
        ("seccomp=unconfined", "seccomp:unconfined"),
        ("seccomp:unconfined", "seccomp:unconfined"),
        ("seccomp=builtin", "seccomp:builtin"),
        ("seccomp=", "seccomp:default"),
        ("apparmor=unconfined", "apparmor:unconfined"),
        ("apparmor:unconfined", "apparmor:unconfined"),
        ("apparmor=corp-web", "apparmor:corp-web"),
        ("apparmor=docker-default", "apparmor:default"),
        ("label=disable", "selinux:disable"),
        ("label:disable", "selinux:disable"),
        ("disable", "selinux:disable"),
        ("label=user:root", "selinux:user=root"),
        ("label:role:sysadm_r", "selinux:role=sysadm_r"),
        ("label=level:s0:c1,c2", "selinux:level=s0:c1,c2"),
        ("label=type:spc_t", "selinux.type:spc_t"),
        ("label:type:spc_t", "selinux.type:spc_t"),
        ("label=filetype:usr_t", "selinux.type:usr_t"),
        ("writable-cgroups", "cgroup.writable:on"),
        ("writable-cgroups=T", "cgroup.writable:on"),
    ],
)
def test_every_spelling_of_an_option(option, fact):
    """Equals signs, colons and bare words say the same."""
    assert fact in facts(option)


@pytest.mark.parametrize("option", ["no-new-privileges", "writable-cgroups=0"])
def test_an_option_that_takes_nothing_away(option):
    """Options that confine, or switch nothing on, add no fact here."""
    assert facts(option) == CONFINED


def test_an_inline_profile_is_named_by_its_digest():
    """The text of a profile is known by its SHA-256, whatever characters it has."""
    profile = '{"defaultAction":"SCMP_ACT_ALLOW","x":"a=b:c"}'
    digest = hashlib.sha256(profile.encode()).hexdigest()

    assert facts(f"seccomp={profile}")[0] == f"seccomp:file:{digest}"


def test_the_last_of_a_kind_wins():
    """As in the daemon, a later option replaces an earlier one; labels add up."""
    assert facts("seccomp=unconfined", "seccomp=builtin")[0] == "seccomp:builtin"
    assert facts("label=type:a_t", "label=disable")[2:] == ["selinux.type:a_t", "selinux:disable"]


@pytest.mark.parametrize(
    ("version", "more"),
    [
        ("20.10.24+dfsg1", []),
        ("26.1.5+dfsg1", ["/sys/devices/virtual/powercap"]),
        ("28.5.2", ["/sys/devices/virtual/powercap", "/proc/interrupts"]),
        ("", ["/sys/devices/virtual/powercap", "/proc/interrupts"]),
    ],
)
def test_the_lists_of_the_daemon_come_back(version, more):
    """A client that makes a container anew sends what it found: those of its engine, or more."""
    known = a_known(daemon={**DAEMON, "ServerVersion": version})
    masked = [*MASKED, *more]
    lists = {"MaskedPaths": [*masked, "/sys/x"], "ReadonlyPaths": list(READONLY)}

    assert facts(known=known, **lists) == CONFINED
    for missing in masked:
        left = [path for path in masked if path != missing]
        assert "proc:unmasked" in facts(known=known, **{**lists, "MaskedPaths": left})
    assert "proc:unmasked" in facts(known=known, **{**lists, "ReadonlyPaths": ["/proc/sys"]})


@pytest.mark.parametrize("member", ["MaskedPaths", "ReadonlyPaths"])
@pytest.mark.parametrize("paths", [[], ["/proc/kcore"]])
def test_a_list_of_paths_unmasks(member, paths):
    """A list that is there, even an empty one, replaces the daemon's."""
    assert facts(**{member: paths}) == [*CONFINED, "proc:unmasked"]


def test_a_stored_container_shows_the_daemon_s_list():
    """The daemon stores its own lists with each container; only missing paths tell."""
    masked = [*MASKED, "/sys/devices/virtual/powercap"]
    ordinary = {"MaskedPaths": masked, "ReadonlyPaths": list(READONLY)}

    assert facts(stored=True, **ordinary) == CONFINED
    assert "proc:unmasked" in facts(stored=True, **{**ordinary, "ReadonlyPaths": []})
    assert "proc:unmasked" in facts(stored=True, **{**ordinary, "MaskedPaths": masked[1:]})
    assert facts(stored=True, MaskedPaths=None, ReadonlyPaths=None) == CONFINED


def test_groups_and_kernel_parameters():
    """Each is a fact of its own."""
    found = facts(GroupAdd=["docker", "0"], Sysctls={"kernel.shmmax": "1"})

    assert found[2:] == ["group.add:docker", "group.add:0", "sysctl:kernel.shmmax=1"]


@pytest.mark.parametrize(
    ("options", "value"),
    [
        ([], "off"),
        (["no-new-privileges"], "on"),
        (["no-new-privileges=true"], "on"),
        (["no-new-privileges:t"], "on"),
        (["no-new-privileges=0"], "off"),
        (["no-new-privileges", "no-new-privileges=false"], "off"),
    ],
)
def test_no_new_privileges(options, value):
    """On where it was asked for."""
    assert posture(*options) == [f"nnp:{value}", "rootfs:rw"]


def test_the_daemon_may_set_no_new_privileges():
    """The daemon's setting holds unless the request says otherwise."""
    known = a_known(daemon={**DAEMON, "SecurityOptions": ["name=no-new-privileges"]})

    assert posture(known=known)[0] == "nnp:on"
    assert posture("no-new-privileges=false", known=known)[0] == "nnp:off"


def test_a_read_only_root():
    """The root file system can be written unless it is read-only."""
    assert posture(ReadonlyRootfs=True)[1] == "rootfs:ro"


def test_privileged_implies_everything():
    """What a privileged container brings along is spelt out."""
    implied = words(implied_facts({"Privileged": True}))

    assert {
        "cap.add:ALL",
        "cap.add:SYS_ADMIN",
        "device.rule:a *:* rwm",
        "seccomp:unconfined",
        "apparmor:unconfined",
        "selinux:disable",
        "proc:unmasked",
        "cgroup.writable:on",
    } <= set(implied)


def test_privileged_is_not_confined_by_default():
    """The daemon's profiles are not in force; profiles that are named are shown."""
    assert facts(Privileged=True) == []
    assert facts("seccomp=builtin", "apparmor=corp", Privileged=True) == [
        "seccomp:builtin",
        "apparmor:corp",
    ]
    assert facts(Privileged=True, stored=True, MaskedPaths=None) == []


@pytest.mark.parametrize("member", ["PidMode", "IpcMode"])
def test_the_host_s_namespaces_switch_labels_off(member):
    """The daemon adds label=disable by itself, unless labels are given."""
    assert words(implied_facts({member: "host"})) == ["selinux:disable"]
    assert words(implied_facts({member: "host", "SecurityOpt": ["label=type:a_t"]})) == []
    assert words(implied_facts({member: "container:db"})) == []


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("", "SecurityOpt ''; expected key=value"),
        ("unconfined", "SecurityOpt 'unconfined'"),
        ("systempaths=unconfined", "SecurityOpt 'systempaths'"),
        ("SECCOMP=unconfined", "SecurityOpt 'SECCOMP'"),
        ("no-new-privileges=yes", "no-new-privileges: 'yes'; expected true or false"),
        ("writable-cgroups:on", "writable-cgroups: 'on'"),
        ("label=spc_t", "label 'spc_t'"),
        ("label=type:", "label 'type:'"),
        ("label=colour:red", "label 'colour:red'"),
    ],
)
def test_what_no_engine_reads_is_refused(option, message):
    """An option that is not known is not guessed."""
    with pytest.raises(RefusedError, match=message):
        facts(option)


@pytest.mark.parametrize("written", ["0", "00", "+0", "-0"])
def test_a_group_number_has_one_spelling(written):
    """The daemon reads all of these as group 0."""
    assert "group.add:0" in facts(GroupAdd=[written])


@pytest.mark.parametrize(
    "written",
    [
        "net.ipv4.ip_forward",
        "net/ipv4/ip_forward",
        "net..ipv4.ip_forward",
        "net.ipv4/ip_forward",
        "net.ipv4.ip_forward.",
    ],
)
def test_a_kernel_parameter_has_one_spelling(written):
    """The runtime makes one path of all of these."""
    assert "sysctl:net.ipv4.ip_forward=1" in facts(Sysctls={written: "1"})


def test_a_profile_cannot_be_called_default():
    """It would pass for the daemon's own."""
    with pytest.raises(RefusedError, match="apparmor: 'default'"):
        facts("apparmor=default")
