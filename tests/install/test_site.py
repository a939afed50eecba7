"""Where things are put."""

import os
import resource
from contextlib import contextmanager
from pathlib import Path

import pytest

from authz.errors import ConfigurationError
from authz.install.site import Site, replace
from authz.shipped import shipped


def a_site(folder, **more):
    """Return a site below a folder, and what it says."""
    said = []
    return Site(folder, say=said.append, **more), said


def test_files_are_put_below_the_root(tmp_path):
    """With their mode and the folders above, whatever the umask."""
    site, said = a_site(tmp_path)
    place = site.path("/etc/x/file")

    site.write(place, "text", 0o640)

    assert place == tmp_path / "etc/x/file"
    assert (place.read_text(), place.stat().st_mode & 0o777) == ("text", 0o640)
    assert said == [f"write {place}"]


def test_an_old_file_keeps_its_mode_and_owner(tmp_path):
    """Whoever could read the daemon's settings still can; nothing is left beside it."""
    place = tmp_path / "daemon.json"
    place.write_text("old")
    place.chmod(0o604)
    (tmp_path / ".daemon.json.new").write_text("left by a crash")

    replace(place, "new", 0o600)

    assert (place.read_text(), place.stat().st_mode & 0o777) == ("new", 0o604)
    assert [each.name for each in tmp_path.iterdir()] == ["daemon.json"]


def test_a_copied_policy_is_roots_to_change(tmp_path):
    """The gate reads no other."""
    site, _ = a_site(tmp_path)
    before = os.umask(0)
    try:
        site.copy(shipped("policies", "developer"), tmp_path / "etc" / "policy")
    finally:
        os.umask(before)

    modes = {path.stat().st_mode & 0o022 for path in (tmp_path / "etc" / "policy").rglob("*")}
    assert modes == {0}


@contextmanager
def no_file_larger(size):
    """Let no file of this process grow beyond so many bytes, as on a full disk, in the block."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_what_cannot_be_written_leaves_the_old_file(tmp_path):
    """And nothing beside it; the error names the file."""
    place = tmp_path / "daemon.json"
    place.write_text("old")
    with pytest.raises(OSError, match="File too large") as raised, no_file_larger(4096):
        replace(place, b"x" * 8192, 0o600)

    assert raised.value.filename == str(place)
    assert [each.read_text() for each in tmp_path.iterdir()] == ["old"]


def test_a_folder_that_cannot_be_copied_whole_is_not_there(tmp_path):
    """A policy of which rows are missing would load, and deny less."""
    site, _ = a_site(tmp_path)
    source = tmp_path / "source"
    source.mkdir()
    (source / "policy.csv").write_bytes(b"x" * 4096)
    for _ in range(2):
        with pytest.raises(OSError, match=r"policy\.csv can") as raised, no_file_larger(4000):
            site.copy(source, tmp_path / "etc" / "policy")

    assert raised.value.filename == str(tmp_path / "etc" / "policy")
    assert raised.value.strerror.endswith("File too large")
    assert list((tmp_path / "etc").iterdir()) == []


def test_a_dry_run_says_all_and_does_nothing(tmp_path):
    """Not even a folder is made."""
    (tmp_path / "old").touch()
    site, said = a_site(tmp_path, dry=True)

    site.write(tmp_path / "a" / "b", "text")
    site.copy(tmp_path, tmp_path / "c")
    site.remove(tmp_path / "old")
    site.remove(tmp_path / "none")

    assert [each.split()[0] for each in said] == ["write", "copy", "remove"]
    assert [each.name for each in tmp_path.iterdir()] == ["old"]


def test_what_is_removed_is_gone(tmp_path):
    """What is not there is not missed."""
    site, _ = a_site(tmp_path)
    (tmp_path / "old").touch()

    site.remove(tmp_path / "old")
    site.remove(tmp_path / "old")

    assert list(tmp_path.iterdir()) == []


def test_without_systemd_it_is_said_what_was_not_done(tmp_path):
    """In an image, and on a host that has none."""
    for site, said in (a_site(tmp_path), a_site(Path("/"), systemd=tmp_path / "none")):
        site.manage("daemon-reload")

        assert said == ["without systemd, not done: systemctl daemon-reload"]


@pytest.mark.parametrize(("status", "dry"), [(0, False), (1, True)])
def test_systemd_is_told(tmp_path, monkeypatch, status, dry):
    """Where it runs; a dry run tells it nothing."""
    program(tmp_path, f"exit {status}", monkeypatch)
    site, said = a_site(Path("/"), systemd=tmp_path, dry=dry)

    site.manage("enable", "x")

    assert said == ["run systemctl enable x"]


def test_what_systemd_complains_of_is_told(tmp_path, monkeypatch):
    """In its own words; a systemctl that is not there as well."""
    program(tmp_path, "echo no such unit >&2; exit 5", monkeypatch)
    site, _ = a_site(Path("/"), systemd=tmp_path)
    with pytest.raises(ConfigurationError, match="systemctl start x: no such unit"):
        site.manage("start", "x")

    (tmp_path / "systemctl").unlink()
    with pytest.raises(ConfigurationError, match="systemctl start x: "):
        site.manage("start", "x")


def program(folder, text, monkeypatch):
    """Put a systemctl first on the PATH."""
    path = folder / "systemctl"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
