"""A folder to a bundle, or every problem in it at once."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from authz.errors import Location, PolicyError, Problem, Severity
from authz.policy import bundle as bundle_module
from authz.policy.bundle import load_bundle, shipped_bundles
from authz.policy.decision import Word
from authz.policy.links import Group, Link
from authz.policy.pack_file import shipped_packs
from authz.policy.text import render_problems
from authz.shipped import shipped
from tests.policies import CREATE_ROW, TEN_MISTAKES, a_bundle

TODAY = date(2026, 8, 1)
ALLOW = "p, *, *, *, on:new, *, allow\n"


def _problems(reference: str | Path) -> tuple[Problem, ...]:
    with pytest.raises(PolicyError) as caught:
        load_bundle(reference, today=TODAY)
    return caught.value.problems


def _told(root: Path, **files: object) -> str:
    return render_problems(_problems(a_bundle(root, **files)))


def test_a_bundle_says_what_its_files_say(tmp_path: Path):
    """Rows of the site and of its packs, links and groups, each with its place."""
    site = a_bundle(
        tmp_path / "site",
        policy=f"# new: fresh ones [CIS 1]\n{CREATE_ROW}g2, container.exec, site.x\n",
    )

    bundle = load_bundle(site)

    assert (bundle.name, bundle.root) == ("site", site)
    assert bundle.rows[0].id == "new"
    assert bundle.rows[0].location == Location("policy.csv", 2, 1)
    assert {row.location.file for row in bundle.rows} == {"policy.csv", "packs/core.csv"}
    assert bundle.links == (Link("user:alice", "role:dev", "*", Location("people.csv", 1, 1)),)
    assert bundle.groups == (Group("container.exec", "site.x", Location("policy.csv", 3, 1)),)
    assert bundle.warnings == ()


@pytest.mark.parametrize("name", ["admin", "developer", "observe", "read-only"])
def test_the_shipped_bundles_load(name: str):
    """Without a problem: nobody holds their roles yet, and an administrator may do anything."""
    bundle = load_bundle(f"builtin:{name}")

    assert bundle.name == name
    assert bundle.rows
    told = [each.message for each in bundle.warnings if "nobody holds" not in each.message]
    assert told == (["a wide allow row, and no pack that takes away"] if name == "admin" else [])


def test_the_shipped_bundles_grant_strangers_nothing_but_ping():
    """Through the plugin, everybody on the unix socket is anonymous."""
    for name in shipped_bundles():
        bundle = load_bundle(f"builtin:{name}")
        assert [link for link in bundle.links if link.member == "user:anonymous"] == []
        assert {row.action for row in bundle.rows if row.subject == "user:anonymous"} == set()
        for row in bundle.rows:
            if row.subject == "*" and row.word is Word.ALLOW and row.fact.startswith("on:"):
                assert row.action == "system.ping"


def test_the_shipped_models_are_one():
    """Each bundle carries the reviewed model, byte for byte the same."""
    texts = {shipped("policies", name, "model.conf").read_bytes() for name in shipped_bundles()}

    assert len(texts) == 1


@pytest.mark.parametrize("name", sorted(shipped_packs()))
def test_the_shipped_packs_load_alone(name: str):
    """``check`` takes a pack's folder as well."""
    bundle = load_bundle(shipped("policies", "packs", name))

    assert bundle.name == name
    assert {row.location.file for row in bundle.rows} == {f"packs/{name}.csv"}
    assert bundle.warnings == ()


def test_packs_take_away_and_never_give():
    """Attaching one cannot widen access; core alone allows."""
    for name in shipped_packs() - {"core"}:
        words = {row.word for row in load_bundle(shipped("policies", "packs", name)).rows}
        assert words <= {Word.DENY, Word.NEVER}


# --- the digest ---------------------------------------------


def test_the_digest_covers_every_byte(tmp_path: Path):
    """Comments and white space too: what a person reads is what was loaded."""
    first = load_bundle(a_bundle(tmp_path / "a"))
    same = load_bundle(a_bundle(tmp_path / "b"))
    digests = {first.digest}
    for number, files in enumerate(
        [
            {"policy": CREATE_ROW + "\n"},
            {"people": "g, user:alice, role:dev, *\n# x\n"},
            {"bundle": 'packs = [ "core" ]\n'},
            {"packs": {"core": "p, *, *, *, nnp:**, *, allow\n"}},
        ]
    ):
        digests.add(load_bundle(a_bundle(tmp_path / str(number), **files)).digest)

    assert first.digest == same.digest
    assert len(digests) == 5


