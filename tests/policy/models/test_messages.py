"""Every message about other models, word for word, and none that nobody has read."""

import re
import tomllib
from pathlib import Path

import pytest

from tests.policy.models.samples import files_of
from tests.policy.test_messages import templates, told

ROOT = Path(__file__).parents[3]
WRITTEN = tomllib.loads((ROOT / "tests/corpus/check/models.toml").read_text())["message"]
CASES = {each["name"]: each for each in WRITTEN}
MODULES = sorted(path.stem for path in (ROOT / "authz/policy/models").glob("[a-z]*.py"))
ELSEWHERE = {
    "a column of {} is not filled in": "test_predicate.py: a defect, told to nobody",
    "{} is not filled in": "test_predicate.py: a defect, told to nobody",
    "a value with a line break cannot be compared by this model": "test_engine.py",
    'the row asks for "r.ctx.{}", which is not known': "test_engine.py",
}
"""What is not said by `check`, and where it is shown."""


@pytest.mark.parametrize("name", CASES)
def test_a_message_reads_so(name, tmp_path):
    """Place, what is not supported, what is, and what to try."""
    assert told(tmp_path, files_of(CASES[name])) == CASES[name]["says"]


@pytest.mark.parametrize("name", CASES)
def test_a_message_has_a_place(name):
    """File and line, but for what is missing as a whole."""
    missing = ("does not define", "no p rows")
    for text in CASES[name]["says"]:
        assert re.match(r"[a-z.]+:\d+:\d+: ", text) or any(each in text for each in missing)


@pytest.mark.parametrize("module", MODULES)
def test_every_message_has_a_case(module):
    """Whoever adds one writes it down in the corpus."""
    shown = "\n".join(text for each in WRITTEN for text in each["says"])
    missing = [
        text
        for text in templates(ROOT / "authz/policy/models" / f"{module}.py")
        if re.search(r"[a-z]{2,} .*[a-z]{2,}", text)
        and text not in ELSEWHERE
        and not re.search(re.escape(text).replace(r"\{\}", ".*"), shown)
    ]
    assert missing == []
