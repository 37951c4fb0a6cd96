"""Figures of a comparison, one a file; each function returns a figure as plain data for plotly.js."""
