"""Answers taken apart and put together: bytes in, bytes out."""

import json

import pytest

from authz.docker.forward import Forward, Plan
from authz.proxy import sieve
from authz.proxy.head import FramingError
from authz.proxy.sieve import Room, Sieve, wanted_whole

CONTAINERS = [{"Id": key, "Names": [f"/{key}"], "Size": 1.5e-7} for key in ("a", "b", "c")]


def a_sieve(operation="ContainerList", **more):
    """Return one with room for a kilobyte."""
    return Sieve(operation, Room(1000), **more)


def written(document):
    """Write as the daemon does."""
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"


def sifted(document, shown, operation="ContainerList", **more):
    """Put a document through, and return what is left of it."""
    one = a_sieve(operation, **more)
    one.add(written(document))
    batch = one.batch(whole=True)
    return json.loads(one.passed(batch, shown))


def keys(batch):
    """Name the objects of a batch."""
    return [[each.key for each in group] for group in batch.groups]


def test_what_is_not_shown_is_left_out_in_order():
    """And the rest is as it was."""
    assert sifted(CONTAINERS, [True, False, True]) == [CONTAINERS[0], CONTAINERS[2]]
    assert sifted(CONTAINERS, [False] * 3) == []


def test_a_list_of_which_all_is_shown_is_passed_on_byte_by_byte():
    """Nothing is written anew without need."""
    one = a_sieve()
    body = b'[ {"Id": "a",  "x": 1e400} ]'
    one.add(body[:7])
    one.add(body[7:])

    assert one.batch(whole=False) is None
    assert one.passed(one.batch(whole=True), [True]) == body


@pytest.mark.parametrize("body", [b"null", b"[]"])
def test_nothing_is_nothing(body):
    """Some lists of the daemon are null when they are empty."""
    one = a_sieve()
    one.add(body)
    batch = one.batch(whole=True)

    assert batch.groups == []
    assert one.passed(batch, []) == body


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
    assert json.loads(one.passed(batch, [True, False, True, False, False])) == document | {
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


@pytest.mark.parametrize(
    ("operation", "body", "problem"),
    [
        ("ContainerList", b"", "it is no JSON"),
        ("ContainerList", b"[{]", "it is no JSON"),
        ("ContainerList", b"\xff", "it is no JSON"),
        ("ContainerList", b"[" * 900, "it is no JSON"),
        ("ContainerList", b'{"Id":"a"}', "it is no list"),
        ("VolumeList", b'[{"Name":"a"}]', "it is not made of JSON objects"),
        ("VolumeList", b'{"Volumes":{}}', "Volumes is no list"),
        ("SystemDataUsage", b'{"ImageUsage":[]}', "it is not made of JSON objects"),
        ("SystemDataUsage", b'{"ImageUsage":7}', "ImageUsage.Items is not in a JSON object"),
    ],
)
def test_what_is_no_such_answer_is_none(operation, body, problem):
    """Nobody could tell what is in it."""
    one = Sieve(operation, Room())
    one.add(body * (200 if body[:1] == body[1:2] == b"[" else 1))

    with pytest.raises(FramingError, match=problem):
        one.batch(whole=True)


def test_a_list_can_be_too_long(monkeypatch):
    """One alone, and all together."""
    monkeypatch.setattr(sieve, "LONGEST", 100)
    one = a_sieve()
    one.add(b"x" * 100)
    with pytest.raises(FramingError, match="longer than 100 bytes"):
        one.add(b"x")
    room = Room(150)
    first, second = Sieve("ImageList", room), Sieve("ImageList", room)
    first.add(b"x" * 100)
    with pytest.raises(FramingError, match="too many long lists"):
        second.add(b"x" * 51)
    first.let_go()
    first.let_go()
    second.add(b"x" * 51)
    assert room.left == 99


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_a_limit_counts_what_is_shown(limit):
    """The first ones, which are the newest."""
    one = a_sieve(limit=limit)
    one.add(written(CONTAINERS))
    found = json.loads(one.passed(one.batch(whole=True), [False, True, True]))

    assert found == CONTAINERS[1:][:limit]
    assert (one.entries, one.hidden) == (3, 1)
    assert sifted(CONTAINERS, [True] * 3, limit=limit) == CONTAINERS[:limit]


def test_shadow_mode_shows_everything_and_counts():
    """Byte by byte."""
    one = a_sieve(shows_all=True)
    one.add(b" []")
    assert one.passed(one.batch(whole=True), []) == b" []"
    one = a_sieve(shows_all=True)
    one.add(written(CONTAINERS))

    assert one.passed(one.batch(whole=True), [False] * 3) == written(CONTAINERS)
    assert (one.entries, one.hidden) == (3, 3)


# --- events --------------------------------------------------------------------------------------


def an_event(key):
    """Write one."""
    return written({"Type": "container", "Actor": {"ID": key, "Attributes": {}}})


def test_events_come_as_they_are_whole():
    """Half a line waits; what cannot be read, or is empty, is not shown."""
    one = a_sieve("SystemEvents")
    text = an_event("a") + b"\n" + b"{broken\n" + an_event("b")
    one.add(text[:-5])
    first = one.batch(whole=False)
    assert keys(first) == [["a"], []]
    assert one.passed(first, [True, False]) == an_event("a")
    assert one.batch(whole=False) is None
    one.add(text[-5:])
    assert keys(one.batch(whole=False)) == [["b"]]
    assert one.room.left == 1000


def test_the_last_event_may_have_no_end():
    """The daemon was stopped in it, or writes so."""
    one = a_sieve("SystemEvents")
    one.add(an_event("a")[:-1])

    assert one.batch(whole=False) is None
    assert keys(one.batch(whole=True)) == [["a"]]
    assert one.batch(whole=True) is None


def test_an_event_can_be_too_long(monkeypatch):
    """What is longer is none."""
    monkeypatch.setattr(sieve, "LONGEST_EVENT", 100)
    one = a_sieve("SystemEvents")
    one.add(b"x" * 90 + b"\n" + b"x" * 90)
    with pytest.raises(FramingError, match="an event is longer"):
        one.add(b"x" * 20)


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
