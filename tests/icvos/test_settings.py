"""Settings from text."""

from dataclasses import MISSING, dataclass, field
from typing import Annotated, Literal

import pytest

from icvos.errors import IcvosError
from icvos.method import find_method, method_names, settings_for
from icvos.settings import Checked, Positive, Range, Setting, Whole, describe, fill, refusal, renamed
from tests.conftest import icvos


@dataclass(frozen=True)
class Example:
    size: int = 3
    rate: float = 0.5
    name: str = "a"
    on: bool = False
    limit: int | None = None
    blocks: tuple[int, ...] = (1,)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, Example()),
        ({"size": "4", "rate": "1e-3"}, Example(size=4, rate=1e-3)),
        ({"on": "true", "name": "x"}, Example(on=True, name="x")),
        ({"limit": "7"}, Example(limit=7)),
        ({"limit": "none"}, Example()),
        ({"blocks": "1,2,3"}, Example(blocks=(1, 2, 3))),
        ({"blocks": "[1, 2]"}, Example(blocks=(1, 2))),
        ({"size": 9}, Example(size=9)),
        ({"rate": 1, "blocks": [1, 2], "limit": None}, Example(rate=1.0, blocks=(1, 2), limit=None)),
    ],
)
def test_fill(values: dict[str, object], expected: Example) -> None:
    assert fill(Example, values) == expected


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"sise": "1"}, "did you mean size"),
        ({"size": "big"}, "size=big: it must be a whole number; change it with --set size=VALUE"),
        ({"on": "perhaps"}, "on=perhaps: it must be true or false"),
        ({"size": 2.5}, "size=2.5: it must be a whole number"),
        ({"size": True}, "it must be a whole number"),
        ({"name": 3}, "it must be a text"),
        ({"blocks": [1, 2.5]}, "it must be whole numbers with commas between, like 1,2"),
        ({"blocks": 1}, "it must be whole numbers"),
        ({"blocks": ""}, "it must be whole numbers"),
        ({"blocks": ()}, "it must be one value or more"),
        ({"name": ""}, "name=: it must be a text"),
        ({"rate": "nan"}, "rate=nan: it must be a finite number; change it with --set rate=VALUE"),
        ({"rate": "1e999"}, "rate=inf: it must be a finite number"),
    ],
)
def test_bad_settings_say_what_is_wrong(values: dict[str, object], message: str) -> None:
    with pytest.raises(IcvosError, match=message):
        fill(Example, values)


def even(value: int) -> None:
    if value % 2:
        raise refusal("pairs", value, "even")


@dataclass(frozen=True)
class Ranged(Checked):
    count: Whole = 0
    limit: Whole | None = None
    share: Annotated[float, Range(0, below=1)] = 0.5
    degrees: Annotated[float, Range(above=-90, most=90)] = 0.0
    sides: tuple[Positive, ...] = (1.0,)
    kind: Literal["a", "b"] = "a"
    pairs: Annotated[int, even] = 2


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"count": -1}, "setting count=-1: it must be 0 or more; change it with --set count=VALUE"),
        ({"limit": -1}, "setting limit=-1: it must be 0 or more"),
        ({"share": 1.0}, "it must be from 0 to below 1"),
        ({"share": float("nan")}, "share=nan: it must be a finite number, from 0 to below 1"),
        ({"degrees": -90.0}, "it must be above -90, at most 90"),
        ({"sides": (2.0, 0.0)}, "sides=2,0: it must be above 0 in every place"),
        ({"kind": "c"}, "kind=c: it must be one of a, b"),
        ({"pairs": 3}, "pairs=3: it must be even"),
    ],
)
def test_a_value_out_of_its_range_is_refused_however_it_comes(values: dict[str, object], message: str) -> None:
    with pytest.raises(IcvosError, match=message):
        fill(Ranged, values)
    with pytest.raises(IcvosError, match=message):
        Ranged(**values)  # type: ignore[arg-type]


def test_an_error_names_a_setting_as_it_is_set() -> None:
    with pytest.raises(IcvosError, match=r"setting settings\.count=-1: .*; change it with --set settings\.count=VALUE"):
        fill(Ranged, {"count": "-1"}, "settings.")


