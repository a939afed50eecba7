"""A bundle that a program writes."""

import pytest

from authz.errors import ConfigurationError
from authz.policy.bundle import load_bundle
from authz.tools.drafts.folder import Folder
from tests.policies import CREATE_ROW

FOLDER = Folder(("core", "sockets"), CREATE_ROW, "g, user:a, role:dev, *\n")


def test_it_loads(tmp_path):
    """With the packs that it names."""
    FOLDER.write(tmp_path / "a" / "b")
    bundle = load_bundle(tmp_path / "a" / "b")
    assert {row.location.file for row in bundle.rows} >= {"policy.csv", "packs/sockets.csv"}
    assert not (tmp_path / "a" / "b" / "tests.toml").exists()


def test_nothing_is_written_over(tmp_path):
    """Whatever is in the folder."""
    (tmp_path / "policy.csv").write_text("mine")
    with pytest.raises(ConfigurationError, match="is not empty; expected a new folder"):
        FOLDER.write(tmp_path)
    assert (tmp_path / "policy.csv").read_text() == "mine"


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    """In one sentence."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="cannot be written: Not a directory"):
        FOLDER.write(tmp_path / "file" / "x")
