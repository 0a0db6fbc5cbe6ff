"""Overlays, layouts and animations: what is drawn where, and what comes back from the files."""

import itertools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from icvos.categories import category
from icvos.drawing import animation
from icvos.drawing.animation import write_animation
from icvos.drawing.overlays import (
    AGREEMENT,
    COLOURS,
    FALSE,
    MISSED,
    compare,
    figure,
    legend,
    overlay,
    render_frames,
)
from icvos.drawing.panels import contact_sheet, evenly, label, side_by_side
from icvos.errors import IcvosError
from icvos.files.masks import DAVIS_PALETTE, write_binary
from icvos.method import Support
from icvos.tasks.video.benchmark import Clip, Video
from icvos.tasks.video.sheet import render_clip

GREY = np.full((40, 60, 3), 100, dtype=np.uint8)


def box(top: int, bottom: int, left: int, right: int, shape: tuple[int, int] = (40, 60)) -> np.ndarray:
    mask = np.zeros(shape, dtype=bool)
    mask[top:bottom, left:right] = True
    return mask


def blend(colour: tuple[int, int, int], alpha: float, under: int = 100) -> list[int]:
    return [round(under + alpha * (value - under)) for value in colour]


def moving(count: int, height: int = 24, width: int = 32) -> Iterator[np.ndarray]:
    """A white square that moves over a coloured ramp."""
    for step in range(count):
        frame = np.zeros((height, width, 3), dtype=np.uint8)
        frame[..., 1] = np.linspace(0, 180, width)
        frame[..., 2] = 90
        frame[6:14, step % (width - 8) : step % (width - 8) + 8] = 255
        yield frame


# Overlays


def test_overlay_tints_inside_outlines_the_edge_and_leaves_the_rest() -> None:
    drawn = overlay(GREY, box(10, 30, 15, 45), alpha=0.5, outline_px=2)
    assert drawn.shape == GREY.shape
    assert drawn.dtype == np.uint8
    assert drawn[20, 30].tolist() == blend(COLOURS[0], 0.5)
    assert np.abs(drawn[20, 16].astype(int) - COLOURS[0]).max() <= 8  # the contour is solid
    assert (drawn[:6] == 100).all()
    assert (drawn[:, 52:] == 100).all()
    assert (GREY == 100).all()  # the input is not drawn on


def test_overlay_without_outline_changes_only_the_object() -> None:
    mask = box(10, 30, 15, 45)
    drawn = overlay(GREY, mask, colours=[(0, 0, 0)], alpha=1.0, outline_px=0)
    assert (drawn[12:28, 17:43] == 0).all()
    assert (drawn[:8] == 100).all()
    assert (overlay(GREY, mask, alpha=0.0, outline_px=0) == GREY).all()


def test_overlay_colours_objects_by_their_ids() -> None:
    ids = np.zeros((40, 60), dtype=np.uint8)
    ids[5:35, 2:18], ids[5:35, 20:38], ids[5:35, 42:58] = 1, 3, len(COLOURS) + 1
    drawn = overlay(GREY, ids)
    assert drawn[20, 10].tolist() == blend(COLOURS[0], 0.5)
    assert drawn[20, 29].tolist() == blend(COLOURS[2], 0.5)
    assert drawn[20, 50].tolist() == blend(COLOURS[0], 0.5)
    palette = overlay(GREY, ids, DAVIS_PALETTE[1:])
    assert palette[20, 29].tolist() == blend((128, 128, 0), 0.5)


def test_void_is_left_alone_beside_objects_and_is_the_object_of_a_0_255_mask() -> None:
    both = np.zeros((40, 60), dtype=np.uint8)
    both[5:35, 5:20], both[5:35, 40:55] = 2, 255
    drawn = overlay(GREY, both)
    assert drawn[20, 12].tolist() == blend(COLOURS[1], 0.5)
    assert (drawn[5:35, 40:55] == 100).all()
    only = np.where(both == 255, both, 0)
    assert overlay(GREY, only)[20, 48].tolist() == blend(COLOURS[0], 0.5)


