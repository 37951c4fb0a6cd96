"""The command line, ``hfedfm``: a module for each command."""

from hfedfm_opt.cli.entry import call, main

__all__ = ["call", "main"]
