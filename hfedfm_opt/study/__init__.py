"""Comparisons of planners, and their reports."""
