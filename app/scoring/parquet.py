"""The table as Parquet, through pyarrow."""

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

from app.scoring.columns import Row

BATCH_ROWS = 10_000
# Pandas' types that know missing values; without their names in the file it would make floats and objects of them.
NULLABLE = {
    str: ("unicode", "string"),
    float: ("float64", "Float64"),
    int: ("int64", "Int64"),
    bool: ("bool", "boolean"),
}


def write(rows: Iterator[Row], columns: Mapping[str, type], path: Path) -> None:
    """Write rows of these columns, by name and type."""
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    types = {str: pa.string(), float: pa.float64(), int: pa.int64(), bool: pa.bool_()}
    schema = pa.schema([(name, types[kind]) for name, kind in columns.items()], {"pandas": _for_pandas(columns)})
    with ParquetWriter(path, schema) as writer:
        while batch := list(islice(rows, BATCH_ROWS)):
            writer.write_table(pa.Table.from_pylist(batch, schema))


def _for_pandas(columns: Mapping[str, type]) -> str:
    """What pandas itself writes into a file to find its types again."""
    described = [
        {"name": name, "field_name": name, "metadata": None}
        | dict(zip(("pandas_type", "numpy_type"), NULLABLE[kind], strict=True))
        for name, kind in columns.items()
    ]
    return json.dumps({"index_columns": [], "column_indexes": [], "columns": described})


def count(path: Path) -> int:
    """How many rows there are."""
    from pyarrow.parquet import ParquetFile

    return int(ParquetFile(path).metadata.num_rows)


def read(path: Path) -> Iterator[Row]:
    """Rows in order. Raises ValueError where it is no Parquet."""
    from pyarrow.parquet import ParquetFile

    try:
        for batch in ParquetFile(path).iter_batches(BATCH_ROWS):
            yield from batch.to_pylist()
    except OSError as error:
        raise ValueError(str(error)) from error
