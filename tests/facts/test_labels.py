"""Labels that only Dockgate sets."""

import pytest

from authz.errors import Reason, RefusedError
from authz.facts.labels import check_labels


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
