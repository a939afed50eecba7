"""Documentation that is held to the code: nothing is missing, nothing is invented."""

import re
import shutil
from pathlib import Path

import pytest
from pydantic import BaseModel

from authz.audit.chain import Kind
from authz.cli.main import COMMANDS
from authz.errors import Reason
from authz.metrics import Metrics
from authz.policy.bundle import load_bundle
from authz.service.sections import Settings
from tests.policies import a_bundle

ROOT = Path(__file__).parents[1]
RUNNING = (ROOT / "docs" / "reference" / "running.md").read_text()
SHELL = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([a-z-]+)`")
EVENT = re.compile(
    r"log\.(?:info|warning|error|exception)\((?:  # [^\n]*)?\s*\"([a-z_.]+)\""
    r"|: \"(request\.[a-z]+)\""
)


def first_cells(heading: str) -> set[str]:
    """Return what stands in code quotes in the first column of the table below a heading."""
    section = RUNNING.split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return {word for row in rows for word in re.findall(r"`([^`]+)`", row)}


def keys(model: type[BaseModel], prefix: str = "") -> set[str]:
    """Return every setting, tables spelt out."""
    found = set()
    for name, field in model.model_fields.items():
        inner = [
            each
            for each in (field.annotation, *getattr(field.annotation, "__args__", ()))
            if isinstance(each, type) and issubclass(each, BaseModel)
        ]
        found |= keys(inner[0], f"{prefix}{name}.") if inner else {prefix + name}
    return found


def test_every_setting_is_described():
    """With its default and what it means."""
    assert first_cells("Settings") == keys(Settings)


def test_every_command_is_described():
    """As the command line lists them."""
    assert first_cells("Commands") == set(COMMANDS)


def test_every_reason_is_described():
    """The list is closed."""
    assert first_cells("Reason codes") == {reason.value for reason in Reason}


def test_every_metric_is_described():
    """Our own; those of process and platform are the library's."""
    names = {family.name for family in Metrics().registry.collect()}
    assert first_cells("Metrics") == {name for name in names if name.startswith("dockgate_")}


def test_every_kind_of_line_is_described():
    """Whoever reads a log finds what a line tells."""
    assert first_cells("The audit log") >= {kind.value for kind in Kind}


def test_every_log_event_is_described():
    """Names of events are constant, so they can be found."""
    written = set()
    for path in (ROOT / "authz").rglob("*.py"):
        written |= {one or other for one, other in EVENT.findall(path.read_text())}
    assert first_cells("Log events") == written


def test_every_finding_is_described():
    """What doctor can tell, by its id."""
    page = (ROOT / "docs" / "reference" / "operating.md").read_text()
    told = {word for row in page.splitlines() if row.startswith("| ") for word in CODE.findall(row)}
    texts = [path.read_text() for path in (ROOT / "authz" / "doctor").glob("*.py")]
    literal = {found for text in texts for found in re.findall(r'Finding\(\s*"([a-z-]+)"', text)}
    files = (ROOT / "authz" / "doctor" / "files.py").read_text()
    writable = set(re.findall(r'_writable\("([a-z-]+)"', files))
    private = set(re.findall(r'_private\("([a-z-]+)"', files))
    made = {f"{each}-writable" for each in writable | {"key", "audit"}}
    made |= {f"{each}-open" for each in private}

    assert literal | made <= told


def test_the_threat_model_names_tests_that_exist():
    """A defence without a test is a hope."""
    text = (ROOT / "docs" / "threat-model.md").read_text()
    named = re.findall(r"`(tests/[^`:]+\.py)(?:::(\w+))?`", text)
    assert len(named) > 20
    for path, test in named:
        assert (ROOT / path).is_file(), path
        assert f"def {test}" in (ROOT / path).read_text(), f"{path}::{test}"


def test_the_front_page_is_short():
    """Under 600 words, the first command within 40 lines, and both commands are there."""
    text = (ROOT / "README.md").read_text()
    commands = [n for n, line in enumerate(text.splitlines(), 1) if line == "deploy/quickstart"]
    assert len(text.split()) < 600
    assert commands[0] <= 40
    assert "\ntests/run\n" in text


def test_the_front_page_shows_what_happens():
    """The rows that it quotes stand where it says."""
    text = (ROOT / "README.md").read_text()
    quoted = re.findall(r"by ([\w-]+) \((policy\.csv:\d+)\)", text)
    rows = {row.id: row.location for row in load_bundle("builtin:developer").rows}

    assert quoted
    for name, place in quoted:
        assert f"{rows[name].file}:{rows[name].line}" == place


def test_the_rows_of_the_front_page_load(tmp_path):
    """Whoever copies them has a policy."""
    text = (ROOT / "README.md").read_text()
    rows = text.split("```csv\n")[1].split("```")[0]

    assert load_bundle(a_bundle(tmp_path, policy=rows, people="")).rows


def test_links_lead_somewhere():
    """Every relative link of every page, and the heading that it names."""
    for page in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("[dp]*/**/*.md")):
        for link in re.findall(r"\]\(([^)]+)\)", page.read_text()):
            name, _, heading = link.partition("#")
            target = page.parent / name if name else page
            assert "://" in link or target.exists(), f"{page}: {link}"
            assert not heading or heading in headings(target), f"{page}: {link}"


def headings(page: Path) -> set[str]:
    """Return the names by which a page's headings are linked to."""
    found = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", each).lower().replace(" ", "-") for each in found}


def test_commands_name_files_that_exist():
    """Of this checkout, in every block of commands that a page gives to paste."""
    pages = (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").rglob("*.md"))
    blocks = [block for page in pages for block in SHELL.findall(page.read_text())]
    named = re.findall(
        r"(?<![\w/.])(?:deploy|policies|requirements|tests)/[\w./*-]+", "".join(blocks)
    )
    assert len(named) > 10
    for each in named:
        assert list(ROOT.glob(each)), each


@pytest.mark.parametrize(
    "path", ["deploy/quickstart", "deploy/environment", "tests/run", ".ci/run"]
)
def test_commands_can_be_run(path):
    """The files have their run bit and a shell that is there."""
    script = ROOT / path
    assert script.stat().st_mode & 0o111
    assert script.read_text().startswith("#!/usr/bin/env bash\n")
    assert shutil.which("bash")


@pytest.mark.parametrize("path", sorted((ROOT / "docs" / "decisions").glob("*.md")), ids=str)
def test_decision_records_are_short(path):
    """Sixty lines at most, a number and a title."""
    lines = path.read_text().splitlines()
    assert len(lines) <= 60
    assert re.fullmatch(rf"# {int(path.name[:4])}\. .+", lines[0])
