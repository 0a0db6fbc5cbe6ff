"""The reference model, DC-SAM."""
