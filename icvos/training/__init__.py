"""Training few-shot networks by recipes."""
