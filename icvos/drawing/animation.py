"""Images to an animation file: GIF, animated WebP or MP4, by the file's suffix."""

import contextlib
import itertools
import tempfile
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image as Pillow
from PIL import ImageSequence
from PIL.TiffImagePlugin import AppendingTiffWriter

from icvos.errors import IcvosError
from icvos.files.frames import load_av
from icvos.files.storage import atomic_file, require_writable
from icvos.method import Image

SUFFIXES = (".gif", ".webp", ".mp4")
MOST_FPS = 1000
MOST_FPS_OF_GIF = 50  # frames a second: its delays are whole hundredths, and players slow down a delay of one
PALETTE_SAMPLES = 48  # frames that the shared palette of a GIF is made from
BT601, LIMITED_RANGE = 6, 1  # the numbers of these in the H.264 standard and in FFmpeg
SPOOL_BYTES = (1 << 32) - (1 << 24)  # a TIFF cannot be larger
DITHER = 8.0  # in grey levels: hides banding and keeps still regions still, which error diffusion does not


def write_animation(path: Path | str, frames: Iterable[Image], fps: float = 12, width_px: int | None = None) -> int:
    """Write ``frames`` as a GIF, animated WebP or MP4, whole or not at all; returns how many there were.

    MP4 is encoded while the frames come. GIF and WebP go through a temporary file on disk, since a good shared palette
    (and Pillow's WebP writer) must see all frames. Memory holds one frame, and what Pillow keeps until the end: the
    encoded frames of a WebP, one byte a pixel for a GIF.

    Args:
        path: ``.gif``, ``.webp`` or ``.mp4``; MP4 needs the extra ``[video]``.
        frames: (H, W, 3) uint8 RGB, all of one size.
        fps: Frames a second; a GIF allows at most 50.
        width_px: Scale the frames to this width; None: leave them. An MP4's sides are made even by repeating an edge.
    """
    path = Path(path)
    require_animation(path, fps)
    suffix = path.suffix.lower()
    checked = _checked(path, frames, width_px)
    first = next(checked, None)
    if first is None:
        raise IcvosError(f"{path}: no frame to write; choose frames that exist")
    counter = itertools.count()
    counted = (frame for frame, _ in zip(itertools.chain([first], checked), counter, strict=False))
    with atomic_file(path) as temporary:
        if suffix == ".mp4":
            try:
                _write_mp4(temporary, counted, first.shape, Fraction(fps).limit_denominator(1001))
            except load_av(path).error.FFmpegError as error:
                raise IcvosError(
                    f"{path}: cannot be encoded ({error.strerror}); free some space, or choose another width or folder"
                ) from error
        elif suffix == ".gif":
            _write_gif(temporary, counted, fps)
        else:
            _write_webp(temporary, counted, fps)
    return next(counter)


def most_fps(path: Path) -> int:
    """How many frames a second a file of this kind can show."""
    return MOST_FPS_OF_GIF if path.suffix.lower() == ".gif" else MOST_FPS