@pytest.mark.parametrize("mask", [np.zeros((40, 60), dtype=bool), np.zeros((40, 60), dtype=np.uint8)])
def test_an_empty_mask_draws_nothing(mask: np.ndarray) -> None:
    assert (overlay(GREY, mask) == GREY).all()


def test_a_full_mask_and_a_single_pixel_are_drawn() -> None:
    full = overlay(GREY, np.ones((40, 60), dtype=bool))
    assert (full == blend(COLOURS[0], 0.5)).all()  # no contour where the object goes on beyond the picture
    single = overlay(GREY, box(20, 21, 30, 31))
    assert (single[20, 30] != 100).any()


def test_a_rim_does_not_lie_on_a_touching_object() -> None:
    ids = np.zeros((40, 60), dtype=np.uint8)
    ids[:, :30], ids[:, 30:] = 1, 2
    drawn = overlay(GREY, ids, colours=[(200, 0, 0), (0, 0, 200)], outline_px=2)
    assert drawn[20, 26:34, 1].max() <= 100


def test_overlay_refuses_a_mask_of_another_size() -> None:
    with pytest.raises(IcvosError, match="mask is 60x39 pixels, the image 60x40"):
        overlay(GREY, np.zeros((39, 60), dtype=bool))


def test_compare_shows_agreement_missed_and_false() -> None:
    truth, prediction = box(10, 30, 10, 40), box(10, 30, 25, 55)
    drawn = compare(GREY, truth, prediction, alpha=0.6)
    assert drawn[20, 17].tolist() == blend(MISSED, 0.6)
    assert drawn[20, 32].tolist() == blend(AGREEMENT, 0.6)
    assert drawn[20, 48].tolist() == blend(FALSE, 0.6)
    assert drawn[35, 5].tolist() == [100, 100, 100]
    assert drawn[20, 9:11].max() > 200  # the truth's contour
    plain = compare(GREY, truth, prediction, outline_px=0)
    assert (plain[10:30, 10:25] == blend(MISSED, 0.6)).all()


def test_legend_shows_the_three_colours_and_has_the_width() -> None:
    strip = legend(400)
    assert strip.shape[1] == 400
    found = {tuple(colour) for colour in strip.reshape(-1, 3).tolist()}
    assert {AGREEMENT, MISSED, FALSE} <= found
    assert legend(90).shape[1] == 90


# Machado et al. 2009, severity 1.0, on linear RGB.
SIGHTS = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}


def lab(linear: np.ndarray) -> np.ndarray:
    """CIELAB (D65) of (N, 3) linear sRGB."""
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    t = linear @ to_xyz.T / [0.9505, 1.0, 1.089]
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize("colours", [COLOURS, (AGREEMENT, MISSED, FALSE)], ids=["objects", "errors"])
def test_colours_stay_apart_for_colour_blind_eyes(sight: str, colours: tuple[tuple[int, int, int], ...]) -> None:
    values = np.array(colours) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    seen = lab(np.clip(linear @ np.array(SIGHTS[sight]).T, 0, 1))
    nearest = min(np.linalg.norm(one - other) for one, other in itertools.combinations(seen, 2))
    assert nearest > 25


# Layout


def test_label_adds_a_strip_with_text_above() -> None:
    labelled = label(GREY, "frame 7")
    strip = labelled[: -GREY.shape[0]]
    assert labelled.shape[1] == 60
    assert (labelled[-40:] == GREY).all()
    assert strip.min() < 120
    assert (label(GREY, "")[: -GREY.shape[0]] == 255).all()


def test_a_long_label_is_cut_inside_the_width() -> None:
    labelled = label(GREY, "a category with a very long name " * 4)
    assert labelled.shape[1] == 60
    assert labelled[:-40].min() < 120


def test_side_by_side_scales_to_one_height() -> None:
    row = side_by_side([GREY, GREY[:20, :20]], gap_px=6)
    assert row.shape == (40, 60 + 6 + 40, 3)
    assert (row[:, 60:66] == 255).all()
    assert side_by_side([GREY, GREY], ["a", "b"], height_px=80).shape[1] == 120 + 8 + 120
    with pytest.raises(IcvosError, match="no panel"):
        side_by_side([])


