"""Masks drawn over frames, panels and animations."""
