"""How values are compared: as text, numbers, ports or users."""

from __future__ import annotations

import pytest

from authz.policy.comparison import Shape, comparison, either, shape_of
from authz.policy.number import NumberError
from authz.policy.placeholder import Fill

ALICE = Fill({"name": "alice"})


@pytest.mark.parametrize(
    ("kind", "grammar", "shape"),
    [
        ("bind", "path", Shape.TEXT),
        ("mem.limit", "bytes", Shape.BYTES),
        ("mem.swap", "bytes+unlimited", Shape.BYTES),
        ("cpu.limit", "number", Shape.NUMBER),
        ("port", "port", Shape.PORT),
        ("port.random", "text", Shape.PORT_OR_TEXT),
        ("user", "user", Shape.USER),
    ],
)
def test_the_shape_of_a_kind(kind: str, grammar: str, shape: Shape):
    """The catalogue's grammar decides; random ports are ports or the word "all"."""
    assert shape_of(kind, grammar) is shape


@pytest.mark.parametrize(
    ("shape", "text", "value", "answer"),
    [
        (Shape.TEXT, "a*", "ab", True),
        (Shape.TEXT, "a*", "b", False),
        (Shape.TEXT, "/home/{name}/*", "/home/alice/x", True),
        (Shape.TEXT, "/home/{name}/*", "/home/bob/x", False),
        (Shape.TEXT, "/home/{uid}/*", "/home/1/x", None),
        (Shape.BYTES, "none", "none", True),
        (Shape.BYTES, "none", "unlimited", False),
        (Shape.BYTES, ">8g", "none", True),
        (Shape.BYTES, ">8g", "8589934593", True),
        (Shape.BYTES, ">8g", "8589934592", False),
        (Shape.BYTES, ">8g", "much", None),
        (Shape.BYTES, "*", "none", True),
        (Shape.BYTES, "**", "much", True),
        (Shape.BYTES, "unknown", "unknown", True),
        (Shape.NUMBER, "<=500", "500", True),
        (Shape.NUMBER, "<=500", "none", False),
        (Shape.PORT, "*", "80/tcp", True),
        (Shape.PORT, "8000-8999/tcp", "8080/tcp", True),
        (Shape.PORT, "8000-8999/tcp", "8080/udp", False),
        (Shape.PORT_OR_TEXT, "all", "all", True),
        (Shape.PORT_OR_TEXT, "all", "80/tcp", False),
        (Shape.PORT_OR_TEXT, "80/tcp", "80/tcp", True),
        (Shape.PORT_OR_TEXT, "80/tcp", "all", False),
        (Shape.USER, "root", "root", True),
        (Shape.USER, "0", "root", True),
        (Shape.USER, "10000-20000", "15000", True),
        (Shape.USER, "10000-20000", "root", False),
        (Shape.USER, ">=1000", "app", False),
        (Shape.USER, "app*", "app1", True),
        (Shape.USER, "unset", "unset", True),
    ],
)
def test_comparisons(shape: Shape, text: str, value: str, answer: bool | None):  # noqa: FBT001  a table
    """None is "cannot be known"."""
    assert comparison(text, shape)(value, ALICE) is answer


@pytest.mark.parametrize(
    ("text", "shape"), [("8q", Shape.BYTES), ("8g", Shape.NUMBER), ("80", Shape.PORT)]
)
def test_what_cannot_be_compared(text: str, shape: Shape):
    """It is told when the row is loaded."""
    with pytest.raises(NumberError):
        comparison(text, shape)


@pytest.mark.parametrize(
    ("answers", "answer"),
    [
        ([], False),
        ([False], False),
        ([False, True], True),
        ([None, True], True),
        ([None, False], None),
        ([False, None], None),
    ],
)
def test_one_of_several(answers: list[bool | None], answer: bool | None):  # noqa: FBT001  a table
    """A yes settles it, else a doubt stays."""
    assert either(answers) is answer
