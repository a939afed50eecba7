"""Random policies in the shipped language, and random requests for them.

Small pools of names and values, chosen so that rows and requests meet: values
at the edges of ranges, paths above and below each other, words that mean
something elsewhere. What is made is wider than what the loader lets through:
negated lists and conditions stand in rows of every word.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from random import Random

from authz.errors import Location
from authz.facts.facts import Fact, Facts
from authz.identity.identity import Identity, Proof
from authz.policy.bundle import Bundle
from authz.policy.decision import Row, Word
from authz.policy.links import Group, Link
from authz.policy.pattern import PatternError
from authz.policy.row_check import condition_of, pattern_of

PATHS = [
    "/",
    "/x",
    "/x/",
    "/x/y",
    "/x/y/z",
    "/xy",
    "/home/ann",
    "/home/ann/s",
    "/home/ann-b",
    "",
    "x",
]
PATHS += ["/home/unknown", "/home/7/s", "/acme/s", "//", "/x\n", "/x/y/z/" + "w" * 40, "unknown"]
WORDS = [
    "a",
    "ab",
    "abc",
    "ann",
    "ann-b",
    "acme-net",
    "7",
    "unknown",
    "none",
    "default",
    "own",
    "b/c",
]
SIZES = [
    "none",
    "unlimited",
    "0",
    "1",
    "4",
    "4k",
    "4096",
    "5",
    "8g",
    "8589934592",
    "9t",
    "much",
    "unknown",
]
PORTS = [
    "1/tcp",
    "80/tcp",
    "80/udp",
    "8080/tcp",
    "8999/tcp",
    "9000/tcp",
    "65535/sctp",
    "all",
    "x/tcp",
    "unknown",
]
USERS = ["root", "0", "7", "999", "1000", "1001", "ann", "unset", "unknown", "10000"]
VALUES = {
    "bind": PATHS,
    "bind.rw": PATHS,
    "target.bind": PATHS,
    "image": ["r.corp/a", "r.corp/a/b", "r.corp/ann/x", "docker.io/library/a", "unknown"],
    "net": WORDS,
    "on": ["own", "new", "foreign", "list", "unknown", "ann"],
    "mem.limit": SIZES,
    "cpu.limit": ["none", "0", "0.5", "1", "1.5", "4", "4.000", "5", "x", "unknown"],
    "port": PORTS,
    "port.random": PORTS,
    "user": USERS,
    "field.unknown": WORDS,
    "body.opaque": WORDS,
}
GLOBS = [
    "**",
    "*",
    "?",
    "a*",
    "*b",
    "a?c",
    "/**",
    "/x/**",
    "/x**",
    "/x/*",
    "/x/*/z",
    "/x/**/z",
    "/?/**",
]
GLOBS += ["/x*/**", "/*/y", "**/z", "//**", "r.corp/**", "r.corp/*", "*/a", "/x/***", "a**", "b/**"]
HOLES = [
    "{name}",
    "{name}-*",
    "{uid}",
    "{tenant}-*",
    "/home/{name}/**",
    "/home/{uid}/**",
    "{tenant}",
]
HOLES += ["/{tenant}/**", "/home/{name}", "/home/{name}**", "{name}*", "r.corp/{name}/*"]
RANGES = [
    "0-4",
    "1-1023",
    ">4",
    "<4",
    ">=4",
    "<=4",
    "4",
    ">=0",
    "<0",
    "80",
    "8000-8999",
    "1000",
    ">999",
]
BYTES = [*RANGES, "4k", ">8g", "<=8g", "none", "unlimited"]
ACTIONS = ["container.create", "container.start", "image.pull", "container.fly"]
NAMES = [
    "*",
    "*",
    "*",
    "container.create",
    "container.*",
    "container.run",
    "image.pull",
    "site.a",
    "site.b",
]
GROUPS = [("container.start", "site.a"), ("site.a", "site.b"), ("image.pull", "site.b")]
DOMAINS = ["*", "*", "*", "*", "acme", "default", "other"]
SUBJECTS = ["user:ann", "user:ann-b", "user:unknown", "cert:ann", "user:7"]
MEMBERS = ["group:os/a", "group:os/b", "group:cert/c"]
CONDITIONS = [
    "door=plugin",
    "door!=plugin",
    "image=r.corp/**",
    "image!=r.corp/*|x",
    "name=",
    "name!=a*",
]
CONDITIONS += [
    "label.k=v*",
    "label.k!=v",
    "tls=mutual",
    "until=2026-08-01",
    "until=2027-01-01",
    "user=user:a*",
]
CONTEXTS = {
    "door": ["plugin", "proxy"],
    "image": ["r.corp/a", "r.corp/a/b", "x", ""],
    "name": ["", "ann", "b"],
    "label.k": ["v", "w", ""],
    "label.*": [""],
    "tls": ["mutual", "none"],
    "user": ["user:ann", "user:b"],
    "now": [
        "2026-08-01T23:59:59+00:00",
        "2026-08-02T00:30:00+02:00",
        "2026-08-02T00:00:00",
        "soon",
    ],
}


@dataclass(frozen=True)
class World:
    """One policy."""

    bundle: Bundle
    kinds: tuple[str, ...]
    """The kinds that its rows and requests speak of: few, so that they meet."""


@dataclass(frozen=True)
class Request:
    """One request, complete with who asks."""

    identity: Identity
    facts: Facts
    context: Mapping[str, str]


def a_world(random: Random, *, certain: bool = False, deepest: int = 14, rows: int = 40) -> World:
    """Make a policy; ``certain`` leaves out what could be in doubt."""
    kinds = tuple(random.sample(sorted(VALUES), random.randint(1, 3)))
    links = tuple(_links(random, deepest))
    roles = sorted({link.role for link in links} | {"role:lone", "pack:p"})
    who = ["*", "*", *roles, *roles, *SUBJECTS[:3], *MEMBERS]
    count = random.choice((random.randint(1, rows // 4), random.randint(1, rows)))
    made = [_row(random, number, kinds, who, certain=certain) for number in range(count)]
    random.shuffle(made)
    groups = [
        Group(*pair, Location("people.csv", 1, 1)) for pair in GROUPS if random.random() < 0.8
    ]
    bundle = Bundle("random", Path(), tuple(made), links, tuple(groups), "0" * 64)
    return World(bundle, kinds)


def a_request(random: Random, world: World, *, certain: bool = False) -> Request:
    """Make a request for a policy."""
    linked = [link.member for link in world.bundle.links if link.member in SUBJECTS]
    identity = Identity(
        random.choice((*SUBJECTS, *linked, *linked)),
        tuple(random.sample(MEMBERS, random.choice((0, 1, 2)))),
        "acme" if certain else random.choice(("", "acme", "other")),
        Proof.PEER,
        uid=7 if certain else random.choice((None, 7)),
    )
    kinds = (*world.kinds * 2, random.choice(sorted(VALUES)))
    facts = {Fact(kind, _near(random, world, kind)) for kind in random.choices(kinds, k=6)}
    known = {
        key: random.choice(values)
        for key, values in CONTEXTS.items()
        if certain or random.random() < 0.7
    }
    if certain:
        known["now"] = CONTEXTS["now"][0]
    return Request(identity, Facts(random.choice(ACTIONS), tuple(sorted(facts))), known)


def held_by(world: World, identity: Identity) -> frozenset[str]:
    """Return who the caller is by trying every link again until nothing changes."""
    held = {identity.subject, *identity.groups}
    while True:
        new = {
            link.role
            for link in world.bundle.links
            if link.member in held and link.domain in ("*", identity.domain)
        }
        if new <= held:
            return frozenset(held)
        held |= new


def _value(random: Random, kind: str) -> str:
    return random.choice(VALUES[kind])


def _near(random: Random, world: World, kind: str) -> str:
    """Make a value, every other time out of what a row says of this kind."""
    texts = [
        alternative.text
        for row in world.bundle.rows
        for alternative in pattern_of(row.fact).alternatives
        if alternative.kind == kind
    ]
    if not texts or random.random() < 0.5:
        return _value(random, kind)
    text = random.choice(texts).replace("{name}", "ann").replace("{tenant}", "acme")
    return text.replace("**", random.choice(("", "y", "y/z"))).translate(
        {ord("*"): random.choice(("", "y", "y/")), ord("?"): random.choice(("y", "/"))}
    )


def _links(random: Random, deepest: int) -> Iterator[Link]:
    """Make a chain of roles, now and then a long one, short cuts in it, and who holds some."""
    depth = random.choice((2, 3, deepest))
    roles = [f"role:r{n}" for n in range(depth)] + ["pack:p"]
    place = Location("people.csv", 1, 1)
    for low, high in pairwise(roles):
        if random.random() < 0.9:
            yield Link(low, high, random.choice(("*", "*", "*", "acme")), place)
    for _ in range(random.randint(0, 2)):
        low, high = sorted(random.sample(range(len(roles)), 2))
        yield Link(roles[low], roles[high], random.choice(DOMAINS), place)
    for _ in range(random.randint(1, 4)):
        member = random.choice([*SUBJECTS, *MEMBERS])
        yield Link(member, random.choice(roles[:2]), random.choice(DOMAINS), place)


def _row(
    random: Random, number: int, kinds: tuple[str, ...], who: list[str], *, certain: bool
) -> Row:
    place = Location(random.choice(("policy.csv", "packs/core.csv")), random.randint(1, 40), 1)
    return Row(
        random.choice(who),
        random.choice(DOMAINS),
        random.choice(NAMES),
        _fact(random, kinds, certain=certain),
        _when(random),
        random.choice(tuple(Word)),
        f"row-{number}",
        place,
    )


def _when(random: Random) -> str:
    if random.random() < 0.6:
        return "*"
    clauses = random.sample(CONDITIONS, random.choice((1, 1, 2, 3)))
    dates = [clause for clause in clauses if clause.startswith("until")]
    text = " & ".join(clause for clause in clauses if clause not in dates[1:])
    condition_of(text)
    return text


def _fact(random: Random, kinds: tuple[str, ...], *, certain: bool) -> str:
    if random.random() < 0.08:
        return "**"
    while True:
        kind = random.choice(kinds)
        negated = "!" if random.random() < 0.15 else ""
        parts = [f"{kind}:{negated}{_text(random, kind, certain=certain)}"]
        for _ in range(random.choice((0, 0, 0, 1, 2))):
            if random.random() < 0.3 and not negated:
                kind = random.choice(kinds)
                parts.append(f"{kind}:{_text(random, kind, certain=certain)}")
            else:
                parts.append(_text(random, kind, certain=certain))
        text = "|".join(parts)
        try:
            pattern_of(text)
        except PatternError:
            continue
        return text


def _text(random: Random, kind: str, *, certain: bool) -> str:
    """Make one alternative; what the kind cannot read is thrown away by the caller."""
    pools = [
        VALUES[kind],
        VALUES[kind],
        GLOBS,
        [f"{_stem(random, kind)}{random.choice(('*', '**', '/**', '?'))}"],
    ]
    if kind in ("mem.limit", "cpu.limit", "user"):
        pools += [BYTES, BYTES]
    if kind.startswith("port"):
        pools += [[f"{random.choice(RANGES)}/{random.choice(('tcp', 'udp', '*'))}", "*/*", "*/tcp"]]
    if not certain:
        pools.append(HOLES)
    return random.choice(random.choice(pools))


def _stem(random: Random, kind: str) -> str:
    value = _value(random, kind)
    return value[: random.randint(0, len(value))]
