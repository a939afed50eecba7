"""A site's policy of any size: roles with rows of all shapes, on top of the shipped packs."""

from __future__ import annotations

from pathlib import Path
from random import Random

from authz.policy.model_file import model_text

MOST_ROLES = 1000
ROWS_PER_ROLE = 10
ROLES_HELD = 5
CONDITIONAL = 0.05
NEGATED = 0.1


def a_site(root: Path, rows: int, seed: int = 1) -> Path:
    """Write a bundle with so many rows of its own into a folder, and return it.

    ``user:u0`` and the others hold five roles each.
    """
    random = Random(seed)
    root.mkdir(parents=True, exist_ok=True)
    roles = min(MOST_ROLES, -(-rows // ROWS_PER_ROLE))
    people = [
        f"g, user:u{n}, role:r{(n * 7 + k * 13) % roles}, *\n"
        for n in range(roles)
        for k in range(min(ROLES_HELD, roles))
    ]
    files = {
        "bundle.toml": 'packs = ["core", "sockets", "pss-baseline"]\n',
        "model.conf": model_text(),
        "people.csv": "".join(dict.fromkeys(people)),
        "policy.csv": "".join(_row(random, n, roles) for n in range(rows)),
    }
    for name, text in files.items():
        (root / name).write_text(text)
    return root


def _row(random: Random, number: int, roles: int) -> str:
    word = "deny" if random.random() < 0.2 else "allow"  # noqa: PLR2004  a share
    when = f"image=registry.corp/t{number}/**" if random.random() < CONDITIONAL else "*"
    role = f"role:r{number % roles}"
    fact = _fact(random, number)
    if word == "deny" and random.random() < NEGATED:
        fact = f"group.add:!g{number}|users"
    return f"p, {role}, *, container.create, {fact}, {when}, {word}\n"


def _fact(random: Random, number: int) -> str:
    capability = random.choice(("CHOWN", "KILL", "SYS_PTRACE", "NET_ADMIN"))
    low = 1024 + number % 60_000
    return random.choice(
        (
            f"bind:/srv/p{number}/**|bind.rw:/srv/p{number}/**",
            f"bind:/data/d{number}",
            f"bind:/data/*/d{number}/**",
            f"image:registry.corp/team{number % 977}/app{number}/**",
            f"image:docker.io/library/i{number}",
            f"volume:v{number}-*",
            f"volume:{{name}}-{number}-*",
            f"net:n{number}",
            f"port:{low}-{low + 9}/tcp",
            f"cap.add:{capability}",
            f"mem.limit:>{1 + number % 900}g",
        )
    )
