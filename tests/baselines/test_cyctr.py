"""CyCTR against the recorded outputs of the published program."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from baselines.cyctr import CyCTR
from baselines.cyctr.attention import cycle_consistent
from baselines.cyctr.keys import Permute, draw, object_cells, seeded
from baselines.cyctr.method import CyCTRSettings
from baselines.cyctr.network import Cycled, CyCTRNetwork, own_names
from baselines.cyctr.training import CyCTRTrainable, cyctr_losses, padding_of
from baselines.cyctr.transformer import Layer, Shown, Transformer
from icvos.errors import IcvosError
from icvos.models.backbones.build import build_backbone
from icvos.models.backbones.stages import STAGES
from icvos.models.maps import aligned, shown_positions, tokens_of
from icvos.models.squares import fit_label, fit_picture, standardise
from icvos.models.weights.load import load_weights
from icvos.training.learner import make_optimisers
from icvos.training.recipe import Recipe
from icvos.training.squares import crop
from tests import Json, parity
from tests.baselines import recorded
from tests.baselines.drawn import random_batch, supports


def recorded_orders(seed: int) -> Permute:
    random = np.random.RandomState(seed)
    return lambda count: torch.from_numpy(random.permutation(count))


def picture(spec: Json, side: int) -> Tensor:
    square = np.zeros((side, side, 3), dtype=np.uint8)
    height, width = spec["content"]
    square[:height, :width] = parity.image(spec["seed"], height, width)
    return torch.from_numpy(parity.normalise(square))


def label(spec: Json, side: int) -> Tensor:
    """(S, S) int64; what is 255 is padding too."""
    square = np.full((side, side), 255, dtype=np.int64)
    height, width = spec["content"]
    square[:height, :width] = spec.get("value", parity.mask(spec["seed"], height, width))
    if "ignored" in spec:
        top, bottom, left, right = spec["ignored"]
        square[top:bottom, left:right] = 255
    return torch.from_numpy(square)


def save(state: dict[str, np.ndarray], folder: Path) -> str:
    """The path of a file such as the published program writes."""
    named = {f"module.{name}": torch.from_numpy(value) for name, value in state.items()}
    torch.save({"epoch": 1, "state_dict": named, "optimizer": {}}, folder / "published.pth")
    return str(folder / "published.pth")


@pytest.mark.parametrize("name", parity.cases("cyctr-resnet*", slow="*-5shot*"))
def test_recorded_outputs(name: str, tmp_path: Path) -> None:
    case, expected = parity.load(name)
    given, side, shots = case["inputs"], case["config"]["input_size"], range(case["config"]["shot"])
    published = save(parity.state_dict(case), tmp_path)
    network = CyCTR(CyCTRSettings(checkpoint=published, device="cpu")).network
    query = picture(given["query_image"], side)[None]
    padding = torch.ones(1, side, side, dtype=torch.bool)
    height, width = given["query_image"]["content"]
    padding[:, :height, :width] = False
    pictures = torch.stack([picture(given[f"support_image_{shot}"], side) for shot in shots])[None]
    labels = torch.stack([label(given[f"support_label_{shot}"], side) for shot in shots])[None]
    wanted = label(case["loss_inputs"]["query_label"], side)[None]
    orders = recorded_orders(case["permutation_seed"])
    with torch.inference_mode():
        found = network(query, pictures, labels, padding, labels == 255, orders)
        prototype, backwards = network.backwards(found, wanted)
        losses = cyctr_losses(network, found, wanted, labels)
    values = described(found) | layered(found.layers, 2)
    values |= {
        "logits_every_2": aligned(found.low, side)[..., ::2, ::2],
        "query_prototype": prototype[..., 0, 0],
        "support_logits_low": backwards,
        "loss_main": losses["main"],
        "loss_aux": losses["auxiliary"],
    }
    check(values, case, expected)
    counts = case["counts"]
    assert recorded.learned(CyCTRTrainable(network)) == counts["parameters_learnable"]
    assert recorded.parameters(network) == counts["parameters_total"]
    assert recorded.parameters(network.addtional_proj) == counts["parameters_never_used"]
    assert recorded.parameters(network.transformer) == 2_474_672


def described(found: Cycled) -> dict[str, Tensor]:
    """The recorded outputs around the transformer."""
    values = {f"query_layer{level + 2}_mean": tap.mean(1, keepdim=True) for level, tap in enumerate(found.taps)}
    values |= {f"support_layer{index + 2}_mean": x.mean(1, keepdim=True) for index, x in enumerate(found.support_taps)}
    shape = found.padded.shape
    return values | {
        "query_reduced_mean": found.query.mean(1, keepdim=True),
        "support_reduced_mean": found.supports.mean(1, keepdim=True),
        "prototype": found.prototype[..., 0, 0],
        "prototype_each": found.prototype_each[0, ..., 0, 0],
        "prior_each": found.prior_each[0][:, None],
        "prior": found.prior,
        "query_merged_mean": found.merged.mean(1, keepdim=True),
        "support_merged_mean": found.merged_supports.mean(1, keepdim=True),
        "query_padding_low": found.padded,
        "support_padding_low": found.shown.padded.reshape(-1, *shape[1:]),
        "support_object_low": found.shown.shows.reshape(-1, *shape[1:]),
        "position_every": tokens_of(shown_positions(~found.padded, found.query.shape[1]))[:, ::7, ::8],
        "transformer_mean": found.transformed.mean(1, keepdim=True),
        "fused_mean": found.fused.mean(1, keepdim=True),
        "logits_low": found.low,
    }


def layered(layers: list[Layer], every: int) -> dict[str, Tensor]:
    """The recorded outputs of the transformer; of its tokens every second or fourth, or all."""
    keys = layers[0].keys
    values = {"key_index": keys.index, "key_object": keys.shows, "key_padding": keys.padded}
    for number, layer in enumerate(layers):
        values |= {
            f"self_{number}_4": layer.looked[:, ::every, :4],
            f"kept_{number}": layer.kept,
            f"cross_{number}_4": layer.crossed[:, ::every, :4],
            f"tokens_{number}_4": layer.tokens[:, ::every, :4],
        }
    return values


def check(values: dict[str, Tensor], case: Json, expected: dict[str, np.ndarray]) -> None:
    """Flags and places are the recorded ones, all else is within the case's tolerance."""
    assert values.keys() == expected.keys()
    whole = {key for key, value in expected.items() if value.dtype.kind in "iu"}
    assert {"key_index", "kept_0"} <= {key.removeprefix(f"{key.partition('_')[0]}_") for key in whole} | whole
    for key in whole:
        assert np.array_equal(values[key].numpy(), expected[key]), key
    rest = expected.keys() - whole
    recorded.check({key: values[key] for key in rest}, case, {key: expected[key] for key in rest})


