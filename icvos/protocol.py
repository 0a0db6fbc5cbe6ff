"""What a score means: which frames of a clip count, and at which size masks are compared.

A protocol is named and versioned in every result, and results of different protocols never share a table.
"""

from dataclasses import dataclass

from icvos.errors import IcvosError


@dataclass(frozen=True, slots=True)
class Protocol:
    """How predictions are compared with the truth.

    Args:
        name: Short name; with ``version`` it makes the ``id`` that results carry.
        version: Raised whenever the meaning of a number changes.
        max_frames: Only the first ``max_frames`` frames of a video count; None: all.
        size: (height, width) to which prediction and truth are resized by `files.masks.resize_nearest`; None: native.
        skip_ends: Leave out the first and the last frame, as the DAVIS benchmarks do, which give the first mask.
        about: One sentence for tables and ``--help``.
        about_images: The same for image benchmarks, where ``size`` alone applies.
    """

    name: str
    version: int
    max_frames: int | None
    size: tuple[int, int] | None
    skip_ends: bool = False
    about: str = ""
    about_images: str = ""

    @property
    def id(self) -> str:
        """``name@version``, as results carry it."""
        return f"{self.name}@{self.version}"

    def frame_range(self, frames: int) -> range:
        """The positions of the frames that count, for a clip of ``frames`` frames."""
        counted = range(frames if self.max_frames is None else min(frames, self.max_frames))
        return counted[1:-1] if self.skip_ends else counted


PAPER = Protocol(
    "paper",
    1,
    512,
    (512, 512),
    about="the published protocol: first 512 frames, masks at 512 x 512, all frames count",
    about_images="masks compared at 512 x 512, as DC-SAM and VRP-SAM do",
)
NATIVE = Protocol(
    "native",
    1,
    None,
    None,
    about="every frame, at the video's own size",
    about_images="masks compared at the picture's own size, as PFENet and HDMNet do",
)
PROTOCOLS: dict[str, Protocol] = {protocol.id: protocol for protocol in (PAPER, NATIVE)}


def protocol(name: str) -> Protocol:
    """The protocol called ``name``, with or without its version (``paper`` is ``paper@1``)."""
    newest = {found.name: found for found in PROTOCOLS.values()}
    found = PROTOCOLS.get(name) or newest.get(name)
    if found is None:
        raise IcvosError(f"unknown protocol {name!r}; choose from {', '.join(PROTOCOLS)}")
    return found