def test_contact_sheet_places_images_row_by_row() -> None:
    shades = [np.full((30, 60, 3), 40 * number, dtype=np.uint8) for number in range(5)]
    sheet = contact_sheet(shades, columns=2, width_px=230, gap_px=10)
    assert sheet.shape == (3 * 50 + 4 * 10, 230, 3)
    centres = [sheet[10 + 60 * y + 25, 10 + 110 * x + 50, 0] for y in range(3) for x in range(2)]
    assert centres == [0, 40, 80, 120, 160, 255]


def test_contact_sheet_chooses_evenly_from_a_stream_without_keeping_it() -> None:
    alive = 0
    most = 0

    class Frame(np.ndarray):
        def __del__(self) -> None:
            nonlocal alive
            if self.base is None:
                alive -= 1

    def stream() -> Iterator[np.ndarray]:
        nonlocal alive, most
        for number in range(200):
            frame = Frame((30, 60, 3), dtype=np.uint8)
            frame[:] = number
            alive += 1
            most = max(most, alive)
            yield frame

    sheet = contact_sheet(stream(), columns=4, width_px=450, count=4, gap_px=10)
    values = [int(sheet[20, 10 + 110 * x + 50, 0]) for x in range(4)]
    assert values[0] == 0
    assert values[-1] == 199
    assert all(40 <= step <= 95 for step in np.diff(values))
    assert most <= 3


def test_contact_sheet_labels_and_errors() -> None:
    plain = contact_sheet([GREY, GREY], columns=2, width_px=200)
    named = contact_sheet([GREY, GREY], columns=2, width_px=200, labels=["one", "two"])
    assert named.shape[0] > plain.shape[0]
    assert contact_sheet([GREY], columns=4, width_px=400).shape[1] < 400
    with pytest.raises(IcvosError, match="no image"):
        contact_sheet([])
    with pytest.raises(IcvosError, match="0 columns do not fit"):
        contact_sheet([GREY], columns=0)
    with pytest.raises(IcvosError, match="50 columns do not fit"):
        contact_sheet([GREY], columns=50, width_px=400)


@pytest.mark.parametrize(
    ("total", "count", "expected"),
    [(10, 3, [0, 4, 9]), (5, 5, [0, 1, 2, 3, 4]), (2, 9, [0, 1]), (7, 1, [3]), (0, 3, []), (1, 1, [0])],
)
def test_evenly(total: int, count: int, expected: list[int]) -> None:
    assert evenly(total, count) == expected


@pytest.mark.parametrize("rows", [1, 2])
def test_figure_has_the_width_and_the_support_at_the_left(rows: int) -> None:
    frames = [GREY] * 4
    masks = [box(10, 30, 15, 45)] * 4
    support = np.full((60, 40, 3), 200, dtype=np.uint8)
    drawn = figure(support, np.ones((60, 40), dtype=bool), frames, masks, list("abcd"), width_px=900, rows=rows)
    assert drawn.shape[1] == 900
    assert (drawn[:3] == 255).all()
    tinted = blend(COLOURS[0], 0.5, 200)
    columns = np.flatnonzero((np.abs(drawn.astype(int) - tinted).max(axis=2) <= 1).mean(axis=0) > 0.3)
    assert columns.min() < 30
    assert columns.max() < 450


# Clips


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    folder = tmp_path / "videos" / "davis_toy"
    (folder / "JPEGImages").mkdir(parents=True)
    found = Clip(Video("davis_toy", "davis", folder), category("dog"))
    for number, frame in enumerate(moving(6, 40, 60)):
        Pillow.fromarray(frame).save(folder / "JPEGImages" / f"{number:05d}.jpg")
        write_binary(found.mask_path(f"{number:05d}"), frame[..., 0] == 255)
    return found


@pytest.fixture
def support(tmp_path: Path) -> Support:
    Pillow.fromarray(GREY).save(tmp_path / "s.jpg")
    write_binary(tmp_path / "s.png", box(10, 30, 15, 45))
    return Support("s", tmp_path / "s.jpg", tmp_path / "s.png")


