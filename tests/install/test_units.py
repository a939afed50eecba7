"""Units and settings, made fit for where they are installed."""

import sys
import tomllib
from pathlib import Path

from authz.install import units

CONFIG = Path("/srv/dockgate.toml")


def test_the_plugins_units_start_this_program_with_these_settings():
    """On the socket that the settings name."""
    found = units.plugin_units(CONFIG, Path("/run/docker/plugins/other.sock"))

    program = Path(sys.executable).parent / "dockgate"
    assert f"ExecStart={program} serve --config {CONFIG}\n" in found["dockgate.service"]
    assert "ListenStream=/run/docker/plugins/other.sock\n" in found["dockgate.socket"]


def test_the_proxys_unit_does_so_too():
    """Nothing of another installation is left in it."""
    (text,) = units.proxy_units(CONFIG).values()

    assert f"serve --config {CONFIG}\n" in text
    assert units.PROGRAM not in text
    assert "/etc/dockgate-proxy/" not in text


def test_the_settings_have_a_door():
    """Each its own."""
    assert "plugin" in tomllib.loads(units.plugin_settings())
    assert "proxy" in tomllib.loads(units.proxy_settings())
