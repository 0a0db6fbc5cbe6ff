"""Checkpoints by name and path: where they are looked for, what is read, and what is refused."""

import io
import os
import pickle
import random
import subprocess
import sys
import tarfile
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest

from icvos.errors import IcvosError
from icvos.files.storage import sha256, take_in
from icvos.models.weights import registry
from icvos.models.weights.integrity import what_else
from icvos.models.weights.registry import Checkpoint, random_weights_allowed
from tests.icvos.models.weights_folder import empty_folder

torch = pytest.importorskip("torch", reason="reading checkpoints needs torch: pip install 'icvos[models]'")
weights = pytest.importorskip("icvos.models.weights.load")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of weights, and no override of the user's."""
    return empty_folder(tmp_path, monkeypatch)


def network() -> Any:
    return torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))


def state(scale: float = 1.0) -> Any:
    found = network().state_dict()
    return OrderedDict((name, torch.full_like(tensor, scale)) for name, tensor in found.items())


def know(monkeypatch: pytest.MonkeyPatch, *known: Checkpoint) -> None:
    monkeypatch.setattr(registry, "checkpoints", lambda: {one.name: one for one in known})


def test_every_entry_says_how_to_get_it() -> None:
    known = registry.checkpoints()
    for name in (
        *(f"sam-vit-{size}" for size in ("b", "l", "h")),
        *(f"{version}-hiera-{size}" for version in ("sam2", "sam2.1") for size in ("t", "s", "b+", "l")),
        *("dinov2-vits14", "dinov2-vitb14", "dinov2-vitl14", "dinov2-vitb14-reg"),
        *(f"dinov3-vit{size}16" for size in ("s", "b", "l")),
        *("resnet50", "resnet101", "vgg16"),
        *("resnet50-v2", "resnet101-v2", "vgg16-bn", "swin-b"),
        *("seggpt-vit-large", "painter-vit-large"),
    ):
        assert known[name].file
    for one in known.values():
        ways = one.urls, one.by_hand, one.unpublished, one.module, one.inside
        assert sum(map(bool, ways)) == 1, one.name
        assert all(url.startswith("https://") and url.rpartition("/")[2] == one.file for url in one.urls)
        assert not one.urls or (one.licence and one.trained_on and (one.sha256 or one.sha256_prefix))
        assert one.sha256_prefix in one.file
        assert len(one.sha256) in (0, 64)
        assert registry.how_to_get(one)
        assert registry.short_way(one)
    assert len({registry.variable(name) for name in known}) == len(known)
    assert len({one.file for one in known.values() if one.file}) == sum(bool(one.file) for one in known.values())


def test_lookup_prefers_a_path_then_the_variable_then_the_folder(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    know(monkeypatch, Checkpoint("net-b+", file="net.pth", urls=("https://example.org/net.pth",)))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(IcvosError) as refusal:
        weights.find_weights("net-b+")
    for part in ("icvos weights fetch net-b+", "https://example.org/net.pth", str(folder), "ICVOS_WEIGHTS_NET_B_"):
        assert part in str(refusal.value)
    (folder / "net.safetensors").touch()
    assert weights.find_weights("net-b+") == folder / "net.safetensors"
    (folder / "net.pth").touch()
    assert weights.find_weights("net-b+") == folder / "net.pth"
    monkeypatch.setenv("ICVOS_WEIGHTS_NET_B_", str(tmp_path / "mine.pth"))
    with pytest.raises(IcvosError, match="ICVOS_WEIGHTS_NET_B_ names it as net-b"):
        weights.find_weights("net-b+")
    (tmp_path / "mine.pth").touch()
    assert weights.find_weights("net-b+") == tmp_path / "mine.pth"
    (tmp_path / "net-b+").touch()
    assert weights.find_weights("net-b+") == Path("net-b+")


def test_the_folder_of_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert registry.folder() == tmp_path / "weights"
    monkeypatch.delenv(registry.FOLDER_VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert registry.folder() == tmp_path / "cache" / "icvos" / "weights"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert registry.folder() == tmp_path / ".cache" / "icvos" / "weights"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sam2.1-hiera-xl", r"neither a file nor a checkpoint's name \(did you mean sam2.1-hiera-l\?\)"),
        ("nowhere/net.pth", "neither a file nor a checkpoint's name"),
        ("resnet50-v2", "get it by hand from .*PFENet.*resnet50_v2.pth"),
        ("vrp-sam", "never released one"),
    ],
)
def test_what_is_missing_is_said_in_one_line(name: str, message: str) -> None:
    with pytest.raises(IcvosError, match=message) as refusal:
        weights.find_weights(name)
    assert "\n" not in str(refusal.value)
    with random_weights_allowed():
        assert weights.find_weights(name) is None
    with pytest.raises(IcvosError), random_weights_allowed(False):
        weights.find_weights(name)


