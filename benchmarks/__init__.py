"""Benchmarks: commands that write their results as JSON to benchmarks/records."""

import stages  # noqa: F401 - before NumPy, whose kernels it selects
