"""Parquet tables with a fixed schema and their provenance: dialogues, queries, ranks, histories."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from daitir.errors import DaitirError
from daitir.files import atomic, digest_bytes
from daitir.seals import seal, unseal

PROVENANCE = b"daitir.provenance"


def write_table(path: Path, table: pa.Table, record: dict[str, Any]) -> None:
    """Write one finished Parquet file; equal tables and records give equal bytes."""
    plain = table.replace_schema_metadata(None)
    sealed = seal(record, path, table_digest(_as_read(plain)))
    with atomic(path) as partial:
        _store(plain.replace_schema_metadata({PROVENANCE: sealed.encode()}), partial)


def _store(table: pa.Table, where: Any) -> None:
    # The sums of pages keep damaged ones from the decoders; the seal covers all the rest.
    pq.write_table(table, where, compression="zstd", write_page_checksum=True)


def _as_read(table: pa.Table) -> pa.Table:
    """Return a table as it comes back from a file: what lies under nulls is not stored."""
    sink = pa.BufferOutputStream()
    _store(table, sink)
    return _read(pa.BufferReader(sink.getvalue()))


def _read(source: Path | pa.BufferReader) -> pa.Table:
    """Read a file as it is: `pq.read_table` would first import what reads folders of files."""
    with pq.ParquetFile(source, page_checksum_verification=True) as file:
        return file.read()


def read_table(path: Path, schema: pa.Schema) -> pa.Table:
    """Read a table and check that it is what was written and has the columns and types of ``schema``."""
    with _refusing(path):
        table = _read(path)
    if table.schema.remove_metadata() != schema:
        raise DaitirError(f"{path} has other columns than {schema.names}: remove it and run again")
    unseal((table.schema.metadata or {}).get(PROVENANCE), path).require(table_digest(table))
    return table


def table_provenance(path: Path) -> dict[str, Any]:
    """Return who made a table."""
    return unseal((_schema(path).metadata or {}).get(PROVENANCE), path).record


def column_names(path: Path) -> list[str]:
    """Return the names of a table's columns."""
    return list(_schema(path).names)


def _schema(path: Path) -> pa.Schema:
    with _refusing(path):
        return pq.read_schema(path)


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    """Turn what is wrong with a file into one line."""
    try:
        yield
    except FileNotFoundError:
        raise DaitirError(f"{path} does not exist: run snakemake to make it") from None
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
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
