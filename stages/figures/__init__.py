"""Figures: each one a function that takes arrays and returns a matplotlib Figure."""
