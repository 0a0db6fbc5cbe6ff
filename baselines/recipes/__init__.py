"""Training recipes with the papers' settings, as TOML files."""
