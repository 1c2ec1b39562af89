"""Scores, calibration, and statistics between variants: pure functions of arrays."""
