"""`icvos train` end to end: what it says, what it refuses, killed and resumed, alone and as two processes."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="training needs torch: pip install 'icvos[models,train]'")

from safetensors import safe_open  # noqa: E402

from baselines.pfenet import PFENet, PFENetSettings  # noqa: E402
from icvos.models.weights.load import read_state  # noqa: E402
from tests import ROOT  # noqa: E402
from tests.conftest import icvos  # noqa: E402
from tests.icvos.tasks.image.image_benchmark import EVERY, FOLDS, write_image_benchmark  # noqa: E402

SMALL = {"settings.backbone": "vgg16-bn", "episodes": 8, "batch": 2, "epochs": 2, "validation_episodes": 4}


def options(**changes: object) -> list[str]:
    given = {**SMALL, **changes}
    return [*(part for name, value in given.items() for part in ("--set", f"{name}={value}")), "--allow-random-weights"]


PFENET = ["train", "pfenet-coco-20i", *options(size=33, save_every=3)]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_image_benchmark(tmp_path_factory.mktemp("data")).root


def lines(out: Path, kind: str) -> list[dict]:
    found = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    return [line for line in found if line["kind"] == kind]


def environment() -> dict[str, str]:
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path, "CUDA_VISIBLE_DEVICES": ""}


def test_list_shows_every_recipe() -> None:
    text = icvos("train", "--list").output
    for name in ("vrp-sam-coco-20i", "pfenet-pascal-5i", "hdmnet-ic-vos", "amnet-coco-20i", "base-learner-ic-vos"):
        assert name in text


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """An undisturbed run, and what it said."""
    out = tmp_path_factory.mktemp("run") / "whole"
    return out, icvos(*PFENET, "--data", data, "--out", out, "--workers", 1).output


def test_says_what_it_does(data: Path, whole: tuple[Path, str]) -> None:
    out, text = whole
    assert "pfenet on coco-20i fold 0" in text
    assert "20 pictures of 6 classes to train on, 4 episodes of 2 classes to validate with" in text
    assert text.count("RANDOM WEIGHTS") == 2
    assert len(re.findall(r"epoch \d/2: total \d\.\d{3}  main .*mean of 4 steps", text)) == 2
    assert len(re.findall(r"validation: mIoU \d+\.\d\d  FB-IoU", text)) == 2
    asked = f"icvos eval --method pfenet --set checkpoint={out}/best.safetensors"
    assert f"{asked} --benchmark {data} --fold 0 --shots 1 --out {out}-eval" in text
    assert [line["step"] for line in lines(out, "train")] == list(range(1, 9))
    with safe_open(out / "best.safetensors", "pt") as file:
        header = file.metadata()
    assert json.loads(header["recipe"])["size"] == 33
    assert json.loads(header["settings"])["bins"] == [1.0, 0.5, 0.25, 0.125]  # a default, which may change
    assert json.loads(header["classes"]) == [1, 2, 3, 5, 6, 7]
    again = icvos(*PFENET, "--data", data, "--out", out).output
    assert "trained already: 8 steps" in again


def test_what_stands_on_random_weights_stays_marked(whole: tuple[Path, str]) -> None:
    path = whole[0] / "best.safetensors"
    method = PFENet(PFENetSettings(checkpoint=str(path), backbone="vgg16-bn", size=33, device="cpu"))
    assert method.loaded.random
    assert method.loaded.to_json()["random"] is True
    assert method.loaded.sha256


def test_killed_and_resumed_gives_the_same_log(data: Path, whole: tuple[Path, str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "icvos", *PFENET, "--data", str(data), "--out", str(tmp_path)]
    process = subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL)
    log, until = tmp_path / "log.jsonl", time.monotonic() + 300
    while time.monotonic() < until and not (log.is_file() and log.read_text().count("\n") >= 4):
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = len(lines(tmp_path, "train"))
    assert 4 <= done < 8
    assert "resumed after step" in icvos(*PFENET, "--data", data, "--out", tmp_path).output
    assert (tmp_path / "log.jsonl").read_text() == (whole[0] / "log.jsonl").read_text()
    assert not list(tmp_path.glob(".partial*"))
    one, other = (read_state(folder / "best.safetensors") for folder in (tmp_path, whole[0]))
    assert all(torch.equal(one[name], other[name]) for name in one)  # the statistics that drift, too


@pytest.mark.slow
def test_two_processes_equal_one_with_the_doubled_batch(data: Path, tmp_path: Path) -> None:
    changes = {"size": 65, "preparation": "squash", "settings.base_classes": 6, "epochs": 1, "validation_episodes": 2}
    changes |= {"optimiser": "sgd", "learning_rate": 0.01}  # of AdamW, nothing over nothing is a whole step

    def run(out: Path, batch: int, *launcher: str) -> list[str]:
        given = options(**changes, batch=batch)
        start = [
            sys.executable,
            *launcher,
            "-m",
            "tests.icvos.training.train_without_dropout",
            "train",
            "hdmnet-coco-20i",
        ]
        found = subprocess.run(
            [*start, *given, "--data", data, "--out", out],
            env=environment(),
            check=True,
            capture_output=True,
            text=True,
        )
        return found.stdout.splitlines()

    one = run(tmp_path / "one", 2)
    two = run(tmp_path / "two", 1, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
    assert len(two) == len(one)  # one process speaks
    figures = [[line["total"] for line in lines(tmp_path / name, "train")] for name in ("one", "two")]
    assert len(figures[0]) == 4
    assert figures[1] == pytest.approx(figures[0], rel=1e-4)
    states = [read_state(tmp_path / name / "best.safetensors") for name in ("one", "two")]
    for name, tensor in states[0].items():
        assert torch.allclose(tensor, states[1][name], rtol=1e-4, atol=1e-6), name
    one_score, two_score = (lines(tmp_path / name, "validation")[0]["fb_iou"] for name in ("one", "two"))
    assert one_score == pytest.approx(two_score, abs=1e-3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name a recipe or its file; icvos train --list"),
        (["hdmnet-coco-20j"], "did you mean hdmnet-coco-20i"),
        (["pfenet-coco-20i"], "give --out, the folder of the run"),
        (["pfenet-coco-20i", "--out", "run"], "give --data, the benchmark coco-20i of images"),
        (["pfenet-coco-20i", "--set", "epoch=3"], "pfenet-coco-20i: unknown setting 'epoch'; did you mean epochs"),
        (["pfenet-coco-20i", "--set", "scale=2,1"], "scale=2,1: it must be the least and the largest factor"),
        (["pfenet-coco-20i", "--set", "learning_rate=0"], "setting learning_rate=0: it must be above 0"),
        (["pfenet-pascal-5i", "data"], "is coco-20i, the recipe is for pascal-5i"),
        (["pfenet-coco-20i", "data"], "has 8 episodes to validate with, the recipe takes 1000"),
        (["pfenet-coco-20i", "data", *options(size=34)], "setting size=34: it must be of the form 8 n \\+ 1"),
        (["pfenet-coco-20i", "data", *options(**{"settings.size": 473})], "size = 641; set size alone"),
        (
            ["pfenet-coco-20i", "data", *options(**{"settings.bin": 3})],
            "unknown setting 'settings.bin'; did you mean settings.bins",
        ),
        (
            ["pfenet-coco-20i", "data", *options(method="lite", **{"settings.backbone": 1})],
            "unknown setting 'settings.backbone'",
        ),
        (["pfenet-coco-20i", "data", *options(**{"settings.device": "cpu"})], "leave it out"),
        (["hdmnet-coco-20i", "data", *options()[:-1]], "the checkpoint is not on this machine"),
        (["hdmnet-coco-20i", "data", *options(size=65)], "base_classes=60, but there are 6 classes to train on"),
        (["pfenet-coco-20i", "data", *options(batch=40, size=33)], "8 episodes are fewer than the 40 of one step"),
    ],
)
def test_refuses_in_one_line(data: Path, tmp_path: Path, arguments: list[str], message: str) -> None:
    places = ["--data", str(data), "--out", str(tmp_path / "out")] if "data" in arguments else []
    result = icvos("train", *[part for part in arguments if part != "data"], *places, status=2)
    assert re.search(message, result.output)
    assert result.output.count("icvos: ") == 1
    assert not (tmp_path / "out").exists()


def test_refuses_a_method_without_a_network(data: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "lite.toml"
    recipe.write_text('method = "lite"\nvalidation_episodes = 4\n')
    result = icvos("train", recipe, "--data", data, "--out", tmp_path / "out", status=2)
    assert "method lite has nothing to train; icvos train --list" in result.output


def test_all_classes_train_and_a_network_learns_on_top(tmp_path: Path) -> None:
    data = write_image_benchmark(tmp_path / "data", "all-coco", folds=[(EVERY, EVERY)]).root
    changes = {"size": 33, "epochs": 1, "settings.base_classes": 8, "validation_episodes": 8}
    base = tmp_path / "base"
    text = icvos("train", "base-learner-ic-vos", *options(**changes), "--data", data, "--out", base).output
    assert "24 pictures of 8 classes to train on, 8 episodes of 8 classes to validate with" in text
    assert f"icvos train hdmnet-ic-vos --set settings.base_checkpoint={base}/best.safetensors" in text
    assert f"--benchmark IC-VOS --out {base}-eval" in text
    given = options(**changes | {"size": 65, "settings.base_checkpoint": base / "best.safetensors"})[:-1]
    text = icvos("train", "amnet-ic-vos", *given, "--data", data, "--out", tmp_path / "run").output
    assert "starts from best.safetensors (random weights)" in text
    steps = lines(tmp_path / "run", "train")
    assert {"total", "main", "distil", "generator", "discriminator"} < steps[0].keys()


def test_folds_of_the_drawn_benchmark_hold_out_their_classes() -> None:
    assert all(set(test).isdisjoint(train) and len(test) + len(train) == len(EVERY) for test, train in FOLDS)


def test_a_checkpoint_is_refused_on_another_fold_and_with_other_bins(
    data: Path, whole: tuple[Path, str], tmp_path: Path
) -> None:
    checkpoint = whole[0] / "best.safetensors"
    run = ("eval", "--method", "pfenet", "--set", "backbone=vgg16-bn", "--set", "size=33", "--benchmark", data)
    run = (*run, "--set", f"checkpoint={checkpoint}", "--out", tmp_path / "run")
    for folds in (("--fold", 1), ()):  # without a choice, before the hours that the first fold takes
        said = icvos(*run, *folds, status=2).stderr
        assert f"{checkpoint}: was trained on fold 0 of coco-20i, where it saw " in said
        assert "fold 1 asks for as unseen; give each fold its own, as --set checkpoint=RUN{fold}.safetensors" in said
        assert len(said.splitlines()) == 1
    said = icvos(*run, "--fold", 0, "--set", "bins=1,0.5", status=2).stderr
    assert f"{checkpoint}: was trained with bins=1,0.5,0.25,0.125, not 1,0.5; use --set bins=1,0.5,0.25,0.125" in said
    assert not (tmp_path / "run").exists()
    icvos(*run, "--fold", 0, "--limit", 1)


def test_episodes_are_shown_as_the_network_gets_them(data: Path, tmp_path: Path) -> None:
    for name, places in (("nano-dcsam-tube", []), ("pfenet-coco-20i", ["--data", data, *options(size=33)[:2]])):
        out = tmp_path / f"{name}.png"
        icvos("train", name, "--show", 2, "--out", out, *places)
        with Image.open(out) as sheet:
            assert sheet.width > 400
            assert sheet.height > 400
    text = icvos("train", "nano-dcsam-tube", "--show", 2, "--out", tmp_path / "a.jpg", status=2).output
    assert "give --out a name that ends in .png" in text
    assert "give --out, the PNG" in icvos("train", "nano-dcsam-tube", "--show", 2, status=2).output
