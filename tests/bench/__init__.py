"""Benchmarks: `python -m tests.bench` prints ratios against the raw limit, measured in the same run."""
