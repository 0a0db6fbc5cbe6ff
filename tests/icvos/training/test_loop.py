"""The training loop: it learns, resumes exactly, and many processes equal one with a larger batch."""

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from icvos.errors import IcvosError, Stopped
from icvos.models.weights.load import read_state
from icvos.training.learned import read_learned, write_learned
from icvos.training.learner import Learner, make_optimisers, schedule
from icvos.training.loop import train
from icvos.training.recipe import Recipe, list_recipes, read_recipe, shipped_recipes
from icvos.training.report import Losses, Silent, ValidationScores
from icvos.training.run_folder import LOG, _lines_until
from icvos.training.trainable import EpisodeBatch, ParameterGroup
from tests import ROOT
from tests.icvos.training.toy_training import Discs, Toy, recipe


def lines(out: Path, kind: str) -> list[dict]:
    found = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    return [line for line in found if line["kind"] == kind]


def run(out: Path, dropout: float = 0.0, drift: bool = False, **changes: object) -> Toy:
    toy = Toy(dropout, drift)
    train(recipe(**changes), toy, Discs(), out)
    return toy


def test_learns_and_writes_what_it_says(tmp_path: Path) -> None:
    untrained = Toy()
    frozen = {name: tensor.clone() for name, tensor in untrained.network.frozen.state_dict().items()}
    toy = run(tmp_path, epochs=6)
    losses = [line["total"] for line in lines(tmp_path, "train")]
    assert len(losses) == 48
    assert losses[-1] < 0.6 * losses[0]
    scores = [line["miou"] for line in lines(tmp_path, "validation")]
    assert len(scores) == 6
    assert scores[-1] > 0.9
    for name, tensor in toy.network.frozen.state_dict().items():
        assert torch.equal(tensor, frozen[name]), name
    state = read_state(tmp_path / "best.safetensors")
    assert state.keys() == toy.network.state_dict().keys()
    with safe_open(tmp_path / "best.safetensors", "pt") as file:
        header = file.metadata()
    assert json.loads(header["recipe"])["epochs"] == 6
    assert json.loads(header["validation"])["miou"] == max(scores)
    assert list(tmp_path.glob("events.out.tfevents*"))


@pytest.mark.parametrize(("stop_after", "accumulate"), [(2, 1), (7, 1), (8, 1), (11, 1), (5, 2)])
def test_resumed_run_equals_an_undisturbed_one(tmp_path: Path, stop_after: int, accumulate: int) -> None:
    whole = run(tmp_path / "whole", dropout=0.3, accumulate=accumulate)

    class StopError(Exception):
        """What ends the first part."""

    class Stop(Silent):
        def trained(self, step: int, total: int, losses: Losses) -> None:  # noqa: ARG002
            if step == stop_after:
                raise StopError

    with pytest.raises(StopError):
        train(recipe(accumulate=accumulate), Toy(0.3), Discs(), tmp_path / "parts", report=Stop())
    resumed = run(tmp_path / "parts", dropout=0.3, accumulate=accumulate)
    assert lines(tmp_path / "parts", "train") == lines(tmp_path / "whole", "train")
    assert lines(tmp_path / "parts", "validation") == lines(tmp_path / "whole", "validation")
    for name, tensor in whole.network.state_dict().items():
        assert torch.equal(tensor, resumed.network.state_dict()[name]), name
    run(tmp_path / "parts", dropout=0.3, accumulate=accumulate)  # a finished run is left as it is
    assert len(lines(tmp_path / "parts", "train")) == 16 // accumulate


