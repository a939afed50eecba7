"""JSON documents in the many ways that Go's decoder takes for something.

Knows how Go reads (case folding, merged duplicates, nulls, numbers, what may
follow a document) and no field of the daemon. A document is a tree in which an
object is a list of pairs, so that members can come twice.

Source: Go, src/encoding/json/decode.go, fold.go and scanner.go.
"""

import json
from dataclasses import dataclass, field
from random import Random
from typing import Any


@dataclass
class Members:
    """An object as written: pairs in order, repeated ones as well."""

    pairs: list[tuple[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Raw:
    """A piece of text that is written as it is."""

    text: str


ODD_NUMBERS = ("1.0", "1e0", "1E+2", "-0", "01", "0x10", "9223372036854775808", "1e400", "+1", ".5")
ODD_VALUES: tuple[Any, ...] = (
    None,
    "",
    "local",  # the name of any other driver costs the daemon 15 s of looking for it
    0,
    1,
    True,
    [],
    {},
    [None],
    ["x"],
    Raw("1.0"),
    Raw("NaN"),
    Raw("-0"),
    Raw("1e1"),
    Raw('"\\ud800"'),
    Raw("Infinity"),
)
TAILS = (
    "}",
    "]",
    "] x",
    "{}",
    " {}",
    ",",
    "\x00",
    "//",
    "null",
    '{"HostConfig":{"Privileged":true}}',
    "\ufeff",
)
HEADS = ("\ufeff", " \t\r\n", "//\n", "\x0c", "[", "\u00a0", "null ", "{} ")

_OTHER = {"s": "\u017f", "S": "\u017f", "k": "\u212a", "K": "\u212a"}


def tree(value: Any) -> Any:
    """Turn plain values into a tree."""
    if isinstance(value, dict):
        return Members([(name, tree(part)) for name, part in value.items()])
    return [tree(part) for part in value] if isinstance(value, list) else value


def plain(value: Any) -> Any:
    """Turn a tree without repetitions back into plain values; the last of a name wins."""
    if isinstance(value, Members):
        return {name: plain(part) for name, part in value.pairs}
    return [plain(part) for part in value] if isinstance(value, list) else value


def text(value: Any, random: Random) -> str:
    """Write a tree, with escapes and blanks here and there."""
    match value:
        case Raw(written):
            return written
        case Members(pairs):
            members = (f"{_string(name, random)}:{text(part, random)}" for name, part in pairs)
            return "{" + _comma(random).join(members) + "}"
        case list():
            return "[" + _comma(random).join(text(part, random) for part in value) + "]"
        case str():
            return _string(value, random)
    return json.dumps(value)


def respelt(name: str, random: Random) -> str:
    """Spell a name so that Go takes it for the same member, or once in a while not."""
    way = random.randrange(9)
    if way == 0:
        return name.lower()
    if way == 1:
        return name.upper()
    if way == 2:
        return "".join(random.choice((str.lower, str.upper))(letter) for letter in name)
    if way == 3:
        place = random.randrange(len(name) + 1)
        return (
            name[:place]
            + random.choice(("\u0131", "\u0130", "\u00df", " ", "_", "\u0305"))
            + name[place:]
        )
    return "".join(
        _OTHER.get(letter, letter) if random.random() < 0.6 else letter.swapcase()
        for letter in name
    )


def disturb(value: Any, random: Random, names: tuple[str, ...]) -> None:  # noqa: C901  one branch for each kind of change
    """Change one place of a tree; ``names`` are members that could stand anywhere."""
    objects = [each for each in _walk(value) if isinstance(each, Members) and each.pairs]
    if not objects:
        return
    where = random.choice(objects)
    place = random.randrange(len(where.pairs))
    name, inner = where.pairs[place]
    way = random.choices(
        ("respell", "repeat", "split", "odd", "unknown", "null", "string", "element"),
        (30, 18, 10, 10, 8, 8, 8, 8),
    )[0]
    if way == "respell":
        where.pairs[place] = (respelt(name, random), inner)
    elif way == "repeat":
        _repeat(where, name, inner, random)
    elif way == "split" and isinstance(inner, Members) and inner.pairs:
        cut = random.randrange(len(inner.pairs) + 1)
        where.pairs[place] = (name, Members(inner.pairs[:cut]))
        where.pairs.insert(place + 1, (_again(name, random), Members(inner.pairs[cut:])))
    elif way == "odd":
        where.pairs[place] = (name, tree(random.choice(ODD_VALUES)))
    elif way == "unknown":
        where.pairs.insert(place, (random.choice(names), tree(random.choice(ODD_VALUES))))
    elif way == "null":
        where.pairs.insert(place, (_again(random.choice(names), random), None))
    elif way == "string" and isinstance(inner, list) and inner and isinstance(inner[0], str):
        where.pairs[place] = (name, inner[0])
    elif way == "element" and isinstance(inner, list):
        inner.insert(random.randrange(len(inner) + 1), random.choice((None, "", {}, [])) or None)
    elif isinstance(inner, int) and not isinstance(inner, bool):
        where.pairs[place] = (name, Raw(random.choice(ODD_NUMBERS)))


def framed(document: str, random: Random) -> bytes:
    """Encode a document, once in a while with something before, behind or broken in it."""
    way = random.randrange(40)
    if way == 0:
        return (random.choice(HEADS) + document).encode()
    if way == 1:
        return (document + random.choice(TAILS)).encode()
    if way == 2:
        place = random.randrange(len(document))
        return (
            document[:place].encode()
            + b"\xff\xfe"[: random.randrange(1, 3)]
            + document[place:].encode()
        )
    if way == 3:
        return document.encode(random.choice(("utf-16", "utf-32-be", "utf-8-sig")))
    if way == 4:
        depth = random.choice((20, 31, 40, 9_000))
        deep = '{"Deep":' * depth + "1" + "}" * depth
        return f'{document[:-1]},"Deep":{deep}}}'.encode()
    return document.encode()


def _repeat(where: Members, name: str, inner: Any, random: Random) -> None:
    """Add the member again: null, empty, another value, or the same before the other."""
    empty: Any = (
        Members() if isinstance(inner, Members) else [] if isinstance(inner, list) else None
    )
    other = tree(random.choice((None, empty, empty, False, 0, "", *ODD_VALUES[:6])))
    if isinstance(inner, list) and inner and random.random() < 0.5:
        other = [Members([("Target", "/again")])] if isinstance(inner[0], Members) else ["x"]
    if random.random() < 0.5:
        where.pairs.append((_again(name, random), other))
    else:
        where.pairs.insert(0, (_again(name, random), other))


def _again(name: str, random: Random) -> str:
    return name if random.random() < 0.5 else respelt(name, random)


def _walk(value: Any) -> list[Any]:
    inner = [part for _, part in value.pairs] if isinstance(value, Members) else value
    if not isinstance(inner, list):
        return []
    return [value, *(found for part in inner for found in _walk(part))]


def _string(value: str, random: Random) -> str:
    if value and random.random() < 0.03:
        place = random.randrange(len(value))
        if ord(value[place]) < 0x10000:
            escaped = f"\\u{ord(value[place]):04x}"
            return json.dumps(value[:place])[:-1] + escaped + json.dumps(value[place + 1 :])[1:]
    return json.dumps(value, ensure_ascii=random.random() < 0.5)


def _comma(random: Random) -> str:
    return "," if random.random() < 0.9 else random.choice((" , ", ",\n", "\t,"))
