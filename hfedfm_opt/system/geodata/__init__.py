"""Real networks: lists of positions become instances."""

from hfedfm_opt.system.geodata.eua import eua_instance
from hfedfm_opt.system.geodata.settings import ImportSettings

__all__ = ["ImportSettings", "eua_instance"]
