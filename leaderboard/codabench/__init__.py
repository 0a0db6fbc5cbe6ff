"""Competitions on Codabench: a bundle that holds all that one needs, and the program in it that scores submissions."""
