"""The shape of the project: every module has its tests, small files, small functions."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted(path for path in (ROOT / "authz").rglob("*.py") if path.name != "__init__.py")
TESTED_ELSEWHERE = {
    "__main__.py": "tests/cli/test_main.py starts it",
    "cli/routes.py": "tests/cli/test_routes.py, or test_check.py beside it",
    "facts/facts.py": "values without behaviour",
    "facts/questions.py": "values without behaviour",
    "proxy/commands.py": "values; tests/proxy/test_exchange.py sees each of them",
    "proxy/reply.py": "one half of an exchange: tests/proxy/test_exchange.py",
    "proxy/rewrite.py": "what it writes is seen in tests/proxy/test_exchange.py",
    "proxy/services.py": "what connections share: tests/proxy/test_connection.py",
    "service/sections.py": "tests/service/test_config.py reads them",
    "policy/asking.py": "values without behaviour",
    "policy/decision.py": "values; tests/policy/test_combine.py decides with them",
    "wire/raw.py": "values without behaviour",
    "identity/identity.py": "values; tests/identity/test_chain.py makes them",
}
"""Modules without a test file of their own, and why."""

LONGEST_FILE = 400
LONGEST_FUNCTION = 60


def name_of(path: Path) -> str:
    """Return the path of a module below the package."""
    return path.relative_to(ROOT / "authz").as_posix()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_every_module_has_a_test_file(path):
    """Where the reader expects it; what is excused has none."""
    name = name_of(path)
    mirror = ROOT / "tests" / Path(name).parent / f"test_{path.name}"

    assert mirror.exists() or name in TESTED_ELSEWHERE


@pytest.mark.parametrize("name", TESTED_ELSEWHERE)
def test_excuses_are_for_modules_that_exist(name):
    """The list cleans itself."""
    assert (ROOT / "authz" / name).exists()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_files_and_functions_are_small(path):
    """One idea each; what grows is cut."""
    text = path.read_text()
    functions = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]

    assert len(text.splitlines()) <= LONGEST_FILE
    assert [
        node.name for node in functions if node.end_lineno - node.lineno >= LONGEST_FUNCTION
    ] == []


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_stand_at_the_top(path):
    """A cycle of imports would show as one inside a function."""
    nested = [
        node.lineno
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]

    assert nested == []


def test_the_package_says_what_it_knows():
    """Every module opens with a sentence."""
    silent = [
        name_of(path) for path in MODULES if not ast.get_docstring(ast.parse(path.read_text()))
    ]

    assert silent in ([], ["__main__.py"])
