"""A fingerprint of an instance, so that a plan knows what it was made for."""

import hashlib
from typing import Any

from hfedfm_opt.system.instance import Instance


def instance_digest(instance: Instance) -> str:
    """Return the SHA-256 of what a plan depends on: all but texts, prices and what lives in a run."""
    left_out: dict[str, Any] = dict.fromkeys(("name", "description", "objective", "living"), True)
    if all(node.max_energy_j is None for node in instance.nodes):  # as before there were such limits
        left_out["nodes"] = {"__all__": {"max_energy_j"}}
    content = instance.model_dump_json(exclude=left_out)
    return hashlib.sha256(content.encode()).hexdigest()