class Alone(nn.Module):
    """The transformer under its published name."""

    def __init__(self) -> None:
        super().__init__()
        self.transformer = Transformer(256)


def test_recorded_outputs_of_the_transformer(tmp_path: Path) -> None:
    case, expected = parity.load("cyctr-transformer")
    network = Alone()
    load_weights(network, save(parity.state_dict(case), tmp_path), own_names)
    network.eval()
    values: dict[str, Tensor] = {}
    for part, given in case["inputs"].items():
        every = {42: 4, 30: 2}.get(given["f"], 1)
        with torch.inference_mode():
            out, layers = network.transformer(*prepared(given), recorded_orders(given["permutation_seed"]))
        found = layered(layers, every) | {"output_mean": out.mean(1, keepdim=True)}
        values |= {f"{part}_{key}": value for key, value in found.items()}
    check(values, case, expected)


def prepared(given: Json) -> tuple[Tensor, Tensor, Shown]:
    """Query, its padding and the supports of a part of the recorded transformer."""
    side = given["f"]

    def normal(spec: Json) -> Tensor:
        drawn = np.random.RandomState(spec["seed"]).standard_normal(spec["size"])
        return torch.from_numpy(drawn.astype(np.float32))

    def padding(rows: int, columns: int) -> Tensor:
        found = torch.zeros(side, side, dtype=torch.bool)
        found[side - rows :] = True
        found[:, side - columns :] = True
        return found

    labels = []
    for spec in given["support_mask"]:
        drawn = parity.mask(spec["seed"], side, side)
        drawn = 1 - drawn if spec.get("inverted") else drawn
        labels.append(torch.from_numpy(np.full_like(drawn, spec["value"]) if "value" in spec else drawn))
    supports = torch.stack([normal(spec) for spec in given["support"]])
    shown = Shown(
        tokens_of(supports).flatten(0, 1)[None],
        object_cells(torch.stack(labels)[None], side).flatten(1),
        torch.stack([padding(*each) for each in given["support_padding"]]).flatten()[None],
        given["shot"],
    )
    return normal(given["query"])[None], padding(*given["query_padding"])[None], shown


