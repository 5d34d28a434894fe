"""Train an encoder further with one seed: a model directory of the encoder's own kind, and its history.

On several devices of one machine: ``python -m torch.distributed.run --standalone --nproc-per-node N -m
daitir.stages.tune ...``, which is what ``processes: N`` in the config does.
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from pydantic import Field

from daitir.command import parse_call, stage_parser
from daitir.compute import find_device
from daitir.convert.checkpoints import require_absent
from daitir.corpora import read_candidate, read_corpus
from daitir.dialogues import SCHEMA, read_dialogues
from daitir.encoders import EncoderOptions
from daitir.encoders.base import DualEncoder
from daitir.errors import DaitirError, exit_with_one_line
from daitir.files import digest_bytes
from daitir.images import in_threads
from daitir.options import Options
from daitir.progress import Progress
from daitir.provenance import provenance
from daitir.queries import digest_queries, read_queries
from daitir.scratch import scratch_for
from daitir.shards import ShardPictures
from daitir.tables import read_table, table_digest, table_provenance
from daitir.tuning import DmclOptions, TuneOptions
from daitir.tuning.data import ImageFiles, join, split
from daitir.tuning.history import write_tuning_history
from daitir.tuning.layers import add_drop_path, checkpoint_layers
from daitir.tuning.networks import choose_weights, load_for_tuning, network_of, save_encoder
from daitir.tuning.objective import Objective
from daitir.tuning.trainer import Material, Tuner

REVISION = 2
CARD = """An encoder of kind {kind}, trained from `{model}` by daitir: `{method}`, seed {seed}, epoch {epoch}.
What it was trained on and how: `provenance.json`.
"""


class TuneStageOptions(Options):
    """The encoder that it starts from and the recipe; ``digests`` stand for that encoder's model."""

    code: str
    digests: dict[str, str] = Field(default_factory=dict)
    encoder: EncoderOptions
    tune: TuneOptions


@dataclass(frozen=True)
class TuneSources:
    """What is trained on: no ``shards`` where no generated images are seen."""

    dialogues: Path
    queries: tuple[Path, ...]
    shards: tuple[Path, ...]
    corpus: Path
    images: Path


def run(
    options: TuneStageOptions,
    sources: TuneSources,
    seed: int,
    scratch: Path,
    output: Path,
    history: Path,
    record: dict[str, Any],
) -> None:
    """Train on all but the held-out dialogues; write the encoder of the best epoch and the history.

    A training that is killed goes on from the checkpoint in ``scratch``.
    """
    require_absent(output)
    check_sources(options, sources)
    accelerator = Accelerator(cpu=find_device(options.encoder.device) == "cpu")
    encoder = load_for_tuning(options.encoder)
    material, inputs = read_material(options, sources, encoder)
    made = provenance("tune", {**record, "seed": seed}, inputs)
    with shared_scratch(accelerator, scratch, made) as folder:
        tuner = train(options, encoder, material, seed, folder / "checkpoint.pt", accelerator)
        if accelerator.is_main_process:
            write(options, tuner, made, output, history)
        accelerator.wait_for_everyone()


def check_sources(options: TuneStageOptions, sources: TuneSources) -> None:
    """Refuse image shards where none are seen or none where they are, and queries of the wrong making."""
    kind, dmcl = options.tune.kind, isinstance(options.tune, DmclOptions)
    if dmcl != bool(sources.shards):
        fault = "sees generated images: give their --shards" if dmcl else "sees no generated images"
        raise DaitirError(f"tuning of kind {kind!r} {fault}")
    made = table_provenance(sources.queries[0])["options"].get("reformulator", {}).get("kind")
    if made is not None and kind != "dmcl" and (made == "join") != (kind == "chatir"):
        wanted = "dialogues as they are" if kind == "chatir" else "reformulated dialogues"
        raise DaitirError(
            f"tuning of kind {kind!r} reads {wanted}, and {sources.queries[0]} is of a reformulator of kind"
            f" {made!r}: mend `queries`"
        )


def read_material(
    options: TuneStageOptions, sources: TuneSources, encoder: DualEncoder
) -> tuple[Material, dict[str, str]]:
    """Return what is trained on, and the digests of what was read."""
    queries, corpus = read_queries(*sources.queries), read_corpus(sources.corpus)
    pictures = ShardPictures(sources.shards) if sources.shards else None
    told = join(read_dialogues(sources.dialogues), queries, pictures.keys() if pictures else None, corpus)
    trained, held_out = split(told, options.tune.held_out)
    inputs = {
        "dialogues": table_digest(read_table(sources.dialogues, SCHEMA)),
        "queries": digest_queries(queries),
        "targets": digest_targets(sources, sorted({one.target for one in told}), encoder.options.workers),
    }
    if pictures:
        inputs["pictures"] = pictures.digest
    files = ImageFiles(encoder, sources.corpus, sources.images, pictures)
    return Material(trained, held_out, files), inputs


