"""Measures the runtime's learning: what it reaches, and what it takes."""
