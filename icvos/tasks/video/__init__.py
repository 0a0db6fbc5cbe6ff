"""Benchmarks of videos: IC-VOS."""
