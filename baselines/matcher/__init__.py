"""Matcher: all-purpose features say where the target is, SAM proposes masks there, and the best are merged.

After Liu et al. (2023). Nothing is trained. `matching` finds points, `sampling` makes prompts of them, `proposals` lets
SAM decode these, `merging` scores the masks, chooses and unites; `method` puts it together.
"""
