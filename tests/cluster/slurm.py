"""A SLURM of one's own: controller, nodes and munge in one private folder, on 127.0.0.1 alone."""

import getpass
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.cluster.processes import descendants, environment_of, kill, name_of, parent_of, processes

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol", "srun")
PLACES = f"{os.environ['PATH']}:/usr/sbin:/sbin"
NODES = ("node1", "node2")

# Memory is watched every second and enforced without cgroups; a node is down after ten seconds of silence.
CONFIG = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
GresTypes=gpu
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
MinJobAge=7200
SlurmdTimeout=10
KillWait=2
ReturnToService=2
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName=DEFAULT CPUs=6 RealMemory=240000 Gres=gpu:1
NodeName=node[1-2] NodeHostname={host} NodeAddr=127.0.0.1 Port=[{ports[1]}-{ports[2]}]
PartitionName=cpu Nodes=node[1-2] PriorityTier=1 Default=YES
PartitionName=gpu Nodes=node[1-2] PriorityTier=1
PartitionName=urgent Nodes=node[1-2] PriorityTier=10 PreemptMode=OFF
"""


def missing_programs() -> list[str]:
    """Return the programs of SLURM and munge that this machine lacks."""
    return [name for name in PROGRAMS if shutil.which(name, path=PLACES) is None]


def three_free_ports() -> tuple[int, int, int]:
    """Return three free ports in a row."""
    while True:
        first = 20_000 + secrets.randbelow(10_000)
        try:
            for port in range(first, first + 3):
                with socket.socket() as free:
                    free.bind(("127.0.0.1", port))
        except OSError:
            continue
        return first, first + 1, first + 2


def wait_until(true: Callable[[], object], what: str, seconds: float = 120) -> None:
    """Wait until something is true; say what it was if it never is."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"after {seconds} seconds still not: {what}"
        time.sleep(0.05)


class Slurm:
    """The cluster; ``environment`` is what a process needs to use it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.daemons: dict[str, subprocess.Popen[bytes]] = {}
        self.environment = os.environ | {
            "PATH": f"{folder}/bin:{PLACES}",
            "SLURM_CONF": f"{folder}/slurm.conf",
        }

    def start(self) -> None:
        """Start munge, the controller and two nodes with a GPU each that is none."""
        folder = self.folder
        for name in ("state", "bin"):
            (folder / name).mkdir()
        (folder / "munge.key").write_bytes(secrets.token_bytes(1024))
        (folder / "munge.key").chmod(0o400)
        values = {"host": socket.gethostname(), "user": getpass.getuser(), "ports": three_free_ports()}
        (folder / "slurm.conf").write_text(CONFIG.format(folder=folder, **values))
        (folder / "gres.conf").write_text("NodeName=node[1-2] Name=gpu Count=1 File=/dev/null\n")
        # The executor drops SLURM_CONF before it calls srun: elsewhere it lies where srun finds it.
        srun = shutil.which("srun", path=PLACES)
        (folder / "bin" / "srun").write_text(f'#!/bin/sh\nSLURM_CONF={folder}/slurm.conf exec {srun} "$@"\n')
        (folder / "bin" / "srun").chmod(0o755)
        files = ("key-file=munge.key", "socket=munge.socket", "pid-file=munge.pid", "log-file=munge.log")
        paths = [f"--{option.replace('=', f'={folder}/')}" for option in (*files, "seed-file=munge.seed")]
        self._start("munged", "--foreground", "--force", *paths)
        wait_until((folder / "munge.socket").exists, "munge listens")
        self._start("slurmctld", "-D", "-f", f"{folder}/slurm.conf")
        for node in NODES:
            self.start_node(node)

    def start_node(self, node: str) -> None:
        """Start a node, or start it again."""
        self._start("slurmd", "-D", "-N", node, "-f", f"{self.folder}/slurm.conf", name=node)
        wait_until(lambda: self.state_of(node) in {"IDLE", "MIXED"}, f"{node} is up")

    def kill_node(self, node: str) -> None:
        """Let a node die at once with everything on it, and wait until the controller knows."""
        daemon = self.daemons.pop(node)
        on_it = [pid for pid in processes() if self._runs_on(pid, node)]
        keepers = {parent for pid in on_it for parent in [_keeper(pid)] if parent}
        kill(signal.SIGKILL, daemon.pid, *keepers, *on_it, *descendants(*keepers))
        daemon.wait()
        wait_until(lambda: self.state_of(node).startswith("DOWN"), f"{node} is down")

    def state_of(self, node: str) -> str:
        """Return a node's state: IDLE, MIXED, DOWN ..."""
        found = dict(
            word.split("=", 1) for word in self.ask("scontrol", "show", "node", node).split() if "=" in word
        )
        return found.get("State", "").rstrip("*")

    def ask(self, *command: str) -> str:
        """Run a command of SLURM and return what it prints."""
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        return done.stdout

    def stop(self) -> None:
        """End every job and daemon."""
        self.ask("scancel", "--full", "--user", getpass.getuser())
        wait_until(lambda: not self.ask("squeue", "--noheader"), "no job is left")
        for daemon in reversed(self.daemons.values()):
            daemon.terminate()
            daemon.wait()

    def _start(self, program: str, *arguments: str, name: str | None = None) -> None:
        path = shutil.which(program, path=PLACES)
        with (self.folder / f"{name or program}.out").open("ab") as out:
            self.daemons[name or program] = subprocess.Popen(
                [str(path), *arguments], env=self.environment, stdout=out, stderr=out
            )

    def _runs_on(self, pid: int, node: str) -> bool:
        found = environment_of(pid)
        ours = found.get("SLURM_CONF") == self.environment["SLURM_CONF"]
        return ours and found.get("SLURMD_NODENAME") == node


def _keeper(pid: int) -> int | None:
    """Return the slurmstepd that started a process, if it is its parent."""
    parent = parent_of(pid)
    return parent if parent and name_of(parent) == "slurmstepd" else None