@pytest.fixture(scope="module")
def method() -> CyCTR:
    return CyCTR(CyCTRSettings(backbone="efficientnet-lite0", size=129, width=16, sam2="affinity", device="cpu"))


@pytest.mark.parametrize("shots", [1, 5])
def test_frames_of_any_size(tmp_path: Path, method: CyCTR, shots: int) -> None:
    shown, frame = supports(tmp_path, shots), parity.image(9, 47, 61)
    mask = method.segment_image(shown, frame)
    assert mask.shape == (47, 61)
    torch.manual_seed(7)  # the choice of keys follows from the episode alone
    assert np.array_equal(method.segment_image(shown, frame), mask)
    with pytest.raises(IcvosError, match="cyctr needs a support"):
        method.segment_image([], frame)


def test_the_choice_of_keys_follows_from_seed_and_supports() -> None:
    first = seeded(0, ["a", "b"])
    orders = [first(1000), first(1000)]
    again = seeded(0, ["a", "b"])
    assert all(torch.equal(order, again(1000)) for order in orders)
    assert not torch.equal(*orders)
    for seed, names in ((1, ["a", "b"]), (0, ["b", "a"]), (0, ["ab"])):
        assert not torch.equal(seeded(seed, names)(1000), orders[0])


def test_keys_can_have_the_flags_of_their_own_cells() -> None:
    generator = torch.Generator().manual_seed(0)
    shows = torch.rand(3, 400, generator=generator) > torch.tensor([[0.95], [0.5], [0.05]])  # few, both enough, most
    padded = torch.rand(3, 400, generator=generator) > 0.8
    for own in (False, True):
        keys = draw(shows, padded, 50, lambda count: torch.arange(count).flip(0), own_flags=own)
        assert keys.index.shape == (3, 100)
        assert all(len(set(row.tolist())) == 100 for row in keys.index)
        truly = torch.equal(keys.shows, shows.gather(1, keys.index)) and torch.equal(
            keys.padded, padded.gather(1, keys.index)
        )
        assert truly == own
        counts = shows.gather(1, keys.index).sum(1).tolist()
        assert counts == [int(shows[0].sum()), 50, 100 - int((~shows[2]).sum())]


def test_neither_kind_of_cell_is_ever_missing() -> None:
    labels = torch.stack([torch.zeros(9, 9), torch.ones(9, 9), torch.full((9, 9), 255.0)])[None]
    nothing, everything, ignored = object_cells(labels, 5)[0]
    assert nothing.nonzero().tolist() == [[1, 1], [1, 2], [2, 1], [2, 2]]
    assert (~everything).nonzero().tolist() == [[0, 0], [0, 4], [4, 0], [4, 4]]
    assert torch.equal(ignored, nothing)


def test_attention_leaves_out_keys_that_lead_to_the_other_kind() -> None:
    scores = torch.tensor([[[[5.0, 1.0, 6.0], [0.0, 3.0, 1.0]]]])  # two cells of a query, three keys
    # key 0 -> cell 0 -> key 2; key 1 -> cell 1 -> key 1; key 2 -> cell 0 -> key 2
    assert cycle_consistent(scores, torch.tensor([[True, True, False]])).tolist() == [[[False, True, True]]]
    assert cycle_consistent(scores, torch.tensor([[False, True, False]])).tolist() == [[[True, True, True]]]


