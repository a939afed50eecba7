"""tests.toml: what a case may say, and what is told about anything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from authz.errors import Location, PolicyError
from authz.policy.case_file import KEYS, Case, load_cases
from authz.policy.decision import Effect
from authz.policy.text import render_problems
from authz.wire.evidence import Evidence
from authz.wire.raw import Door

LEAST = '[[case]]\nname = "a"\nrequest = "GET /_ping"\nexpect = "allow"\n'


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / "privileged.json").write_bytes(b'{"Image":"x"}')
    return tmp_path


def _load(folder: Path, text: str | bytes) -> tuple[Case, ...]:
    path = folder / "tests.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return load_cases(path)


def _told(folder: Path, text: str | bytes) -> str:
    with pytest.raises(PolicyError) as caught:
        _load(folder, text)
    return render_problems(caught.value.problems).replace(f"{folder}/", "")


def test_a_full_case_is_read(folder: Path):
    """Everything that the specification's example says."""
    (case,) = _load(
        folder,
        """
[[case]]
name = "ci may not mount the host's root"
as = "user:ci-7"
groups = ["group:os/ci"]
roles = ["role:ci"]
tenant = "acme"
door = "proxy"
request = "POST /v1.47/containers/create"
headers = { Content-Type = "application/json" }
body = '{"Image":"x"}'
expect = "deny"
because = ["no-host-root", "no-host-root"]
[case.given.container.web]
owner = "user:alice"
""",
    )

    assert case == Case(
        name="ci may not mount the host's root",
        method="POST",
        target="/v1.47/containers/create",
        expect=Effect.DENY,
        location=Location("tests.toml", 2, 1),
        subject="user:ci-7",
        groups=("group:os/ci",),
        roles=("role:ci",),
        tenant="acme",
        door=Door.PROXY,
        headers=(("Content-Type", "application/json"),),
        body=b'{"Image":"x"}',
        because=frozenset({"no-host-root"}),
        given={"container": {"web": {"owner": "user:alice"}}},
    )


def test_a_case_can_say_how_its_request_comes_in(folder: Path):
    """What conditions ask about a connection can be tested."""
    more = 'door = "proxy"\ntls = "mutual"\nlistener = "tcp://[::]:2376"\nsource = "10.0.0.1"\n'
    (case,) = _load(folder, LEAST + more)

    assert case.evidence == Evidence(listener="tcp://[::]:2376", tls="mutual", source="10.0.0.1")


def test_a_connection_that_no_door_has_is_told(folder: Path):
    """At the line that says it; the other door is the likely mistake."""
    told = _told(folder, LEAST + 'source = "10.0.0.1"\n')

    assert "tests.toml:5:1: source is '10.0.0.1'; a plugin is not told" in told
    told = _told(folder, LEAST + 'tls = "mutal"\n')
    assert 'tls is "mutal"; expected none, server or mutual' in told
    assert "try: mutual" in told


def test_the_least_case_is_anonymous_at_the_plugin(folder: Path):
    """What is left out has the plainest meaning; because is not checked then."""
    (case,) = _load(folder, LEAST)

    assert (case.subject, case.door, case.body, case.because) == (
        "user:anonymous",
        Door.PLUGIN,
        b"",
        None,
    )


def test_an_empty_because_means_that_no_row_allowed_it(folder: Path):
    """It is not the same as leaving it out."""
    (case,) = _load(folder, f"{LEAST}because = []\n")

    assert case.because == frozenset()


def test_a_body_can_stand_in_a_file(folder: Path):
    """The bytes of a sample are the body."""
    (case,) = _load(folder, f'{LEAST}body_file = "samples/privileged.json"\n')

    assert case.body == b'{"Image":"x"}'


def test_cases_know_their_lines(folder: Path):
    """Each one is found by its header."""
    cases = _load(folder, LEAST + LEAST.replace('"a"', '"b"'))

    assert [(case.name, case.location.line) for case in cases] == [("a", 1), ("b", 5)]


