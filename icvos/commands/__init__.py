"""The commands of `icvos`, a few lines each over the API. What they work with is imported when one runs."""