# --- packs ---------------------------------------------


def test_a_pack_of_the_bundle_goes_before_a_shipped_one(tmp_path: Path):
    """So a site may have its own posture."""
    bundle = load_bundle(a_bundle(tmp_path, packs={"core": "p, *, *, *, nnp:**, *, allow\n"}))

    assert [row.fact for row in bundle.rows if row.location.file == "packs/core.csv"] == ["nnp:**"]


def test_a_pack_must_be_loaded_to_be_attached(tmp_path: Path):
    """The suggestion says where to list it."""
    told = _told(tmp_path, people="g, role:dev, pack:sockets, *\n")

    assert 'people.csv:1:14: "pack:sockets" is not loaded' in told
    assert 'try: add "sockets" to packs in bundle.toml' in told


def test_a_misspelt_pack_is_told_once(tmp_path: Path):
    """Where it is listed, and not again where it is attached."""
    told = _told(
        tmp_path, bundle='packs = ["core", "socket"]\n', people="g, role:dev, pack:sockets, *\n"
    )

    assert 'bundle.toml:1:18: there is no pack "socket" here, and none is shipped' in told
    assert 'try: "sockets"' in told
    assert "people.csv" not in told


def test_a_pack_like_no_other(tmp_path: Path):
    """Without a near name there is no suggestion."""
    assert "try" not in _told(tmp_path, bundle='packs = ["zzzzzzzz"]\n')


@pytest.mark.parametrize("packs", ['["core", "core"]', '["core", "../core"]'])
def test_a_list_of_packs_with_a_mistake_is_read_once(tmp_path: Path, packs: str):
    """The reader of the list tells it; nothing is opened for it."""
    told = _told(tmp_path, bundle=f"packs = {packs}\n")

    assert told.count("bundle.toml") == 1


def test_a_pack_that_cannot_be_read_is_told_once(tmp_path: Path):
    """A folder in the place of the file."""
    site = a_bundle(
        tmp_path, bundle='packs = ["core", "own"]\n', people="g, user:alice, pack:own, *\n"
    )
    (site / "packs" / "own.csv").mkdir(parents=True)

    (found,) = _problems(site)

    assert found.location.file == str(site / "packs" / "own.csv")


@pytest.mark.parametrize(
    ("pack", "message"),
    [
        ("p, pack:own, *, *, on:new, *, allow", 'a pack takes away; only "core" may allow'),
        ("g2, container.exec, site.x", "a pack cannot make groups of actions"),
        ("g, pack:own, role:dev, *", "a pack leads only to packs"),
        ("p, role:dev, *, *, on:new, *, deny", 'deny rows of this pack are for "pack:own"'),
        (
            "# a: b\np, pack:own, *, container.exec, on:own, until=2027-01-01, except",
            "a pack makes no exceptions",
        ),
    ],
)
def test_what_a_pack_may_not_say(tmp_path: Path, pack: str, message: str):
    """It is told in the pack's file."""
    told = _told(tmp_path, bundle='packs = ["core", "own"]\n', packs={"own": pack + "\n"})

    assert message in told
    assert f"{tmp_path}/packs/own.csv:" in told


def test_a_pack_alone_may_lead_to_packs_that_are_elsewhere(tmp_path: Path):
    """Shipped ones, and those in folders beside it."""
    for name, rows in {
        "one": "g, pack:one, pack:two, *\ng, pack:one, pack:sockets, *\n",
        "two": "p, pack:two, *, *, pid:host, *, deny\n",
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.csv").write_text(rows)

    bundle = load_bundle(tmp_path / "one")

    assert [link.role for link in bundle.links] == ["pack:two", "pack:sockets"]
    assert bundle.rows == ()


def test_a_pack_alone_with_a_broken_link(tmp_path: Path):
    """A pack that exists nowhere is missed."""
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "one.csv").write_text(
        "g, pack:one, pack:tow, *\ng, pack:one, pack:x, a=b\n"
    )

    told = render_problems(_problems(tmp_path / "one"))

    assert '"pack:tow" has no rows' in told
    assert 'domain is "a=b"' in told


