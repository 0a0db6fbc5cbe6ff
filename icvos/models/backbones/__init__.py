"""Image backbones, each with the names of its published checkpoint."""
