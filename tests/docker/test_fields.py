"""Bodies and queries, read by the table of fields."""

import json
import time
from pathlib import Path

import pytest

from authz.docker.field_table import structures
from authz.docker.fields import read_body, read_query
from authz.errors import Reason, RefusedError
from tests.builders import operation_named

CORPUS = Path(__file__).parent.parent / "corpus" / "gojson" / "creates.json"
VECTORS = json.loads(CORPUS.read_text(encoding="utf-8"))
LEGACY = {n: known for n, known in structures()["ContainerCreate"].fields.items() if known.legacy}
MOVED = {name for name, known in LEGACY.items() if known.legacy.moves}
BOTH_BUILDS = ["ImageBuild", "ImageBuildKit"]


def body(document, name="ContainerCreate"):
    """Read the body of an operation."""
    written = document if isinstance(document, bytes) else json.dumps(document).encode()
    return read_body(operation_named(name), written)


def rewritten(document):
    """Read the body of a create that the daemon will get anew."""
    operation = operation_named("ContainerCreate")
    return read_body(operation, json.dumps(document).encode(), rewritten=True)


def query(name, *pairs):
    """Read the query of an operation."""
    return read_query(operation_named(name), pairs)


@pytest.mark.parametrize(
    "vector", [v for v in VECTORS if "ours" in v], ids=lambda vector: vector["id"]
)
def test_a_create_that_reads_one_way_is_read(vector):
    """The document has the daemon's spelling of every name, and nothing unknown."""
    assert body(vector["text"].encode()) == (vector["ours"], ())
    assert vector["daemon"] == "same"


@pytest.mark.parametrize(
    "vector", [v for v in VECTORS if "refusal" in v], ids=lambda vector: vector["id"]
)
def test_a_create_that_daemons_read_otherwise_is_refused(vector):
    """So is what they refuse themselves."""
    with pytest.raises(RefusedError, match=vector["refusal"]):
        body(vector["text"].encode())


@pytest.mark.parametrize(
    ("document", "unknown"),
    [
        ({"Foo": 1}, ("Foo",)),
        ({"foo.bar-baz_1": "x"}, ("foo.bar-baz_1",)),
        ({"HostConfig": {"Foo": {"a": 1}}}, ("HostConfig.Foo",)),
        ({"hostconfig": {"foo": True}}, ("HostConfig.foo",)),
        ({"HostConfig": {"Mounts": [{}, {"Foo": 1}, {"Foo": 2}]}}, ("HostConfig.Mounts.Foo",)),
        (
            {"NetworkingConfig": {"EndpointsConfig": {"n": {"Foo": 1}}}},
            ("NetworkingConfig.EndpointsConfig.Foo",),
        ),
        ({"Volumes": {"/data": {"Foo": 1}}}, ("Volumes.Foo",)),
        ({"Foo": 1, "Bar": 2}, ("Foo", "Bar")),
        ({"Config": {"Image": "a"}}, ("Config",)),
        ({"Foo": float("1e300")}, ("Foo",)),
        (
            {"HostConfig": {"Mounts": [{"clusteroptions": {"a": 1}}]}},
            ("HostConfig.Mounts.ClusterOptions",),
        ),
    ],
)
def test_a_member_that_is_not_described_is_named(document, unknown):
    """By its path without indexes and keys, once, and in the daemon's spelling where it has one."""
    read, found = body(document)

    assert found == unknown
    assert "Foo" not in json.dumps(read)


@pytest.mark.parametrize("value", [None, False, 0, 0.0, "", [], {}])
def test_an_empty_unknown_member_is_ignored(value):
    """Clients send many leftovers that change nothing on any daemon."""
    assert body({"PortSpecs": value, "HostConfig": {"Foo": value}}) == ({"HostConfig": {}}, ())


@pytest.mark.parametrize("name", ["a b", "", "x" * 65, "é", "a/b", "a\nb"])
def test_an_unknown_member_must_have_a_readable_name(name):
    """Its path stands in facts and records."""
    with pytest.raises(RefusedError, match="body has the unknown field"):
        body({name: 1})

    with pytest.raises(RefusedError, match=r"HostConfig has the unknown field"):
        body({"HostConfig": {name: 1}})


