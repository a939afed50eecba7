"""Every message of `check`, word for word, and none that nobody has read.

A message is part of what a policy's author works with, so it is written down
in `tests/corpus/check/messages.toml` as it is printed. What a module can say
and no case shows is found by the last test: it looks for the texts in the
modules themselves.
"""

import ast
import os
import re
import tomllib
from datetime import date
from pathlib import Path

import pytest

from authz.errors import PolicyError
from authz.policy.bundle import load_bundle
from tests.policies import a_bundle

ROOT = Path(__file__).parents[2]
TODAY = date(2026, 11, 28)
BASE = "p, role:dev, *, container.create, on:new, *, allow\n"
ALICE = "g, user:alice, role:dev, *\n"
MARKED = (
    "policy.csv:1:1: the file starts with a byte-order mark, which hides its first row "
    "(try: save the file as UTF-8 without a byte-order mark)"
)
TOO_LONG = (
    "policy.csv:2:1: the line has 4102 bytes; expected at most 4096 "
    "(try: split the row into several)"
)
WRITTEN = tomllib.loads((ROOT / "tests/corpus/check/messages.toml").read_text())["message"]


def files_of(written):
    """Return the files that a case is about."""
    own = {key: value for key, value in written.items() if key not in ("name", "rows", "says")}
    return {"people": ALICE, "policy": BASE + written.get("rows", ""), **own}


CASES = {each["name"]: (files_of(each), each["says"]) for each in WRITTEN} | {
    "byte-order mark": (
        {"policy": b"\xef\xbb\xbf" + BASE.encode(), "people": ALICE},
        [MARKED],
    ),
    "UTF-16": (
        {"policy": BASE.encode("utf-16"), "people": ALICE},
        ["policy.csv:1:1: the file is UTF-16; expected UTF-8 (try: save the file as UTF-8)"],
    ),
    "not UTF-8": (
        {"policy": BASE.encode() + b"# caf\xe9\n", "people": ALICE},
        ["policy.csv:2:6: byte 0xe9 is not UTF-8 (try: save the file as UTF-8)"],
    ),
    "a long line": (
        {"policy": BASE + "# " + "x" * 4100 + "\n", "people": ALICE},
        [TOO_LONG],
    ),
    "nested TOML": (
        {"policy": BASE, "people": ALICE, "bundle": "packs = " + "[" * 900 + "]" * 900 + "\n"},
        ["bundle.toml: the tables are nested too deeply"],
    ),
}
"""What is said about which files; those that TOML cannot hold stand here."""


def told(folder, files):
    """Return everything that is said about a bundle, as it is printed, without its folder."""
    try:
        problems = load_bundle(a_bundle(folder, **files), today=TODAY, thorough=True).warnings
    except PolicyError as error:
        problems = error.problems
    found = []
    for each in problems:
        place = str(each.location).replace(f"{folder}/", "")
        warning = "warning: " if each.severity == "warning" else ""
        hint = f" (try: {each.suggestion})" if each.suggestion else ""
        found.append(f"{place}: {warning}{each.message}{hint}")
    return [each for each in found if "/core.csv" not in each]  # covered by a row that is too wide


@pytest.mark.parametrize("name", CASES)
def test_a_message_reads_so(name, tmp_path):
    """Place, what is wrong, what was expected, and what to try."""
    files, expected = CASES[name]
    assert told(tmp_path, files) == expected


@pytest.mark.parametrize("name", CASES)
def test_no_message_speaks_of_python(name):
    """Its reader writes CSV."""
    for text in CASES[name][1]:
        assert not re.search(
            r"Traceback|NoneType|<class|object at 0x|\b(?:str|int|dict|tuple)\b", text
        )
        assert not re.search(r"[a-z]Error|Exception", text)


MODULES = (
    *("rule_file", "row_check", "links", "pack_file", "pattern", "number", "condition", "subject"),
    *("source", "bundle_file", "bundle", "model_file", "advice", "cover"),
)
"""Modules that find something wrong with a policy."""

