"""bundle.toml lists packs, and says nothing else."""

from __future__ import annotations

import pytest

from authz.policy.bundle_file import read_packs
from authz.policy.text import render_problems
from tests.policies import a_source


def _told(text: str | bytes) -> str:
    _, problems = read_packs(a_source(text, "bundle.toml"))
    return render_problems(problems)


def test_packs_are_found_with_their_places():
    """Each name knows where it is asked for, over several lines and in either quotes."""
    text = '# mine\npacks = [\n  "core", \'sockets\',\n  "core-x", # "core"\n]\n'

    packs, problems = read_packs(a_source(text, "bundle.toml"))

    assert problems == ()
    assert [(p.name, p.line.number, p.column) for p in packs] == [
        ("core", 3, 3),
        ("sockets", 3, 11),
        ("core-x", 4, 3),
    ]


@pytest.mark.parametrize("text", ["packs = []", '"packs" = []', "'packs'=[]\r\n"])
def test_a_bundle_may_have_no_packs(text: str):
    """The list has to be there all the same."""
    assert read_packs(a_source(text, "bundle.toml")) == ((), ())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "",
            (
                "site/bundle.toml: packs is missing; expected the list of packs to load\n"
                '  try: packs = ["core"]'
            ),
        ),
        (
            "pakcs = []\npacks = []",
            (
                'site/bundle.toml:1:1: "pakcs" is not a setting of a bundle; expected packs\n'
                "  pakcs = []\n"
                "  ^~~~~\n"
                "  try: packs"
            ),
        ),
        (
            "packs = []\n[x]\ny = 1\n",
            'site/bundle.toml:2:2: "x" is not a setting of a bundle; expected packs\n  [x]\n   ^',
        ),
        (
            'packs = "core"',
            (
                "site/bundle.toml:1:1: packs is not a list of names\n"
                '  packs = "core"\n'
                "  ^~~~~\n"
                '  try: packs = ["core"]'
            ),
        ),
        (
            "packs = [1]",
            (
                "site/bundle.toml:1:1: packs is not a list of names\n"
                "  packs = [1]\n"
                "  ^~~~~\n"
                '  try: packs = ["core"]'
            ),
        ),
        (
            'packs = ["../core"]',
            (
                'site/bundle.toml:1:10: "../core" is not a name of a pack; expected small letters,'
                ' digits and "-"\n'
                '  packs = ["../core"]\n'
                "           ^~~~~~~~~"
            ),
        ),
        (
            'packs = ["core", "core"]',
            (
                'site/bundle.toml:1:18: pack "core" is listed twice\n'
                '  packs = ["core", "core"]\n'
                "                   ^~~~~~\n"
                "  try: take one away"
            ),
        ),
        (
            "packs = [\n  core]",
            "site/bundle.toml:2:3: not TOML: Invalid value\n    core]\n    ^",
        ),
        ("packs = [", "site/bundle.toml: not TOML: Invalid value"),
        (
            "packs = []\npacks = []",
            (
                "site/bundle.toml:2:11: not TOML: Cannot overwrite a value\n"
                "  packs = []\n"
                "            ^"
            ),
        ),
        (
            b"packs = [\xff]",
            (
                "site/bundle.toml:1:10: byte 0xff is not UTF-8\n"
                "  packs = [\N{REPLACEMENT CHARACTER}]\n"
                "           ^\n"
                "  try: save the file as UTF-8"
            ),
        ),
    ],
)
def test_everything_else_is_a_problem(text: str | bytes, told: str):
    """What is wrong, where, and what to write."""
    assert _told(text) == told


def test_a_name_that_is_written_with_an_escape_is_told_at_its_key():
    """The place is the next best one."""
    packs, problems = read_packs(a_source('packs = ["cor\\u0065"]', "bundle.toml"))

    assert problems == ()
    assert [(p.name, p.column) for p in packs] == [("core", 1)]


def test_a_key_that_is_written_with_an_escape_is_told_at_the_first_line():
    """The same for keys."""
    _, problems = read_packs(a_source('packs = []\n"\\u0078" = 1', "bundle.toml"))

    assert [(p.location.line, p.location.column) for p in problems] == [(1, 1)]


def test_deep_nesting_is_a_problem():
    """A reader that gives up says so."""
    assert _told("packs = " + "[" * 2000 + "]" * 2000) == (
        "site/bundle.toml: the tables are nested too deeply"
    )