def require_animation(path: Path, fps: float = 12) -> None:
    """Raise `IcvosError`, before any work, for a ``path`` or rate that `write_animation` would refuse."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise IcvosError(f"{path}: unknown kind of animation; end the name in {', '.join(SUFFIXES)}")
    if not 0 < fps <= most_fps(path):
        raise IcvosError(
            f"{path}: {fps:g} frames a second cannot be shown; choose more than 0, and at most {most_fps(path)}"
        )
    if suffix == ".mp4":
        load_av(path)
    require_writable(path)


def _checked(path: Path, frames: Iterable[Image], width_px: int | None) -> Iterator[Image]:
    size: tuple[int, ...] | None = None
    for number, frame in enumerate(frames):
        size = size or frame.shape
        if frame.shape != size:
            raise IcvosError(
                f"{path}: frame {number} is {frame.shape[1]}x{frame.shape[0]} pixels and the first "
                f"{size[1]}x{size[0]}; give frames of one size"
            )
        yield _scaled(frame, width_px)


def _scaled(frame: Image, width_px: int | None) -> Image:
    import cv2

    height, width = frame.shape[:2]
    if width_px is None or width_px == width:
        return frame
    target = (width_px, max(1, round(height * width_px / width)))
    scaled: Image = cv2.resize(frame, target, interpolation=cv2.INTER_AREA if width_px < width else cv2.INTER_CUBIC)
    return scaled


def _durations(count: int, fps: float, unit_ms: int) -> list[int]:
    """Milliseconds of each frame in whole units, with the rounding spread so that the total stays right."""
    ends = [round(number * 1000 / fps / unit_ms) for number in range(count + 1)]
    return [unit_ms * (end - start) for start, end in itertools.pairwise(ends)]


@contextlib.contextmanager
def _spooled(path: Path, frames: Iterable[Image]) -> Iterator[Pillow.Image]:
    """The frames as one multi-page image on disk, which Pillow reads page by page."""
    with tempfile.TemporaryDirectory(prefix="icvos-") as folder:
        spool = Path(folder) / "frames.tif"
        written = 0
        with AppendingTiffWriter(str(spool)) as writer:
            for frame in frames:
                written += frame.nbytes + 4096
                if written > SPOOL_BYTES:
                    raise IcvosError(f"{path.suffix[1:]}: too many frames; choose fewer, a smaller width, or .mp4")
                try:
                    Pillow.fromarray(frame).save(writer, format="TIFF")
                    writer.newFrame()
                except OSError as error:
                    raise IcvosError(
                        f"{folder}: cannot be written ({error.strerror or error}); free some space there, or name "
                        "another folder for temporary files by TMPDIR"
                    ) from error
        with Pillow.open(spool) as film:
            yield film


def _write_gif(path: Path, frames: Iterable[Image], fps: float) -> None:
    with _spooled(path, frames) as film:
        count = getattr(film, "n_frames", 1)
        palette = _shared_palette(film, count)
        pictures = (_reduced(page, palette) for page in ImageSequence.Iterator(film))
        next(pictures).save(
            path,
            format="GIF",
            save_all=True,
            append_images=pictures,
            duration=_durations(count, fps, 10),
            loop=0,
            optimize=False,
            disposal=1,
        )


def _shared_palette(film: Pillow.Image, count: int) -> Pillow.Image:
    """A palette image: white, and 255 colours from frames spread over the whole film.

    A colour counts by the square root of its pixels, so that small things (a contour, a legend) keep theirs beside a
    large background.
    """
    sums, counts = np.zeros((1 << 15, 3)), np.zeros(1 << 15)
    for index in sorted({step * count // PALETTE_SAMPLES for step in range(PALETTE_SAMPLES)}):
        film.seek(index)
        pixels = np.asarray(film.convert("RGB")).reshape(-1, 3)
        bins = (pixels >> 3) @ np.array([1 << 10, 1 << 5, 1])
        counts += np.bincount(bins, minlength=1 << 15)
        for channel in range(3):
            sums[:, channel] += np.bincount(bins, weights=pixels[:, channel], minlength=1 << 15)
    film.seek(0)
    used = np.flatnonzero(counts)
    means = np.rint(sums[used] / counts[used, None]).astype(np.uint8)
    shares = np.ceil(np.sqrt(counts[used]) * 256 / np.sqrt(counts.max())).astype(int)
    drawn = Pillow.fromarray(np.repeat(means, shares, axis=0)[None])
    reduced = drawn.quantize(255, method=Pillow.Quantize.MEDIANCUT, kmeans=3)
    palette = Pillow.new("P", (1, 1))
    palette.putpalette(([255, 255, 255, *(reduced.getpalette() or [])] * 256)[:768])
    return palette


def _bayer(size: int) -> np.ndarray:
    """The (size, size) ordered dither matrix, in [-0.5, 0.5); ``size`` is a power of two."""
    matrix = np.zeros((1, 1))
    while len(matrix) < size:
        matrix = np.block([[4 * matrix, 4 * matrix + 2], [4 * matrix + 3, 4 * matrix + 1]])
    return (matrix + 0.5) / size**2 - 0.5


def _reduced(page: Pillow.Image, palette: Pillow.Image) -> Pillow.Image:
    pixels = np.asarray(page.convert("RGB")).astype(np.float32)
    height, width = pixels.shape[:2]
    pattern = DITHER * np.tile(_bayer(8), (height // 8 + 1, width // 8 + 1))[:height, :width, None]
    # White paper and other flat extremes stay clean.
    flat = (pixels.min(axis=2, keepdims=True) > 250) | (pixels.max(axis=2, keepdims=True) < 5)
    dithered = np.clip(np.rint(pixels + np.where(flat, 0.0, pattern)), 0, 255).astype(np.uint8)
    return Pillow.fromarray(dithered).quantize(palette=palette, dither=Pillow.Dither.NONE)


def _write_webp(path: Path, frames: Iterable[Image], fps: float) -> None:
    with _spooled(path, frames) as film:
        count = getattr(film, "n_frames", 1)
        film.save(path, format="WEBP", save_all=True, duration=_durations(count, fps, 1), loop=0, quality=82, method=3)


def _write_mp4(path: Path, frames: Iterable[Image], shape: tuple[int, ...], rate: Fraction) -> None:
    av = load_av(path)
    height, width = shape[0] + shape[0] % 2, shape[1] + shape[1] % 2
    codec = "libx264" if "libx264" in av.codec.codecs_available else "mpeg4"
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        # Say which matrix made the YUV values: players guess another one for large frames.
        stream.codec_context.colorspace, stream.codec_context.color_range = BT601, LIMITED_RANGE
        if codec == "libx264":
            stream.options = {"crf": "19", "preset": "medium"}
        else:
            stream.bit_rate = 8_000_000
        for frame in frames:
            even = np.pad(frame, ((0, height - shape[0]), (0, width - shape[1]), (0, 0)), mode="edge")
            container.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="rgb24")))
        container.mux(stream.encode())