def test_a_file_without_cases_is_empty(folder: Path):
    """No case is no error here."""
    assert _load(folder, "# later\n") == ()


def test_a_missing_file_is_a_problem(tmp_path: Path):
    """Whoever asks for tests learns that there are none."""
    with pytest.raises(PolicyError) as caught:
        load_cases(tmp_path / "tests.toml")

    assert caught.value.problems[0].message == "the file does not exist"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (
            "becuase = []",
            (
                'tests.toml:5:1: "becuase" is not a member of a case; expected one of '
                f"{', '.join(KEYS)}\n"
                "  becuase = []\n"
                "  ^~~~~~~\n"
                "  try: because"
            ),
        ),
        (
            'door = "cli"',
            'tests.toml:5:1: door is "cli"; expected plugin or proxy\n  door = "cli"\n  ^~~~',
        ),
        (
            "tenant = 'a b'",
            (
                "tests.toml:5:1: tenant is 'a b': string should match pattern"
                " '^(?:[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,63})?$'\n"
                "  tenant = 'a b'\n"
                "  ^~~~~~"
            ),
        ),
        (
            "because = 'x'",
            (
                "tests.toml:5:1: because is 'x'; expected a list\n"
                "  because = 'x'\n"
                "  ^~~~~~~\n"
                '  try: because = ["no-privileged"]'
            ),
        ),
        (
            "because = [1]",
            ("tests.toml:5:1: because.0 is 1; expected a text\n  because = [1]\n  ^~~~~~~"),
        ),
        (
            'as = "role:ci"',
            (
                'tests.toml:5:1: "role:ci" cannot stand here; expected user:, cert:, token: or'
                " container:\n"
                '  as = "role:ci"\n'
                "  ^~"
            ),
        ),
        (
            'groups = ["group:os/a", "b"]',
            (
                'tests.toml:5:1: "b" has no known type; expected group:\n'
                '  groups = ["group:os/a", "b"]\n'
                "  ^~~~~~\n"
                "  try: group:b"
            ),
        ),
        (
            'roles = ["role:ci", "user:a"]',
            (
                'tests.toml:5:1: "user:a" cannot stand here; expected role: or pack:\n'
                '  roles = ["role:ci", "user:a"]\n'
                "  ^~~~~"
            ),
        ),
        (
            'body = ""\nbody_file = "samples/privileged.json"',
            (
                "tests.toml:6:1: a case has a body or a body_file, not both\n"
                '  body_file = "samples/privileged.json"\n'
                "  ^~~~~~~~~\n"
                "  try: take one away"
            ),
        ),
        (
            'body_file = "privileged.json"',
            (
                'tests.toml:5:1: body_file is "privileged.json"; expected a file under samples/\n'
                '  body_file = "privileged.json"\n'
                "  ^~~~~~~~~\n"
                "  try: samples/privileged.json"
            ),
        ),
        (
            'body_file = "samples/../tests.toml"',
            (
                'tests.toml:5:1: body_file is "samples/../tests.toml"; expected a file under'
                " samples/\n"
                '  body_file = "samples/../tests.toml"\n'
                "  ^~~~~~~~~\n"
                "  try: samples/tests.toml"
            ),
        ),
        (
            'body_file = ""',
            (
                'tests.toml:5:1: body_file is ""; expected a file under samples/\n'
                '  body_file = ""\n'
                "  ^~~~~~~~~\n"
                "  try: samples/body.json"
            ),
        ),
        (
            'body_file = "samples/priviledged.json"',
            (
                "tests.toml:5:1: body_file: the file does not exist\n"
                '  body_file = "samples/priviledged.json"\n'
                "  ^~~~~~~~~\n"
                "  try: samples/privileged.json"
            ),
        ),
        (
            'body_file = "samples/zzz"',
            (
                "tests.toml:5:1: body_file: the file does not exist\n"
                '  body_file = "samples/zzz"\n'
                "  ^~~~~~~~~"
            ),
        ),
    ],
)
def test_a_member_that_is_wrong_is_told_at_its_line(folder: Path, line: str, told: str):
    """Unknown members, values that are none, and files outside the samples."""
    assert _told(folder, LEAST + line) == told


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            'expect = "allow"',
            'expect = "alow"',
            (
                'tests.toml:4:1: expect is "alow"; expected allow, deny or refuse\n'
                '  expect = "alow"\n'
                "  ^~~~~~\n"
                "  try: allow"
            ),
        ),
        (
            'expect = "allow"\n',
            "",
            (
                "tests.toml:1:1: the case has no expect\n"
                "  [[case]]\n"
                "  ^~~~~~~~\n"
                '  try: expect = "deny"'
            ),
        ),
        (
            '"GET /_ping"',
            '"GET"',
            (
                'tests.toml:3:1: request is "GET"; expected a method and a target\n'
                '  request = "GET"\n'
                "  ^~~~~~~\n"
                "  try: GET /v1.47/containers/json"
            ),
        ),
        (
            '"a"',
            '""',
            (
                "tests.toml:2:1: name is '': string should have at least 1 character\n"
                '  name = ""\n'
                "  ^~~~"
            ),
        ),
        (
            "[[case]]",
            "[case]",
            ("tests.toml:1:2: case is not a list of tables\n  [case]\n   ^~~~\n  try: [[case]]"),
        ),
        (
            "[[case]]",
            "title = 1\n[[case]]",
            (
                'tests.toml:1:1: "title" is not known here; expected [[case]] tables\n'
                "  title = 1\n"
                "  ^~~~~\n"
                "  try: [[case]]"
            ),
        ),
        (
            "[[case]]",
            "[[case]",
            (
                "tests.toml:1:7: not TOML: Expected ']]' at the end of an array declaration\n"
                "  [[case]\n"
                "        ^"
            ),
        ),
    ],
)
def test_what_a_case_needs_is_told(folder: Path, old: str, new: str, told: str):
    """Missing and misspelt members, and a file that is no list of cases."""
    assert _told(folder, LEAST.replace(old, new)) == told


