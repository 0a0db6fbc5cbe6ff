"""From source data sets to a built benchmark."""
