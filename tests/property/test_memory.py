"""What is remembered of creates, held to describing each of them anew."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authz.docker.canonical import canonical
from authz.errors import RefusedError
from authz.facts import memory
from authz.facts.build import survey
from tests.builders import ALICE, a_raw_request
from tests.property.test_facts import INSPECTED, SETTINGS, documents

pytestmark = pytest.mark.property

TARGETS = st.sampled_from(
    [f"/v1.{minor}/containers/create{query}" for minor in (30, 45) for query in ("", "?name=web")]
)


def surveyed(request, answers):
    """Return what comes out, a refusal as its words."""
    try:
        return survey(request, ALICE, answers)
    except RefusedError as refusal:
        return str(refusal)


def read(target, body):
    """Read a create; None where it is refused."""
    try:
        return canonical(a_raw_request("POST", target, body=body))
    except RefusedError:
        return None


@settings(max_examples=400, **SETTINGS)
@given(
    st.lists(documents("ContainerCreate"), min_size=1, max_size=3),
    documents("Config"),
    TARGETS,
    TARGETS,
    st.data(),
)
def test_memory_changes_nothing(bodies, more, first, second, data):
    """Of a few creates, alike but for what is said to be harmless, each has its own facts."""
    requests = [
        request
        for body in bodies
        for document in (body, {**body, **more})
        for target in (first, second)
        if (request := read(target, document)) is not None
    ]
    answers = {}
    memory._ways.clear()
    for _ in range(3):
        remembered = [surveyed(request, answers) for request in requests]
        anew = []
        kept = dict(memory._ways)
        for request in requests:
            memory._ways.clear()
            anew.append(surveyed(request, answers))
        memory._ways.clear()
        memory._ways.update(kept)

        assert remembered == anew
        asked = [each for found in remembered if isinstance(found, tuple) for each in found]
        for question in dict.fromkeys(asked):
            answers.setdefault(question, data.draw(INSPECTED[question.topic]))
