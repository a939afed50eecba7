"""Writes a bundle that a program made: the files that every bundle has.

It never writes over anything: a policy that somebody wrote is worth more than
one that can be made again.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from authz.errors import ConfigurationError
from authz.shipped import shipped


@dataclass(frozen=True, slots=True)
class Folder:
    """The texts of a bundle; ``tests`` may be empty."""

    packs: tuple[str, ...]
    policy: str
    people: str
    tests: str = ""

    def write(self, folder: Path) -> None:
        """Write it into a folder that is empty or not there yet. Raises ConfigurationError."""
        names = ", ".join(f'"{name}"' for name in self.packs)
        files = {
            "bundle.toml": f"packs = [{names}]\n",
            "model.conf": shipped("policies", "observe", "model.conf").read_text(encoding="utf-8"),
            "policy.csv": self.policy,
            "people.csv": self.people,
            **({"tests.toml": self.tests} if self.tests else {}),
        }
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if any(folder.iterdir()):
                raise ConfigurationError(f"{folder} is not empty; expected a new folder")
            for name, text in files.items():
                (folder / name).write_text(text, encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(f"{folder}: cannot be written: {error.strerror}") from None
