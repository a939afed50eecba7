"""The pages for authors of policies: whoever pastes what is in them gets what they say."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from authz.policy.bundle import load_bundle
from authz.policy.case_file import load_cases
from authz.policy.models.conf import Effect as ModelEffect
from authz.policy.snapshot import compile_snapshot
from authz.tools.proof import prove, run, untested
from tests.policies import a_bundle

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "docs" / "policies"
PACKS = 'packs = ["core", "sockets", "pss-baseline"]\n'
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def recipes():
    """Return the recipes of the cookbook by their heading."""
    parts = re.split(r"^### ", (PAGES / "cookbook.md").read_text(), flags=re.MULTILINE)[1:]
    return {part.splitlines()[0]: dict(FENCE.findall(part)) for part in parts}


RECIPES = recipes()


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_does_what_it_says(name, tmp_path):
    """Its rows load, its cases pass, and each of its rows settles one of them."""
    blocks = RECIPES[name]
    files = {"tests.toml": blocks["toml"]}
    root = a_bundle(tmp_path, policy=blocks["csv"], people="", bundle=PACKS, files=files)
    bundle = load_bundle(root, thorough=True)
    told = [each.message for each in bundle.warnings if "nobody holds" not in each.message]
    assert told == []
    snapshot = compile_snapshot(bundle)
    results = [run(case, snapshot) for case in load_cases(root / "tests.toml")]
    assert [each.complaint for each in results if each.complaint] == []
    assert [row.id for row in untested(results, bundle)] == []
    assert {each.case.expect.value for each in results} >= {"allow", "deny"}


def test_there_are_thirty_tasks():
    """Numbered as they stand."""
    numbers = [int(name.split(".")[0]) for name in RECIPES]
    assert numbers == list(range(1, 31))


INSTALL = "deploy/environment"
"""What a step begins with that is done already where tests run."""


def steps():
    """Return each block of commands of the tutorial with what comes out below it."""
    blocks = FENCE.findall((PAGES / "tutorial.md").read_text())
    found = []
    for kind, text in blocks:
        if kind == "sh" and not text.startswith(INSTALL):
            found.append((text, None))
        elif kind == "text":
            found[-1] = (found[-1][0], text)
    return found


def fits(expected, printed):
    """Say whether an output is the one of the page; ``...`` is what the page leaves out."""
    lines = [re.escape(line.rstrip()).replace(r"\.\.\.", ".*") for line in expected.splitlines()]
    pattern = "\n".join(lines).replace("\n.*\n", "\n(?:.*\n)*?")
    return re.fullmatch(pattern, "\n".join(line.rstrip() for line in printed.splitlines()))


def test_the_tutorial_can_be_pasted(tmp_path):
    """From first to last, in one shell, and each step prints what stands below it."""
    (tmp_path / "policies").symlink_to(ROOT / "policies")
    folder = str(Path(sys.executable).parent)
    env = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}
    mark = "--- end of a step ---"
    script = "".join(f"{text}echo; echo '{mark}'\n" for text, _ in steps())
    done = subprocess.run(
        ["bash"], input=script, capture_output=True, text=True, cwd=tmp_path, env=env, check=False
    )
    printed = done.stdout.split(f"\n{mark}\n")
    assert done.stderr == ""
    assert len(printed) == len(steps()) + 1
    for (text, expected), output in zip(steps(), printed, strict=False):
        assert expected is None or fits(expected, output.rstrip("\n")), f"{text}\n{output}"


def test_every_command_of_the_tutorial_is_shown_with_its_answer():
    """A newcomer must see whether it went well."""
    assert len(steps()) >= 10
    assert [text for text, expected in steps() if expected is None] == []


MODELS = ROOT / "docs" / "reference" / "models.md"


def examples():
    """Return the examples of other models by their heading."""
    parts = re.split(r"^### ", MODELS.read_text(), flags=re.MULTILINE)[1:]
    return {part.splitlines()[0]: dict(FENCE.findall(part)) for part in parts}


EXAMPLES = examples()


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_of_another_model_does_what_it_says(name, tmp_path):
    """It loads without a warning, its cases pass, and each of its rows settles one of them."""
    blocks = EXAMPLES[name]
    root = a_bundle(
        tmp_path,
        model=blocks["ini"],
        policy=blocks["csv"],
        people="",
        bundle="packs = []\n",
        files={"tests.toml": blocks["toml"]},
    )
    bundle = load_bundle(root, thorough=True)
    assert bundle.brought is not None
    assert bundle.warnings == ()
    snapshot = compile_snapshot(bundle)
    results = [run(case, snapshot) for case in load_cases(root / "tests.toml")]
    assert [each.complaint for each in results if each.complaint] == []
    assert [row.id for row in untested(results, bundle)] == []
    assert {each.case.expect.value for each in results} >= {"allow", "deny"}


def test_every_family_has_an_example():
    """As the page promises."""
    text = "".join(blocks["ini"] + blocks["csv"] for blocks in EXAMPLES.values())
    wanted = ["g(", "g(r.sub, p.sub, r.dom)", "g2(", "keyMatch(", "keyMatch3(", "globMatch("]
    wanted += ["regexMatch(", "eval(", "r.ctx.", *(effect.value for effect in ModelEffect)]
    assert [each for each in wanted if each not in text] == []


SHIPPED = sorted((ROOT / "policies").glob("*/bundle.toml"))


@pytest.mark.parametrize("place", SHIPPED, ids=lambda place: place.parent.name)
def test_the_rows_that_a_bundles_page_proposes_load(place, tmp_path):
    """At the end of its policy, with the packs that they name."""
    text = (place.parent / "README.md").read_text()
    rows = [" ".join(row.split()) for row in re.findall(r"`((?:p|g), [^`]+)`", text)]
    folder = shutil.copytree(place.parent, tmp_path / "bundle")
    packs = tomllib.loads(place.read_text())["packs"]
    packs += [name for row in rows for name in re.findall(r"pack:([\w-]+)", row)]
    (folder / "bundle.toml").write_text(f"packs = {json.dumps(packs)}\n")
    before = load_bundle(folder).rows
    with (folder / "policy.csv").open("a") as file:
        file.write("".join(f"\n{row}" for row in rows) + "\n")
    added = len(load_bundle(folder).rows) - len(before)
    assert added == sum(row.startswith("p, ") for row in rows)


@pytest.mark.parametrize("place", SHIPPED, ids=lambda place: place.parent.name)
def test_a_registry_can_be_put_in_as_the_page_says(place, tmp_path):
    """By one name in rows and cases, which then agree."""
    folder = shutil.copytree(place.parent, tmp_path / "bundle")
    for name in ("policy.csv", "tests.toml"):
        text = (folder / name).read_text().replace("registry.example", "registry.corp")
        (folder / name).write_text(text)
    prove(compile_snapshot(load_bundle(folder)))
