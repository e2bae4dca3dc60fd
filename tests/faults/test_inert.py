"""Data that try to be Markdown, HTML, terminal escapes or commands of CI systems stay data."""

from __future__ import annotations

import re

from tests.support import faults

EVIL = "\x1b[31mx|<img src=x onerror=alert(1)>[a](javascript:b)\n::error::y ${{ secrets.X }} ##[z]\n# h"


def test_documents__of_data_with_markup_in_their_values(tmp_path):
    bench = faults.bench(tmp_path / "bench", faults.APPROVED)
    rows = faults.rows_of()
    for place, row in enumerate(rows):
        row["region"] = EVIL if place % 2 else "south"
    rows[5]["id"] = EVIL
    rows[5]["amount"] = "1e9"  # refused: its key is shown
    bench.write("data/sales.csv", faults.csv_of(rows))
    said = "".join(bench.run(name).said for name in bench.steps() if name != "promote")
    assert "\x1b" not in said
    assert not any(line.lstrip().startswith("::") for line in said.splitlines())
    assert "##[" not in said
    pages = [
        *(bench.folder / "made").rglob("*.md"),
        *(bench.folder / "made").rglob("*.html"),
        *bench.registry.rglob("attachments/1/evidence/*"),
    ]
    assert len(pages) >= 3
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert "\x1b" not in text, page
        assert not any(line.lstrip().startswith("::") for line in text.splitlines()), page
        shown = re.sub(r"`[^`]*`", "", text.partition("\n---\n")[2] or text)  # code shows as it is
        assert "<img" not in shown, page
        assert "[a](javascript:b)" not in shown, page


def test_error__that_shows_a_value(tmp_path):
    bench = faults.bench(tmp_path / "bench", count=40)
    rows = faults.rows_of(40)
    rows[3]["amount"] = "1\n::error::x\x1b[2J"
    bench.write("data/sales.csv", faults.csv_of(rows))
    end = bench.run("snapshot-sales")
    assert end.code == 1
    assert "column `amount`, row 4" in end
    assert "\x1b" not in end
    assert not any(line.startswith("::") for line in end.said.splitlines())
