"""Answers taken apart and put together: bytes in, bytes out."""

import json

import pytest

from authz.docker.forward import Forward, Plan
from authz.proxy import sieve
from authz.proxy.head import FramingError
from authz.proxy.sieve import Room, Sieve, wanted_whole

CONTAINERS = [{"Id": key, "Names": [f"/{key}"], "Size": 1.5e-7} for key in ("a", "b", "c")]


def a_sieve(operation="ContainerList", **more):
    """Return one with room for a kilobyte or two."""
    return Sieve(operation, Room(2000), **more)


def written(document):
    """Write as the daemon does."""
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"


def left(one, body, shown):
    """Put a body through a sieve in one piece; return what is left."""
    one.add(body)
    batch = one.batch(whole=True)
    if batch:
        assert one.passed(batch, shown) == b""
    return one.whole_list()


def sifted(document, shown, operation="ContainerList", **more):
    """Put a document through, and return what is left of it."""
    return json.loads(left(a_sieve(operation, **more), written(document), shown))


def keys(batch):
    """Name the objects of a batch."""
    return [[each.key for each in group] for group in batch.groups]


def test_what_is_not_shown_is_left_out_in_order():
    """And the rest is as it was."""
    assert sifted(CONTAINERS, [True, False, True]) == [CONTAINERS[0], CONTAINERS[2]]
    assert sifted(CONTAINERS, [False] * 3) == []


def test_what_is_shown_is_passed_on_byte_by_byte():
    """Numbers, spaces and escapes are the daemon's."""
    first, second = b'{"Id": "a",  "x": 1e400}', b'{"Id":"\\ud800\\u003c\xc3\xa4","y":1.50}'
    body = b" [%s ,\n%s]" % (first, second)

    assert left(a_sieve(), body, [True, True]) == b"[%s,%s]\n" % (first, second)
    assert left(a_sieve(), body, [False, True]) == b"[%s]\n" % second


def test_entries_are_judged_as_they_come():
    """And what is hidden is thrown away at once."""
    one = a_sieve()
    body = written(CONTAINERS)
    one.add(body[:80])
    first = one.batch(whole=False)
    assert keys(first) == [["a"]]
    assert one.passed(first, [False]) == b""
    assert one.batch(whole=False) is None
    one.add(body[80:])
    second = one.batch(whole=True)
    assert keys(second) == [["b"], ["c"]]
    one.passed(second, [False, True])

    assert json.loads(one.whole_list()) == [CONTAINERS[2]]


@pytest.mark.parametrize("body", [b"null", b"[]", b"[ ]\n"])
def test_nothing_is_nothing(body):
    """Some lists of the daemon are null when they are empty."""
    assert json.loads(left(a_sieve(), body, [])) == json.loads(body)


def test_an_entry_that_cannot_be_read_tells_of_nothing():
    """So that nobody shows it."""
    one = a_sieve()
    one.add(written([7, {"Id": "a"}, {}]))

    assert keys(one.batch(whole=True)) == [[], ["a"], []]


def test_volumes_come_with_warnings():
    """And with nothing that nobody has judged."""
    volumes = [{"Name": "a"}, {"Name": "b"}]
    document = {"Volumes": volumes, "Warnings": ["slow"], "Others": [{"Name": "b"}], "Count": 2}

    found = sifted(document, [True, False], "VolumeList")

    assert found == {"Volumes": [{"Name": "a"}], "Warnings": ["slow"], "Count": 2}
    assert sifted({"Volumes": None, "Warnings": None}, [], "VolumeList") == {
        "Volumes": None,
        "Warnings": None,
    }


def test_disk_usage_is_several_lists():
    """What a builder keeps is nobody's; sums stay."""
    document = {
        "LayersSize": 7,
        "Images": [{"Id": "i"}],
        "Containers": CONTAINERS[:2],
        "Volumes": [{"Name": "v"}],
        "BuildCache": [{"ID": "x"}],
        "BuilderSize": 9,
    }
    one = a_sieve("SystemDataUsage")
    one.add(written(document))
    batch = one.batch(whole=True)

    assert keys(batch) == [["i"], ["a"], ["b"], ["v"], []]
    one.passed(batch, [True, False, True, False, False])
    assert json.loads(one.whole_list()) == document | {
        "Containers": [CONTAINERS[1]],
        "Volumes": [],
        "BuildCache": [],
    }


def test_disk_usage_of_newer_engines_is_one_deeper():
    """Sums stay, and nothing that nobody has judged."""
    usage = {"TotalCount": 2, "Items": CONTAINERS[:2], "Others": ["b"]}
    document = {"ContainerUsage": usage, "VolumeUsage": {"TotalCount": 1}, "More": {"Id": "b"}}

    assert sifted(document, [True, False], "SystemDataUsage") == {
        "ContainerUsage": {"TotalCount": 2, "Items": [CONTAINERS[0]]},
        "VolumeUsage": {"TotalCount": 1},
    }


def test_half_a_list_is_none():
    """There must be an end."""
    one = a_sieve()
    one.add(b"[")
    assert one.batch(whole=False) is None

    with pytest.raises(FramingError, match="it is no JSON"):
        one.whole_list()


def test_what_is_shown_can_be_too_long(monkeypatch):
    """What is hidden cannot: others could take a list away from everybody with it."""
    monkeypatch.setattr(sieve, "LONGEST", 60)
    assert sifted(CONTAINERS, [False, False, True]) == [CONTAINERS[2]]
    with pytest.raises(FramingError, match="what is shown of it is longer than 60 bytes"):
        sifted(CONTAINERS, [True, False, True])


