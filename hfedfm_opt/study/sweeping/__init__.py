"""Sweeps: candidates are planned, trained with paired seeds, and raced; the front is what was measured."""
