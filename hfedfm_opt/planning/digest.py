"""A fingerprint of an instance, so that a plan knows what it was made for."""

import hashlib

from hfedfm_opt.system.instance import Instance


def instance_digest(instance: Instance) -> str:
    """Return the SHA-256 of what a plan depends on: all but texts, prices and what lives in a run."""
    content = instance.model_dump_json(exclude={"name", "description", "objective", "living"})
    return hashlib.sha256(content.encode()).hexdigest()
