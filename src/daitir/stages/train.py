"""Train a fusion on stored features with one seed: weights and history."""

from pathlib import Path
from typing import Any

import torch
from pydantic import Field

from daitir.command import parse_call, stage_parser
from daitir.compute import find_device
from daitir.errors import DaitirError, exit_with_one_line
from daitir.fusions.options import TrainedFusionOptions, TrainedOptions
from daitir.fusions.sizes import parameters_of
from daitir.fusions.trained import build_network
from daitir.fusions.training.board import board_for
from daitir.fusions.training.data import random_state, split
from daitir.fusions.training.measures import retrieval_quality
from daitir.fusions.training.trainer import Trainer
from daitir.history import write_history
from daitir.options import Options
from daitir.progress import Progress
from daitir.provenance import provenance
from daitir.samples import Samples, Sources, add_source_arguments, read_samples, sources_of
from daitir.scratch import scratch_for
from daitir.weights import write_weights

REVISION = 4


class TrainStageOptions(Options):
    """The fusion, its sizes and its recipe."""

    code: str
    fusion: TrainedFusionOptions = Field(discriminator="kind")


def run(
    options: TrainStageOptions,
    sources: Sources,
    seed: int,
    scratch: Path,
    output: Path,
    history: Path,
    record: dict[str, Any],
) -> None:
    """Train on all but the held-out dialogues; write the weights of the best epoch and the history.

    A training that is killed goes on from the checkpoint in ``scratch``.
    """
    if not sources.pictures:
        raise DaitirError("a fusion is trained on generated images too: give their features with --pictures")
    samples = read_samples(sources)
    made = provenance("train", {**record, "seed": seed}, samples.digests) | {"encoder": samples.encoder}
    with scratch_for(scratch, made) as folder:
        board = output.parent / "tensorboard" if options.fusion.train.tensorboard else None
        trainer = train(options.fusion, samples, seed, folder / "checkpoint.pt", board)
        best = trainer.best
        rows = [row | {"chosen": row["epoch"] == best.epoch} for row in trainer.history]
        made |= {"training": summarise(trainer)}
        write_history(history, rows, made)
        write_weights(output, best.weights, made)


def train(
    options: TrainedOptions, samples: Samples, seed: int, checkpoint: Path, board: Path | None = None
) -> Trainer:
    """Return the trainer when all its epochs are done; ``board`` is a folder for TensorBoard."""
    device = torch.device(find_device(options.device))
    if options.train.precision == "bfloat16" and device.type != "cuda":
        raise DaitirError(
            f"train.precision: bfloat16 is for GPUs and this is a {device.type}: set float32, or another"
            " device"
        )
    data, held_out = split(samples, options)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(random_state("weights", seed))
        network = build_network(options, width=samples.text_MD.shape[1]).to(device)
    trainer = Trainer(network, options.train, data.to(device), held_out.to(device), seed, checkpoint)
    report = Progress(f"train seed {seed}", options.train.epochs, "epochs", done=trainer.finished_epochs)
    with board_for(board, trainer.history) as show:
        for _ in trainer.epochs():
            report.advance()
            show(trainer.history[-1])
    report.close()
    return trainer


def summarise(trainer: Trainer) -> dict[str, Any]:
    """Say what was trained on, which epoch was kept, and how the text alone does on the same queries."""
    recall, mrr = trainer.best.quality
    held_out = trainer.held_out
    text = retrieval_quality(held_out.text_MD, held_out)
    return {
        "parameters": parameters_of(trainer.network),
        "dialogues": len(trainer.data),
        "held_out_dialogues": len(held_out),
        "epoch": trainer.best.epoch,
        "held_out": {"recall_at_10": recall, "mrr": mrr},
        "held_out_text_alone": text,
    }


def main() -> None:
    """Run the stage from the command line."""
    parser = stage_parser(__doc__)
    add_source_arguments(parser)
    parser.add_argument(
        "--seed", type=int, required=True, help="seed of weights, rounds, batches and dropout"
    )
    parser.add_argument(
        "--scratch", type=Path, required=True, help="folder of the checkpoint while it trains"
    )
    parser.add_argument("--output", type=Path, required=True, help="weights, safetensors")
    parser.add_argument("--history", type=Path, required=True, help="one row an epoch, Parquet")
    call = parse_call(parser, TrainStageOptions)
    paths = call.arguments
    run(call.options, sources_of(paths), paths.seed, paths.scratch, paths.output, paths.history, call.record)


if __name__ == "__main__":
    exit_with_one_line(main)
