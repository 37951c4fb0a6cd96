"""Real networks: lists of positions become instances."""

from hfedfm_opt.system.geodata.eua import eua_instance
from hfedfm_opt.system.geodata.mapped import LINK_FIELDS, NODE_FIELDS, Columns, csv_instance
from hfedfm_opt.system.geodata.settings import ImportSettings

__all__ = ["LINK_FIELDS", "NODE_FIELDS", "Columns", "ImportSettings", "csv_instance", "eua_instance"]
