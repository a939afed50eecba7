"""Whether what a container, a process or a task runs is a login server, such as sshd.

Whoever is let in by one comes and goes beside the daemon, and no gate sees it. The name of a
program proves nothing, and another one is quickly found: this is for hygiene and holds nobody
back. So it looks at the first word of a command and behind what only starts another: shells,
inits, `env`, entry points. It knows such names, and how a command and an entry point come together.

Source of that: moby daemon/commit.go (merge), daemon/create.go, daemon/cluster/executor/container.
"""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from authz.facts.facts import Fact
from authz.facts.known import Known
from authz.facts.members import Document, strings, table, text
from authz.facts.questions import Topic

_SERVERS: Final = frozenset(
    {
        "sshd", "dropbear", "tinysshd", "lshd",
        "telnetd", "in.telnetd", "utelnetd",
        "rshd", "in.rshd", "rlogind", "in.rlogind", "rexecd", "in.rexecd",
    }
)  # fmt: skip
"""Login servers, by the names of their programs: the values of ``cmd``."""

_SHELLS: Final = frozenset({"sh", "bash", "ash", "dash", "ksh", "zsh"})

_STARTERS: Final = frozenset(
    {
        "exec", "env", "nice", "ionice", "nohup", "setsid", "stdbuf", "time", "sudo", "command",
        "then", "else", "do", "tini", "tini-static", "dumb-init", "docker-init", "catatonit",
        "busybox", "toybox",
    }
)  # fmt: skip
"""Programs, and a shell's words, behind whose options stands the one that is started."""

_STARTERS_AS: Final = frozenset({"su-exec", "gosu", "chroot", "timeout"})
"""The same, with one word more before it."""

_SERVICE: Final = "service"
_SERVICES: Final[Mapping[str, str]] = {"ssh": "sshd", "sshd": "sshd", "dropbear": "dropbear"}
"""What the services of such servers are called."""

_OTHER: Final = "other"
_PASSES: Final = "exec"
"""In a reduced command: some program that is none of these, and what only starts another one."""

_ARGUMENTS: Final = "$@"
"""In a script: what stands behind it."""

_COMMANDS: Final = re.compile(r"[;&|\n(){}]+")
_SETTING: Final = re.compile(r"-.*|[^/]*=.*|[0-9]+", re.DOTALL)
"""An option, a variable or a number before the name of a program."""

_MOST: Final = 64
"""Words of a command that are looked at, and commands of a script."""

_LONGEST: Final = 4096
_MOST_SCRIPTS: Final = 4
"""Characters of a script that are looked at, and scripts of a command: one costs a millisecond."""


def create_program(config: Document, known: Known) -> Iterator[Fact]:
    """Yield the login server that a new container or task runs, its image's choice included."""
    entry, command = _words(config, known)
    program = _program(entry)
    if program == _PASSES:
        program = _program(command)
    if program not in _SERVERS:
        program = _checked(config)
    if program in _SERVERS:
        yield Fact("cmd", program)


def exec_program(words: Sequence[str], *, looked_up: bool = False) -> Iterator[Fact]:
    """Yield the login server that a process is."""
    program = _program(words)
    if program in _SERVERS:
        yield Fact("cmd", program, looked_up)


def reduced(body: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return Cmd and Entrypoint with no more in them than decides what is said here.

    Most programs are the same one then, and no argument is left.
    """
    return {
        name: [_program(words)] if words else []
        for name in ("Entrypoint", "Cmd")
        if (words := body.get(name)) is not None
    }


def _words(config: Document, known: Known) -> tuple[list[str], list[str]]:
    """Return the entry point and the command; an entry point takes the image's command away."""
    image = known.document(Topic.IMAGE, text(config, "Image")) if text(config, "Image") else None
    inherited = table(image or {}, "Config")
    entry, command = strings(config, "Entrypoint"), strings(config, "Cmd")
    if not entry and not command:
        command = strings(inherited, "Cmd")
    if config.get("Entrypoint") is None:
        entry = strings(inherited, "Entrypoint")
    return entry, command


def _checked(config: Document) -> str:
    """Return what a health check starts."""
    kind, *words = strings(table(config, "Healthcheck"), "Test") or [""]
    return _program(words) if kind in {"CMD", "CMD-SHELL"} else _OTHER


def _program(words: Sequence[str]) -> str:
    """Return the login server that words start, _PASSES where they start what comes behind them.

    What this makes of its own answer is the same answer.
    """
    left, scripts = iter(words[:_MOST]), 0
    for word in left:
        name = word.rpartition("/")[2]
        if name in _SERVERS:
            return name
        if name == _SERVICE:
            return _SERVICES.get(next(left, ""), _OTHER)
        if name in _STARTERS_AS:
            next(left, "")
        elif _is_script(word):
            found = _of_script(word[:_LONGEST]) if scripts < _MOST_SCRIPTS else _OTHER
            scripts += 1
            if found != _PASSES:
                return found
        elif not (name in _SHELLS or name in _STARTERS or _passes(word, name)):
            return _OTHER
    return _PASSES


def _is_script(word: str) -> bool:
    return " " in word or "\n" in word or "\t" in word or ";" in word


def _passes(word: str, name: str) -> bool:
    """Say whether a word is a setting of what came before, or an entry point that is a script."""
    return not word or bool(_SETTING.fullmatch(word)) or name.endswith(".sh") or "entry" in name


def _of_script(script: str) -> str:
    """Return the first login server among the commands of a shell's text."""
    for command in _COMMANDS.split(script)[:_MOST]:
        try:
            words = shlex.split(command)
        except ValueError:  # a quotation that holds what separates commands
            words = command.split()
        # A shell's text within a shell's text is not looked into.
        program = _program([word for word in words if not _is_script(word)])
        if program in _SERVERS:
            return program
    return _PASSES if _ARGUMENTS in script else _OTHER