@pytest.mark.parametrize(
    ("stop_at", "told"),
    [(2, "no step is saved yet; run the same command again to begin anew"), (9, "8 of 16 steps are saved; run the")],
)
def test_ctrl_c_says_what_is_saved(tmp_path: Path, stop_at: int, told: str) -> None:
    class Stop(Silent):
        def trained(self, step: int, total: int, losses: Losses) -> None:  # noqa: ARG002
            if step == stop_at:
                raise KeyboardInterrupt

    with pytest.raises(Stopped, match=told):
        train(recipe(save_every=8), Toy(), Discs(), tmp_path, report=Stop())


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of two processes, ``steady`` and with statistics that ``drift``, by one launch of both."""
    out = tmp_path_factory.mktemp("two")
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""}
    subprocess.run([*start, "-m", "tests.icvos.training.toy_training", out], cwd=ROOT, env=environment, check=True)
    return out


def test_two_processes_equal_one_with_the_doubled_batch(two: Path, tmp_path: Path) -> None:
    run(tmp_path, batch=4)
    steps, wanted = lines(two / "steady", "train"), lines(tmp_path, "train")
    assert [line["total"] for line in steps] == pytest.approx([line["total"] for line in wanted], rel=1e-5)
    state, other = (read_state(folder / "best.safetensors") for folder in (two / "steady", tmp_path))
    for name in other:
        assert torch.allclose(state[name], other[name], rtol=1e-5, atol=1e-6), name
    assert lines(two / "steady", "validation") == lines(tmp_path, "validation")


def test_drifting_statistics_are_those_of_all_processes(two: Path, tmp_path: Path) -> None:
    run(tmp_path, drift=True, batch=4)
    state, other = (read_state(folder / "best.safetensors") for folder in (two / "drift", tmp_path))
    assert not torch.allclose(other["frozen.1.running_mean"], torch.zeros(8))
    assert torch.allclose(state["frozen.1.running_mean"], other["frozen.1.running_mean"], rtol=1e-4, atol=1e-6)


def test_accumulated_gradients_equal_one_large_batch(tmp_path: Path) -> None:
    parts = run(tmp_path / "parts", batch=1, accumulate=3)  # 16 episodes are five steps of three, in either way
    whole = run(tmp_path / "whole", batch=3)
    losses = [[line["total"] for line in lines(tmp_path / name, "train")] for name in ("parts", "whole")]
    assert len(losses[0]) == 10
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    for name, tensor in whole.network.state_dict().items():
        assert torch.allclose(tensor, parts.network.state_dict()[name], rtol=1e-5, atol=1e-6), name


class Turning(Toy):
    """The scale and the shift learn in turns."""

    def turn(self, iteration: int) -> str:
        return "other" if iteration % 2 else "total"

    def parameter_groups(self, learning_rate: float) -> list[ParameterGroup]:
        scale, shift = super().parameter_groups(learning_rate)
        return [scale, {**shift, "turn": "other", "optimiser": "adam"}]

    def losses(self, batch: EpisodeBatch) -> dict[str, torch.Tensor]:
        found = super().losses(batch)["total"]
        return {"total": found, "other": 2 * found}


@pytest.mark.parametrize("accumulate", [1, 2])
def test_turns_of_whole_steps(tmp_path: Path, accumulate: int) -> None:
    toy = Turning()
    seen = [(toy.network.scale.item(), toy.network.shift.item())]

    class Watch(Silent):
        def trained(self, step: int, total: int, losses: Losses) -> None:  # noqa: ARG002
            seen.append((toy.network.scale.item(), toy.network.shift.item()))

    train(recipe(epochs=1, accumulate=accumulate), toy, Discs(), tmp_path, report=Watch())
    assert len(seen) == 1 + 8 // accumulate
    for step, (before, after) in enumerate(pairwise(seen)):
        moved = [one != other for one, other in zip(before, after, strict=True)]
        assert moved == ([False, True] if step % 2 else [True, False])


def test_optimisers_are_the_recipes_or_the_groups() -> None:
    made = make_optimisers(recipe(weight_decay=0.5), Turning())
    assert type(made["total"]) is torch.optim.AdamW
    assert type(made["other"]) is torch.optim.Adam
    assert made["other"].param_groups[0]["weight_decay"] == 0.5
    assert type(make_optimisers(recipe(optimiser="sgd"), Toy())["total"]) is torch.optim.SGD


class TwoKinds(Toy):
    """The shift learns by an optimiser of its own, at a rate that stays as it is."""

    def parameter_groups(self, learning_rate: float) -> list[ParameterGroup]:
        scale, shift = super().parameter_groups(learning_rate)
        return [scale, {**shift, "lr": 0.01, "optimiser": "adamw", "weight_decay": 0.0, "constant": True}]


def test_two_optimisers_move_their_own_parts_in_every_step(tmp_path: Path) -> None:
    toy, seen = TwoKinds(), []

    class Watch(Silent):
        def trained(self, step: int, total: int, losses: Losses) -> None:  # noqa: ARG002
            seen.append((toy.network.scale.item(), toy.network.shift.item()))

    chosen = recipe(optimiser="sgd", momentum=0.0, schedule="thirds", epochs=1)
    assert set(make_optimisers(chosen, TwoKinds())) == {"total/sgd", "total/adamw"}
    train(chosen, toy, Discs(), tmp_path / "whole", report=Watch())
    moves = [(abs(a - c), abs(b - d)) for (a, b), (c, d) in pairwise(seen)]
    assert all(scale > 0 and shift > 0 for scale, shift in moves)
    assert max(scale for scale, _ in moves[-2:]) < 0.1 * moves[0][0]  # its rate is a hundredth of the first one
    assert moves[-1][1] > 0.001  # that of the other has stayed


def test_what_two_optimisers_remember_is_read_again(tmp_path: Path) -> None:
    chosen = recipe(optimiser="sgd")
    learner, again = Learner(chosen, TwoKinds()), Learner(chosen, TwoKinds())
    learner.step(0, 0, 1.0, iter([Discs().training(0, 0)]))
    write_learned(learner, tmp_path)
    read_learned(again, tmp_path)
    assert learner.optimisers.keys() == again.optimisers.keys() == {"total/sgd", "total/adamw"}
    for name, optimiser in learner.optimisers.items():
        [wanted], [found] = (
            optimiser.state_dict()["state"].values(),
            again.optimisers[name].state_dict()["state"].values(),
        )
        assert wanted
        assert {key: float(value) for key, value in found.items()} == {
            key: float(value) for key, value in wanted.items()
        }


class KilledError(Exception):
    """What stands for a kill: nothing is tidied up after it in these tests."""


def test_a_kill_while_the_state_is_replaced_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where folders cannot change places in one step, there is a moment without either; the next start says so."""
    whole, out = tmp_path / "whole", tmp_path / "run"
    run(whole)
    usual = Path.rename

    def stop(path: Path, target: Path) -> Path:
        if target == out / "last" and (out / ".last.old").is_dir():
            raise KilledError
        return usual(path, target)

    with monkeypatch.context() as patch:
        patch.setattr("icvos.files.storage.exchange", lambda one, other: False)
        patch.setattr("icvos.files.storage.recover_folder", lambda path: False)
        patch.setattr(Path, "rename", stop)
        with pytest.raises(KilledError):
            run(out)
    assert not (out / "last").exists()
    run(out)
    assert f"{out / 'last'}: a process was killed while it replaced it; the one before is back" in caplog.text
    for kind in ("train", "validation"):
        assert lines(out, kind) == lines(whole, kind)
    one, other = (read_state(folder / "best.safetensors") for folder in (out, whole))
    assert all(torch.equal(one[name], other[name]) for name in other)
    assert not [path.name for path in out.iterdir() if path.name.startswith(".")]


