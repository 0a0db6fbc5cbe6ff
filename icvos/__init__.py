"""The benchmark itself: data model, protocols, metrics, running, scoring, command line."""
