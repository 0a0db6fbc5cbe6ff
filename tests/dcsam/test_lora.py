"""LoRA adapters of SAM 2: what learns, that merging changes no output, training, and adapters that do not fit."""

import copy
import dataclasses
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from dcsam.model import DCSAM, DCSAMSettings
from dcsam.training import tuned_parameters
from icvos.errors import IcvosError
from icvos.models.sam.lora import merge, split, with_adapter
from icvos.models.sam.sam2 import NANO, UNTRAINED, build_sam2, see_objects
from icvos.models.sam.tracking import track
from icvos.models.weights.load import fill_randomly, read_state
from icvos.training.episodes import TrainingEpisodes
from icvos.training.loop import train
from icvos.training.recipe import Recipe
from icvos.training.report import Losses, Silent
from tests.baselines.drawn import supports
from tests.dcsam.test_training import SIDE, tube_batch
from tests.icvos.tasks.image.image_benchmark import write_image_benchmark

CHOSEN = DCSAMSettings(
    backbone="efficientnet-lite0",
    variant="prior",
    queries=5,
    width=128,
    size=SIDE,
    sam2=UNTRAINED,
    device="cpu",
    tuned="lora",
)
QUERY = "memory_attention.layers.0.self_attn.q_proj.weight"


@pytest.fixture(scope="module")
def base() -> nn.Module:
    """A small SAM 2."""
    network = build_sam2(NANO)
    fill_randomly(network)
    see_objects(network)
    return network


@pytest.fixture(scope="module")
def adapted(base: nn.Module) -> nn.Module:
    """The same with an adapter that has learned something."""
    network = with_adapter(copy.deepcopy(base)).eval()
    stir(network)
    return network