def test_two_at_once_in_one_folder(tmp_path: Path) -> None:
    """The second is refused before it touches anything, and the first goes on as if alone."""
    refused = []

    class Second(Silent):
        def trained(self, step: int, total: int, losses: Losses) -> None:  # noqa: ARG002
            if step == 5:
                with pytest.raises(
                    IcvosError, match=r"run: another process \(\d+\) is working on it; wait until"
                ) as found:
                    run(tmp_path / "run")
                refused.append(str(found.value))

    run(tmp_path / "whole")
    train(recipe(), Toy(), Discs(), tmp_path / "run", report=Second())
    assert len(refused) == 1
    assert lines(tmp_path / "run", "train") == lines(tmp_path / "whole", "train")


def test_a_log_is_cut_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path, epochs=1)
    before = (tmp_path / "log.jsonl").read_text()

    def stop(path: Path) -> None:
        if path.name.startswith(".log.jsonl."):
            raise KeyboardInterrupt

    monkeypatch.setattr("icvos.files.storage.sync", stop)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, epochs=1)
    assert (tmp_path / "log.jsonl").read_text() == before
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_another_recipe_does_not_resume(tmp_path: Path) -> None:
    run(tmp_path, epochs=1)
    with pytest.raises(IcvosError, match="another epochs"):
        run(tmp_path, epochs=3)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("last/state.json", "{", r"last/state.json: cannot be read as the state of a training run .*; remove \S*last "),
        ("last/state.json", "[]", "last/state.json: is not a JSON object; remove"),
        ("last/state.json", '{"format": 2}', "last/state.json: format is 2, this icvos reads 1; remove"),
        ("last/state.json", '{"format": 1, "step": 1, "format": 1}', "last/state.json: .*key 'format' occurs twice"),
        ("last/state.json", {"step": "8"}, "last/state.json: step is '8', not of type int; remove"),
        ("last/state.json", {"best": None}, "last/state.json: best is None, not of type float; remove"),
        ("last/state.json", {"episodes": "others"}, "holds a run with another episodes; choose another --out"),
        ("last/state.json", {"processes": 3}, "holds a run with another processes; choose another --out"),
        ("last/model.safetensors", "damaged", "last: cannot be resumed .*; remove it to train from the start, or"),
        ("last/optimiser.safetensors", "damaged", "last: cannot be resumed .*; remove it to train from the start, or"),
        ("last/optimizer.bin", "damaged", "last: cannot be resumed .*could run code.*; remove it to train from the"),
        ("last/state.json", {"step": -3}, r"last/state\.json: step is -3 of 8, best is .*; remove \S*last to train"),
        ("last/state.json", {"step": 10**30}, r"last/state\.json: step is 10+ of 8, best is .*; remove"),
        ("last/state.json", {"best": 7.5}, r"last/state\.json: step is 8 of 8, best is 7\.5; remove"),
        ("log.jsonl", '{"kind": "train", "step": 1}\nnothing\n', "log.jsonl: line 2 is not a JSON object with a step"),
        ("log.jsonl", '{"kind": "train"}\n', "log.jsonl: line 1 is not a JSON object with a step; remove the line"),
    ],
)
def test_a_folder_that_does_not_fit_is_refused_in_one_line(
    tmp_path: Path, name: str, text: str | dict[str, object], message: str
) -> None:
    run(tmp_path, epochs=1)
    path = tmp_path / name
    path.write_text(text if isinstance(text, str) else json.dumps(json.loads(path.read_text()) | text))
    with pytest.raises(IcvosError, match=message) as caught:
        run(tmp_path, epochs=1)
    assert "\n" not in str(caught.value)


