"""``dockgate import``: files of other gates in, a bundle that checks clean out."""

import pytest
from click.testing import CliRunner

from authz.cli.main import main

FILES = {
    "socket-env": "CONTAINERS=1\nPOST=1\nODD_ONE=1\n",
    "regex-list": "-allowGET=/v1\\..{1,2}/(version|containers/.*|events.*)\n-allowfrom=traefik\n",
    "json-lines": '{"name":"p","users":["alice"],"actions":["container"]}\nodd\n',
    "casbin-table": "p, alice, /containers/*, GET\np, alice, data1, read\n",
}


def run(*arguments):
    """Run a command."""
    return CliRunner().invoke(main, [*map(str, arguments)])


@pytest.mark.parametrize("kind", FILES)
def test_the_bundle_checks_clean(kind, tmp_path):
    """Without a warning, and with a list of what was lost; whatever an editor put before it."""
    (tmp_path / "file").write_text(FILES[kind], encoding="utf-8-sig")
    result = run("import", kind, tmp_path / "file", "--into", tmp_path / "new")
    assert result.exit_code == 0, result.output
    assert "not carried over: " in result.output
    assert f"rows written to {tmp_path / 'new'}; next: dockgate check" in result.output
    checked = run("check", tmp_path / "new")
    assert checked.exit_code == 0
    assert "0 errors, 0 warnings" in checked.output


def test_who_gets_it_can_be_said(tmp_path):
    """Where the other gate names nobody."""
    (tmp_path / "file").write_text(FILES["socket-env"])
    arguments = ("import", "socket-env", tmp_path / "file", "--into", tmp_path / "new")
    assert run(*arguments, "--as", "container:traefik").exit_code == 0
    people = (tmp_path / "new" / "people.csv").read_text()
    assert people == "g, container:traefik, role:socket-proxy, *\n"


@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        (None, (), "cannot be read: No such file or directory"),
        (b"\xff", (), "is not UTF-8"),
        (b"", ("--as", "alice"), '--as: "alice" has no known type'),
        (b"EVENTS=0\nPING=0\nVERSION=0\n", (), "nothing in it can be carried over"),
    ],
)
def test_wrong_calls_are_told(content, options, said, tmp_path):
    """With their status."""
    if content is not None:
        (tmp_path / "file").write_bytes(content)
    result = run("import", "socket-env", tmp_path / "file", "--into", tmp_path / "n", *options)
    assert result.exit_code == 2
    assert said in result.output


@pytest.mark.parametrize(
    ("kind", "content", "said"),
    [
        ("json-lines", '{"name": "p"}\n', "expected lines with users and actions"),
        ("json-lines", "odd\n", "not carried over: line 1: is no policy"),
        ("casbin-table", "", "expected rows such as p, alice, /containers/*, GET"),
        ("regex-list", "hello\n", "expected expressions such as -allowGET=/version"),
        ("socket-env", "EVENTS=0\nPING=0\nVERSION=0\n", "expected settings such as CONTAINERS=1"),
    ],
)
def test_a_bundle_that_grants_nothing_is_not_written(kind, content, said, tmp_path):
    """The file is of another kind, more likely than not."""
    (tmp_path / "file").write_text(content)
    result = run("import", kind, tmp_path / "file", "--into", tmp_path / "new")
    assert result.exit_code == 2
    assert said in result.output
    assert "nothing in it can be carried over" in result.output
    assert not (tmp_path / "new").exists()


def test_nothing_is_written_over(tmp_path):
    """The folder must be new."""
    (tmp_path / "file").write_text(FILES["socket-env"])
    result = run("import", "socket-env", tmp_path / "file", "--into", tmp_path)
    assert result.exit_code == 2
    assert "is not empty; expected a new folder" in result.output
