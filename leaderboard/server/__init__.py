"""A submission server: predictions come in by web page or API, are scored by workers, and the truth stays inside."""