class _Malicious:
    """Makes a file when it is unpickled by a reader that lets it."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.marker,)


@pytest.mark.parametrize("bare", [False, True])
@pytest.mark.parametrize(
    "name",
    [
        "optimizer.bin",
        "random_states_0.pkl",
        "pytorch_model.bin",
        "scaler.pt",
        "custom_checkpoint_0.pkl",
        "model.safetensors",
        "optimiser.safetensors",
        "state.json",
    ],
)
def test_no_pickle_of_a_run_is_opened(tmp_path: Path, name: str, bare: bool) -> None:
    run(tmp_path / "run", epochs=1)
    marker, path = tmp_path / "marker", tmp_path / "run" / "last" / name
    if bare:
        path.write_bytes(pickle.dumps(_Malicious(marker)))
    else:
        torch.save({"state": _Malicious(marker)}, path)
    with pytest.raises(IcvosError, match="remove"):
        run(tmp_path / "run", epochs=1)
    assert not marker.exists()


Change = Callable[[dict[str, torch.Tensor]], object]


@pytest.mark.parametrize(
    ("name", "change", "header", "words"),
    [
        ("model", lambda found: found.pop(sorted(found)[0]), {}, "Error.s. in loading state_dict"),
        ("optimiser", lambda found: found.update({"total.99.exp_avg": torch.zeros(1)}), {}, "99.exp_avg, which no"),
        ("optimiser", lambda found: found.update({"other.0.exp_avg": torch.zeros(1)}), {}, "no optimiser of this run"),
        ("optimiser", lambda found: found.update({"total.0.code": torch.zeros(())}), {}, "0.code, which no optimiser"),
        ("optimiser", lambda found: found.update({"total.0.exp_avg": torch.zeros(7)}), {}, "another shape or type"),
        ("optimiser", lambda found: found.update({"total.0.step": torch.tensor(1)}), {}, "another shape or type"),
        ("optimiser", lambda found: None, {"scale": "[" * 99_999}, "recursion"),
        ("optimiser", lambda found: None, {"scale": '{"scale": "x"}'}, "gradient's scale"),
    ],
)
def test_what_the_optimisers_do_not_remember_is_refused(
    tmp_path: Path, name: str, change: Change, header: dict[str, str], words: str
) -> None:
    run(tmp_path, epochs=1)
    path = tmp_path / "last" / f"{name}.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path, header)
    with pytest.raises(IcvosError, match=rf"last: cannot be resumed \(.*{words}"):
        run(tmp_path, epochs=1)


def test_a_last_line_of_the_log_that_only_lacks_its_end_is_kept(tmp_path: Path) -> None:
    line = '{"kind": "train", "step": 1}'
    for text, kept in ((f"{line}\n{line}", [line, line]), (f"{line}\n{line[:-1]}", [line])):
        (tmp_path / LOG).write_text(text)
        assert list(_lines_until(tmp_path / LOG, 1)) == [f"{found}\n" for found in kept]


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    run(tmp_path, epochs=1)
    path = tmp_path / "last" / "state.json"
    path.write_text(json.dumps({key: value for key, value in json.loads(path.read_text()).items() if key != "step"}))
    with pytest.raises(IcvosError, match=r"last/state\.json: step is missing; remove"):
        run(tmp_path, epochs=1)


def test_one_process_trains_with_several_precisions(tmp_path: Path) -> None:
    for precision in ("no", "bf16", "no"):
        run(tmp_path / precision, epochs=1, precision=precision)


def test_reports_what_it_does(tmp_path: Path) -> None:
    class Heard(Silent):
        def __init__(self) -> None:
            self.calls: list[tuple[object, ...]] = []

        def resumed(self, step: int, total: int) -> None:
            self.calls.append(("resumed", step, total))

        def trained(self, step: int, total: int, losses: Losses) -> None:
            self.calls.append(("trained", step, total, *losses))

        def validated(self, step: int, total: int, scores: ValidationScores) -> None:
            self.calls.append(("validated", step, total, scores.to_json()))

    heard = Heard()
    chosen = recipe(epochs=1, batch=8)
    result = train(chosen, Toy(), Discs(), tmp_path, report=heard)
    (scores,) = lines(tmp_path, "validation")
    figures = {name: scores[name] for name in ("miou", "fb_iou")}
    assert heard.calls == [("trained", 1, 2, "total"), ("trained", 2, 2, "total"), ("validated", 2, 2, figures)]
    assert (result.checkpoint, result.steps, result.miou) == (tmp_path / "best.safetensors", 2, scores["miou"])
    heard.calls.clear()
    assert train(chosen, Toy(), Discs(), tmp_path, report=heard) == result
    assert heard.calls == [("resumed", 2, 2)]
    assert train(recipe(epochs=1, validation_episodes=0), Toy(), Discs(), tmp_path / "unseen").miou is None


def test_batch_larger_than_the_data(tmp_path: Path) -> None:
    with pytest.raises(IcvosError, match="fewer than the 40 of one step"):
        run(tmp_path, batch=40)


@pytest.mark.parametrize(
    ("kind", "step", "expected"),
    [
        *(("cosine", 0, 1.0), ("cosine", 50, 0.5), ("poly", 0, 0.99**0.9), ("poly", 99, 0.0), ("constant", 7, 1.0)),
        *(("thirds", 0, 1.0), ("thirds", 33, 1.0), ("thirds", 34, 0.1), ("thirds", 66, 0.1), ("thirds", 67, 0.01)),
    ],
)
def test_schedule(kind: str, step: int, expected: float) -> None:
    assert schedule(kind, step, 100) == pytest.approx(expected)
    assert schedule(kind, step, 100, warmup=50) == pytest.approx(expected * min(1, (step + 1) / 50))


def test_recipe_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('method = "vrp-sam"\npreparation = "resize"\nscale = [0.9, 1.1]\n[settings]\nqueries = 25\n')
    found = read_recipe(str(path), {"epochs": "3", "settings.backbone": "vgg16-bn"})
    wanted = Recipe(
        "vrp-sam", {"queries": 25, "backbone": "vgg16-bn"}, preparation="resize", scale=(0.9, 1.1), epochs=3
    )
    assert found == wanted
    again = found.changed({"settings.queries": 50, "scale": "0.5,2"})
    assert again == replace(wanted, settings={"queries": 50, "backbone": "vgg16-bn"}, scale=(0.5, 2.0))
    for changes, message in (({"settings": "x"}, "settings.NAME=VALUE"), ({"epoch": 3}, "did you mean epochs")):
        with pytest.raises(IcvosError, match=message):
            found.changed(changes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epochs = 3", "names no method"),
        ('method = "x"\nepoch = 3', "unknown setting 'epoch'; did you mean epochs"),
        ('method = "x"\nepochs = 0', "must be 1 or more"),
        ('method = "x"\nschedule = "step"', "schedule=step: it must be one of cosine, poly, thirds, constant"),
        (
            'method = "x"\nweight_decay = nan',
            "setting weight_decay=nan: it must be a finite number, 0 or more; change it with --set",
        ),
        ('method = "x"\nsettings = 3', "write the method's settings in a table"),
        ("method = ", "is not TOML"),
    ],
)
def test_wrong_recipe(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    with pytest.raises(IcvosError, match=message):
        read_recipe(str(path))


def test_recipes_are_listed_by_the_first_sentence_of_their_comment() -> None:
    what = {found.name: found.what for found in list_recipes()}
    assert all(text[-1] == "." and ". " not in text.replace("... ", "") for text in what.values())
    assert what["dcsam-ic-vos-tube"].endswith("one on each of 4 GPUs; 10,000 iterations as in the paper.")


def test_shipped_recipes_are_right() -> None:
    names = shipped_recipes()
    assert names
    for name in names:
        assert read_recipe(name).method


FORKED = """
import cv2, numpy
cv2.setNumThreads(4)
cv2.GaussianBlur(numpy.zeros((2000, 2000, 3), numpy.uint8), (31, 31), 9)  # starts OpenCV's threads

from icvos.training.batches import training_batches
from tests.icvos.training.toy_training import Discs, recipe

class Blurred(Discs):
    def training(self, epoch, index):
        cv2.GaussianBlur(numpy.zeros((2000, 2000, 3), numpy.uint8), (31, 31), 9)
        return super().training(epoch, index)

class Alone:
    process_index, num_processes = 0, 1

print(len(list(training_batches(recipe(batch=2), Blurred(), 0, range(2), Alone(), workers=1))))
"""


def test_workers_of_a_process_that_used_opencv() -> None:
    """A forked worker has none of its parent's threads; it waited for them for ever."""
    command = [sys.executable, "-c", FORKED]
    found = subprocess.run(command, cwd=ROOT, timeout=120, check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "2"
