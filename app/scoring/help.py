"""The help of `classify`, which describes the table it writes."""

from typing import Any

from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text
from typer.core import TyperCommand

IN_PANDAS = """
A column without a value is empty in CSV and null elsewhere. In pandas, read_parquet(table) gives booleans and integers
with missing values; read_csv(table).convert_dtypes() and read_json(table, lines=True, dtype=False).convert_dtypes()
give the same.
"""


class CommandWithTable(TyperCommand):
    """A command whose help ends with the columns of its table."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        from app.scoring.columns import COLUMNS  # here: no other command needs it

        super().format_help(ctx, formatter)
        grid = Table.grid(padding=(0, 2))
        for column in COLUMNS:
            grid.add_row(Text(column.name, "bold cyan"), Text(column.meaning))
        note = Text(" ".join(IN_PANDAS.split()))
        Console(highlight=False).print(
            Panel(Group(grid, "", note), title="Columns", title_align="left", border_style="dim")
        )
