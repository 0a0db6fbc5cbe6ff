"""The frames of a clip as they are put into a benchmark."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from curation.sources.video import SourceVideo
from curation.video.clips import _place_frame, make_video
from curation.video.tubes import Candidate, Republished
from icvos.errors import IcvosError
from icvos.tasks.video.benchmark import Video
from tests.curation.sources.source_folders import ONE, write_video


def test_frames_that_are_no_jpeg_are_encoded_as_they_look(tmp_path: Path) -> None:
    for mode in ("L", "RGB", "RGBA", "P"):
        Image.new("L", (16, 8), 120).convert(mode).save(tmp_path / "a.png")
        _place_frame(tmp_path / "a.png", tmp_path / f"{mode}.jpg")
        with Image.open(tmp_path / f"{mode}.jpg") as found:
            assert (found.mode, found.size) == ("RGB", (16, 8))
            assert abs(np.asarray(found).astype(int) - 120).max() < 4


def test_frames_of_16_bits_are_refused_and_not_white(tmp_path: Path) -> None:
    Image.fromarray(np.full((8, 16), 30_000, dtype=np.uint16)).save(tmp_path / "a.png")
    with pytest.raises(IcvosError, match=r"a\.png: a picture of mode I;16; save it with 8 bits a channel"):
        _place_frame(tmp_path / "a.png", tmp_path / "a.jpg")
    assert not (tmp_path / "a.jpg").exists()


@pytest.mark.parametrize(("ids", "said"), [(ONE, False), (np.ones_like(ONE), True)])
def test_masks_that_are_all_object_are_a_notice(
    tmp_path: Path, ids: np.ndarray, said: bool, caplog: pytest.LogCaptureFixture
) -> None:
    name = f"all-{said}"
    frames, masks = tmp_path / "J" / name, tmp_path / "A" / name
    write_video(frames, masks, [ids, ids])
    video = SourceVideo("davis", name, tuple(sorted(frames.iterdir())), tuple(sorted(masks.iterdir())))
    record = make_video(Candidate(video, ((17, (1,)),)), tmp_path / "out", allow_late=False)
    assert set(record.clips) == {"17"}
    assert (f"davis_{name}: every pixel of every mask is class 17" in caplog.text) == said


def test_soft_masks_of_a_published_copy_are_a_notice(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = tmp_path / "dog"
    write_video(root / "JPEGImages", root / "Annotations" / "17", [ONE, ONE])
    soft = np.where(ONE, 255, np.arange(ONE.size, dtype=np.uint8).reshape(ONE.shape))
    Image.fromarray(soft.astype(np.uint8)).save(root / "Annotations" / "17" / "00001.png")
    list(Republished(Video("dog", "", root), (17,)).iter_masks())
    assert "17/00001.png: " in caplog.text
    assert "different values beside 0" in caplog.text
