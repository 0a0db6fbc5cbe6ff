"""The paper's tables are whole, and say the same where they repeat each other."""

import pytest

from icvos.errors import IcvosError
from leaderboard.paper.tables import paper_table, table_names

IN_ORDER = [*(f"table-{number}" for number in (2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 14)), "figure-9"]


def test_names() -> None:
    assert table_names() == IN_ORDER
    with pytest.raises(IcvosError, match="did you mean table-4"):
        paper_table("tabel-4")


@pytest.mark.parametrize("name", IN_ORDER)
def test_means_of_folds(name: str) -> None:
    """Folds and means are printed with one digit: a mean may be off by twice the rounding."""
    table = paper_table(name)
    for row in table.rows:
        printed = table.printed(row)
        folds = [value for key, value in printed.items() if key.startswith("fold_")]
        assert not folds or sum(folds) / len(folds) == pytest.approx(printed["miou"], abs=0.1001)
        assert row.printed or name == "figure-9"


def test_rows_that_tables_share_have_the_same_figures() -> None:
    """Those of the same training, evaluated in the same way."""
    known: dict[str, dict[str, float]] = {}
    for name in IN_ORDER:
        table = paper_table(name)
        for row in table.rows:
            if row.method and row.printed and not row.counted:
                how = row.model_dump_json(include={"training", "method", "settings", "shots", "checkpoint"})
                figures = dict(table.printed(row))
                before = known.setdefault(f"{table.benchmark_of(row)} {how}", figures)
                assert {key: before[key] for key in before.keys() & figures} == {
                    key: figures[key] for key in before.keys() & figures
                }, (name, row.name)