def test_values_at_the_ends_of_a_range_are_taken() -> None:
    given = {"count": 0, "limit": None, "share": 0.0, "degrees": 90.0, "sides": (0.1,)}
    assert fill(Ranged, given) == Ranged(**given)  # type: ignore[arg-type]
    assert [one.range for one in describe(Ranged)][:4] == [
        "0 or more",
        "0 or more",
        "from 0 to below 1",
        "above -90, at most 90",
    ]


def test_a_setting_without_a_default_has_to_be_given() -> None:
    with pytest.raises(IcvosError, match="no needed is given; add --set needed=VALUE"):
        fill(Base, {})


@dataclass(frozen=True)
class Base:
    """What both have.

    Args:
        needed: Has
            no default.
    """

    needed: int


@dataclass(frozen=True)
class Told(Base):
    """What can be set.

    Args:
        model: A name: ``x`` or `y`.
        kind: One of two.

    Text behind it.
        limit: This is no entry.
    """

    model: str = renamed("x", "network", "net")
    kind: Literal["a", "b"] | None = None
    sizes: tuple[int, ...] = field(default_factory=lambda: (1, 2))
    limit: float | None = 0.5


@pytest.mark.parametrize("old", ["network", "net"])
def test_a_setting_that_was_renamed_says_so(old: str) -> None:
    with pytest.raises(IcvosError) as refusal:
        fill(Told, {"needed": 1, old: "y"})
    assert str(refusal.value) == f"unknown setting '{old}'; did you mean model?"
    assert fill(Told, {"needed": 1, "model": "y", "kind": "b"}) == Told(1, "y", "b")


def test_describe() -> None:
    assert describe(Told) == (
        Setting("needed", "int", MISSING, "Has no default.", ()),
        Setting("model", "str", "x", "A name: x or y.", ()),
        Setting("kind", "str or none", None, "One of two.", ("a", "b")),
        Setting("sizes", "int,int,...", (1, 2), "", ()),
        Setting("limit", "float or none", 0.5, "", ()),
    )
    assert all(setting.meaning == "" for setting in describe(Example))


@pytest.mark.parametrize("name", method_names())
def test_every_setting_of_every_method_has_a_meaning(name: str) -> None:
    pytest.importorskip("torch", reason="methods need torch: pip install 'icvos[models]'")
    kind = getattr(find_method(name).load(), "Settings", None)
    described = {setting.name: setting for setting in describe(kind)} if kind else {}
    assert [setting.name for setting in described.values() if not setting.meaning] == []
    assert not {"propagation", "network", "model"} & described.keys()
    if "sam2" in described:
        with pytest.raises(IcvosError, match=r"unknown setting 'propagation'; did you mean sam2\?"):
            fill(kind, {"propagation": "sam2-hiera-t"})


BAD = {
    "lite": (
        *("prompt_sides=0", "prompt_sides=-1,320", "support_side=0", "object_side=-5", "margin=nan", "margin=0"),
        *(
            "block=99",
            "block=-1",
            "spread=1",
            "contrast=0",
            "reach=inf",
            "background=2",
            "foreground=-1",
            "certain=nan",
        ),
        *(
            "cut_side=-1",
            "cut_rounds=-1",
            "part=-1",
            "zooms=-1",
            "zooms=1.5",
            "surround=0",
            "closest=2",
            "short_side=0",
        ),
        *("recent=-1", "device=foo", "device=", "device=cuda:99"),
    ),
    "oracle": ("short_side=-3", "recent=-1", "dtype=foo", "device=gpu", "sam2="),
    "memory": ("hole_area=-1", "resize=big", "dtype=float16", "sam2="),
    "persam": ("mask_value=0", "mask_value=256", "guided=2", "handover=box", "sam="),
    "persam-f": ("mask_value=-1", "epochs=0", "learning_rate=0", "learning_rate=nan"),
    "insid3": ("side=0", "directions=-1", "tau=2", "theta=-0.1", "theta=nan", "backbone="),
    "gf-sam": ("handover=centers", "dinov2=", "sam=", "short_side=0"),
    "sansa": (
        *("handover=embeddings", "prompt=text", "keep=last", "size=31", "stages=4", "stages=", "bottleneck=0"),
        *("bottleneck=nan", "targets=0", "sam2=", "dtype=float16"),
    ),
    "seggpt": ("side=0", "side=450", "recent=-1", "recent=99", "threshold=256", "kind=panoptic", "handover=points"),
    "painter": ("side=30", "threshold=nan", "program=depth", "handover=memory", "checkpoint=", "sam2="),
    "matcher": ("grid=-1", "iterations=0", "preset=x", "dinov2="),
    "base-learner": ("base_classes=0", "size=0", "backbone_rate=-1", "backbone=resnet50"),
    "bam": ("base_classes=0", "size=31", "shots=0", "base_learner=some", "width=0", "backbone=swin-b"),
    "cyctr": ("size=472", "width=12", "width=0", "seed=-1", "own_flags=maybe", "backbone=resnet50"),
    "ssp": ("side=-1", "refine=2", "learned=all", "backbone=vgg16-bn"),
    "hdmnet": ("base_classes=-60", "shots=0", "size=63", "base_learner=all", "backbone=swin-b"),
    "amnet": ("shots=-1", "size=nan"),
    "hsnet": ("size=31", "width=12", "backbone=resnet50-v2", "sam2="),
    "hsnet-hm": ("size=nan", "dtype=float16"),
    "vat": ("guided=0", "guided=4", "backbone=vgg16"),
    "vat-hm": ("size=0",),
    "vrp-sam": ("queries=0", "size=31", "condition=circle", "backbone="),
    "pfenet": (
        "size=512",
        "bins=0",
        "bins=-1,0.5",
        "bins=60.5,30",
        "bins=nan",
        "frozen_statistics=maybe",
        "size=99999",
    ),
}


