"""The command line: one module a command, loaded when it is asked for.

``dockgate decide`` must not pay for the web server of ``dockgate serve``.
"""

from __future__ import annotations

import importlib
import io
import os
import sys
from typing import Any

import click

from authz import __version__

COMMANDS = {
    "serve": "Run the doors that the configuration names.",
    "decide": "Judge one written request.",
    "try": "Judge what a docker command would send; nothing reaches a daemon.",
    "check": "Check a bundle or a pack; print every problem at once.",
    "test": "Run the tests of a bundle or a pack.",
    "explain": "Say why a recorded or a written request comes out as it does.",
    "replay": "Say which recorded decisions would change under another policy.",
    "learn": "Write the least policy that allows what was recorded.",
    "install": "Install as the daemon's plugin, or as its front proxy.",
    "uninstall": "Take the plugin or the proxy away again.",
    "doctor": "Look for holes and weak settings around a daemon.",
    "grant": "Let somebody do something for a while, on the record.",
    "grants": "List what is granted now.",
    "revoke": "End a grant now.",
    "audit": "Verify, query and follow the audit log.",
    "scan": "Judge what already runs, as if it were created now.",
    "import": "Make a bundle out of another gate's settings.",
    "routes": "Print the catalogue of operations, actions and facts.",
}
"""Every command with its one-line help, so that ``--help`` loads none of them."""

MODULES = {"try": "try_it", "test": "run_tests", "import": "import_policy"}
"""Modules with another name: ``try`` and ``import`` are keywords, ``test`` a collector's prey."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they run."""

    def main(self, *arguments: Any, **more: Any) -> Any:  # noqa: ANN401  as click has it
        """Run a command; what cannot be read or written ends it with a line, not a traceback."""
        if isinstance(sys.stdout, io.TextIOWrapper):  # none where it is closed
            sys.stdout.reconfigure(errors="backslashreplace")  # what its encoding does not have
        try:
            return super().main(*arguments, **more)
        except OSError as error:
            # What is left in the buffer would fail once more at the end of the process.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            where = repr(error.filename) if error.filename else "the output"
            click.echo(f"dockgate: {where}: {error.strerror or error}", err=True)
            sys.exit(1)

    def make_context(self, *arguments: Any, **more: Any) -> click.Context:  # noqa: ANN401
        """Print without colours where the environment says so (no-color.org)."""
        if os.environ.get("NO_COLOR"):
            more.setdefault("color", False)
        return super().make_context(*arguments, **more)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, in the order of a first day."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"authz.cli.{MODULES.get(cmd_name, cmd_name)}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which one was probably meant. Raises UsageError."""
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            spelling = importlib.import_module("authz.policy.spelling")
            close = spelling.nearest(args[0], COMMANDS)
            hint = f"; did you mean {close!r}?" if close else ""
            raise click.UsageError(f"there is no command {args[0]!r}{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="dockgate")
def main() -> None:
    """Dockgate decides who may do what with a Docker daemon."""