def test_a_repeated_name_is_told(folder: Path):
    """Two cases of one name could not be told apart in a report."""
    assert _told(folder, LEAST + LEAST) == (
        'tests.toml:6:1: the name "a" is taken by the case in line 1\n'
        '  name = "a"\n'
        "  ^~~~\n"
        "  try: a (2)"
    )


def test_all_problems_are_told_at_once(folder: Path):
    """In the order of the lines."""
    told = _told(folder, LEAST.replace("allow", "alow") + 'x = 1\n[[case]]\nname = "b"\n')

    assert [line.split(": ")[0] for line in told.splitlines() if line.startswith("tests")] == [
        "tests.toml:4:1",
        "tests.toml:5:1",
        "tests.toml:6:1",
        "tests.toml:6:1",
    ]


def test_a_case_in_one_line_is_told_at_the_first(folder: Path):
    """TOML can write a list of tables without headers."""
    assert _told(folder, 'case = [{ name = "a", request = "GET /", expect = "no" }]\n') == (
        'tests.toml:1:1: expect is "no"; expected allow, deny or refuse\n'
        '  case = [{ name = "a", request = "GET /", expect = "no" }]\n'
        f"  ^{'~' * 56}"
    )


def test_a_long_value_is_cut(folder: Path):
    """A message is for reading."""
    told = _told(folder, f"{LEAST}because = '{'x' * 200}'")

    assert told.splitlines()[0] == (f"tests.toml:5:1: because is '{'x' * 76}...; expected a list")


def test_an_unreadable_file_is_told_as_any_other(folder: Path):
    """The lines are checked before the cases."""
    assert _told(folder, b"\xef\xbb\xbf" + LEAST.encode()).startswith(
        "tests.toml:1:1: the file starts with a byte-order mark"
    )