def test_render_clip_shows_supports_truth_and_prediction(clip: Clip, support: Support) -> None:
    asked: list[str] = []

    def masks(name: str) -> np.ndarray:
        asked.append(name)
        return box(0, 10, 0, 10)

    truth_only = next(render_clip(clip, height_px=80))
    with_support = next(render_clip(clip, supports=[support], height_px=80))
    shown = list(render_clip(clip, masks, [support], every=2, height_px=80))
    assert len(shown) == 3
    assert asked == ["00000", "00002", "00004"]
    assert truth_only.shape[1] == 120 + 16
    assert with_support.shape[1] == 2 * 120 + 8 + 16
    assert shown[0].shape[1] == 3 * 120 + 2 * 8 + 16
    errors = next(render_clip(clip, masks, [support] * 5, errors=True, height_px=80))
    assert errors.shape[0] > shown[0].shape[0]  # the legend
    assert tuple(FALSE) in {tuple(colour) for colour in errors.reshape(-1, 3).tolist()}


def test_render_clip_draws_each_frame_only_when_asked(clip: Clip) -> None:
    asked: list[str] = []

    def masks(name: str) -> np.ndarray:
        asked.append(name)
        return np.zeros((40, 60), dtype=bool)

    stream = render_clip(clip, masks, count=3, height_px=40)
    assert asked == []
    next(stream)
    assert asked == ["00000"]
    assert len(list(stream)) == 2
    assert asked == ["00000", "00002", "00005"]


def test_render_clip_refuses_no_frames(clip: Clip) -> None:
    with pytest.raises(IcvosError, match="davis_toy/17: no frame is shown"):
        render_clip(clip, every=0)


def test_render_frames_takes_ids_and_plain_frames() -> None:
    ids = np.zeros((40, 60), dtype=np.uint8)
    ids[5:35, 5:25], ids[5:35, 35:55] = 1, 2
    named = [("00000", GREY)]
    drawn = next(render_frames(named, masks=lambda _: ids, height_px=40))
    found = {tuple(colour) for colour in drawn.reshape(-1, 3).tolist()}
    assert {tuple(blend(COLOURS[0], 0.5)), tuple(blend(COLOURS[1], 0.5))} <= found
    assert next(render_frames(named, height_px=40)).shape == drawn.shape


# Animations


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
@pytest.mark.parametrize("fps", [12, 25])
def test_gif_and_webp_open_again_with_all_frames_and_the_right_duration(
    tmp_path: Path, suffix: str, fps: float
) -> None:
    path = tmp_path / "new" / f"a{suffix}"
    assert write_animation(path, moving(13), fps=fps) == 13
    with Pillow.open(path) as image:
        assert image.size == (32, 24)
        assert image.n_frames == 13
        milliseconds = 0
        for index in range(13):
            image.seek(index)
            image.load()
            milliseconds += image.info["duration"]
        assert abs(milliseconds - 1000 * 13 / fps) <= 10
        assert image.info["loop"] == 0
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_gif_keeps_white_exact_and_small_colours_near(tmp_path: Path) -> None:
    def frames() -> Iterator[np.ndarray]:
        rng = np.random.default_rng(0)
        for _ in range(4):
            frame = rng.integers(60, 160, (64, 96, 3), dtype=np.uint8)
            frame[:10] = 255
            frame[50:53, 80:83] = COLOURS[0]
            yield frame

    write_animation(tmp_path / "a.gif", frames())
    with Pillow.open(tmp_path / "a.gif") as image:
        image.seek(2)
        pixels = np.asarray(image.convert("RGB")).astype(int)
    assert (pixels[:10] == 255).all()
    assert np.abs(pixels[50:53, 80:83] - COLOURS[0]).max() <= 24


def test_webp_colours_come_back(tmp_path: Path) -> None:
    write_animation(tmp_path / "a.webp", [np.full((32, 32, 3), colour, dtype=np.uint8) for colour in COLOURS[:3]])
    with Pillow.open(tmp_path / "a.webp") as image:
        for index in range(3):
            image.seek(index)
            assert np.abs(np.asarray(image.convert("RGB")).astype(int) - COLOURS[index]).max() <= 12


