"""Whether the files of a policy have changed, whichever way that was done."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from authz.policy.look import look
from tests.policies import CREATE_ROW, a_bundle


def _written(root: Path) -> None:
    (root / "policy.csv").write_text(CREATE_ROW + CREATE_ROW)


def _renamed(root: Path) -> None:
    fresh = root / ".policy.csv.new"
    fresh.write_bytes((root / "policy.csv").read_bytes())
    fresh.rename(root / "policy.csv")


def _touched(root: Path) -> None:
    os.utime(root / "people.csv", (1, 1))


def _opened_up(root: Path) -> None:
    (root / "policy.csv").chmod(0o666)


def _deleted(root: Path) -> None:
    (root / "people.csv").unlink()


def _pack_added(root: Path) -> None:
    (root / "packs").mkdir()
    (root / "packs" / "own.csv").touch()


def _tested(root: Path) -> None:
    (root / "tests.toml").touch()


CHANGES = [_written, _renamed, _touched, _opened_up, _deleted, _pack_added, _tested]


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_seen(tmp_path: Path, change: Callable[[Path], None]):
    """And nothing is where nothing changed."""
    root = a_bundle(tmp_path)
    before = look(str(root))
    assert look(str(root)) == before

    change(root)

    assert look(str(root)) != before


def test_other_files_do_not_count(tmp_path: Path):
    """A note beside the policy, or what an editor leaves behind."""
    root = a_bundle(tmp_path)
    before = look(str(root))

    (root / "README.md").touch()
    (root / ".policy.csv.swp").touch()

    assert look(str(root)) == before


def test_a_link_that_leads_elsewhere_is_a_change(tmp_path: Path):
    """The folder of the policy is one, and each of its files may be."""
    for name in ("one", "two"):
        a_bundle(tmp_path / name)
    site = tmp_path / "site"
    site.symlink_to("one")
    before = look(str(site))

    (tmp_path / "next").symlink_to("two")
    (tmp_path / "next").rename(site)

    assert look(str(site)) != before


def test_a_mounted_volume_is_swapped_as_a_whole(tmp_path: Path):
    """As Kubernetes does: files are links through "..data", which is replaced."""
    site = tmp_path / "site"
    for name in ("..1", "..2"):
        a_bundle(site / name)
    (site / "..data").symlink_to("..1")
    for path in (site / "..1").iterdir():
        (site / path.name).symlink_to(f"..data/{path.name}")
    before = look(str(site))
    assert len(before) == 5

    (site / "..data_tmp").symlink_to("..2")
    (site / "..data_tmp").rename(site / "..data")

    assert look(str(site)) != before


def test_what_is_not_there_can_be_looked_at(tmp_path: Path):
    """It may come back."""
    before = look(str(tmp_path / "none"))
    a_bundle(tmp_path / "none")
    dangling = tmp_path / "none" / "extra.csv"
    dangling.symlink_to("nowhere")

    assert look(str(tmp_path / "none")) != before


def test_a_shipped_policy_does_not_change():
    """But with the program."""
    assert look("builtin:developer") == ()
