"""The daemon's own settings."""

import pytest

from authz.facts import defaults
from tests.builders import DAEMON, a_known


def daemon(*options, **members):
    """Return what is known with a daemon that lists these security options."""
    return a_known(daemon={**DAEMON, "SecurityOptions": list(options), **members})


NOT_ASKED = a_known(daemon=None)


@pytest.mark.parametrize(
    ("options", "profile"),
    [
        (["name=seccomp,profile=default"], "default"),
        (["name=seccomp,profile=builtin"], "default"),
        (["name=seccomp,profile=/etc/docker/seccomp.json"], "default"),
        (["name=seccomp,profile=unconfined"], "unconfined"),
        (["name=apparmor"], "unconfined"),
        ([], "default"),
    ],
)
def test_the_default_seccomp_profile(options, profile):
    """Unconfined where the daemon says so, or cannot confine."""
    assert defaults.seccomp(daemon(*options)) == profile


def test_the_user_namespace():
    """Private where the daemon remaps users."""
    assert defaults.userns(daemon("name=userns")) == "private"
    assert defaults.userns(daemon("name=seccomp,profile=builtin")) == "default"


def test_no_new_privileges():
    """Set by the daemon, or not."""
    assert defaults.has_no_new_privileges(daemon("name=no-new-privileges"))
    assert not defaults.has_no_new_privileges(daemon())


@pytest.mark.parametrize(
    ("chosen", "name", "runtime"),
    [
        ("runc", "", "default"),
        ("runc", "runc", "default"),
        ("", "", "default"),
        ("runc", "runsc", "runsc"),
        ("runsc", "", "runsc"),
        ("runsc", "runsc", "runsc"),
        ("runsc", "runc", "runc"),
        ("runc", "default", "unknown"),
        ("default", "", "unknown"),
    ],
)
def test_the_runtime(chosen, name, runtime):
    """Default is a default that is runc, and nothing else."""
    assert defaults.runtime(name, a_known(daemon={"DefaultRuntime": chosen})) == runtime


def test_the_log_driver():
    """Whatever the daemon uses."""
    assert defaults.log_driver(a_known(daemon={"LoggingDriver": "journald"})) == "journald"


def test_control_groups():
    """Version 1 shares the tree of the host by default."""
    assert defaults.has_old_control_groups(a_known(daemon={"CgroupVersion": "1"}))
    assert not defaults.has_old_control_groups(a_known(daemon={"CgroupVersion": "2"}))


def test_where_the_daemon_was_not_asked():
    """Nothing is guessed."""
    assert defaults.seccomp(NOT_ASKED) == "unknown"
    assert defaults.userns(NOT_ASKED) == "unknown"
    assert defaults.log_driver(NOT_ASKED) == "unknown"
    assert defaults.runtime("", NOT_ASKED) == "unknown"
    assert defaults.runtime("kata", NOT_ASKED) == "kata"
    assert not defaults.has_no_new_privileges(NOT_ASKED)
    assert not defaults.has_old_control_groups(NOT_ASKED)