@pytest.mark.parametrize(("name", "pair"), [(name, pair) for name, pairs in BAD.items() for pair in pairs])
def test_every_method_refuses_bad_settings_by_name(name: str, pair: str) -> None:
    pytest.importorskip("torch", reason="methods need torch: pip install 'icvos[models]'")
    setting, _, value = pair.partition("=")
    with pytest.raises(IcvosError) as refusal:
        settings_for(name, {setting: value})
    text = str(refusal.value)
    assert text.startswith(f"setting {setting}=")
    assert f"--set {setting}=" in text


@pytest.mark.parametrize("name", BAD)
def test_every_number_has_a_range(name: str) -> None:
    pytest.importorskip("torch", reason="methods need torch: pip install 'icvos[models]'")
    free = {"seed"}  # any number is one
    numbers = [one for one in describe(find_method(name).load().Settings) if one.type_text.startswith(("int", "float"))]
    assert [one.name for one in numbers if not one.range and one.name not in free] == []


def test_the_ranges_are_shown() -> None:
    pytest.importorskip("torch", reason="methods need torch: pip install 'icvos[models]'")
    assert "int, from 0 to 15" in icvos("methods", "show", "lite").output


@pytest.mark.parametrize(
    "arguments",
    [
        ("eval", "--method", "lite", "--benchmark", "nowhere", "--out", "out", "--set", "margin=nan"),
        ("predict", "--support", "no.jpg", "--mask", "no.png", "--video", "no", "--out", "out", "--set", "margin=nan"),
        (
            "predict",
            "--support",
            "no.jpg",
            "--mask",
            "no.png",
            "--video",
            "no",
            "--out",
            "out",
            "--set",
            "device=cuda:99",
        ),
        ("train", "pfenet-coco-20i", "--data", "nowhere", "--out", "out", "--set", "settings.foo=9"),
        ("train", "pfenet-coco-20i", "--data", "nowhere", "--out", "out", "--set", "settings.bins=0"),
        ("train", "pfenet-coco-20i", "--data", "nowhere", "--out", "out", "--set", "size=20"),
        ("train", "pfenet-coco-20i", "--data", "nowhere", "--out", "out", "--set", "batch=0"),
        ("train", "pfenet-coco-20i", "--data", "nowhere", "--out", "out", "--set", "seed=-1"),
    ],
)
def test_settings_are_refused_before_data_are_read(arguments: tuple[str, ...]) -> None:
    pytest.importorskip("torch", reason="methods need torch: pip install 'icvos[models]'")
    if arguments[0] == "train":
        pytest.importorskip("accelerate", reason="training needs more: pip install 'icvos[train]'")
    said = icvos(*arguments, status=2).stderr
    assert arguments[-1].partition("=")[0] in said
    assert "no such" not in said
    assert len(said.splitlines()) == 1
