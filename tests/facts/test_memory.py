"""What was said of a create before, and what must not be taken for it."""

from dataclasses import replace

import pytest

from authz.docker.canonical import canonical
from authz.errors import Reason, RefusedError
from authz.facts import build, memory
from authz.facts.build import survey
from authz.facts.known import FactSettings, Key
from authz.facts.memory import essence
from authz.facts.questions import MISSING, Question, Topic
from tests.builders import ALICE, DAEMON, a_create, a_raw_request, words

INFO = Question(Topic.DAEMON, "")
IMAGE = Question(Topic.IMAGE, "nginx")
ANSWERS = {INFO: DAEMON, IMAGE: MISSING}


@pytest.fixture(autouse=True)
def described(monkeypatch) -> list[str]:
    """Begin without a memory, and tell which requests were described."""
    found: list[str] = []
    honest = build._create

    def telling(request, known, **more):
        found.append(request.operation.name)
        return honest(request, known, **more)

    monkeypatch.setitem(build._DESCRIBERS, "ContainerCreate", telling)
    memory._ways.clear()
    return found


def read(body, target="/v1.45/containers/create?name=web"):
    """Read a create as it would come."""
    return canonical(a_raw_request("POST", target, body=body))


def test_the_same_create_is_described_once(described):
    """Its name, labels and which program of many runs in it do not matter."""
    first = survey(read({**a_create(Memory=1), "Cmd": ["y"], "Tty": True}), ALICE, ANSWERS)
    other = {**a_create(Memory=1), "Cmd": ["x", "--secret"], "Labels": {"a": "b"}}
    again = survey(read(other, "/v1.45/containers/create?name=db"), ALICE, ANSWERS)

    assert again.facts is first.facts
    assert (first.conditions["name"], again.conditions["name"]) == ("web", "db")
    assert again.conditions["label.a"] == "b"
    assert len(described) == 1


def test_what_is_open_is_remembered_as_well(described):
    """A request that is not answered yet asks the same again."""
    first = survey(read(a_create()), ALICE, {})

    assert first == survey(read(a_create()), ALICE, {}) == (IMAGE, INFO)
    assert len(described) == 1


def test_a_request_that_is_surveyed_again_keeps_its_key(described, monkeypatch):
    """What it stands for is worked out once, however many answers come one after the other."""
    request, key = read(a_create()), Key()
    survey(request, ALICE, {}, key=key)
    monkeypatch.setattr(memory, "key", None)

    first = survey(request, ALICE, ANSWERS, key=key)
    again = survey(request, ALICE, ANSWERS, key=key)

    assert key.value
    assert again.facts is first.facts
    assert len(described) == 2


@pytest.mark.parametrize(
    ("body", "target", "who", "answers"),
    [
        (a_create(Memory=2), "/v1.45/containers/create", ALICE, ANSWERS),
        (a_create(Memory=1), "/v1.30/containers/create", ALICE, ANSWERS),
        (a_create(Memory=1), "/v1.45/containers/create?platform=a", ALICE, ANSWERS),
        ({**a_create(Memory=1), "User": "1"}, "/v1.45/containers/create", ALICE, ANSWERS),
        ({**a_create(Memory=1), "Foo": 1}, "/v1.45/containers/create", ALICE, ANSWERS),
        ({**a_create(Memory=1), "Cmd": ["sshd"]}, "/v1.45/containers/create", ALICE, ANSWERS),
        (a_create(Memory=1), "/v1.45/containers/create", replace(ALICE, subject="x"), ANSWERS),
        (a_create(Memory=1), "/v1.45/containers/create", replace(ALICE, tenant=""), ANSWERS),
        (a_create(Memory=1), "/v1.45/containers/create", ALICE, {**ANSWERS, INFO: dict(DAEMON)}),
        (a_create(Memory=1), "/v1.45/containers/create", ALICE, {**ANSWERS, IMAGE: {}}),
        (a_create(Memory=1), "/v1.45/containers/create", ALICE, {INFO: DAEMON}),
    ],
)
def test_another_request_is_described_anew(described, body, target, who, answers):
    """Be it another by its settings, by who asks, or by what is answered."""
    survey(read(a_create(Memory=1), "/v1.45/containers/create"), ALICE, ANSWERS)

    survey(read(body, target), who, answers)

    assert len(described) == 2


def test_other_settings_describe_anew(described):
    """They say which paths are protected, and by which labels objects are owned."""
    for chosen in (FactSettings(), FactSettings()):
        survey(read(a_create()), ALICE, ANSWERS, chosen)

    assert len(described) == 2


def test_where_a_path_leads_is_compared(described):
    """Each look at the file system gives an answer of its own."""
    body = a_create(Binds=["/srv/x:/x"])
    for leads in ("/srv/x", "/srv/x", "/etc"):
        facts = survey(
            read(body), ALICE, {**ANSWERS, Question(Topic.PATH, "/srv/x"): {"path": leads}}
        )

    assert "bind:/etc" in words(facts.facts)
    assert len(described) == 2


def test_a_reserved_label_is_refused_each_time():
    """Labels are no part of what is remembered."""
    survey(read(a_create()), ALICE, ANSWERS)

    with pytest.raises(RefusedError) as caught:
        survey(read({**a_create(), "Labels": {"dockgate.owner": "x"}}), ALICE, ANSWERS)

    assert caught.value.reason is Reason.RESERVED_LABEL


def test_describers_do_not_see_what_is_no_part_of_the_key():
    """What they cannot see, they cannot make facts of."""
    seen = essence(read({**a_create(), "Tty": True, "Labels": {"a": "b"}, "User": "1"}))

    assert set(seen.body) == {"Image", "HostConfig", "User"}
    assert seen.query == {}


def test_of_a_command_describers_see_the_kind_of_program():
    """No argument, which may be a secret, and no more than decides what they say."""
    words = {"Cmd": ["mysql", "-psecret"], "Entrypoint": ["sh", "-c", "exec sshd -o secret"]}

    seen = essence(read({**a_create(), **words}))

    assert seen.body["Entrypoint"] == ["sshd"]
    assert "secret" not in str(seen.body)


def test_secrets_are_not_remembered(described):
    """A credential in an option is not kept beyond its request."""
    body = a_create(LogConfig={"Type": "splunk", "Config": {"splunk-token": "x"}})
    for _ in range(2):
        survey(read(body), ALICE, ANSWERS)

    assert len(described) == 2
    assert not memory._ways


def test_few_requests_are_remembered(monkeypatch):
    """Ever new ones, and ever new answers, take no memory."""
    monkeypatch.setattr(memory, "MOST", 3)
    for number in range(10):
        survey(read(a_create(Memory=number + 1)), ALICE, ANSWERS)
    for _ in range(10):
        survey(read(a_create(Memory=1)), ALICE, {**ANSWERS, INFO: dict(DAEMON)})

    assert 0 < len(memory._ways) <= 3
    assert max(map(len, memory._ways.values())) == memory.MOST_WAYS
