"""Benchmarks: figures with a yardstick in the same run. `make bench`, or `python -m bench --help`."""
