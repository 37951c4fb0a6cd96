"""Generators of instances: the published scenario, a campus, and cities of any size."""

from hfedfm_opt.system.generate.campus import campus_instance
from hfedfm_opt.system.generate.city import city_instance
from hfedfm_opt.system.generate.paper import paper_instance

__all__ = ["campus_instance", "city_instance", "paper_instance"]
