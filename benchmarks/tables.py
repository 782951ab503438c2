"""Tables of what was measured, as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def markdown_table(rows: Sequence[Mapping]) -> str:
    """Rows of equal keys; numbers with three significant digits, what is missing as a dash."""

    def cell(value) -> str:
        if value is None:
            return "–"
        if not isinstance(value, float):
            return str(value)
        return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"

    lines = [list(rows[0]), *[[cell(value) for value in row.values()] for row in rows]]
    widths = [max(2, *map(len, column)) for column in zip(*lines)]
    padded = [[text.rjust(width) if i else text.ljust(width) for i, (text, width) in enumerate(zip(line, widths))]
              for line in lines]  # fmt: skip
    rule = ["-" * (width - 1) + (":" if i else "-") for i, width in enumerate(widths)]
    return "\n".join(f"| {' | '.join(line)} |" for line in [padded[0], rule, *padded[1:]])
