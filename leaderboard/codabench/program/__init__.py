"""What runs in a container on Codabench before icvos is there; packed as it is."""
