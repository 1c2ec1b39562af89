"""Scoring: pure functions over arrays; scores, calibration, and statistics between variants."""
