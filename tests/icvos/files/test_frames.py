"""The frames of own videos: folders, pictures, video files, and everything that can be wrong with them."""

import struct
import sys
from collections.abc import Iterator
from operator import length_hint
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from icvos.drawing.animation import write_animation
from icvos.errors import IcvosError
from icvos.files.frames import open_frames, read_picture


def shade(value: int, height: int = 24, width: int = 32) -> np.ndarray:
    return np.full((height, width, 3), value, dtype=np.uint8)


def save(path: Path, image: np.ndarray) -> None:
    Pillow.fromarray(image).save(path)


def quarters() -> np.ndarray:
    """32x24, each quarter in its own colour."""
    image = shade(0)
    image[:12, 16:] = (250, 0, 0)
    image[12:, 16:] = (0, 250, 0)
    image[12:, :16] = (0, 0, 250)
    return image


@pytest.fixture
def film(tmp_path: Path) -> Path:
    pytest.importorskip("av")
    path = tmp_path / "film.mp4"
    write_animation(path, (shade(20 * number) for number in range(11)), fps=10)
    return path


def test_a_folder_is_read_in_natural_order_with_its_names(tmp_path: Path) -> None:
    names = ["frame10.png", "frame2.JPG", "frame1.bmp", "Frame3.webp", "frame11.jpeg"]
    for number, name in enumerate(names):
        save(tmp_path / name, shade(number * 10))
    (tmp_path / "notes.txt").write_text("not a frame")
    save(tmp_path / ".hidden.png", shade(0))
    frames = open_frames(tmp_path)
    expected = ("frame1", "frame2", "Frame3", "frame10", "frame11")
    assert frames.names == expected
    assert frames.count == length_hint(frames) == 5
    assert [name for name, _ in frames] == list(expected)
    assert [round(float(image.mean()), -1) for _, image in frames] == [20, 10, 30, 0, 40]


def test_frames_are_decoded_one_by_one(tmp_path: Path) -> None:
    save(tmp_path / "1.png", shade(10))
    (tmp_path / "2.png").write_bytes(b"\x89PNG broken")
    stream = iter(open_frames(tmp_path))
    name, image = next(stream)
    assert (name, image.shape, image.dtype) == ("1", (24, 32, 3), np.dtype(np.uint8))
    with pytest.raises(IcvosError, match=r"2\.png: cannot be decoded"):
        next(stream)


def test_a_picture_is_a_video_of_one_frame(tmp_path: Path) -> None:
    save(tmp_path / "cat.png", shade(77))
    frames = open_frames(str(tmp_path / "cat.png"))
    assert frames.names == ("cat",)
    [(name, image)] = list(frames)
    assert name == "cat"
    assert (image == 77).all()


