"""Parquet tables with a fixed schema and their provenance: dialogues, queries, ranks, histories."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from daitir.errors import DaitirError
from daitir.files import atomic, digest_bytes
from daitir.provenance import decode_provenance, encode_provenance

PROVENANCE = b"daitir.provenance"


def write_table(path: Path, table: pa.Table, record: dict[str, Any]) -> None:
    """Write one finished Parquet file; equal tables and records give equal bytes."""
    with atomic(path) as partial:
        pq.write_table(
            table.replace_schema_metadata({PROVENANCE: encode_provenance(record).encode()}),
            partial,
            compression="zstd",
        )


def read_table(path: Path, schema: pa.Schema) -> pa.Table:
    """Read a table and check that it has the columns and types of ``schema``."""
    with _refusing(path):
        table = pq.read_table(path, partitioning=None)
    if table.schema.remove_metadata() != schema:
        raise DaitirError(f"{path} has other columns than {schema.names}: remove it and run again")
    return table


def table_provenance(path: Path) -> dict[str, Any]:
    """Return who made a table."""
    with _refusing(path):
        schema = pq.read_schema(path)
    return decode_provenance((schema.metadata or {}).get(PROVENANCE), path)


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    """Turn what is wrong with a file into one line."""
    try:
        yield
    except FileNotFoundError:
        raise DaitirError(f"{path} does not exist: run snakemake to make it") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise DaitirError(f"{path} cannot be read ({error}): remove it and run again") from None


def table_digest(table: pa.Table) -> str:
    """Digest of a table's rows; row groups, shards and provenance do not count."""
    sink = pa.BufferOutputStream()
    plain = table.combine_chunks().replace_schema_metadata(None)
    with pa.ipc.new_stream(sink, plain.schema) as stream:
        stream.write_table(plain)
    return digest_bytes([sink.getvalue().to_pybytes()])


def count_rows(path: Path) -> int:
    """Return how many rows a table has, without reading them."""
    with _refusing(path):
        return int(pq.read_metadata(path).num_rows)
