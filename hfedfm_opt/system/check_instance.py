"""Checks an instance: what fits the format may still make no sense."""

from hfedfm_opt.system.check_links import check_links
from hfedfm_opt.system.check_model import check_model
from hfedfm_opt.system.check_nodes import check_nodes
from hfedfm_opt.system.check_reach import check_reach
from hfedfm_opt.system.defects import Defect, Spelling
from hfedfm_opt.system.draft import Draft, draft_of
from hfedfm_opt.system.instance import Instance


def check_instance(instance: Instance) -> tuple[Defect, ...]:
    """Return all defects of an instance that was made in Python; an empty tuple if it makes sense.

    Names that nobody has, parents that form no tree, links without radios, tasks without a head, nodes that
    no link reaches: see :mod:`hfedfm_opt.system.check_nodes` and its neighbours.

    Parameters
    ----------
    instance : Instance
        The instance.
    """
    return check_draft(draft_of(instance), Spelling())


def check_draft(draft: Draft, spelling: Spelling) -> tuple[Defect, ...]:
    """Return all defects between the valid elements of a file.

    Parameters
    ----------
    draft : Draft
        What could be read.
    spelling : Spelling
        Offers known names.
    """
    return (
        *check_nodes(draft, spelling),
        *check_links(draft, spelling),
        *check_model(draft, spelling),
        *check_reach(draft),
    )