def test_pictures_are_turned_upright_and_made_rgb(tmp_path: Path) -> None:
    turned = Pillow.fromarray(quarters())
    exif = turned.getexif()
    exif[0x0112] = 6  # the camera was turned: show it rotated a quarter clockwise
    turned.save(tmp_path / "turned.png", exif=exif)
    assert (read_picture(tmp_path / "turned.png") == np.rot90(quarters(), -1)).all()
    Pillow.fromarray(quarters()).convert("RGBA").save(tmp_path / "alpha.png")
    Pillow.fromarray(shade(9)[..., 0]).save(tmp_path / "grey.png")
    assert read_picture(tmp_path / "alpha.png").shape == (24, 32, 3)
    assert (read_picture(tmp_path / "grey.png") == 9).all()
    Pillow.fromarray(np.full((4, 4), 40000, dtype=np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(IcvosError, match=r"deep\.png: .* 8 bits a channel"):
        read_picture(tmp_path / "deep.png")


def test_a_video_file_gives_numbered_frames_and_can_be_read_twice(film: Path) -> None:
    frames = open_frames(film)
    assert frames.names is None
    assert frames.count == 11
    for _ in range(2):
        found = list(frames)
        assert [name for name, _ in found] == [f"{number:05d}" for number in range(11)]
        assert all(abs(float(image.mean()) - 20 * number) < 6 for number, (_, image) in enumerate(found))


def test_a_video_is_decoded_as_it_is_read(film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from icvos.files import frames as video

    turned: list[int] = []
    real = video._upright
    monkeypatch.setattr(video, "_upright", lambda frame: turned.append(1) or real(frame))
    stream: Iterator[tuple[str, np.ndarray]] = iter(open_frames(film))
    next(stream)
    next(stream)
    assert len(turned) == 2


@pytest.mark.parametrize(
    ("matrix", "turns"),
    [((0, 1, -1, 0), -1), ((-1, 0, 0, -1), 2), ((0, -1, 1, 0), 1)],
    ids=["clockwise", "upside down", "counterclockwise"],
)
def test_a_video_of_a_turned_camera_comes_upright(
    tmp_path: Path, matrix: tuple[int, int, int, int], turns: int
) -> None:
    pytest.importorskip("av")
    path = tmp_path / "phone.mp4"
    write_animation(path, [quarters()] * 3)
    data = bytearray(path.read_bytes())
    start = data.index(b"tkhd") + 4 + 40  # the display matrix of the track header, in 16.16 fixed point
    a, b, c, d = (value << 16 for value in matrix)
    data[start : start + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    [first, *_] = [image for _, image in open_frames(path)]
    expected = np.rot90(quarters(), turns)
    assert first.shape == expected.shape
    assert np.abs(first.astype(int) - expected).mean() < 12


def test_a_gif_is_a_video(tmp_path: Path) -> None:
    pytest.importorskip("av")
    write_animation(tmp_path / "a.gif", (shade(60 * number) for number in range(4)))
    assert [round(float(image.mean()), -1) for _, image in open_frames(tmp_path / "a.gif")] == [0, 60, 120, 180]


@pytest.mark.parametrize("share", [0.1, 0.8])
def test_a_truncated_video_is_refused(film: Path, share: float) -> None:
    data = film.read_bytes()
    film.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(IcvosError, match=r"film\.mp4: (not a readable|holds no|cannot be decoded)"):
        list(open_frames(film))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.mp4", None, "no such file or folder"),
        ("text.mp4", b"this is no video", "not a readable video"),
        ("empty.mp4", b"", "not a readable video"),
        ("broken.jpg", b"\xff\xd8 broken", "cannot be decoded"),
    ],
)
def test_bad_files_are_one_line(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    pytest.importorskip("av")
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(IcvosError, match=message) as caught:
        list(open_frames(path))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_folder_errors(tmp_path: Path) -> None:
    with pytest.raises(IcvosError, match="no frames; give a folder of"):
        open_frames(tmp_path)
    save(tmp_path / "1.png", shade(0))
    save(tmp_path / "2.png", shade(0, 30))
    with pytest.raises(IcvosError, match="frame 2 is 32x30 pixels and the first 32x24"):
        list(open_frames(tmp_path))
    save(tmp_path / "1.jpg", shade(0))
    with pytest.raises(IcvosError, match=r"same frame name as 1\.(png|jpg)"):
        open_frames(tmp_path)


def test_sound_alone_is_refused(tmp_path: Path) -> None:
    import wave

    pytest.importorskip("av")
    with wave.open(str(tmp_path / "a.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(1600))
    with pytest.raises(IcvosError, match="no video stream"):
        open_frames(tmp_path / "a.wav")


def test_without_av_only_video_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    (tmp_path / "film.mkv").write_bytes(b"video")
    with pytest.raises(IcvosError, match=r"film\.mkv: .*pip install 'icvos\[video\]'"):
        open_frames(tmp_path / "film.mkv")
    save(tmp_path / "1.png", shade(0))
    assert open_frames(tmp_path).count == 1


def animation(path: Path, values: tuple[int, ...] = (40, 120, 200), duration_ms: int = 50, **options: object) -> Path:
    first, *rest = [Pillow.fromarray(shade(value)) for value in values]
    save_all = {"save_all": True, "append_images": rest, "duration": duration_ms}
    first.save(path, **({"lossless": True} if path.suffix == ".webp" else {}), **save_all, **options)
    return path


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png", "a.apng", "A.WEBP"])
def test_an_animated_picture_is_a_video(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)  # the extra [video] is not needed
    path = tmp_path / name
    animation(tmp_path / name.lower()).rename(path)
    frames = open_frames(path)
    assert (frames.names, frames.count) == (None, 3)
    for _ in range(2):
        found = [(name, int(image.mean())) for name, image in frames]
        assert found == [("00000", 40), ("00001", 120), ("00002", 200)]
    assert frames.fps == pytest.approx(20)


def test_the_still_of_an_animated_png_is_not_of_the_film(tmp_path: Path) -> None:
    path = animation(tmp_path / "a.png", default_image=True)
    assert [int(image.mean()) for _, image in open_frames(path)] == [120, 200]


def test_parts_of_an_animation_are_drawn_over_the_last_picture(tmp_path: Path) -> None:
    still = Pillow.fromarray(quarters())
    moved = still.copy()
    moved.paste((255, 255, 255), (0, 0, 4, 4))
    still.save(tmp_path / "a.gif", save_all=True, append_images=[moved], duration=100)
    _, (_, second) = open_frames(tmp_path / "a.gif")
    assert (second == np.asarray(moved)).all()


@pytest.mark.parametrize("name", ["2.png", "2.webp"])
def test_an_animation_among_frames_is_refused(tmp_path: Path, name: str) -> None:
    save(tmp_path / "1.png", shade(0))
    animation(tmp_path / name)
    with pytest.raises(IcvosError, match=rf"{name}: an animation of 3 pictures; save the one that is meant"):
        list(open_frames(tmp_path))


@pytest.mark.parametrize("name", ["2.gif", "2.tif", "2.HEIC", "2.avif"])
def test_pictures_of_a_kind_that_is_not_read_are_not_left_out_in_silence(tmp_path: Path, name: str) -> None:
    save(tmp_path / "1.png", shade(0))
    (tmp_path / name).touch()
    with pytest.raises(IcvosError, match=rf"{name}: a picture of a kind that frames cannot have; save frames as \.jpg"):
        open_frames(tmp_path)


def test_a_camera_picture_with_previews_is_one_picture(tmp_path: Path) -> None:
    first, second = (Pillow.fromarray(shade(value)) for value in (90, 30))
    first.save(tmp_path / "phone.jpg", format="MPO", save_all=True, append_images=[second])
    [(name, image)] = open_frames(tmp_path / "phone.jpg")
    assert (name, round(float(image.mean()))) == ("phone", 90)


def test_leftovers_of_file_managers_are_no_frames(tmp_path: Path) -> None:
    save(tmp_path / "1.png", shade(7))
    save(tmp_path / "._1.png", shade(0))
    for leftover in (".DS_Store", "Thumbs.db", "desktop.ini"):
        (tmp_path / leftover).touch()
    assert open_frames(tmp_path).names == ("1",)


def film_with_still(path: Path, still_first: bool, marked: bool, stills: int = 1) -> None:
    """Matroska with a film of five grey frames at 25 a second and a green picture, in any order."""
    import av
    from av.stream import Disposition

    with av.open(str(path), "w") as container:
        kinds = ["still", "film"] if still_first else ["film", "still"]
        streams = {kind: container.add_stream("mjpeg" if kind == "still" else "mpeg4", rate=25) for kind in kinds}
        for stream in streams.values():
            stream.width, stream.height = 64, 48
            stream.pix_fmt = "yuvj420p" if stream.codec.name == "mjpeg" else "yuv420p"
        streams["still"].disposition = Disposition.attached_pic if marked else Disposition(0)
        green = np.broadcast_to(np.array([0, 250, 0], dtype=np.uint8), (48, 64, 3)).copy()
        for kind, images in (("still", [green] * stills), ("film", [shade(30 * n, 48, 64) for n in range(5)])):
            for image in images:
                container.mux(streams[kind].encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            container.mux(streams[kind].encode())


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
@pytest.mark.parametrize("still_first", [True, False])
@pytest.mark.parametrize("marked", [True, False])
def test_a_cover_picture_is_not_the_video(tmp_path: Path, suffix: str, still_first: bool, marked: bool) -> None:
    pytest.importorskip("av")
    path = tmp_path / f"covered{suffix}"
    film_with_still(path, still_first, marked)
    frames = open_frames(path)
    assert frames.count == 5
    assert [round(float(image.mean()), -1) for _, image in frames] == [0, 30, 60, 90, 120]
    assert frames.fps == pytest.approx(25)


def test_a_file_with_a_cover_picture_alone_is_refused(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    path = tmp_path / "song.mp4"
    with av.open(str(path), "w") as container:
        still = container.add_stream("mjpeg", rate=25)
        still.width, still.height, still.pix_fmt = 64, 48, "yuvj420p"
        still.disposition = av.stream.Disposition.attached_pic
        container.mux(still.encode(av.VideoFrame.from_ndarray(shade(9, 48, 64), format="rgb24")))
        container.mux(still.encode())
    with pytest.raises(IcvosError, match=r"song\.mp4: holds only a cover picture and no video stream"):
        open_frames(path)


@pytest.mark.parametrize("fps", [5, 24000 / 1001, 30000 / 1001, 60])
def test_the_frame_rate_of_a_film_is_known(tmp_path: Path, fps: float) -> None:
    pytest.importorskip("av")
    write_animation(tmp_path / "a.mp4", [shade(0)] * 12, fps=fps)
    assert open_frames(tmp_path / "a.mp4").fps == pytest.approx(fps)
