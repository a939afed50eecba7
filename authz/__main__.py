"""``python -m authz`` is ``dockgate``."""

from authz.cli.main import main

main(prog_name="dockgate")
