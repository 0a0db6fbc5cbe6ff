"""Getting the source data sets: where they are handed out, fetching and unpacking them, and whether a copy is whole."""
