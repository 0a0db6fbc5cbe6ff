"""Reviewing videos in a browser: the app, what it stores, and how far two reviewers agree."""
