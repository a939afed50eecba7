"""Random models within the subset, rows for them, and requests.

A model is put together from pieces that each family of Casbin models has, in any order; rows
come from small pools, so that they meet requests. What the loader refuses is taken out again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

from authz.errors import PolicyError, Severity
from authz.facts.facts import Fact, Facts
from authz.identity.identity import Identity, Proof
from authz.policy.bundle import Bundle, load_bundle
from authz.policy.models.conf import Effect
from tests.policies import a_bundle

SUBJECTS = ["user:ann", "user:bob", "cert:ci", "user:alone"]
GROUPS = ["group:os/a", "group:os/b"]
ROLES = [f"role:r{number}" for number in range(8)]
TENANTS = ["default", "acme", "other"]
ACTIONS = ["container.create", "container.list", "image.pull", "volume.delete"]
PLACES = [
    "/",
    "/x",
    "/x/y",
    "/x/.h",
    "/x/.h/y",
    "/x/y/z",
    "/x/y/x",
    "/xy",
    "/x/y?z",
    "/x//y",
    "/x\ny",
    "/x/y\n",
]
VALUES = {
    "bind": [*PLACES, "unknown"],
    "image": ["r.corp/a", "r.corp/a/b", "rxcorp/a", "docker.io/library/a", "unknown"],
    "net": ["a", "ab", "abc", "acme-net", "unknown"],
    "on": ["own", "list", "unknown"],
    "field.unknown": ["a", "HostConfig.X"],
    "body.opaque": ["build", "a"],
}
TEXTS = [f"{kind}:{value}" for kind, values in VALUES.items() for value in values]
CELLS = [text for text in TEXTS if "\n" not in text]
PATTERNS = {
    "keyMatch": ["*", "bind:*", "bind:/x/*", "image:*", "on:own", "field.unknown:*", "net:a*"],
    "keyMatch2": ["*", "bind:/x/*", "bind:/*", "bind:/:a/y", "bind:/x/:b", "bind:/:a/:b", "on:"],
    "keyMatch3": ["bind:/x/*", "bind:/{a}/y", "image:r\\.corp/{b}", "net:{n}", "on:{o}", "bind:/*"],
    "keyMatch4": [
        "bind:/{a}/{a}",
        "bind:/{a}/{b}/{a}",
        "bind:/{a}/{b}",
        "bind:/x/*",
        "net:{n}",
        "field\\.unknown:{a}",
    ],
    "keyMatch5": ["bind:/x/y", "bind:/{a}/y", "bind:/*", "net:a", "body\\.opaque:{x}"],
    "globMatch": [
        "bind:/x/*",
        "bind:/x/**",
        "bind:/x/**/y",
        "bind:/x/?",
        "image:r.corp/*",
        "net:a*",
    ],
    "regexMatch": ["^bind:/x.*$", "net:(a|bc)?b*$", "on:[a-z]+$", "image:r[.]corp/[^/]+$", ".*$"],
}
RULES = [
    'r.ctx.door == "proxy"',
    'r.ctx.name != "x" && keyMatch(r.obj, "bind:/x*")',
    'r.act in ("container.create", "image.pull") || r.ctx.image == "a"',
    'keyMatch3(r.obj, "bind:/{a}/y") || r.obj == "bind:unknown"',
    '!(r.ctx.tls == "mutual")',
    "r.sub == p.sub && r.ctx.user == r.sub",
    'r.obj == "on:own" || r.obj == "on:list"',
    'regexMatch(r.obj, "^net:[a-c]+$")',
    "r.dom == r.ctx.tenant",
    'g(r.sub, "role:r1")',
]
CONTEXTS = {
    "door": ["plugin", "proxy"],
    "name": ["x", "ann", ""],
    "image": ["a", "b"],
    "tls": ["mutual", "none"],
    "user": ["user:ann", "user:bob"],
    "tenant": ["", "acme", "default"],
}
TRIES = 6


@dataclass(frozen=True)
class ModelWorld:
    """A bundle with its own model, as files and as it was loaded."""

    conf: str
    rows: tuple[str, ...]
    links: tuple[str, ...]
    bundle: Bundle
    places: Mapping[str, int]
    """The role definitions, and how many places each has."""


@dataclass(frozen=True)
class ModelRequest:
    """One request, complete with who asks."""

    identity: Identity
    facts: Facts
    context: Mapping[str, str]


@dataclass
class _Draft:
    """A model that is being put together."""

    fields: list[str]
    columns: list[str]
    places: dict[str, int]
    pieces: list[str]
    cells: dict[str, list[str]]


def a_model_world(random: Random, folder: Path) -> ModelWorld | None:
    """Make a model and rows; None where too little of it can be loaded."""
    draft = _draft(random)
    effect = random.choice(tuple(Effect))
    verdicts = ["allow"] if effect is Effect.ALLOW_OVERRIDE else ["allow", "allow", "deny"]
    if random.random() < 0.85:
        draft.columns.append("eft")
        draft.cells["eft"] = verdicts
    if random.random() < 0.25:
        draft.columns.insert(random.randint(0, len(draft.columns)), "priority")
        draft.cells["priority"] = ["1", "2", "10", "3", "007"]
    conf = _conf(draft, effect.value, _matcher(random, draft.pieces))
    rows = [_row(random, draft) for _ in range(random.choice((4, 12, 40)))]
    return _loaded(conf, rows, _links(random, draft.places), draft.places, folder)


def a_model_request(random: Random, world: ModelWorld) -> ModelRequest:
    """Make a request that rows of the world may speak of."""
    identity = Identity(
        random.choice(SUBJECTS[:1] * 3 + SUBJECTS),
        tuple(random.sample(GROUPS, random.choice((0, 1, 1, 2)))),
        random.choice(("", "acme", "other")),
        Proof.PEER,
    )
    facts = {_fact(random, world) for _ in range(5)}
    known = {key: random.choice(each) for key, each in CONTEXTS.items() if random.random() < 0.75}
    action = random.choice(ACTIONS[:1] * 2 + ACTIONS)
    return ModelRequest(identity, Facts(action, tuple(sorted(facts))), known)


def _fact(random: Random, world: ModelWorld) -> Fact:
    text = random.choice(TEXTS)
    if random.random() < 0.7:
        texts = [
            each for each in random.choice(world.rows).split(", ") if ":" in each or "*" in each
        ]
        text = random.choice(texts or [text])
        for old, new in (("**", "y/z"), ("*", "y"), ("{a}", "x"), ("{b}", "y"), ("\\", "")):
            text = text.replace(old, new)
    kind, colon, value = text.partition(":")
    return (
        Fact(kind, value) if colon and kind in VALUES else Fact(*random.choice(TEXTS).split(":", 1))
    )


def _draft(random: Random) -> _Draft:
    draft = _Draft(["sub", "act", "obj"], ["sub", "act", "obj"], {}, [], {})
    wild = random.random() < 0.5
    if random.random() < 0.7:
        draft.fields.append("ctx")
    if random.random() < 0.5:
        draft.fields.append("dom")
        draft.columns.append("dom")
        draft.pieces.append(random.choice(("r.dom == p.dom", '(p.dom == "*" || r.dom == p.dom)')))
        starred = '"*"' in draft.pieces[-1]
        draft.cells["dom"] = ["*", *TENANTS] if starred else TENANTS
    random.shuffle(draft.fields)
    _subject(random, draft, wild=wild)
    _action(random, draft)
    _object(random, draft)
    if random.random() < 0.4 and "ctx" in draft.fields and "dom" in draft.fields:
        draft.columns.append("rule")
        draft.cells["rule"] = (
            RULES if "g" in draft.places and draft.places["g"] == 2 else RULES[:-1]
        )
        draft.pieces.append("eval(p.rule)")
    elif random.random() < 0.3 and "ctx" in draft.fields:
        draft.pieces.append(random.choice(('r.ctx.door == "proxy"', '!(r.ctx.name == "x")')))
    random.shuffle(draft.pieces)
    return draft


def _subject(random: Random, draft: _Draft, *, wild: bool) -> None:
    who = [*SUBJECTS[:3]]
    piece = "r.sub == p.sub"
    if random.random() < 0.65:
        draft.places["g"] = 3 if "dom" in draft.fields and random.random() < 0.6 else 2
        third = ", r.dom" if draft.places["g"] == 3 else ""
        piece = f"g(r.sub, p.sub{third})"
        who += [*ROLES[:3], *ROLES[:3], *GROUPS]
    if wild:
        piece = random.choice((f'({piece} || p.sub == "*")', f'(p.sub == "*" || {piece})'))
        who.append("*")
    if random.random() < 0.1:
        piece = f'({piece} || r.sub == "cert:ci")'
    draft.pieces.append(piece)
    draft.cells["sub"] = who


def _action(random: Random, draft: _Draft) -> None:
    choice = random.random()
    if choice < 0.4:
        piece, cells = "r.act == p.act", ACTIONS
    elif choice < 0.6:
        piece, cells = "keyMatch(r.act, p.act)", ["*", "container.*", "image.pull"]
    elif choice < 0.7:
        piece, cells = "globMatch(r.act, p.act)", ["*", "container.*", "image.pull"]
    elif choice < 0.85 and "g" in draft.places:
        draft.places["g2"] = 2
        piece, cells = "g2(r.act, p.act)", [*ACTIONS, "reading", "all"]
    else:
        piece, cells = '(r.act == p.act || p.act == "*")', ["*", *ACTIONS]
    draft.pieces.append(piece)
    draft.cells["act"] = cells


def _object(random: Random, draft: _Draft) -> None:
    choice = random.random()
    if choice < 0.15:
        draft.pieces.append("r.obj == p.obj")
        draft.cells["obj"] = CELLS
        return
    if choice < 0.3 and "g" in draft.places and "g2" not in draft.places:
        draft.places["g2"] = 2
        draft.pieces.append("g2(r.obj, p.obj)")
        draft.cells["obj"] = [*CELLS, "things", "more"]
        return
    function = random.choice(sorted(PATTERNS))
    draft.cells["obj"] = [*PATTERNS[function] * 3, *random.sample(CELLS, 6)]
    piece = f"{function}(r.obj, p.obj)"
    if random.random() < 0.25:
        piece = random.choice((f"(r.obj == p.obj || {piece})", f'(p.obj == "*" || {piece})'))
        draft.cells["obj"] = [*draft.cells["obj"], "*"]
    elif random.random() < 0.15 and function != "globMatch":
        piece = f"!{piece}"
    draft.pieces.append(piece)


def _matcher(random: Random, pieces: list[str]) -> str:
    if random.random() < 0.2 and len(pieces) > 2:
        first, second, *rest = pieces
        pieces = [f"({first} || {second})", *rest]
    if random.random() < 0.15:
        return f"({' && '.join(pieces[:2])}) && {' && '.join(pieces[2:])}"
    return " && ".join(pieces)


def _conf(draft: _Draft, effect: str, matcher: str) -> str:
    roles = "".join(f"{name} = {', '.join('_' * n)}\n" for name, n in draft.places.items())
    return (
        f"[request_definition]\nr = {', '.join(draft.fields)}\n"
        f"[policy_definition]\np = {', '.join(draft.columns)}\n"
        f"{'[role_definition]' if roles else ''}\n{roles}"
        f"[policy_effect]\ne = {effect}\n[matchers]\nm = {matcher}\n"
    )


def _row(random: Random, draft: _Draft) -> str:
    return ", ".join(("p", *(random.choice(draft.cells[name]) for name in draft.columns)))


def _links(random: Random, places: Mapping[str, int]) -> list[str]:
    """Make who holds which role, and groups of actions or facts."""
    links = []
    for _ in range(random.randint(1, 10) if "g" in places else 0):
        low, high = sorted(random.sample(range(len(ROLES)), 2))
        member = random.choice([*SUBJECTS[:3], *GROUPS, ROLES[low]])
        third = f", {random.choice(TENANTS)}" if places["g"] == 3 else ""
        links.append(f"g, {member}, {ROLES[high if member == ROLES[low] else low]}{third}")
    if "g2" in places:
        pairs = [("container.list", "reading"), ("image.pull", "all"), ("reading", "all")]
        pairs += [("bind:/x", "things"), ("net:a", "things"), ("things", "more")]
        links += [f"g2, {member}, {group}" for member, group in pairs]
    return list(dict.fromkeys(links))


def _loaded(
    conf: str, rows: list[str], links: list[str], places: Mapping[str, int], folder: Path
) -> ModelWorld | None:
    """Load, and take out what is refused, as often as that helps."""
    for _ in range(TRIES):
        a_bundle(
            folder,
            policy="".join(f"{row}\n" for row in rows),
            people="".join(f"{link}\n" for link in links),
            bundle="packs = []\n",
            model=conf,
        )
        try:
            bundle = load_bundle(folder)
        except PolicyError as error:
            wrong = {
                (each.location.file, each.location.line)
                for each in error.problems
                if each.severity is Severity.ERROR
            }
            if any(not line or "model.conf" in file for file, line in wrong):
                return None
            policy, people = str(folder / "policy.csv"), str(folder / "people.csv")
            rows = [row for at, row in enumerate(rows, 1) if (policy, at) not in wrong]
            links = [link for at, link in enumerate(links, 1) if (people, at) not in wrong]
            continue
        return ModelWorld(conf, tuple(rows), tuple(links), bundle, places)
    return None
