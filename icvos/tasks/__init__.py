"""The two kinds of benchmark, behind one door."""
