"""Run by ``torch.distributed.run``: the gradients of a batch, then the whole stage, shared by processes."""

import os
import sys
from pathlib import Path

from accelerate import Accelerator
from safetensors.torch import save_file

from daitir.command import parse_call, stage_parser
from daitir.stages import tune
from daitir.tuning.data import draw
from daitir.tuning.networks import choose_weights, load_for_tuning
from daitir.tuning.objective import Objective
from daitir.tuning.trainer import Tuner


def write_gradients(arguments: list[str], path: Path) -> None:
    """Write the gradients of the first batch of the stage called with ``arguments``."""
    parser = stage_parser("")
    tune.add_paths(parser)
    call = parse_call(parser, tune.TuneStageOptions, arguments)
    accelerator = Accelerator(cpu=True)
    assert accelerator.num_processes == int(os.environ.get("WORLD_SIZE", "1"))  # and not one process twice
    encoder = load_for_tuning(call.options.encoder)
    choose_weights(encoder, text_side_alone=False)
    material, _ = tune.read_material(call.options, tune.sources_of(call.arguments), encoder)
    objective = Objective(encoder, call.options.tune)
    tuner = Tuner(objective, material, 0, path.with_suffix(".none"), accelerator)
    samples = draw(material.trained, 0, 1)[: call.options.tune.batch]
    accelerator.backward(tuner.parallel(next(tuner.batches([samples]))).total)
    if accelerator.is_main_process:
        weights = objective.named_parameters()
        save_file({name: weight.grad for name, weight in weights if weight.grad is not None}, path)


if __name__ == "__main__":
    write_gradients(sys.argv[2:], Path(sys.argv[1]))
    sys.argv = sys.argv[1:]
    tune.main()
