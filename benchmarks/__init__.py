"""Side by side with the physical floor, as ratios: `python -m benchmarks`, or `make bench`."""
