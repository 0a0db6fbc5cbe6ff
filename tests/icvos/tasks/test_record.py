"""``run.json``: odd values are refused by key, and the remedy can be followed."""

from pathlib import Path

import pytest

from icvos.errors import PredictionError
from icvos.tasks.record import RunRecord, read_record

SHA = "ab" * 32


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"format": true}', "format is true, this icvos reads 1"),
        ('{"format": 1.0}', "format is 1.0, this icvos reads 1"),
        ('{"draw": -1}', "draw is -1"),
        ('{"draw": 10000}', "draw is 10000"),
        ('{"draw": true}', "draw is true"),
        ('{"fold": 1e30}', "fold is 1e+30"),
        ('{"weights": 3}', "weights is 3"),
        ('{"weights": ""}', 'weights is ""'),
        ('{"weights": [""]}', "weights[0] is"),
        ('{"weights": [{}]}', "weights[0] has neither a name nor a sha256"),
        ('{"weights": [{"name": "x", "sha256": "?"}]}', 'weights[0].sha256 is "?"'),
        ('{"weights": [{"name": ""}]}', 'weights[0].name is ""'),
    ],
)
def test_odd_values_are_refused_by_key(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(PredictionError) as caught:
        read_record(tmp_path / "run.json")
    assert str(caught.value).startswith(f"{tmp_path / 'run.json'}: {words}")
    assert str(caught.value).endswith("; correct that, or make it anew with: icvos eval ... --overwrite always")


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '{"weights": "sam2.pt"}',
        '{"weights": ["sam2.pt", "fold0.pth"]}',
        f'{{"weights": [{{"name": "x", "sha256": "{SHA}"}}, {{"random": true}}]}}',
        '{"draw": 4, "anything": {"else": 1}}',
    ],
)
def test_what_other_programs_write_is_kept(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text)
    assert read_record(tmp_path / "run.json") == RunRecord.model_validate_json(text)