@pytest.mark.parametrize(("size", "expected"), [((24, 32), (24, 32)), ((25, 33), (26, 34)), ((1, 1), (2, 2))])
def test_mp4_has_even_sides_all_frames_and_the_colours(
    tmp_path: Path, size: tuple[int, int], expected: tuple[int, int]
) -> None:
    av = pytest.importorskip("av")
    frames = [np.full((*size, 3), 40 + 10 * number, dtype=np.uint8) for number in range(9)]
    assert write_animation(tmp_path / "a.mp4", frames, fps=8) == 9
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert container.streams.video[0].average_rate == 8
        assert abs(container.duration / 1e6 - 9 / 8) < 0.05
        decoded = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert [frame.shape[:2] for frame in decoded] == [expected] * 9
    for frame, given in zip(decoded, frames, strict=True):
        assert abs(int(frame.mean()) - int(given[0, 0, 0])) <= 6


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".mp4"])
def test_a_single_frame_and_a_width(tmp_path: Path, suffix: str) -> None:
    if suffix == ".mp4":
        pytest.importorskip("av")
    path = tmp_path / f"a{suffix}"
    assert write_animation(path, moving(1), width_px=16) == 1
    if suffix != ".mp4":
        with Pillow.open(path) as image:
            assert image.size == (16, 12)
            assert getattr(image, "n_frames", 1) == 1


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".mp4"])
def test_frames_are_streamed(tmp_path: Path, suffix: str) -> None:
    if suffix == ".mp4":
        pytest.importorskip("av")
    alive = most = 0

    class Frame(np.ndarray):
        def __del__(self) -> None:
            nonlocal alive
            if self.base is None:
                alive -= 1

    def frames() -> Iterator[np.ndarray]:
        nonlocal alive, most
        for plain in moving(40):
            frame = Frame(plain.shape, dtype=np.uint8)
            frame[:] = plain
            alive += 1
            most = max(most, alive)
            yield frame
            del frame

    assert write_animation(tmp_path / f"a{suffix}", frames()) == 40
    assert most <= 4


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".mp4"])
def test_a_failure_leaves_the_old_file(tmp_path: Path, suffix: str) -> None:
    if suffix == ".mp4":
        pytest.importorskip("av")
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"old")

    def broken() -> Iterator[np.ndarray]:
        yield from moving(3)
        raise IcvosError("mask.png: truncated; fetch it again")

    with pytest.raises(IcvosError, match="truncated"):
        write_animation(path, broken())
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("name", "frames", "fps", "message"),
    [
        ("a.avi", [GREY], 12, "unknown kind of animation; end the name in .gif, .webp, .mp4"),
        ("a.gif", [], 12, "no frame to write"),
        ("a.gif", [GREY], 60, "at most 50"),
        ("a.webp", [GREY], 0, "0 frames a second"),
        ("a.gif", [GREY, GREY[:20]], 12, "frame 1 is 60x20 pixels and the first 60x40"),
    ],
)
def test_animation_errors(tmp_path: Path, name: str, frames: list[np.ndarray], fps: float, message: str) -> None:
    with pytest.raises(IcvosError, match=message):
        write_animation(tmp_path / name, frames, fps=fps)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(IcvosError, match="cannot be written"):
        write_animation(tmp_path / "file" / "a.gif", moving(2))


def test_mp4_without_av_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(IcvosError, match=r"pip install 'icvos\[video\]'"):
        write_animation(tmp_path / "a.mp4", moving(2))
    assert list(tmp_path.iterdir()) == []


def test_what_the_encoder_refuses_is_one_line(tmp_path: Path) -> None:
    pytest.importorskip("av")
    with pytest.raises(IcvosError, match=r"a\.mp4: cannot be encoded"):
        write_animation(tmp_path / "a.mp4", [np.zeros((2, 40_000, 3), dtype=np.uint8)])
    assert list(tmp_path.iterdir()) == []


def test_too_many_frames_for_a_gif_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(animation, "SPOOL_BYTES", 20_000)
    with pytest.raises(IcvosError, match=r"too many frames; choose fewer, a smaller width, or \.mp4"):
        write_animation(tmp_path / "a.gif", moving(10))


def test_importing_render_and_video_loads_no_heavy_package() -> None:
    code = (
        "import sys, icvos.drawing.overlays, icvos.files.frames\n"
        "print(sorted({'av', 'cv2', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
