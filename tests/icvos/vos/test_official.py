"""Zip files of published methods as their authors sent them score what the DAVIS site says, frame by frame."""

import json

import pytest

from icvos.vos.folders import score_folders
from tests.icvos.handmade import sample_folder

METHODS = ("osvos", "osvoss", "premvos", "sfls", "siammask")


@pytest.mark.parametrize("method", METHODS)
def test_official_zip_files(method: str) -> None:
    samples = sample_folder("davis2016_official")
    site = json.loads((samples / "frames" / f"{method}.json").read_text())
    found = score_folders(
        samples / "results" / f"{method}.zip", samples / "Annotations", skip_ends=True, objects="binary"
    )
    assert {video.video for video in found.videos} == site.keys() - {"id"}
    assert found.warnings == ()
    for video in found.videos:
        (one,) = video.objects
        for measure, values in (("J", one.j), ("F", one.f)):
            assert [f"{value:.3f}" for value in values] == site[video.video][measure], (video.video, measure)