def test_samples_of_a_batch_do_not_mix() -> None:
    """Nor does deformable attention see beyond its own map."""
    generator = torch.Generator().manual_seed(0)
    network = CyCTRNetwork(build_backbone("efficientnet-lite0"), 16).eval()
    query, support = torch.randn(2, 2, 3, 65, 65, generator=generator)
    labels = (torch.rand(2, 1, 65, 65, generator=generator) > 0.5).long()
    with torch.inference_mode():
        orders = seeded(0, [])
        together = network(query, support[:, None], labels, permute=orders).low
        orders = seeded(0, [])
        alone = [network(query[[row]], support[[row]][:, None], labels[[row]], permute=orders).low for row in range(2)]
    assert torch.allclose(together, torch.cat(alone), atol=1e-4)


def test_training_moves_all_but_the_backbone_by_two_optimisers(method: CyCTR) -> None:
    trainable = method.trainable([0, 1])
    made = make_optimisers(Recipe("cyctr", optimiser="sgd", learning_rate=0.05, weight_decay=1e-4), trainable)
    assert {name: type(one) for name, one in made.items()} == {
        "total/sgd": torch.optim.SGD,
        "total/adamw": torch.optim.AdamW,
    }
    weights, biases = made["total/adamw"].param_groups
    assert (weights["weight_decay"], biases["weight_decay"]) == (0.01, 0)
    assert weights["constant"]
    before = {name: tensor.clone() for name, tensor in trainable.network.state_dict().items()}
    trainable.train()
    trainable.losses(random_batch([0, 1]))["total"].backward()
    for optimiser in made.values():
        optimiser.step()
    trainable.network.eval()
    still = {name for name, tensor in trainable.network.state_dict().items() if torch.equal(tensor, before[name])}
    assert {name for name in still if not name.startswith("layer")} <= {
        f"addtional_proj.{number}.weight" for number in (0, 2)
    } | {name for name in before if name.endswith("attention_weights.bias")}
    assert {name for name in before if name.startswith(STAGES)} <= still


def test_what_is_remembered_changes_nothing(method: CyCTR) -> None:
    trainable, batch = method.trainable([0, 1]), random_batch([0, 1])
    with torch.inference_mode():
        plain = trainable.logits(batch)
        trainable.remember(4)
        first, again = trainable.logits(batch), trainable.logits(batch)
    method.network.remembered = None
    assert float(plain.std()) > 0
    assert torch.allclose(plain, first, atol=1e-4)
    assert torch.equal(first, again)


def test_padding_is_told_from_the_ignored_outline_of_an_object() -> None:
    image = np.full((40, 60, 3), 90, dtype=np.uint8)
    mask = np.zeros((40, 60), dtype=np.uint8)
    mask[10:20, 10:20] = 255
    whole, placed = fit_picture(image, 65), torch.from_numpy(fit_label(mask, 65, outside=255)).long()
    filled, label = crop(image, mask, 65, np.random.default_rng(0), redraws=0)
    for picture_, label_ in ((whole, placed), (standardise(filled), torch.from_numpy(label).long())):
        shown = picture_.flatten(1).mode(1).values  # most of it is the picture, of one colour
        outside = (picture_ - shown[:, None, None]).abs().amax(0) > 0.01
        assert torch.equal(padding_of(picture_[None], label_[None])[0], outside)
        assert (~outside & (label_ == 255)).any()


def test_a_checkpoint_of_another_width_is_told(tmp_path: Path) -> None:
    state = {"adjust_feature_qry.0.weight": torch.zeros(384, 1536, 1, 1)}
    torch.save({"state_dict": state}, tmp_path / "wide.pth")
    with pytest.raises(IcvosError, match="has 384 channels, width is 256; use --set width=384"):
        CyCTR(CyCTRSettings(checkpoint=str(tmp_path / "wide.pth")))
    with pytest.raises(IcvosError, match="8 n \\+ 1"):
        CyCTRSettings(size=472)
