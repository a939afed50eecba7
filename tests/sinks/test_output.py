"""Standard output beside the file."""

import os
import sys

import pytest

from authz.audit.trail import Line
from authz.sinks.output import Output


def test_lines_are_written_as_they_are():
    """Whole, in order."""
    reading, writing = os.pipe()
    output = Output(writing)
    output.send([Line(1, b'{"a":1}\n'), Line(2, b'{"b":2}\n')])
    output.close()
    os.close(writing)
    with open(reading, "rb") as file:  # noqa: PTH123  a descriptor
        assert file.read() == b'{"a":1}\n{"b":2}\n'
    assert output.settled()


def test_it_is_the_process_s(capfd: pytest.CaptureFixture[str]):
    """Unless something else is named."""
    with pytest.MonkeyPatch.context() as patch, open("/dev/stdout", "w") as out:  # noqa: PTH123
        patch.setattr(sys, "stdout", out)
        Output().send([Line(1, b"line\n")])
    assert capfd.readouterr().out == "line\n"
