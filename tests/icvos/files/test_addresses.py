"""Addresses of other machines are refused in one line that says how to copy, and become no folder called ``s3:``."""

from pathlib import Path

import pytest

import icvos
from icvos.errors import IcvosError
from icvos.files.addresses import require_local
from tests.conftest import icvos as command


@pytest.mark.parametrize(
    ("address", "remedy"),
    [
        ("s3://bucket/IC-VOS", "copy it by: aws s3 sync s3://bucket/IC-VOS FOLDER"),
        ("gs://bucket/IC-VOS", "copy it by: gcloud storage rsync -r gs://bucket/IC-VOS FOLDER"),
        ("hf://datasets/lab/IC-VOS", "copy it by: hf download lab/IC-VOS --repo-type dataset --local-dir FOLDER"),
        (
            "hf://datasets/lab/IC-VOS@v1/built/",
            "hf download lab/IC-VOS --repo-type dataset --revision v1 --include 'built/*' --local-dir FOLDER",
        ),
        ("hf://lab/masks", "copy it by: hf download lab/masks --local-dir FOLDER"),
        ("https://example.org/masks.zip", "copy it by: curl -O https://example.org/masks.zip"),
        ("ftp://example.org/a", "copy it from or to there"),
    ],
)
def test_an_address_is_refused_with_the_way_to_copy_it(address: str, remedy: str) -> None:
    with pytest.raises(IcvosError) as refused:
        require_local(address)
    assert str(refused.value).startswith(f"{address}: icvos reads and writes folders of this machine alone; ")
    assert str(refused.value).endswith(remedy)


@pytest.mark.parametrize("place", ["IC-VOS", "C:/data", "C:\\data", "a/b:/c", "./s3:/a", "s3:/a", "-", "", "a:b"])
def test_paths_are_none(place: str) -> None:
    require_local(place)


@pytest.mark.parametrize(
    "arguments",
    [
        ("score", "s3://a/masks", "--benchmark", "IC-VOS"),
        ("score", "masks", "s3://a/truth"),
        ("score", "masks", "--benchmark", "s3://a/IC-VOS"),
        ("score", "masks", "--benchmark", "IC-VOS", "--json", "s3://a/scores.json"),
        ("validate", "s3://a/masks", "--benchmark", "IC-VOS"),
        ("eval", "--method", "oracle", "--benchmark", "IC-VOS", "--out", "s3://a/run"),
        ("build", "--davis", "DAVIS", "--out", "s3://a/IC-VOS"),
        ("submit", "masks", "--benchmark", "IC-VOS", "--name", "a", "--board", "s3://a/board"),
        ("data", "fetch", "davis-2017", "--to", "s3://a"),
        ("weights", "add", "resnet50-v2", "s3://a/sam.pth"),
    ],
)
def test_commands_refuse_them_in_one_line_and_write_nothing(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = command(*arguments, status=2).stderr
    assert said.count("\n") == 1
    assert "icvos: s3://a" in said
    assert "aws s3 sync s3://a" in said
    assert not any(tmp_path.iterdir())


def test_calls_refuse_them() -> None:
    with pytest.raises(IcvosError, match="aws s3 sync"):
        icvos.open_task("s3://a/IC-VOS")
    with pytest.raises(IcvosError, match="aws s3 sync s3://a/IC-VOS"):
        icvos.open_task(Path("s3://a/IC-VOS"))