def test_there_is_room_for_so_much():
    """For all together, and until it is given back."""
    room = Room(150)
    first, second = Sieve("ImageList", room), Sieve("ImageList", room)
    first.add(b"[" + b" " * 99)
    assert room.left == 50
    assert first.batch(whole=False) is None
    assert room.left == 149
    first.add(b'{"Id":"' + b"x" * 80)
    assert first.batch(whole=False) is None
    with pytest.raises(FramingError, match="too many long lists"):
        second.add(b"x" * 63)
    first.let_go()
    first.let_go()
    second.add(b"x" * 63)
    assert room.left == 87


def test_nobody_takes_all_the_room():
    """Who does not read what he asked for holds it for as long as he likes."""
    room = Room(100, 60)
    mine = [Sieve("ImageList", room, caller="ann") for _ in range(2)]
    mine[0].add(b"[" + b" " * 49)
    with pytest.raises(FramingError, match="too many long lists"):
        mine[1].add(b"[" + b" " * 10)
    Sieve("ImageList", room, caller="ben").add(b"[" + b" " * 49)
    assert room.left == 0
    mine[0].let_go()
    mine[1].add(b"[" + b" " * 10)
    assert room.left == 39


def test_what_was_given_up_takes_no_room_again():
    """The client went while entries were judged."""
    room = Room(1000)
    one = Sieve("ContainerList", room)
    one.add(written(CONTAINERS))
    batch = one.batch(whole=True)
    one.let_go()
    one.passed(batch, [True] * 3)

    assert room.left == 1000


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_a_limit_counts_what_is_shown(limit):
    """The first ones, which are the newest."""
    one = a_sieve(limit=limit)
    found = json.loads(left(one, written(CONTAINERS), [False, True, True]))

    assert found == CONTAINERS[1:][:limit]
    assert (one.entries, one.hidden) == (3, 1)
    assert sifted(CONTAINERS, [True] * 3, limit=limit) == CONTAINERS[:limit]


def test_shadow_mode_shows_everything_and_counts():
    """Byte by byte."""
    one = a_sieve(shows_all=True)

    assert left(one, written(CONTAINERS), [False] * 3) == written(CONTAINERS)
    assert (one.entries, one.hidden) == (3, 3)


# --- events --------------------------------------------------------------------------------------


def an_event(key):
    """Write one."""
    return written({"Type": "container", "Actor": {"ID": key, "Attributes": {}}})


def test_events_come_as_they_are_whole():
    """Half a line waits; what cannot be read, or is empty, is not shown."""
    room = Room(1000)
    one = Sieve("SystemEvents", room)
    text = an_event("a") + b"\n" + b"{broken\n" + an_event("b")
    one.add(text[:-5])
    first = one.batch(whole=False)
    assert keys(first) == [["a"], []]
    assert one.passed(first, [True, False]) == an_event("a")
    assert one.batch(whole=False) is None
    one.add(text[-5:])
    assert keys(one.batch(whole=False)) == [["b"]]
    assert room.left == 1000


def test_the_last_event_may_have_no_end():
    """The daemon was stopped in it, or writes so."""
    one = a_sieve("SystemEvents")
    one.add(an_event("a")[:-1])

    assert one.batch(whole=False) is None
    assert keys(one.batch(whole=True)) == [["a"]]
    assert one.batch(whole=True) is None


@pytest.mark.parametrize("pieces", [1, 7, 1000])
def test_an_event_that_is_too_long_is_left_out(pieces, monkeypatch):
    """It can be so by the labels of others, and must not end the streams of everybody."""
    monkeypatch.setattr(sieve, "LONGEST_EVENT", 100)
    room = Room(2000)
    one = Sieve("SystemEvents", room)
    text = an_event("a") + b'{"' + b"x" * 300 + b'"}\n' + an_event("b")
    size = -(-len(text) // pieces)
    found = []
    for at in range(0, len(text), size):
        one.add(text[at : at + size])
        if batch := one.batch(whole=False):
            found += keys(batch)
            one.passed(batch, [True] * len(batch.groups))

    assert [each for each in found if each] == [["a"], ["b"]]
    assert (one.entries, room.left) == (3, 2000)


# --- what the daemon is asked --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "asked", "limit"),
    [
        ("", "", None),
        ("?all=1&size=1", "?all=1&size=1", None),
        ("?limit=2", "?all=1", 2),
        ("?limit=%2B02&size=1", "?all=1&size=1", 2),
        ("?all=0&filters=x%3D1&limit=1", "?all=1&filters=x%3D1", 1),
        ("?limit=0", "?limit=0", None),
        ("?limit=-1", "?limit=-1", None),
        ("?limit=x", "?limit=x", None),
        ("?limit=99999999999999999999", "?limit=99999999999999999999", None),
        ("?unlimit=1", "?unlimit=1", None),
    ],
)
def test_the_daemon_counts_nothing(query, asked, limit):
    """It would count what is not shown. What it takes for no limit is left to it."""
    forward = Forward("GET", f"/v1.41/containers/json{query}", (), b"", Plan())

    found, wanted = wanted_whole(forward, "ContainerList")

    assert (found.target, wanted) == (f"/v1.41/containers/json{asked}", limit)


def test_only_containers_have_a_limit():
    """Elsewhere it would be something else."""
    forward = Forward("GET", "/images/json?limit=1", (), b"", Plan())

    assert wanted_whole(forward, "ImageList") == (forward, None)


def test_no_other_form_is_asked_for():
    """What is written in another one could not be read here."""
    headers = (("Accept", "application/json-seq"), ("Accept-Encoding", "gzip"), ("User-Agent", "x"))
    forward = Forward("GET", "/events", headers, b"", Plan())

    assert wanted_whole(forward, "SystemEvents")[0].headers == (("User-Agent", "x"),)
