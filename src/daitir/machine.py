"""What machine this is, in a few words: processor, cores, memory, GPUs. Nothing heavy is imported."""

import os
import platform
import sys
from collections import Counter
from pathlib import Path

TELL = "DAITIR_TELL_MACHINE"
SAID = "machine: "
PROCESSORS, GPUS = Path("/proc/cpuinfo"), Path("/proc/driver/nvidia/gpus")


def tell_machine() -> None:
    """Begin the log of a job with its machine, where the workflow asks for it (`TELL`)."""
    if os.environ.get(TELL):
        print(SAID + describe_machine(), file=sys.stderr, flush=True)


def machine_told(log: Path) -> str | None:
    """Return the machine that a job's log begins with; a job run by hand tells none."""
    try:
        with log.open(encoding="utf-8", errors="replace") as lines:
            first = lines.readline().strip()
    except FileNotFoundError:
        return None
    return first.removeprefix(SAID) if first.startswith(SAID) else None


def describe_machine() -> str:
    """Return processor, cores that this process may use, memory and GPUs that it sees."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    parts = [_processor(), f"{count_cores()} cores", f"{memory:.0f} GiB"]
    return ", ".join([*parts, *_gpus()])


def _processor() -> str:
    if PROCESSORS.is_file():
        for line in PROCESSORS.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def count_cores() -> int:
    """Return the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _gpus() -> list[str]:
    """Return the GPUs that this process may use, equal ones counted; `CUDA_VISIBLE_DEVICES` may hide some."""
    models = []
    for file in sorted(GPUS.glob("*/information")):
        lines = file.read_text(encoding="utf-8").splitlines()
        models += [line.partition(":")[2].strip() for line in lines if line.startswith("Model:")]
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        models = models[: len([one for one in visible.split(",") if one.strip()])]
    return [f"{count} x {name}" if count > 1 else name for name, count in Counter(models).items()]
