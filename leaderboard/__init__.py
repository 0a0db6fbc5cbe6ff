"""Submissions, the results store, tables, the site."""
