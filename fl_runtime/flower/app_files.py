"""The folder that ``flwr run`` takes: it names the apps and their configuration."""

import json
from collections.abc import Mapping
from pathlib import Path

_PACKAGE = "hfedfm_on_flower"

_HEAD = f'''[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "hfedfm-on-flower"
version = "1.0.0"
description = "Runs a schedule of hfedfm-opt"
license = "MIT"
dependencies = []

[tool.hatch.build.targets.wheel]
packages = ["."]

[tool.flwr.app]
publisher = "hfedfm"

[tool.flwr.app.components]
serverapp = "{_PACKAGE}:server_app"
clientapp = "{_PACKAGE}:client_app"

[tool.flwr.app.config]
'''

_CODE = '''"""The apps of hfedfm-opt."""

from fl_runtime.flower.client import client_app
from fl_runtime.flower.server_app import server_app

__all__ = ["client_app", "server_app"]
'''


def write_app(folder: Path, config: Mapping[str, str | int | float | bool]) -> Path:
    """Write the folder of an app with a run configuration; return it."""
    package = folder / _PACKAGE
    package.mkdir(parents=True)
    lines = [f"{key} = {json.dumps(value)}" for key, value in config.items()]  # JSON's texts are TOML's
    (folder / "pyproject.toml").write_text(_HEAD + "\n".join(lines) + "\n", encoding="utf-8")
    (package / "__init__.py").write_text(_CODE, encoding="utf-8")
    return folder
