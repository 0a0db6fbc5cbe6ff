"""Readers of the data sets that benchmarks are built from: `davis`, `mose`, `lvos`, `youtube_vos` (videos) and `coco`
(support images).

Each module reads one data set from its own folder, as its authors ship it; nothing is imported before it is used.
"""
