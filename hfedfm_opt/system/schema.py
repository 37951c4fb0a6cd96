"""The JSON Schema of instance files, for editors and for other programs.

It covers keys, types and ranges; :func:`hfedfm_opt.system.read.read_instance` checks more.
"""

import json
from typing import Any

from hfedfm_opt.system.files import StrPath, write_text
from hfedfm_opt.system.instance import Instance


def instance_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of instance files, version 1."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Instance.model_json_schema()}


def schema_text() -> str:
    """Return the schema as the text of a file."""
    return json.dumps(instance_schema(), indent=1, ensure_ascii=False) + "\n"


def write_schema(path: StrPath) -> None:
    """Write the schema to a file.

    Parameters
    ----------
    path : str or path-like
        The file.

    Raises
    ------
    FileError
        If the file cannot be written.
    """
    write_text(path, schema_text())
