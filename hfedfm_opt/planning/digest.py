"""A fingerprint of an instance, so that a plan knows what it was made for."""

import hashlib

from hfedfm_opt.system.instance import Instance


def instance_digest(instance: Instance) -> str:
    """Return the SHA-256 of what a plan depends on: all but texts and the prices of the objective."""
    content = instance.model_dump_json(exclude={"name", "description", "objective"})
    return hashlib.sha256(content.encode()).hexdigest()
