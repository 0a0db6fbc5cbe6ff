"""Benchmarks of images: few-shot episodes."""
