"""Who could change a file of a policy."""

from __future__ import annotations

import os
import stat

import pytest

from authz.policy.ownership import exposed, exposed_folder

FILE, FOLDER = stat.S_IFREG, stat.S_IFDIR


def _status(mode: int, uid: int) -> os.stat_result:
    return os.stat_result((mode, 0, 0, 1, uid, 50, 0, 0, 0, 0))


@pytest.mark.parametrize(
    ("mode", "uid", "who"),
    [
        (FILE | 0o644, 0, ""),
        (FILE | 0o644, 7, ""),
        (FILE | 0o644, 8, "belongs to uid 8"),
        (FILE | 0o664, 0, "can be written by others (mode 0664)"),
        (FILE | 0o646, 7, "can be written by others (mode 0646)"),
        (FILE | 0o1646, 7, "can be written by others (mode 1646)"),
        (FOLDER | 0o755, 0, ""),
        (FOLDER | 0o775, 0, "can be written by others (mode 0775)"),
        (FOLDER | 0o1777, 0, ""),
        (FOLDER | 0o1777, 8, "belongs to uid 8"),
    ],
)
def test_who_else_could_write(mode: int, uid: int, who: str):
    """Root and the service's own account may; a group is others."""
    assert exposed(_status(mode, uid), uid=7) == who


def test_the_account_is_that_of_the_process():
    """Where nobody says another one."""
    assert exposed(_status(FILE | 0o600, os.geteuid())) == ""
    assert exposed(_status(FILE | 0o600, os.geteuid() + 1)) != ""


def test_a_link_leads_to_the_folder_that_counts(tmp_path):
    """A file is as safe as the folder that holds it, not as the one with its name."""
    real, shown = tmp_path / "real", tmp_path / "shown"
    for folder, mode in ((real, 0o777), (shown, 0o755)):
        folder.mkdir()
        folder.chmod(mode)
    (real / "policy.csv").touch()
    (shown / "policy.csv").symlink_to(real / "policy.csv")

    assert exposed_folder(shown / "policy.csv") == "can be written by others (mode 0777)"
    real.chmod(0o755)
    assert exposed_folder(shown / "policy.csv") == ""
