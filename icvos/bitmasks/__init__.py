"""Masks as bits, 64 pixels a word."""
