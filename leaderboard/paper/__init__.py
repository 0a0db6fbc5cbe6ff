"""What the DC-SAM paper prints, table by table: its figures, and how icvos makes them. One TOML file is one table."""
