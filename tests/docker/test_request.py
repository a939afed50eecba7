"""The value that the stage makes."""

import pytest

from tests.builders import an_api_request


def test_a_parameter_is_its_first_value():
    """Go's Get takes the first of several."""
    request = an_api_request(query={"t": ("a", "b")})

    assert request.parameter("t") == "a"


@pytest.mark.parametrize("query", [{}, {"t": ()}])
def test_an_absent_parameter_has_a_default(query):
    """What is not given is empty, unless the caller says otherwise."""
    request = an_api_request(query=query)

    assert request.parameter("t") == ""
    assert request.parameter("t", "x") == "x"


def test_an_empty_parameter_is_no_absent_one():
    """Given and empty differ where the default of the daemon is not the zero value."""
    assert an_api_request(query={"pause": ("",)}).parameter("pause", "1") == ""


def test_a_request_is_not_changed():
    """What was judged stays what it was."""
    request = an_api_request()

    with pytest.raises(AttributeError):
        request.opaque = "build"