# --- missing files and strays ---------------------------------------------


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("bundle.toml", 'a file that says packs = ["core"]'),
        ("model.conf", "the model.conf of a shipped bundle"),
        ("policy.csv", "a file that says p, *, *, system.ping, on:host, *, allow"),
        ("people.csv", "an empty file where nobody holds a role"),
    ],
)
def test_a_missing_file_is_told(tmp_path: Path, name: str, hint: str):
    """With what to put there."""
    (a_bundle(tmp_path) / name).unlink()

    told = render_problems(_problems(tmp_path))

    assert f"{tmp_path}/{name}: the file does not exist\n  try: {hint}" in told


@pytest.mark.parametrize(
    ("stray", "hint"),
    [
        ("police.csv", "the name policy.csv"),
        ("zzz.csv", "another place for it"),
        ("PEOPLE.CSV", "the name people.csv"),
        ("packs/own.csv", 'add "own" to packs in bundle.toml'),
    ],
)
def test_files_that_nobody_reads_are_warned_about(tmp_path: Path, stray: str, hint: str):
    """A deny in such a file would protect nothing."""
    bundle = load_bundle(a_bundle(tmp_path, files={stray: ALLOW, "README.md": "x"}))

    (found,) = bundle.warnings
    assert found.severity is Severity.WARNING
    assert (found.location.file, found.suggestion) == (str(tmp_path / stray), hint)


def test_a_folder_that_is_no_bundle(tmp_path: Path):
    """One sentence, not four missing files; and where a bundle is."""
    (nothing,) = _problems(tmp_path)
    a_bundle(tmp_path / "site")
    (near,) = _problems(tmp_path)
    (tmp_path / "other").mkdir()
    pack = tmp_path / "other" / "own"
    pack.mkdir()
    (pack / "own.csv").write_text("p, pack:own, *, *, pid:host, *, deny\n")
    (below,) = _problems(tmp_path / "other")

    assert "the folder holds neither a bundle (bundle.toml) nor a pack" in nothing.message
    assert (nothing.suggestion, near.suggestion) == ("", str(tmp_path / "site"))
    assert below.suggestion == str(pack)


@pytest.mark.parametrize(
    ("reference", "message", "suggestion"),
    [
        ("nowhere/developr", "the policy folder does not exist", "builtin:developer"),
        ("nowhere/zzzzz", "the policy folder does not exist", ""),
        ("a" * 5000, "the policy folder cannot be read: ", ""),
        (
            "builtin:developr",
            'no bundle "developr" is shipped; there are admin, ai-agent',
            "builtin:developer",
        ),
        ("builtin:zzzzz", 'no bundle "zzzzz" is shipped', ""),
        ("builtin:packs/core", 'no bundle "packs/core" is shipped', ""),
    ],
)
def test_a_reference_to_nothing(reference: str, message: str, suggestion: str):
    """With the name that was probably meant."""
    (found,) = _problems(reference)

    assert message in found.message
    assert (found.location.file, found.suggestion) == (reference, suggestion)


def test_a_file_in_the_place_of_a_folder(tmp_path: Path):
    """A bundle is a folder."""
    (tmp_path / "x").write_text(ALLOW)

    (found,) = _problems(tmp_path / "x")

    assert found.message == "the policy folder is not a folder"


