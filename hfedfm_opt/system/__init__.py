"""What is given and what is decided: instances, networks, channels and plans."""

from typing import TYPE_CHECKING

from hfedfm_opt.lazy import lazy_exports

if TYPE_CHECKING:
    from hfedfm_opt.system.decisions import Decisions
    from hfedfm_opt.system.defects import Defect, InstanceError
    from hfedfm_opt.system.files import FileError
    from hfedfm_opt.system.instance import Instance
    from hfedfm_opt.system.network import Network, resolve_network
    from hfedfm_opt.system.read import parse_instance, read_instance, write_instance
    from hfedfm_opt.system.schema import instance_schema

__all__ = [
    "Decisions",
    "Defect",
    "FileError",
    "Instance",
    "InstanceError",
    "Network",
    "instance_schema",
    "parse_instance",
    "read_instance",
    "resolve_network",
    "write_instance",
]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "Decisions": "hfedfm_opt.system.decisions",
        "Defect": "hfedfm_opt.system.defects",
        "FileError": "hfedfm_opt.system.files",
        "Instance": "hfedfm_opt.system.instance",
        "InstanceError": "hfedfm_opt.system.defects",
        "Network": "hfedfm_opt.system.network",
        "instance_schema": "hfedfm_opt.system.schema",
        "parse_instance": "hfedfm_opt.system.read",
        "read_instance": "hfedfm_opt.system.read",
        "resolve_network": "hfedfm_opt.system.network",
        "write_instance": "hfedfm_opt.system.read",
    },
)