def test_the_shapes_of_go_are_read():
    """Lists of lists, arrays, sets, maps of lists and durations come out as they are."""
    document = {
        "Image": "a",
        "ExposedPorts": {"80/tcp": {}},
        "Volumes": {"/data": None},
        "Healthcheck": {"Test": ["CMD", "x"], "Interval": 1_000_000_000},
        "HostConfig": {
            "ConsoleSize": [24, 80],
            "PortBindings": {"80/tcp": [{"HostPort": "80"}], "81/tcp": None},
            "DeviceRequests": [{"Capabilities": [["gpu"]]}],
            "PidsLimit": -1,
            "Init": False,
        },
    }

    read, unknown = body(document)

    document["Volumes"]["/data"] = {}
    document["HostConfig"]["PortBindings"]["81/tcp"] = []
    assert (read, unknown) == (document, ())


@pytest.mark.parametrize("size", [[], [24], [24, 80]])
def test_an_array_may_be_short(size):
    """Go fills it up with zeros."""
    read, _ = body({"HostConfig": {"ConsoleSize": size}})

    assert read == {"HostConfig": {"ConsoleSize": size}}


def test_an_array_is_not_too_long():
    """Go would drop the rest."""
    with pytest.raises(RefusedError, match="ConsoleSize has 3 elements; expected at most 2"):
        body({"HostConfig": {"ConsoleSize": [1, 2, 3]}})


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ({"HostConfig": {"ConsoleSize": {}}}, "ConsoleSize is an object; expected a list"),
        ({"HostConfig": {"ConsoleSize": [24, "80"]}}, 'ConsoleSize is "80"; expected uint'),
        ({"HostConfig": []}, "HostConfig is a list; expected an object"),
        ({"HostConfig": {"Mounts": ["/:/h"]}}, 'Mounts is "/:/h"; expected an object'),
        ({"Volumes": {"/data": "x"}}, 'Volumes is "x"; expected an object'),
        ({"Volumes": ["/data"]}, "Volumes is a list; expected an object"),
        ({"Env": "A=hunter2"}, "Env is a text; expected a list"),
        ({"Labels": "hunter2"}, "Labels is a text; expected an object"),
    ],
)
def test_a_value_of_another_shape_is_refused(document, problem):
    """Go refuses it, and a reader that converts would see something else."""
    with pytest.raises(RefusedError, match=problem) as refusal:
        body(document)

    assert refusal.value.reason is Reason.UNREADABLE_REQUEST


@pytest.mark.parametrize("name", sorted(LEGACY))
@pytest.mark.parametrize("value", [True, 1, "x", ["x"], {"x": "y"}])
def test_nothing_of_hostconfig_is_taken_at_the_top_level(name, value):
    """Engines up to 26 apply it where no HostConfig is given."""
    with pytest.raises(RefusedError, match=rf"{name} is .*; only old daemons") as refusal:
        body({"Image": "a", name.swapcase(): value})

    assert refusal.value.reason is Reason.LEGACY_FORM


@pytest.mark.parametrize("name", sorted(set(LEGACY) - MOVED))
@pytest.mark.parametrize("value", [True, 1, "x", ["x"], {"x": "y"}])
def test_what_has_a_part_in_the_isolation_never_moves(name, value):
    """It is ambiguous for whoever writes the request anew as well."""
    with pytest.raises(RefusedError, match=rf"{name} is .*; only old daemons"):
        rewritten({"Image": "a", name: value})


@pytest.mark.parametrize("read", [body, rewritten])
@pytest.mark.parametrize("value", [None, False, 0, "", {}])
def test_leftovers_of_old_clients_are_taken(value, read):
    """A zero value changes nothing, at the top level either."""
    assert read({"Image": "a", "Memory": value, "Dns": value}) == ({"Image": "a"}, ())


