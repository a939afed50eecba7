"""Which variables of a process look like secrets, by their names alone.

Whoever may inspect a container reads its environment. A variable that is set
to something and is called like a password is told by its name; what it is set
to is never read. ``DB_PASSWORD_FILE`` names a file, which is where secrets
belong. It knows lists of ``NAME=value``, and nothing else.
"""

import re
from collections.abc import Iterator

from authz.facts.facts import Fact
from authz.facts.members import Document, strings

_SECRET = re.compile(
    r"PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|CREDENTIAL|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY",
    re.IGNORECASE,
)
_FILE = re.compile(r"_FILE$", re.IGNORECASE)


def secret_facts(document: Document) -> Iterator[Fact]:
    """Yield the names of variables in ``Env`` that look like secrets and hold something."""
    for entry in strings(document, "Env"):
        name, _, value = entry.partition("=")
        if value and _SECRET.search(name) and not _FILE.search(name):
            yield Fact("env.secret", name)
