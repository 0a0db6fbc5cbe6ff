"""SAM 2 as it is trained to obey prompts, on pictures and through videos."""
