"""The command that fuzzes one of the readers, with atheris.

    python -m tests.fuzz.run gojson CORPUS... [-max_total_time=SECONDS and more of libFuzzer's]

Needs atheris, which is no dependency of this project: see README.md. The first
CORPUS folder takes what is found.
"""

import importlib
import sys

import atheris

TARGETS = ("gojson", "target", "request", "protocol")
LONGEST = 10
"""Seconds for one input; whatever takes longer is a finding."""


def main(arguments: list[str]) -> int:
    """Fuzz for as long as libFuzzer's options say; a finding ends the process with its input."""
    if len(arguments) < 2 or arguments[1] not in TARGETS:
        sys.stderr.write(f"usage: python -m tests.fuzz.run {'|'.join(TARGETS)} [CORPUS...]\n")
        return 2
    with atheris.instrument_imports(include=["authz", "tests.fuzz"]):
        check = importlib.import_module(f"tests.fuzz.{arguments[1]}").check
    atheris.Setup([arguments[0], f"-timeout={LONGEST}", *arguments[2:]], check)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
