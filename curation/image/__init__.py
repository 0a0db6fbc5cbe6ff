"""Building benchmarks of image episodes."""