@pytest.mark.parametrize("read", [body, rewritten])
@pytest.mark.parametrize("name", ["VolumesFrom", "Dns", "CapAdd", "Binds", "ConsoleSize"])
@pytest.mark.parametrize("host", [{}, {"HostConfig": {"Init": True}}])
def test_an_empty_list_of_an_old_client_is_taken(name, read, host):
    """Every engine takes it for no list."""
    assert read({"Image": "a", name.lower(): [], **host}) == ({"Image": "a", **host}, ())


@pytest.mark.parametrize("read", [body, rewritten])
@pytest.mark.parametrize("name", ["MaskedPaths", "ReadonlyPaths", "Capabilities", "Memory"])
def test_an_empty_list_that_says_something_is_refused(name, read):
    """It unmasks the container's /proc, or is no value of the member at all."""
    with pytest.raises(RefusedError, match=f"{name} is a list; only old daemons"):
        read({"Image": "a", name: []})


@pytest.mark.parametrize("host", [{}, {"HostConfig": None}])
def test_what_does_no_harm_moves_where_every_daemon_applies_it(host):
    """Whoever gets the document anew need not be an old one."""
    old = {"dns": ["192.0.2.1"], "Init": True, "MemoryReservation": 6291456, "VolumesFrom": []}

    assert rewritten({"Image": "a", **old, **host}) == (
        {
            "Image": "a",
            "HostConfig": {"Dns": ["192.0.2.1"], "Init": True, "MemoryReservation": 6291456},
        },
        (),
    )


def test_what_moves_has_its_type():
    """The daemon would refuse any other."""
    with pytest.raises(RefusedError, match="Dns is a text; expected a list"):
        rewritten({"Image": "a", "Dns": "x"})


def test_beside_a_hostconfig_nothing_moves_but_a_weight_without_another():
    """Old daemons ignore the rest there, and newer ones all of it."""
    old = {"Image": "a", "Dns": ["192.0.2.1"], "CpuShares": 5}

    assert rewritten({**old, "HostConfig": {}}) == (
        {"Image": "a", "HostConfig": {"CpuShares": 5}},
        (),
    )
    assert rewritten({**old, "HostConfig": {"CpuShares": 7}}) == (
        {"Image": "a", "HostConfig": {"CpuShares": 7}},
        (),
    )


@pytest.mark.parametrize(
    "old",
    [
        {"Dns": ["192.0.2.1"], "Foo": 1},
        {"BlkioWeightDevice": [{"Path": "/dev/sda", "Foo": 1}]},
    ],
)
def test_nothing_moves_beside_what_is_not_known(old):
    """Where a policy admits that, the daemon gets the document as it came."""
    with pytest.raises(RefusedError, match=f"{next(iter(old))} is a list; only old") as refusal:
        rewritten({"Image": "a", **old})

    assert refusal.value.reason is Reason.LEGACY_FORM


@pytest.mark.parametrize("host", [{}, {"HostConfig": None}, {"HostConfig": {"Runtime": "runc"}}])
def test_a_runtime_at_the_top_level_is_kept_there(host):
    """Some engines apply it and others do not; the facts tell both readings."""
    read, unknown = body({"Image": "a", **host, "runtime": "kata"})

    assert (read["Runtime"], unknown) == ("kata", ())
    assert read.get("HostConfig") == host.get("HostConfig")


def test_the_members_of_resources_are_taken_in_an_update():
    """There they stand at the top level in every version."""
    assert body({"Memory": 1, "RestartPolicy": {"Name": "no"}}, "ContainerUpdate") == (
        {"Memory": 1, "RestartPolicy": {"Name": "no"}},
        (),
    )


def test_a_command_of_an_exec_is_a_list():
    """A single text is a list in a create of engines up to 28, and in an exec never."""
    assert body({"Cmd": "id"})[0] == {"Cmd": ["id"]}

    with pytest.raises(RefusedError, match="Cmd is a text; expected a list"):
        body({"Cmd": "id"}, "ContainerExec")


def test_null_is_no_document_where_one_is_needed():
    """A commit can do without; a create cannot."""
    assert body(b" null ", "ImageCommit") == (None, ())

    with pytest.raises(RefusedError, match="body is null; expected an object"):
        body(b"null")


