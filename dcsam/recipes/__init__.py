"""Training recipes with the paper's settings, as TOML files."""
