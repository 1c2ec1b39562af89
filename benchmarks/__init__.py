"""What is measured: each file one command, its result one JSON file in benchmarks/records."""

import stages  # noqa: F401 - before NumPy, whose kernels it selects