@pytest.mark.parametrize("name", ["ImageCommit", "ContainerCreate"])
def test_a_document_is_an_object(name):
    """Anything else is a mistake of the client."""
    with pytest.raises(RefusedError, match="body is a list; expected an object"):
        body([], name)


def test_parameters_are_decoded_pairs_by_name():
    """What is described is taken as it came, whether empty or not."""
    assert query("ContainerCreate", ("name", "web"), ("platform", "")) == (
        {"name": ("web",), "platform": ("",)},
        (),
    )


def test_a_parameter_is_spelt_in_one_way():
    """Keys of a query do not fold."""
    assert query("ContainerCreate", ("Name", "web")) == ({}, ("query.Name",))


@pytest.mark.parametrize(
    ("pairs", "unknown"),
    [
        ([("foo", "1"), ("bar", "2"), ("foo", "3")], ("query.foo", "query.bar")),
        ([("foo", "")], ()),
        ([("", "")], ()),
    ],
)
def test_an_unknown_parameter_is_named_unless_empty(pairs, unknown):
    """Whoever allows it says so in a row."""
    assert query("SystemInfo", *pairs) == ({}, unknown)


def test_an_unknown_parameter_must_have_a_readable_name():
    """Its path stands in facts and records."""
    with pytest.raises(RefusedError, match='query has the unknown field "a b"'):
        query("SystemInfo", ("a b", "1"))


@pytest.mark.parametrize(
    ("name", "pairs"),
    [
        ("ImageBuild", [("networkmode", "none"), ("networkmode", "host")]),
        ("ImageBuild", [("networkmode", "none"), ("networkmode", "none")]),
        ("ImageBuild", [("networkmode", ""), ("networkmode", "host")]),
        ("ContainerRename", [("name", "a"), ("name", "b")]),
        ("ImageCreate", [("fromImage", "a"), ("fromImage", "")]),
    ],
)
def test_a_repeated_parameter_is_refused(name, pairs):
    """Some readers take the first of them, others the last."""
    with pytest.raises(RefusedError, match=rf"query\.{pairs[0][0]} comes twice") as refusal:
        query(name, *pairs)

    assert refusal.value.reason is Reason.UNREADABLE_REQUEST


@pytest.mark.parametrize("name", BOTH_BUILDS)
@pytest.mark.parametrize("second", ["Dockerfile", "FROM busybox", ""])
def test_of_a_repeated_name_in_the_context_the_first_counts(name, second):
    """A client writes the text of the file behind its name, which no daemon reads."""
    pairs = [("dockerfile", "a"), ("q", "1"), ("dockerfile", second)]

    assert query(name, *pairs) == ({"dockerfile": ("a",), "q": ("1",)}, ())


def test_a_repeated_value_is_not_shown():
    """Build arguments are secrets, and a refusal is written down."""
    with pytest.raises(RefusedError) as refusal:
        query("ImageBuild", ("buildargs", "{}"), ("buildargs", '{"TOKEN": "hunter2"}'))

    assert "hunter2" not in refusal.value.detail


def test_a_list_has_all_its_values():
    """The daemon reads every one, in their order."""
    assert query("ImageBuild", ("t", "b"), ("q", "1"), ("t", "a"), ("t", "b")) == (
        {"t": ("b", "a", "b"), "q": ("1",)},
        (),
    )


def test_many_values_are_read_quickly():
    """A list of parameters grows in one pass."""
    began = time.process_time()

    found, _ = query("ImageBuild", *[("t", "a")] * 60_000)

    assert len(found["t"]) == 60_000
    assert time.process_time() - began < 1


@pytest.mark.parametrize("value", ["", "0", "10", "-1"])
def test_an_integer_may_be_empty(value):
    """The daemon takes nothing for zero."""
    assert query("ContainerStop", ("t", value))[0] == {"t": (value,)}


@pytest.mark.parametrize("value", ["x", "1.5", " 1", "1e3", "99999999999999999999"])
def test_an_integer_that_is_none_is_refused(value):
    """A build takes it for zero, the others answer 400."""
    with pytest.raises(RefusedError, match=r"query\.t is .*; expected a decimal integer"):
        query("ContainerStop", ("t", value))


