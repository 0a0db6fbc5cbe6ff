"""Building the benchmark of videos."""