def digest_targets(sources: TuneSources, targets: list[str], workers: int) -> str:
    """Digest of the target images; one that is not there is found before the training begins."""

    def line(name: str) -> bytes:
        data = read_candidate(sources.images, name, sources.corpus)
        return f"{name} {digest_bytes([data])}".encode()

    return digest_bytes(in_threads(line, targets, workers))


@contextmanager
def shared_scratch(accelerator: Accelerator, scratch: Path, record: dict[str, Any]) -> Iterator[Path]:
    """Yield one scratch folder to all processes of a training; the main process holds it."""
    if accelerator.is_main_process:
        with scratch_for(scratch, record) as folder:
            yield _same_everywhere(accelerator, folder)
    else:
        yield _same_everywhere(accelerator, None)


def _same_everywhere(accelerator: Accelerator, folder: Path | None) -> Path:
    names = [str(folder)]
    if accelerator.num_processes > 1:
        broadcast_object_list(names)
    return Path(names[0])


def train(
    options: TuneStageOptions,
    encoder: DualEncoder,
    material: Material,
    seed: int,
    checkpoint: Path,
    accelerator: Accelerator,
) -> Tuner:
    """Return the tuner when all its epochs are done; its encoder has the weights of the best."""
    network = network_of(encoder)
    choose_weights(encoder, text_side_alone=not isinstance(options.tune, DmclOptions))
    add_drop_path(network, options.tune.drop_path)
    if options.tune.checkpointing:
        checkpoint_layers(network)
    tuner = Tuner(Objective(encoder, options.tune), material, seed, checkpoint, accelerator)
    report = Progress(f"tune seed {seed}", options.tune.epochs, "epochs", done=tuner.finished_epochs)
    for _ in tuner.epochs():
        report.advance()
    report.close()
    tuner.keep_best()
    return tuner


def write(options: TuneStageOptions, tuner: Tuner, made: dict[str, Any], output: Path, history: Path) -> None:
    """Write the history and then the encoder."""
    best = tuner.best
    weights = list(tuner.objective.parameters())
    summary = {
        "parameters": sum(weight.numel() for weight in tuner.objective.network.parameters()),
        "trained_parameters": sum(weight.numel() for weight in weights if weight.requires_grad),
        "dialogues": len(tuner.material.trained),
        "held_out_dialogues": len(tuner.material.held_out),
        "epoch": best.epoch,
        "held_out": {"recall_at_10": best.quality[0], "mrr": best.quality[1]},
        "held_out_before": {name: tuner.history[0][name] for name in ("recall_at_10", "mrr")},
    }
    made = made | {"tuning": summary}
    rows = [row | {"chosen": row["epoch"] == best.epoch} for row in tuner.history]
    write_tuning_history(history, rows, made)
    card = CARD.format(
        kind=options.encoder.kind,
        model=options.encoder.model,
        method=options.tune.kind,
        seed=made["options"]["seed"],
        epoch=best.epoch,
    )
    save_encoder(tuner.encoder, output, {"README.md": card}, made)


def main() -> None:
    """Run the stage from the command line."""
    parser = stage_parser(__doc__)
    add_paths(parser)
    call = parse_call(parser, TuneStageOptions)
    paths = call.arguments
    run(call.options, sources_of(paths), paths.seed, paths.scratch, paths.output, paths.history, call.record)


def add_paths(parser: argparse.ArgumentParser) -> None:
    """Add what is trained on and where the result goes."""
    parser.add_argument("--dialogues", type=Path, required=True, help="dialogue set, Parquet")
    parser.add_argument("--queries", type=Path, nargs="+", required=True, help="its queries, all shards")
    parser.add_argument("--shards", type=Path, nargs="*", default=[], help="its generated images, tars")
    parser.add_argument("--list", type=Path, required=True, help="JSON list of the corpus's images")
    parser.add_argument("--images", type=Path, required=True, help="folder of the corpus's images")
    parser.add_argument("--seed", type=int, required=True, help="seed of rounds, images, batches, drop path")
    parser.add_argument(
        "--scratch", type=Path, required=True, help="folder of the checkpoint while it trains"
    )
    parser.add_argument("--output", type=Path, required=True, help="model directory")
    parser.add_argument("--history", type=Path, required=True, help="one row an epoch, Parquet")


def sources_of(paths: argparse.Namespace) -> TuneSources:
    """Return the sources named on the command line."""
    return TuneSources(paths.dialogues, tuple(paths.queries), tuple(paths.shards), paths.list, paths.images)


if __name__ == "__main__":
    exit_with_one_line(main)