@pytest.mark.parametrize("name", BOTH_BUILDS)
@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("x", r"query\.buildargs is not JSON"),
        ("{} {}", r"query\.buildargs is not JSON: Extra data"),
        ('{"a": "1", "a": "2"}', r'query\.buildargs has the member "a" twice'),
        ("[NaN]", r"query\.buildargs is not JSON: NaN is no value"),
        (chr(0xD83D), r"query\.buildargs is not UTF-8"),
        ("[" * 99, r"query\.buildargs is not JSON"),
    ],
)
def test_json_in_a_parameter_reads_one_way(name, value, problem):
    """It follows the rules of bodies."""
    with pytest.raises(RefusedError, match=problem):
        query(name, ("buildargs", value))


@pytest.mark.parametrize("value", ["", "null", '{"HTTP_PROXY": "x", "http_proxy": null}'])
def test_json_in_a_parameter_is_kept_as_text(value):
    """What it says is the business of facts."""
    assert query("ImageBuild", ("buildargs", value))[0] == {"buildargs": (value,)}


@pytest.mark.parametrize(
    ("name", "document", "read"),
    [
        ("PluginPull", [{"name": "network"}], [{"Name": "network"}]),
        ("PluginPull", [], []),
        ("PluginPull", None, None),
        ("PluginSet", ["a=1", None], ["a=1", ""]),
    ],
)  # fmt: skip
def test_a_body_may_be_a_list(name, document, read):
    """Its elements are read like those of any list; clients send null for none."""
    assert body(document, name) == (read, ())


def test_unknown_members_of_elements_are_named_below_the_body():
    """A list has no name of its own."""
    assert body([{"Foo": 1}], "PluginPull") == ([{}], ("body.Foo",))


def test_a_list_is_no_object():
    """Nor the other way round."""
    with pytest.raises(RefusedError, match="body is an object; expected a list"):
        body({}, "PluginPull")
    with pytest.raises(RefusedError, match="body is a list; expected an object"):
        body([], "ServiceCreate")


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("SwarmUnlock", {"UnlockKey": 4711}),
        ("SecretCreate", {"Name": "a", "Data": 4711}),
        ("SwarmInit", {"Spec": {"CAConfig": {"ForceRotate": "4711; expected"}}}),
        ("SwarmInit", {"Spec": {"CAConfig": {"ForceRotate": -4711}}}),
        ("PluginSet", [4711]),
        ("PluginSet", "4711"),
        ("SystemAuth", "4711"),
    ],
)
def test_a_refusal_does_not_quote_a_secret(name, document):
    """What is wrong with it is told by its place."""
    with pytest.raises(RefusedError) as refusal:
        body(document, name)

    assert "4711" not in refusal.value.detail
    assert refusal.value.detail.endswith(" is not what it should be, and is not shown")


def test_a_refusal_of_a_secret_still_says_what_is_ambiguous():
    """The names of members are no secret."""
    with pytest.raises(RefusedError, match='has the members "Data" and "data"'):
        body({"Data": "a", "data": "b"}, "SecretCreate")


@pytest.mark.parametrize("ratio", [0.5, 1, 0, -1e30])
def test_a_float_is_a_number(ratio):
    """Go takes any number for one."""
    document = {"UpdateConfig": {"MaxFailureRatio": ratio}}

    assert body(document, "ServiceCreate") == (document, ())


@pytest.mark.parametrize("ratio", ["1", True, 1e39, -1e39])
def test_a_float_has_a_range(ratio):
    """Beyond it Go refuses the document."""
    with pytest.raises(RefusedError, match=r"UpdateConfig\.MaxFailureRatio is "):
        body({"UpdateConfig": {"MaxFailureRatio": ratio}}, "ServiceCreate")


def test_bytes_are_a_text():
    """A list of numbers, which Go takes too, is refused."""
    assert body({"Data": "aGk="}, "ConfigCreate") == ({"Data": "aGk="}, ())
    with pytest.raises(RefusedError, match="Data is not what it should be"):
        body({"Data": [1]}, "ConfigCreate")
