"""The help of `classify`, which describes the table it writes."""

from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text
from typer.core import TyperCommand

IN_PANDAS = """
A column without a value is empty in CSV and null elsewhere. read_parquet(table) gives booleans and integers
with missing values; read_csv(table).convert_dtypes() and read_json(table, lines=True, dtype=False).convert_dtypes()
give the same.
"""


class CommandWithTable(TyperCommand):
    """A command whose help ends with the columns of its table."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        from app.scoring.columns import COLUMNS, SERIES_COLUMNS, UID_COLUMNS  # here: no other command needs them

        super().format_help(ctx, formatter)
        console = Console(highlight=False)
        for title, columns in (("Columns", (*COLUMNS, *UID_COLUMNS)), ("Columns of --series", SERIES_COLUMNS)):
            grid = Table.grid(padding=(0, 2))
            for column in columns:
                grid.add_row(Text(column.name, "bold cyan"), Text(column.meaning))
            console.print(Panel(grid, title=title, title_align="left", border_style="dim"))
        console.print(
            Panel(Text(" ".join(IN_PANDAS.split())), title="In pandas", title_align="left", border_style="dim")
        )
