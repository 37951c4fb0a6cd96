"""Generators of instances: the published scenario, a campus, and cities of any size."""

from hfedfm_opt.system.generate.paper import paper_instance

__all__ = ["paper_instance"]
