"""Which model a bundle means."""

import subprocess
import sys

import pytest

from authz.policy.model_file import model_text
from authz.policy.models.which import is_other
from tests.policies import a_source
from tests.policy.models.samples import conf


@pytest.mark.parametrize(
    ("text", "other"),
    [
        (model_text(), False),
        (model_text().replace("eft", "verdict"), False),
        (model_text().replace("when", "whn"), False),
        ("", False),
        ("[matchers]\nm = r.sub == p.sub\n", False),
        (conf(), True),
        (conf(p="sub, act, obj, when"), False),
        (conf(m="fact(r.obj, p.obj)"), False),
        (conf(e="nonsense"), True),
    ],
)
def test_which_model_is_meant(text, other):
    """One with other columns, which does not ask for ``fact`` or ``when``."""
    assert is_other(a_source(text, "model.conf")) is other


def test_whoever_has_the_reviewed_model_pays_nothing_for_others():
    """Not even their modules."""
    program = (
        "import sys; from authz.policy.bundle import load_bundle;"
        "from authz.policy.snapshot import compile_snapshot;"
        "compile_snapshot(load_bundle('builtin:developer'));"
        "print(*sorted(name for name in sys.modules if 'policy.models.' in name))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout == b"authz.policy.models.which\n"