def stir(network: nn.Module) -> None:
    """Give an adapter, which begins as nothing, random weights."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in tuned_parameters(network, "lora"):
            parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))


def tube_of(network: nn.Module) -> Tensor:
    """Logits of three frames."""
    generator = torch.Generator().manual_seed(2)
    frames = torch.randn(3, 3, SIDE, SIDE, generator=generator)
    tokens = torch.randn(1, 10, CHOSEN.width, generator=generator)
    with torch.no_grad():
        return track(network, frames, tokens)


def test_the_package_is_named_where_it_is_missing(base: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(IcvosError, match=r"tuned=lora needs the package peft; run: pip install 'icvos\[train\]'"):
        with_adapter(base)


def test_what_learns_is_as_in_table_10() -> None:
    network = with_adapter(build_sam2("sam2.1-hiera-t"))
    learned = tuned_parameters(network, "lora")
    assert sum(parameter.numel() for parameter in learned) == 111_360
    assert {id(parameter) for parameter in network.parameters() if parameter.requires_grad} == set(map(id, learned))
    names = [name for name in network.state_dict() if ".lora_" in name]
    assert all(name.startswith(("base_model.model.memory_", "base_model.model.sam_mask_decoder.")) for name in names)
    assert {name.partition(".lora_")[2] for name in names} == {"A.default.weight", "B.default.weight"}


def test_a_new_adapter_changes_nothing_and_is_the_same_every_time(base: nn.Module) -> None:
    new = [with_adapter(copy.deepcopy(base)) for _ in range(2)]
    assert torch.equal(tube_of(new[0].eval()), tube_of(base))
    first, second = (network.state_dict() for network in new)
    assert all(torch.equal(value, second[name]) for name, value in first.items())


@pytest.mark.parametrize("saved", ["whole", "adapter", "adapter as peft saves it"])
def test_merged_and_wrapped_networks_are_equal(base: nn.Module, adapted: nn.Module, saved: str) -> None:
    state = adapted.state_dict()
    if saved != "whole":
        state = {name: value for name, value in state.items() if ".lora_" in name}
    if saved == "adapter as peft saves it":
        from peft import get_peft_model_state_dict

        state = get_peft_model_state_dict(adapted)
        assert not any("default" in name for name in state)
    own, added = split(state, "file.pth")
    assert own.keys() == (base.state_dict().keys() if saved == "whole" else set())
    network = copy.deepcopy(base)
    merge(network, added, "file.pth", "base.pt")
    wanted = tube_of(adapted)
    torch.testing.assert_close(tube_of(network), wanted, rtol=1e-5, atol=1e-5)
    assert all((frames > -1000).all() for frames in (wanted, tube_of(base)))  # not that there is no object
    assert (tube_of(base) - wanted).abs().amax((1, 2, 3)).min() > 0.01


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"lora_A": None}, "adapter of .*q_proj.weight is half missing .*; save both"),
        ({"lora_A": torch.ones(4, 128)}, r"factors of \(4, 128\) and \(128, 8\), not of rank 8; merge it into SAM 2"),
        ({"lora_A": torch.ones(8)}, r"factors of \(8,\) and"),
        ({"lora_A": torch.full((8, 128), torch.nan)}, "holds NaN or infinite numbers; train it again"),
        (
            {"lora_A": torch.ones(8, 64)},
            r"has .*q_proj.weight of \(128, 64\), base.pt has \(128, 128\); give the SAM 2 that it",
        ),
    ],
)
def test_adapters_that_do_not_fit(base: nn.Module, changes: dict[str, Tensor | None], said: str) -> None:
    factors = {"lora_A": torch.ones(8, 128), "lora_B": torch.ones(128, 8)} | changes
    place = f"base_model.model.{QUERY.removesuffix('.weight')}"
    state = {f"{place}.{name}.default.weight": value for name, value in factors.items() if value is not None}
    with pytest.raises(IcvosError, match=f"^file.pth: .*{said}"):
        merge(copy.deepcopy(base), split(state, "file.pth")[1], "file.pth", "base.pt")


def test_what_sam2_has_no_place_for(base: nn.Module) -> None:
    with pytest.raises(
        IcvosError, match=r"has away.weight of \(2, 2\), base.pt has no such weight; give the SAM 2 that it"
    ):
        merge(base, {"away.weight": torch.ones(2, 2)}, "file.pth", "base.pt")


def test_only_adapters_and_generator_get_gradients_and_dropout_is_for_training() -> None:
    trainable = DCSAM(CHOSEN).trainable(())
    learned = [parameter for group in trainable.parameter_groups(1.0) for parameter in group["params"]]
    adapters = tuned_parameters(trainable.network, "lora")
    trainable.network.requires_grad_(False)
    for parameter in learned:
        parameter.requires_grad_(True)
    stir(trainable.network)
    drops = [module for name, module in trainable.network.named_modules() if name.endswith("lora_dropout.default")]
    assert {module.p for module in drops} == {0.05}
    trainable.network.eval()
    assert not any(module.training for module in drops)
    trainable.train()
    assert all(module.training for module in drops)
    losses = [trainable.losses(tube_batch())["total"] for _ in range(2)]
    assert float(losses[0].detach()) != float(losses[1].detach())
    losses[0].backward()
    moved = {name for name, parameter in trainable.network.named_parameters() if parameter.grad is not None}
    assert {name for name in moved if name.startswith("sam2.")} == {
        name for name, _ in trainable.network.named_parameters() if ".lora_" in name
    }
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in adapters)
    assert any(name.startswith("prompt_encoder.transformer_decoder.") for name in moved)


class KilledError(Exception):
    """What ends the first part of a run."""


class Kill(Silent):
    """Ends a run after its second step."""

    def trained(self, step: int, total: int, losses: Losses) -> None:  # noqa: ARG002
        if step == 2:
            raise KilledError


def losses_of(out: Path) -> list[str]:
    return [line for line in (out / "log.jsonl").read_text().splitlines() if '"train"' in line]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of two runs of two steps, ``whole`` and ``parts``, one of which was killed."""
    out = tmp_path_factory.mktemp("lora")
    benchmark = write_image_benchmark(out / "episodes", name="all-coco", folds=[(range(1, 9), range(1, 9))])
    recipe = Recipe(
        "dcsam",
        benchmark="all-coco",
        size=SIDE,
        tubes=True,
        epochs=1,
        episodes=2,
        batch=1,
        save_every=1,
        validation_episodes=0,
        learning_rate=0.01,
        settings={"tuned": "lora"},
    )
    method = DCSAM(CHOSEN)
    method.propagator()

    def learn(name: str, report: Silent | None = None) -> None:
        trainable = copy.deepcopy(method).trainable(())
        settings = dataclasses.asdict(CHOSEN)
        train(recipe, trainable, TrainingEpisodes(benchmark, recipe), out / name, settings=settings, report=report)

    learn("whole")
    with pytest.raises(KilledError):
        learn("parts", Kill())
    learn("parts")
    return out


def test_a_killed_and_resumed_run_has_the_same_losses(run: Path) -> None:
    assert len(losses_of(run / "whole")) == 2
    assert losses_of(run / "parts") == losses_of(run / "whole")


def test_a_trained_checkpoint_is_whole_and_segments_as_it_was_trained(run: Path, tmp_path: Path) -> None:
    file = run / "parts" / "best.safetensors"
    state = read_state(file)
    assert f"sam2.base_model.model.{QUERY.removesuffix('weight')}base_layer.weight" in state
    assert f"sam2.base_model.model.{QUERY.removesuffix('weight')}lora_B.default.weight" in state
    assert "prompt_encoder.merge_1.0.weight" in state
    method = DCSAM(dataclasses.replace(CHOSEN, checkpoint=str(file), sam2="sam2-hiera-l", tuned="none"))
    wrapped = with_adapter(build_sam2(NANO))
    wrapped.load_state_dict({name.removeprefix("sam2."): value for name, value in state.items() if "sam2." in name[:5]})
    found = tube_of(method.propagator().network)
    torch.testing.assert_close(found, tube_of(wrapped.eval()), rtol=1e-5, atol=1e-5)
    described = method.describe()
    assert described["settings"]["sam2_in_checkpoint"] == "weights and LoRA"
    assert [one["name"] for one in described["weights"]] == ["best.safetensors"]
    shown = supports(tmp_path, 2)[1:]
    propagator = method.propagator()
    assert propagator.start(shown[0].image(), method.prompt(shown, shown[0].image())).shape == (50, 30)
    assert propagator.step(shown[0].image()).shape == (50, 30)
