"""Episodes to train from: what is drawn, how pictures are varied, and that nothing but the recipe decides it."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install 'icvos[models,train]'")

from icvos.errors import IcvosError  # noqa: E402
from icvos.models.squares import squash, squash_mask  # noqa: E402
from icvos.tasks.image.benchmark import ImageBenchmark  # noqa: E402
from icvos.training.batches import load, training_batches  # noqa: E402
from icvos.training.episodes import TrainingEpisodes  # noqa: E402
from icvos.training.recipe import Recipe  # noqa: E402
from icvos.training.squares import crop, cut, training_square, validation_square, vary  # noqa: E402
from icvos.training.trainable import EpisodeBatch  # noqa: E402
from tests.icvos.tasks.image.image_benchmark import (  # noqa: E402
    FOLDS,
    LEFT,
    RIGHT,
    SIZE,
    SMALL,
    write_image_benchmark,
    write_picture,
)

PARTS = ("query", "query_label", "supports", "support_labels", "classes")


def recipe(**changes: object) -> Recipe:
    return Recipe("toy", **{"size": 33, "validation_episodes": 4, **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory: pytest.TempPathFactory) -> ImageBenchmark:
    return write_image_benchmark(tmp_path_factory.mktemp("episodes"))


def equal(one: EpisodeBatch, other: EpisodeBatch) -> bool:
    return all(torch.equal(getattr(one, part), getattr(other, part)) for part in PARTS)


@pytest.mark.parametrize("sampling", ["class", "image"])
def test_draws_follow_the_recipe(benchmark: ImageBenchmark, sampling: str) -> None:
    episodes = TrainingEpisodes(benchmark, recipe(sampling=sampling, shots=2))
    seen: Counter[int] = Counter()
    queries: Counter[str] = Counter()
    for index in range(len(episodes)):
        kind, query, supports = episodes.draw(3, index, np.random.default_rng(index))
        assert kind in (2, 3, 4, 6, 7, 8)  # fold 0 tests 1 and 5
        assert {kind} <= set(query.listed)
        assert len(supports) == 2
        for support in supports:
            assert kind in support.listed
            assert support.name != query.name
        if sampling == "image":
            assert supports[0].name != supports[1].name
        seen[kind] += 1
        queries[query.name] += 1
    assert len(seen) >= 5
    if sampling == "image":
        assert set(queries.values()) == {1}  # every picture once an epoch
        assert queries.keys() == {picture.name for picture in episodes.pictures}


def test_class_sampling_is_uniform_over_classes(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    common = [write_picture(folder, f"common-{number}.png", [(2, LEFT)]) for number in range(20)]
    rare = [write_picture(folder, f"rare-{number}.png", [(3, LEFT)]) for number in range(2)]
    episodes = TrainingEpisodes(write_image_benchmark(tmp_path, train=[*common, *rare]), recipe(drop_novel="shown"))
    kinds = Counter(episodes.draw(0, index, np.random.default_rng(index))[0] for index in range(600))
    assert 250 < kinds[2] < 350
    assert kinds[2] + kinds[3] == 600
    assert episodes.rare == (4, 6, 7, 8)  # without two pictures


def test_order_of_pictures_changes_with_the_epoch_and_goes_on(benchmark: ImageBenchmark) -> None:
    episodes = TrainingEpisodes(benchmark, recipe(sampling="image"))
    count = len(episodes)
    generator = np.random.default_rng(0)
    orders = [[episodes.draw(epoch, index, generator)[1].name for index in range(2 * count)] for epoch in (0, 1)]
    assert orders[0][:count] != orders[1][:count] != orders[1][count:]
    for order in orders:
        assert set(Counter(order).values()) == {2}  # more episodes than pictures begin anew


def test_which_pictures_are_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    train = [
        *(write_picture(folder, f"plain-{number}.png", [(2, LEFT)]) for number in range(3)),
        write_picture(folder, "small-novel.png", [(2, LEFT), (1, SMALL)]),
        write_picture(folder, "novel.png", [(2, LEFT), (1, RIGHT)]),
        write_picture(folder, "only-novel.png", [(1, RIGHT)]),
        write_picture(folder, "nothing.png", [(2, SMALL)]),
    ]
    built = write_image_benchmark(tmp_path, train=train)
    kept = {
        how: {picture.name.removesuffix(".png") for picture in TrainingEpisodes(built, recipe(drop_novel=how)).pictures}
        for how in ("no", "listed", "shown")
    }
    plain = {"plain-0", "plain-1", "plain-2"}
    assert kept == {"no": plain | {"small-novel", "novel"}, "listed": plain | {"small-novel"}, "shown": plain}


@pytest.mark.parametrize("preparation", ["squash", "colour", "resize", "crop", "cut"])
@pytest.mark.parametrize("sampling", ["class", "image"])
def test_same_episodes_for_any_workers_and_processes(
    benchmark: ImageBenchmark, sampling: str, preparation: str
) -> None:
    chosen = recipe(sampling=sampling, preparation=preparation, batch=2)
    episodes = TrainingEpisodes(benchmark, chosen)
    alone = [episodes.training(1, index) for index in range(8)]

    class Process:
        def __init__(self, index: int, of: int) -> None:
            self.process_index, self.num_processes = index, of

    again = list(training_batches(chosen, TrainingEpisodes(benchmark, chosen), 1, range(4), Process(0, 1), workers=2))
    for step, batch in enumerate(again):
        for place in range(2):
            assert torch.equal(batch.query[place], alone[2 * step + place].query[0])
            assert torch.equal(batch.support_labels[place], alone[2 * step + place].support_labels[0])
    apart = [list(training_batches(chosen, episodes, 1, range(2), Process(index, 2), workers=0)) for index in (0, 1)]
    for step in range(2):  # together, two processes take the same four episodes as one with a doubled batch
        for process in (0, 1):
            for place in range(2):
                wanted = alone[4 * step + 2 * place + process]
                assert torch.equal(apart[process][step].query[place], wanted.query[0])
    assert not torch.equal(alone[0].query, episodes.training(2, 0).query)
    assert not equal(alone[0], TrainingEpisodes(benchmark, replace(chosen, seed=5)).training(1, 0))


def test_shapes_and_labels(benchmark: ImageBenchmark) -> None:
    batch = TrainingEpisodes(benchmark, recipe(shots=2, preparation="resize")).training(0, 0)
    assert batch.query.shape == (1, 3, 33, 33)
    assert batch.query.dtype == torch.float32
    assert batch.supports.shape == (1, 2, 3, 33, 33)
    assert batch.query_label.shape == (1, 33, 33)
    assert batch.support_labels.shape == (1, 2, 33, 33)
    assert batch.query_label.dtype == torch.int64
    for label in (batch.query_label, *batch.support_labels[0]):
        assert set(label.unique().tolist()) <= {0, 1, 255}
        assert (label == 1).any()
    assert batch.classes.tolist()[0] + 1 in (2, 3, 4, 6, 7, 8)


def test_labels_of_a_base_learner(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    train = [
        write_picture(folder, "both.png", [(8, LEFT), (1, RIGHT)], border=True),  # 1 is held out: background
        write_picture(folder, "last.png", [(2, LEFT)]),
    ]
    built = write_image_benchmark(tmp_path, train=train)
    episodes = TrainingEpisodes(built, recipe(labels="classes", sampling="image", preparation="squash", size=60))
    found = {}
    for index in range(2):
        batch = episodes.training(0, index)
        assert batch.supports.shape == (1, 0, 3, 60, 60)
        assert batch.support_labels.shape == (1, 0, 60, 60)
        assert batch.classes.tolist() == [-1]
        found[frozenset(batch.query_label.unique().tolist())] = batch.query_label[0]
    assert found.keys() == {frozenset({0, 6, 255}), frozenset({0, 1})}  # 2, 3, 4, 6, 7, 8 are 1 to 6
    assert (found[frozenset({0, 6, 255})][:2] == 255).all()
    assert episodes.learned == (1, 2, 3, 5, 6, 7)
    asked = [episodes.validation(index).classes.item() for index in range(4)]
    assert asked == [1, 2, 3, 5]  # the other folds in turn
    assert episodes.classes == (1, 2, 3, 5)


def test_validation_is_not_varied(benchmark: ImageBenchmark) -> None:
    for preparation in ("squash", "resize"):
        episodes = TrainingEpisodes(benchmark, recipe(preparation=preparation))
        batch, episode = episodes.validation(0), benchmark.episodes(0)[0]
        assert torch.equal(batch.query[0], squash(episode.query.image(), 33))
        assert torch.equal(batch.query_label[0].float(), squash_mask(episode.query.mask(episode.kind), 33))
        assert torch.equal(batch.supports[0, 0], squash(episode.supports[0].image(), 33))
    assert episodes.classes == (0, 4)
    picture, label = validation_square(*labelled(episode), recipe(preparation="crop", size=41))
    assert (label[24:] == 255).all()  # 60 x 80 becomes 24 x 40 in the corner of 41 x 41
    assert (label[:, 40:] == 255).all()
    assert set(label[:24, :40].unique().tolist()) == {0, 1}
    black = (0 - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225])
    assert torch.allclose(picture[:, 40, 40], black)


def labelled(episode: object) -> tuple[np.ndarray, np.ndarray]:
    return episode.query.image(), episode.query.label(episode.kind)  # type: ignore[attr-defined]


def flat(size: tuple[int, int], where: tuple[slice, slice]) -> tuple[np.ndarray, np.ndarray]:
    """A picture that is red where its label is 1 and green elsewhere."""
    label = np.zeros(size, dtype=np.uint8)
    label[where] = 1
    return np.where(label[..., None] == 1, (250, 0, 0), (0, 250, 0)).astype(np.uint8), label


def test_label_goes_with_the_picture() -> None:
    image, label = flat((120, 160), np.s_[20:90, 30:110])
    sizes, flips, turns = set(), 0, 0
    for seed in range(40):
        varied, kept = vary(image, label, 0.8, 1.25, np.random.default_rng(seed))
        assert varied.shape[:2] == kept.shape
        assert 96 <= kept.shape[0] <= 150
        red = (varied[..., 0].astype(int) > 190) & (varied[..., 1] < 60)
        green = (varied[..., 1].astype(int) > 190) & (varied[..., 0] < 60)
        assert (kept[red] != 0).mean() > 0.98  # nearest neighbour is half a pixel off the bilinear grid
        assert (kept[green] != 1).mean() > 0.98
        filled = kept == 255
        assert np.abs(varied[filled].astype(int) - (124, 116, 104)).max(initial=0) <= 150  # blurred at its rim
        sizes.add(kept.shape)
        turns += filled.any()
        columns = np.nonzero((kept == 1).any(0))[0]
        flips += columns.mean() > kept.shape[1] / 2
    assert len(sizes) > 20
    assert 10 < turns < 30
    assert 10 < flips < 30


def test_crop_pads_on_both_sides_and_keeps_the_foreground() -> None:
    image, label = flat((40, 100), np.s_[10:30, 80:100])
    for seed in range(20):
        found, kept = crop(image, label, 60, np.random.default_rng(seed), redraws=31)
        assert found.shape == (60, 60, 3)
        assert kept.shape == (60, 60)
        assert (kept[:10] == 255).all()
        assert (kept[50:] == 255).all()
        assert not (kept[10:50] == 255).any()
        assert (found[:10] == (124, 116, 104)).all()
        assert (kept == 1).sum() >= 0.85 * 400
    shares = [
        (crop(image, label, 60, np.random.default_rng(seed), redraws=0)[1] == 1).sum() / 400 for seed in range(20)
    ]
    assert min(shares) < 0.85  # the first draw alone loses more


def test_cut_pads_below_and_on_the_right_and_goes_anywhere() -> None:
    image, label = flat((40, 100), np.s_[10:30, 80:100])
    shares = []
    for seed in range(40):
        found, kept = cut(image, label, 60, np.random.default_rng(seed))
        assert found.shape == (60, 60, 3)
        assert kept.shape == (60, 60)
        assert (kept[40:] == 255).all()
        assert not (kept[:40] == 255).any()
        assert (found[40:] == 0).all()
        assert ((found[..., 0] > 190) == (kept == 1)).all()
        shares.append((kept == 1).sum() / 400)
    assert min(shares) == 0  # it may miss the object
    assert max(shares) == 1
    wide = [cut(*flat((20, 30), np.s_[5:9, 0:6]), 40, np.random.default_rng(seed))[1] for seed in range(20)]
    assert {bool((one[:20, :6] == 1).any()) for one in wide} == {True, False}  # flipped, its padding too


def test_query_and_supports_are_varied_each_on_its_own(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    train = [write_picture(folder, f"same{number}.png", [(2, LEFT)]) for number in range(2)]
    (folder / "same1.png").write_bytes((folder / "same0.png").read_bytes())
    episodes = TrainingEpisodes(write_image_benchmark(tmp_path, train=train), recipe(preparation="resize"))
    differ = [
        not torch.equal(batch.query[0], batch.supports[0, 0]) for batch in map(episodes.training, [0] * 6, range(6))
    ]
    assert all(differ)


def test_squash_is_the_methods_own_preparation() -> None:
    image, label = flat(SIZE, LEFT)
    picture, kept = training_square(image, label, recipe(), np.random.default_rng(0))
    assert torch.equal(picture, squash(image, 33))
    assert torch.equal(kept.float(), squash_mask(label == 1, 33))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"benchmark": "pascal-5i"}, "is coco-20i, the recipe is for pascal-5i"),
        ({"validation_episodes": 9}, "has 8 episodes to validate with, the recipe takes 9; add --set validation_epis"),
        ({"shots": 3}, "episodes hold 2 supports, not 3"),
        ({"shots": 20, "sampling": "image", "validation_episodes": 0}, "no class with 21 pictures to train on"),
    ],
)
def test_what_does_not_fit(benchmark: ImageBenchmark, changes: dict[str, object], message: str) -> None:
    with pytest.raises(IcvosError, match=message):
        TrainingEpisodes(benchmark, recipe(**changes))


def test_a_fold_that_the_benchmark_lacks(tmp_path: Path) -> None:
    small = write_image_benchmark(tmp_path, folds=FOLDS[:1])
    with pytest.raises(IcvosError, match="no fold 3"):
        TrainingEpisodes(small, recipe(fold=3))


def test_unreadable_picture_is_named_by_a_worker_in_one_line(tmp_path: Path) -> None:
    built = write_image_benchmark(tmp_path)
    episodes = TrainingEpisodes(built, recipe())
    for path in (tmp_path / "images").glob("train-*.png"):
        path.write_bytes(b"nothing")
    with pytest.raises(IcvosError, match=r"^\S*train-\d-\d\.png: cannot be decoded") as caught:
        list(load(_First(episodes), 1, workers=1))
    assert "\n" not in str(caught.value)


class _First(torch.utils.data.Dataset):
    def __init__(self, episodes: TrainingEpisodes) -> None:
        self.episodes = episodes

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> EpisodeBatch:
        return self.episodes.training(0, index)
