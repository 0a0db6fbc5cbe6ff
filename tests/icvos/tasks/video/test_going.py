"""A run as it goes on: what is told of it, and that a video costs no more of many than of few."""

from collections.abc import Sequence
from pathlib import Path

from icvos.categories import category
from icvos.files.leases import Leases
from icvos.files.schema import write_schema
from icvos.tasks.record import ClipRun, RunRecord
from icvos.tasks.runs import RunOptions
from icvos.tasks.video.benchmark import Clip, Video
from icvos.tasks.video.going import Going
from icvos.tasks.video.records import Records
from icvos.tasks.video.together import Made, Work
from tests.icvos.tasks.video.test_records import BEGUN

FRAMES = 3
RECORD = RunRecord.model_validate({**BEGUN, "draw": 0, "frames": 0, "seconds_per_frame": None, "clips": {}})


class Counted(Records):
    """Records that count what they are asked."""

    asked = 0

    def made(self, item: Work) -> ClipRun | None:
        self.asked += 1
        return super().made(item)


class Told:
    """What a run tells, and the run."""

    def __init__(self, out: Path, videos: int, leases: Leases) -> None:
        write_schema(out / "draw0" / "run.json", RECORD)
        clips = [Clip(Video(f"{number:04d}", "davis", out / f"{number:04d}"), category(17)) for number in range(videos)]
        work = [Work(0, clip, FRAMES, out / "draw0" / clip.id, done=False) for clip in clips]
        places = {clip.id: place for place, clip in enumerate(clips)}
        self.records = Counted(out, {0: RECORD}, places, leases)
        self.shown = list[tuple[int, int]]()
        self.going = Going(
            RunOptions("mine"),
            self.records,
            leases,
            work,
            shares=True,
            start=lambda done, total: self.shown.append((done, total)),
            advance=lambda clip, frames: None,
        )

    def make(self, masks: int = FRAMES, videos: Sequence[int] | None = None) -> None:
        """Make ``masks`` of the videos in these places of those that are left; all of them: the clips are recorded."""
        left = self.going.left()
        for job in left if videos is None else [left[place] for place in videos]:
            items = self.going.begin(job)
            assert items is not None
            for item in items:
                self.going.hear(job, item.clip, masks)
                if masks == FRAMES:
                    self.going.record(job, Made([(item, ClipRun(frames=FRAMES, seconds=1.0))]))
            self.going.end(job)


def test_a_video_takes_as_many_looks_at_records_of_many_videos_as_of_few(tmp_path: Path) -> None:
    def looks(videos: int) -> float:
        with Leases(tmp_path / str(videos) / ".claims") as leases:
            told = Told(tmp_path / str(videos), videos, leases)
            told.records._rests_until = float("inf")  # the records are written once, at the end
            told.make()
            assert told.going.shown == FRAMES * videos
            return told.records.asked / videos

    assert looks(40) == looks(10)


def test_masks_that_are_lost_are_taken_back(tmp_path: Path) -> None:
    with Leases(tmp_path / ".claims") as leases:
        told = Told(tmp_path, 4, leases)
        told.make(videos=[0])
        told.make(masks=2, videos=[1])
        assert told.going.shown == FRAMES
        assert told.shown[-1] == (FRAMES, 4 * FRAMES)


def test_what_others_have_made_is_counted(tmp_path: Path) -> None:
    with Leases(tmp_path / ".claims") as one, Leases(tmp_path / ".claims") as other:
        told, beside = Told(tmp_path, 4, one), Told(tmp_path, 4, other)
        for run in (told, beside):
            run.records._rests_until = float("inf")
        beside.make(videos=[0, 1])
        told.make(videos=[3])
        assert told.shown[-1] == (3 * FRAMES, 4 * FRAMES)
        assert told.going.shown == 3 * FRAMES
