"""What several baselines are made of."""