def test_a_relative_path_has_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Also where it is a dot."""
    a_bundle(tmp_path / "site")
    monkeypatch.chdir(tmp_path / "site")

    assert load_bundle(".").name == "site"


# --- what only all files together show ---------------------------------------------


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"people": "g, user:a, role:dve, *\n"}, '"role:dve" has no rows'),
        ({"people": "g, role:dev, role:dev, *\n"}, "role cycle: role:dev -> role:dev"),
        (
            {"policy": f"{CREATE_ROW}g2, site.a, site.b\ng2, site.b, site.a\n"},
            "group cycle: ",
        ),
        ({"policy": f"{CREATE_ROW}g2, container.exce, site.b\n"}, '"container.exce" is neither'),
        ({"policy": f"# a: x\n{CREATE_ROW}# a: y\n{ALLOW}"}, 'the id "a" above this row is taken'),
        ({"people": CREATE_ROW}, "people.csv says only who holds which role"),
        ({"people": "g, alice, role:dev, *\n"}, '"alice" has no known type'),
        ({"policy": f"{CREATE_ROW}p, *, *, *, **, *, {'x' * 5000}\n"}, "the line has 5"),
    ],
)
def test_problems_across_files(tmp_path: Path, files: dict[str, str], message: str):
    """Names that nobody defines, cycles, and ids taken twice."""
    assert message in _told(tmp_path, **files)


def test_a_repeated_id_is_told_with_another_one(tmp_path: Path):
    """Ids are unique in a bundle, packs included."""
    (found,) = _problems(a_bundle(tmp_path, policy=f"# ping: again\n{CREATE_ROW}"))

    assert 'the id "ping" above this row is taken by' in found.message
    assert found.suggestion == "ping-2"


def test_too_many_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The first row above the limit is named."""
    monkeypatch.setattr(bundle_module, "MAX_ROWS", 3)
    policy = "".join(f"p, *, *, *, bind:/{n}, *, allow\n" for n in range(5))

    told = _told(tmp_path, bundle="packs = []\n", policy=policy, people="")

    assert "policy.csv:4:1: the policy has 5 rows; expected at most 3" in told


def test_a_broken_row_is_not_an_empty_policy_as_well(tmp_path: Path):
    """One mistake, one problem; and a g row for its role is not a second one."""
    found = _problems(a_bundle(tmp_path, bundle="packs = []\n", policy="p, role:dev, *\n"))

    assert len(found) == 1


def test_an_empty_policy_is_told_with_a_first_row(tmp_path: Path):
    """It would deny everything, which nobody means."""
    (found,) = _problems(a_bundle(tmp_path, bundle="packs = []\n", policy="", people=""))

    assert found.message == "the policy has no p rows, so it would deny everything"
    assert found.location.file == f"{tmp_path}/policy.csv"
    assert found.suggestion == "p, *, *, system.ping, on:host, *, allow"


def test_ten_mistakes_are_told_in_one_load(tmp_path: Path):
    """Each with file, line, column and a suggestion."""
    site = a_bundle(tmp_path, files=TEN_MISTAKES)

    problems = _problems(site)

    places = {
        (Path(p.location.file).name, p.location.line, p.location.column): p.suggestion
        for p in problems
    }
    assert places == {
        ("bundle.toml", 1, 18): '"sockets"',
        ("people.csv", 2, 1): "take away one of the rows people.csv:2, people.csv:1",
        ("people.csv", 3, 4): "user:alice",
        ("policy.csv", 1, 1): "save the file as UTF-8 without a byte-order mark",
        ("policy.csv", 2, 46): "allow",
        ("policy.csv", 3, 1): "p, role:dev, *, container.create, image:**, *, allow",
        ("policy.csv", 4, 35): "bind",
        ("policy.csv", 5, 17): "container.create",
        ("policy.csv", 6, 25): "/run/docker.sock",
        ("policy.csv", 7, 28): "door",
    }
    assert len(problems) == 10
    assert all(problem.source for problem in problems)


def test_problems_come_in_the_order_of_their_places(tmp_path: Path):
    """A person mends them from top to bottom."""
    problems = _problems(a_bundle(tmp_path, files=TEN_MISTAKES))

    assert list(problems) == sorted(problems)


def test_files_of_others_are_refused_where_it_counts(tmp_path: Path):
    """The service reads only what nobody else can change; whoever checks a policy may read all."""
    site = a_bundle(tmp_path / "site")
    (site / "people.csv").chmod(0o666)

    assert load_bundle(site).rows
    with pytest.raises(PolicyError) as caught:
        load_bundle(site, guarded=True)
    assert [Path(each.location.file).name for each in caught.value.problems] == ["people.csv"]
    assert load_bundle("builtin:admin", guarded=True).rows


def test_own_rows_lie_in_the_bundles_folder(tmp_path):
    """Those of shipped packs do not; of a pack alone all do."""
    packs = {"mine": "p, pack:mine, *, *, on:own, *, deny\n"}
    bundle = load_bundle(
        a_bundle(tmp_path, bundle='packs = ["core", "mine"]\n', packs=packs), today=TODAY
    )
    assert {row.location.file for row in bundle.own_rows()} == {"policy.csv", "packs/mine.csv"}
    core = load_bundle(shipped("policies", "packs", "core"))
    assert core.own_rows() == core.rows
