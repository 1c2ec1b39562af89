"""What is measured: each file one command, its result one JSON file in benchmarks/records."""
