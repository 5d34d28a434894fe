"""Reads every artefact once, whole, as its consumers do, and keeps what the checks compare."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from daitir.corpora import read_corpus
from daitir.dialogues import SCHEMA as DIALOGUES
from daitir.dialogues import read_dialogues
from daitir.errors import DaitirError
from daitir.features import read_features
from daitir.files import digest_bytes, digest_model, digest_text
from daitir.history import read_history
from daitir.queries import digest_queries, read_queries
from daitir.ranks import SCHEMA as RANKS
from daitir.seals import IN_MODEL, provenance_beside, read_folder_seal, read_sealed, require_whole, unseal
from daitir.shards import read_shard, shard_provenance
from daitir.tables import read_table, table_digest, table_provenance
from daitir.tuning.history import read_tuning_history


@dataclass(frozen=True)
class Known:
    """What is known of a file that was read: who made it, the digest of its content, and the rows in it."""

    record: dict[str, Any] = field(default_factory=dict)
    digest: str | None = None
    rows: Any = None


Reader = Callable[[Path], Known]


class Artefacts:
    """Files by path, each read when it is first asked for; None stands for one that is damaged or missing."""

    def __init__(self, readers: Mapping[str, Reader]) -> None:
        self.readers = readers
        self.faults: dict[str, str] = {}
        self._known: dict[str, Known | None] = {}

    def read(self, path: str) -> Known | None:
        """Return what a file holds; what is wrong with one that is there is kept in ``faults``."""
        if path not in self._known:
            self._known[path] = self._read(path) if Path(path).exists() else None
        return self._known[path]

    def _read(self, path: str) -> Known | None:
        try:
            return self.readers.get(path, _others)(Path(path))
        except DaitirError as error:
            self.faults[path] = str(error)
        except OSError as error:
            self.faults[path] = f"{path} cannot be read ({error.strerror})"
        return None

    def digest(self, path: str) -> str | None:
        """Return the digest of a file's content, None where it is not known."""
        known = self.read(path)
        return None if known is None else known.digest

    def rows(self, paths: Iterable[str]) -> list[Any] | None:
        """Return the rows of several files, None where one of them is not known."""
        known = [self.read(path) for path in paths]
        rows = [one.rows for one in known if one is not None]
        return rows if len(rows) == len(known) else None


def reader_for(rule: str, path: str) -> Reader:
    """Return what reads a file of a rule."""
    if path.endswith("history.parquet"):
        return _history if rule == "train_fusion" else _tuning_history
    if path.endswith(".provenance.json"):
        return _nothing  # read with its dialogues
    return READERS.get(rule, _sealed)


def _dialogues(path: Path) -> Known:
    digest = table_digest(read_table(path, DIALOGUES))
    return Known(table_provenance(path), digest, read_dialogues(path))


def _queries(path: Path) -> Known:
    rows = read_queries(path)
    return Known(table_provenance(path), digest_queries(rows), rows)


def _pictures(path: Path) -> Known:
    """Return the digest of each picture's bytes by its key; all bytes are read."""
    rows = {picture.key: digest_bytes([picture.data]) for picture in read_shard(path)}
    digest = digest_bytes(f"{key} {one}".encode() for key, one in rows.items())
    return Known(shard_provenance(path), digest, rows)


def _features(path: Path) -> Known:
    store = read_features(path)
    return Known(store.provenance, store.digest, store.keys)


def _weights(path: Path) -> Known:
    from daitir.weights import read_weights, weights_digest

    tensors, record = read_weights(path)
    return Known(record, weights_digest(tensors))


def _model(path: Path) -> Known:
    return Known(read_folder_seal(path, IN_MODEL).record, digest_model(path))


def _ranks(path: Path) -> Known:
    table = read_table(path, RANKS)
    columns = ["dialogue_id", "round", "seed", "target"]
    return Known(table_provenance(path), table_digest(table), table.select(columns).to_pandas())


def _corpus(path: Path) -> Known:
    names = read_corpus(path)
    return Known(digest=digest_text(*names), rows=names)


def _simulated(path: Path) -> Known:
    beside = provenance_beside(path)
    if not beside.exists():
        raise DaitirError(f"{path} has lost {beside.name}: remove it and run again")
    require_whole(path)
    return Known(unseal(beside.read_bytes(), path).record)


def _history(path: Path) -> Known:
    read_history(path)
    return Known(table_provenance(path))


def _tuning_history(path: Path) -> Known:
    read_tuning_history(path)
    return Known(table_provenance(path))


def _sealed(path: Path) -> Known:
    read_sealed(path)
    return Known()


def _folder(path: Path) -> Known:
    read_folder_seal(path)
    return Known()


def _nothing(path: Path) -> Known:
    return Known()


def _others(path: Path) -> Known:
    """Read a file that no rule makes: a corpus list or the weights of others; of the rest, the bytes."""
    by_ending = {".json": _corpus, ".safetensors": _weights}
    reader = by_ending.get(path.suffix)
    return Known(digest=digest_bytes([path.read_bytes()])) if reader is None else reader(path)


READERS: dict[str, Reader] = {
    "list_corpus": _corpus,
    "simulate": _simulated,
    "import_dialogues": _dialogues,
    "reformulate_dialogues": _queries,
    "generate_images": _pictures,
    "tune_encoder": _model,
    "encode_corpus": _features,
    "encode_queries": _features,
    "encode_images": _features,
    "train_fusion": _weights,
    "rank_candidates": _ranks,
    "rank_together": _ranks,
    "rank_oracle": _ranks,
    "write_explorer": _folder,
}