@pytest.mark.parametrize("wrapping", ["plain", "model", "state_dict", "module"])
@pytest.mark.parametrize("form", ["zip", "legacy", "safetensors"])
def test_every_published_form_loads(form: str, wrapping: str, tmp_path: Path) -> None:
    found: Any = state(0.5)
    if wrapping == "module":
        found = {f"module.{name}": tensor for name, tensor in found.items()}
    if wrapping in ("model", "state_dict"):
        if form == "safetensors":
            pytest.skip("safetensors has no nesting")
        found = {wrapping: found, "epoch": 3, "optimizer": {"lr": 0.1, "betas": (0.9, 0.999)}}
    path = tmp_path / ("net.safetensors" if form == "safetensors" else "net.pth")
    if form == "safetensors":
        from safetensors.torch import save_file

        save_file(dict(found), path)
    else:
        torch.save(found, path, _use_new_zipfile_serialization=form == "zip")
        assert zipfile.is_zipfile(path) == (form == "zip")
    target = network()
    loaded = weights.load_weights(target, str(path))
    assert (loaded.name, loaded.sha256, loaded.random) == (path.name, sha256(path), False)
    assert all((tensor == 0.5).all() for tensor in target.state_dict().values() if tensor.is_floating_point())


class _Malicious:
    """Runs a command when it is unpickled by a reader that lets it."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.marker}",)


@pytest.mark.parametrize("form", ["zip", "legacy", "bare pickle"])
def test_an_object_in_a_checkpoint_is_refused_and_not_run(form: str, tmp_path: Path) -> None:
    path, marker = tmp_path / "net.pth", tmp_path / "ran"
    if form == "bare pickle":
        path.write_bytes(pickle.dumps(_Malicious(marker)))
    else:
        torch.save({**state(), "extra": _Malicious(marker)}, path, _use_new_zipfile_serialization=form == "zip")
    with pytest.raises(IcvosError) as refusal:
        weights.read_state(path)
    assert str(path) in str(refusal.value)
    assert "could run code" in str(refusal.value) or form == "bare pickle"
    assert "\n" not in str(refusal.value)
    assert not marker.exists()
    if form == "bare pickle":
        pickle.loads(path.read_bytes())
        assert marker.exists()  # so the file was dangerous


def test_an_archive_of_tar_is_refused(tmp_path: Path) -> None:
    path, marker = tmp_path / "net.pth", tmp_path / "ran"
    with tarfile.open(path, "w") as archive:
        for name in ("storages{", "storages", "tensors", "pickle"):  # the first looks like the header of safetensors
            data = pickle.dumps(_Malicious(marker))
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    with pytest.raises(IcvosError, match=r"could run code when read|cut off or damaged"):
        weights.read_state(path)
    assert not marker.exists()


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "an empty file"),
        (b"<!DOCTYPE html><html><body>Sign in</body></html>", "a web page"),
        (b"\n  <html>Not found</html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "a Git LFS pointer"),
        (b"these are my notes\n", "a text"),
        (b"\x89PNG\r\n\x1a\n\xff\xfe", "no checkpoint format"),
    ],
)
def test_a_file_that_is_something_else(content: bytes, what: str, tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    path.write_bytes(content)
    assert what_else(path) == what
    with pytest.raises(IcvosError, match=f"{path}: is {what}, not a checkpoint"):
        weights.read_state(path)


@pytest.mark.parametrize("found", [[1, 2], {"a": 1.5}, {3: torch.zeros(1)}, torch.zeros(2), {"model": {"a": "b"}}])
def test_other_plain_values_are_no_state_dictionary(found: Any, tmp_path: Path) -> None:
    torch.save(found, tmp_path / "net.pth")
    with pytest.raises(IcvosError, match=r"net\.pth: is not a state dictionary"):
        weights.read_state(tmp_path / "net.pth")


@pytest.mark.parametrize("form", ["zip", "legacy", "safetensors"])
def test_damaged_files_are_refused_in_one_line(form: str, tmp_path: Path) -> None:
    """Cut anywhere, or with bytes changed: a clear refusal, or tensors."""
    whole = tmp_path / ("whole.safetensors" if form == "safetensors" else "whole.pth")
    if form == "safetensors":
        from safetensors.torch import save_file

        save_file(dict(state()), whole)
    else:
        torch.save(state(), whole, _use_new_zipfile_serialization=form == "zip")
    data, generator, refusals = whole.read_bytes(), random.Random(0), []
    for number in range(60):
        damaged = bytearray(data[: generator.randrange(1, len(data))] if number % 2 else data)
        for _ in range(4):
            damaged[generator.randrange(min(len(damaged), 600))] = generator.randrange(256)
        path = tmp_path / f"net{whole.suffix}"
        path.write_bytes(damaged)
        try:
            weights.read_state(path)
        except IcvosError as error:
            refusals.append(str(error))
    assert len(refusals) >= 30
    assert all(str(path) in message and "\n" not in message for message in refusals)


def test_a_file_of_the_folder_must_be_the_published_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "net.pth"
    torch.save(state(), path)
    right = {"size": path.stat().st_size, "sha256": sha256(path), "sha256_prefix": sha256(path)[:8]}
    know(monkeypatch, Checkpoint("net", file="net.pth", **right))
    assert weights.load_weights(network(), "net").to_json() == {"name": "net", "sha256": right["sha256"]}
    for wrong in ({"size": 7}, {"sha256": "0" * 64}, {"sha256_prefix": "01234567"}):
        know(monkeypatch, Checkpoint("net", file="net.pth", **wrong))
        with pytest.raises(IcvosError, match=r"net\.pth: is not net: has .*icvos weights fetch net"):
            weights.load_weights(network(), "net")
    know(monkeypatch, Checkpoint("net", file="net.pth"))
    (folder / "net.pth.sha256").write_text("0" * 64 + "  net.pth\n")
    with pytest.raises(IcvosError, match=r"net\.pth\.sha256 says 000000000000"):
        weights.load_weights(network(), "net")
    monkeypatch.setenv("ICVOS_WEIGHTS_NET", str(path.rename(folder.parent / "net.pth")))
    assert weights.load_weights(network(), "net").name == "net"  # who names a file means it


def test_random_weights_are_the_same_everywhere_and_said() -> None:
    first, second = network(), network()
    with random_weights_allowed():
        found = [weights.load_weights(target, "sam-vit-b") for target in (first, second)]
    assert found[0].to_json() == {"name": "sam-vit-b", "sha256": None, "random": True}
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, second.state_dict()[name])
        assert tensor.isfinite().all()


def test_taking_in_replaces_whole(tmp_path: Path) -> None:
    source, target = tmp_path / "a", tmp_path / "new" / "b"
    source.write_bytes(b"first")
    take_in(source, target)
    take_in(source, target)  # linked already
    assert target.read_bytes() == b"first"
    other = tmp_path / "c"
    other.write_bytes(b"second")
    take_in(other, target)
    assert (target.read_bytes(), source.read_bytes()) == (b"second", b"first")
    assert [path.name for path in target.parent.iterdir()] == ["b"]
    with pytest.raises(IcvosError, match="cannot be written"):
        take_in(source, source / "below")


def test_the_registry_needs_no_torch() -> None:
    code = (
        "import sys, icvos.models.weights.registry as r, icvos.models.weights.download; r.checkpoints(); "
        "assert not {'torch', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def changed(name: str, tensor: Any) -> Any:
    return {**state(), name: tensor}


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (lambda: torch.full((2, 3), float("nan")), "0.weight holds NaN or infinite numbers; .*fetch or train it again"),
        (lambda: torch.full((2, 3), float("inf"), dtype=torch.float16), "0.weight holds NaN or infinite numbers"),
        (lambda: torch.ones(2, 3, dtype=torch.int64), "0.weight holds int64 where numbers with fractions belong"),
        (lambda: torch.ones(2, 3, dtype=torch.uint8), "0.weight holds uint8 where"),
        (lambda: torch.ones(2, 3, dtype=torch.bool), "0.weight holds bool where"),
        (lambda: torch.ones(2, 3, dtype=torch.complex64), "0.weight is complex; save plain dense tensors"),
        (lambda: torch.ones(2, 3).to_sparse(), "0.weight is sparse; save plain dense tensors"),
        (lambda: torch.ones(2, 3).to_sparse_csr(), "0.weight is sparse"),
        (lambda: torch.quantize_per_tensor(torch.ones(2, 3), 0.1, 0, torch.qint8), "0.weight is quantised"),
        (lambda: torch.ones(2, 3, device="meta"), "0.weight is empty"),
        (lambda: torch.ones(3, 2), "has another shape of 0.weight"),
        (lambda: torch.ones(()), "has another shape of 0.weight"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_tensors_that_no_network_takes_are_named(tensor: Any, message: str, tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    torch.save(changed("0.weight", tensor()), path)
    before = network()
    with pytest.raises(IcvosError, match=message) as refusal:
        weights.load_weights(before, str(path))
    assert str(refusal.value).startswith(f"{path}: ")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("dtype", ["float64", "bfloat16", "float16"])
def test_numbers_of_another_precision_load(dtype: str, tmp_path: Path) -> None:
    torch.save(changed("0.weight", torch.full((2, 3), 0.5, dtype=getattr(torch, dtype))), tmp_path / "net.pth")
    target = network()
    weights.load_weights(target, str(tmp_path / "net.pth"))
    assert target[0].weight.dtype == torch.float32
    assert bool((target[0].weight == 0.5).all())


def test_half_of_the_names(tmp_path: Path) -> None:
    torch.save({name: tensor for name, tensor in state().items() if name.startswith("0.")}, tmp_path / "net.pth")
    with pytest.raises(IcvosError, match=r"lacks 1\.bias, 1\.running_mean, 1\.running_var and 1 more"):
        weights.load_weights(network(), str(tmp_path / "net.pth"))


@pytest.mark.parametrize("form", ["zip", "safetensors"])
def test_a_file_whose_end_is_missing_says_so(form: str, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    path = tmp_path / ("net.safetensors" if form == "safetensors" else "net.pth")
    save_file(dict(state()), path) if form == "safetensors" else torch.save(state(), path)
    for length in (1, 9, 100):
        path.write_bytes(path.read_bytes()[:-length])
        with pytest.raises(IcvosError, match="is a file that was cut off or damaged, not a checkpoint; fetch it again"):
            weights.load_weights(network(), str(path))


@pytest.mark.parametrize("loader", ["sam", "sam2"])
@pytest.mark.parametrize("shape", [(), (3,), (1, 2, 3), (1, 64, 64, 768)])
def test_shapes_of_no_sam(loader: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    pytest.importorskip("segment_anything" if loader == "sam" else "sam2")
    from icvos.models.sam.sam1 import load_sam
    from icvos.models.sam.sam2 import load_sam2

    names = {"sam": "image_encoder.pos_embed", "sam2": "image_encoder.trunk.pos_embed"}
    found = {names[loader]: torch.zeros(shape), "image_encoder.blocks.0.a": torch.zeros(1)}
    torch.save(found, tmp_path / "net.pth")
    with pytest.raises(IcvosError, match="is not a SAM"):
        (load_sam if loader == "sam" else load_sam2)(str(tmp_path / "net.pth"))