ELSEWHERE = {
    "there are more than {} problems": "tests/policy/test_rule_file.py",
    "the policy has {} rows; expected at most {}": "tests/policy/test_bundle.py",
    "the {} {}; only root and uid {} may change a policy": "tests/policy/test_bundle.py",
    "chown {} {} && chmod go-w {}": "tests/policy/test_bundle.py",
    "not TOML: {}": "the words of Python's reader",
    "the policy folder {}": "test_a_folder_that_cannot_be_used",
    "is not a folder": "test_a_folder_that_cannot_be_used",
    "the folder holds neither a bundle (bundle.toml) nor a pack (NAME/NAME.csv)": (
        "test_a_folder_that_cannot_be_used"
    ),
    'no bundle "{}" is shipped; there are {}': "test_a_folder_that_cannot_be_used",
    "cannot be read: {}": "test_a_file_that_cannot_be_read",
    "does not exist": "test_a_file_that_cannot_be_read",
    "is larger than {} MiB": "test_a_file_that_cannot_be_read",
    "is not a regular file": "test_a_file_that_cannot_be_read",
    "the file {}": "test_a_file_that_cannot_be_read",
    "a file that says {}": "test_a_file_that_cannot_be_read",
    'a file that says packs = ["core"]': "test_a_file_that_cannot_be_read",
    "the model.conf of a shipped bundle": "test_a_file_that_cannot_be_read",
    "an empty file where nobody holds a role": "test_a_file_that_cannot_be_read",
}
"""Messages that need more than files, and where they are shown."""


def test_a_folder_that_cannot_be_used(tmp_path):
    """Missing, no folder, something else, or no shipped one."""
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    assert refused(tmp_path / "none") == ["the policy folder does not exist"]
    assert refused(tmp_path / "file") == ["the policy folder is not a folder"]
    assert refused(tmp_path / "empty") == [
        "the folder holds neither a bundle (bundle.toml) nor a pack (NAME/NAME.csv)"
    ]
    (message,) = refused("builtin:developr")
    assert message.startswith('no bundle "developr" is shipped; there are ')
    (message,) = refused(tmp_path / ("x" * 300))
    assert message == "the policy folder cannot be read: File name too long"


def test_a_file_that_cannot_be_read(tmp_path):
    """Missing, no file, or too large."""
    folder = a_bundle(tmp_path, policy=BASE)
    for name in ("bundle.toml", "model.conf", "policy.csv", "people.csv"):
        (folder / name).unlink()
    (folder / "bundle.toml").symlink_to(folder / "bundle.toml")
    os.mkfifo(folder / "people.csv")
    with (folder / "model.conf").open("wb") as file:
        file.truncate((16 << 20) + 1)
    with pytest.raises(PolicyError) as caught:
        load_bundle(folder)
    assert [(each.message, each.suggestion) for each in caught.value.problems] == [
        (
            "the file cannot be read: Too many levels of symbolic links",
            'a file that says packs = ["core"]',
        ),
        ("the file is larger than 16 MiB", "the model.conf of a shipped bundle"),
        ("the file is not a regular file", "an empty file where nobody holds a role"),
        (
            "the file does not exist",
            "a file that says p, *, *, system.ping, on:host, *, allow",
        ),
    ]


def refused(reference):
    """Return why a reference is no policy."""
    with pytest.raises(PolicyError) as caught:
        load_bundle(reference)
    return [each.message for each in caught.value.problems]


def templates(path):
    """Return the texts in a module that a person may read, ``{}`` for what is filled in."""
    tree = ast.parse(path.read_text())
    silent = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        silent |= {id(part) for part in ast.walk(node) if isinstance(node, ast.JoinedStr)} - (
            {id(node)} if isinstance(node, ast.JoinedStr) else set()
        )
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.col_offset == 0 and node.value:
            text = ast.unparse(node)
            if not text.startswith(("_QUOTED", "_HINTS")):  # tables and patterns are no messages
                silent |= {id(part) for part in ast.walk(node.value)}
    return {
        render(node)
        for node in ast.walk(tree)
        if id(node) not in silent and isinstance(node, ast.JoinedStr | ast.Constant)
    }


def render(node):
    """Return a text with ``{}`` for what is filled in; nothing where it is no text."""
    if isinstance(node, ast.JoinedStr):
        parts = (part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
        return "".join(parts)
    return node.value if isinstance(node.value, str) else ""


@pytest.mark.parametrize("module", [*(f"policy/{name}" for name in MODULES), "facts/values"])
def test_every_message_has_a_case(module):
    """Whoever adds one writes it down here."""
    shown = "\n".join(text for _, expected in CASES.values() for text in expected)
    texts = templates(ROOT / "authz" / f"{module}.py")
    missing = [
        text
        for text in texts
        if re.search(r"[a-z]{2,} .*[a-z]{2,}", text)
        and text not in ELSEWHERE
        and not re.search(re.escape(text).replace(r"\{\}", ".*"), shown)
    ]
    assert missing == []
