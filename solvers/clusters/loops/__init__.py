"""Compiled loops of the joint optimum of clusters."""
