"""Labels that only Dockgate sets."""

import pytest

from authz.errors import Reason, RefusedError
from authz.facts.labels import check_labels, check_new_labels


@pytest.mark.parametrize("name", ["dockgate.owner", "dockgate.", "Dockgate.Owner", "DOCKGATE.x"])
def test_reserved_labels_are_refused(name):
    """In any case, so that nobody is misled by one that looks like ours."""
    with pytest.raises(RefusedError, match=r"Labels has the label '(?i:dockgate\.)") as error:
        check_labels(["app", name], "Labels")

    assert error.value.reason is Reason.RESERVED_LABEL


@pytest.mark.parametrize("name", ["", "dockgate", "com.example.dockgate.owner", "dockgateowner"])
def test_other_labels_are_the_callers(name):
    """Whatever does not begin with the prefix."""
    check_labels([name], "Labels")


def test_an_update_may_send_back_what_is_there():
    """Another value, or another label, is refused."""
    check_new_labels({"dockgate.owner": "a", "x": "y"}, {"dockgate.owner": "a"}, "Labels")
    for stored in ({}, {"dockgate.owner": "b"}):
        with pytest.raises(RefusedError, match="Labels has the label"):
            check_new_labels({"dockgate.owner": "a"}, stored, "Labels")
