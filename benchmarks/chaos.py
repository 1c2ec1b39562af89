"""`python -m benchmarks.chaos`: kill `dvc repro` at random moments, and compare what is left.

The real pipeline runs undisturbed once, on a few images. Then it runs again from scratch and is
killed in each of its stages, pass after pass. A last `dvc repro` at the end of a pass must leave
the same bytes, no partial file, no RUNNING run in MLflow, no process, and nothing to do.
"""

import os
import random
import re
import signal
import subprocess
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import psutil

from benchmarks import checkout, inputs, measured, processes

KINDS = [  # what a terminal sends, what an operator or the system sends, and to whom
    (signal.SIGINT, "group"),
    (signal.SIGTERM, "dvc"),
    (signal.SIGKILL, "dvc"),
    (signal.SIGTERM, "group"),
    (signal.SIGKILL, "group"),
]
VARIANTS = checkout.SMALL["compare"]["variants"]
STATUSES = "select name, status from runs order by name, status"
LEFT = 90.0  # s that orphans of a killed dvc may keep running after the last `dvc repro`
END = 900.0  # s to wait for a stage


def measure(kills: int, seed: int, variants: list[str], folder: Path) -> dict:
    """Return how often each stage was killed, by which signals, and every fault found.

    Args:
        kills: how many in all.
        seed: for the random moments.
        variants: rows of params.yaml that are trained and compared.
        folder: an empty one, for two checkouts.
    """
    draw = random.Random(seed)  # noqa: S311 - not for secrets
    settings = inputs.merged(inputs.defaults(), checkout.SMALL)
    settings["tracking"]["live_after"] = 1  # so that MLflow shows the trainings
    settings["compare"] |= {"variants": variants, "baseline": variants[0]}
    reference = checkout.make(folder / "reference", settings)
    seconds = undisturbed(reference)
    wanted, runs = checkout.results(reference), checkout.query(reference, STATUSES)
    killed = checkout.make(folder / "killed", settings)
    hits: list[tuple[str, str]] = []
    faults: list[str] = []
    kinds: list[tuple] = []
    passes = 0
    while len(hits) < kills:
        passes += 1
        checkout.run("git clean -fdxq", killed)
        places = sorted(draw.sample(range(len(seconds)), min(kills - len(hits), len(seconds))))
        for stage in [list(seconds)[place] for place in places]:
            kinds = kinds or draw.sample(KINDS, len(KINDS))
            if kill_during(killed, stage, draw.uniform(0, seconds[stage]), *kinds[-1]):
                number, whom = kinds.pop()
                hits.append((stage, f"{number.name} to {whom}"))
        faults += [f"pass {passes}: {fault}" for fault in inspect(killed, wanted, runs)]
    return {
        "seed": seed,
        "kills": len(hits),
        "passes": passes,
        "by_stage": dict(Counter(stage for stage, _ in hits)),
        "by_signal": dict(Counter(kind for _, kind in hits)),
        "files_compared": len(wanted),
        "faults": faults,
    }


def undisturbed(folder: Path) -> dict[str, float]:
    """Run the pipeline; return the seconds that each command took, in order of execution."""
    seen: dict[str, list[float]] = {}
    process = start(folder)
    while process.poll() is None:
        if stage := running(process.pid):
            seen.setdefault(stage, []).append(time.monotonic())
        time.sleep(0.02)
    assert process.returncode == 0, "the undisturbed run failed"
    return {stage: times[-1] - times[0] for stage, times in seen.items()}


def kill_during(folder: Path, stage: str, delay: float, number: int, whom: str) -> bool:
    """Kill `dvc repro` `delay` seconds after `stage` begins; return False if it ended before."""
    process = start(folder)
    end = time.monotonic() + END
    while running(process.pid) != stage:
        if process.poll() is not None or time.monotonic() > end:
            return False
        time.sleep(0.01)
    time.sleep(delay)
    if process.poll() is not None:
        return False
    (os.killpg if whom == "group" else os.kill)(process.pid, number)
    process.wait(60)
    return True


def inspect(folder: Path, wanted: dict[str, bytes], runs: list) -> list[str]:
    """Let the pipeline finish; return every difference from the undisturbed run."""
    done = checkout.call("dvc repro", folder)
    if done.returncode:
        return [f"dvc repro failed: {done.stderr[-2000:]}"]
    faults = []
    end = time.monotonic() + LEFT
    while alive := processes_in(folder):
        if time.monotonic() > end:
            faults.append(f"still running: {alive}")
            break
        time.sleep(0.2)
    made = checkout.results(folder)
    differ = [name for name in wanted.keys() | made.keys() if wanted.get(name) != made.get(name)]
    faults += [f"differs: {name}" for name in sorted(differ)]
    faults += [f"partial: {path.relative_to(folder)}" for path in folder.rglob(".partial-*")]
    if (found := checkout.query(folder, STATUSES)) != runs:
        faults.append(f"MLflow has {found}")
    if again := checkout.ran(checkout.run("dvc repro", folder)):
        faults.append(f"ran again: {again}")
    return faults


def start(folder: Path) -> subprocess.Popen:
    """Start `dvc repro` as the leader of a process group that does not ignore SIGINT."""
    return subprocess.Popen(
        ["dvc", "repro"],
        cwd=folder,
        env=processes.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def running(group: int) -> str | None:
    """Return the stage command running in a process group, such as "train basic"."""
    for process in psutil.process_iter(["cmdline"]):
        with suppress(ProcessLookupError):
            command = " ".join(process.info["cmdline"] or [])
            found = re.search(r"-m stages (\w+(?: \w+)?)", command)
            if found and os.getpgid(process.pid) == group:
                return found[1]
    return None


def processes_in(folder: Path) -> list[str]:
    """Return the command lines of processes whose working folder this is."""
    found = psutil.process_iter(["cmdline", "cwd"])
    return [" ".join(p.info["cmdline"] or []) for p in found if p.info["cwd"] == str(folder)]


def main() -> None:
    """Kill, compare, and write benchmarks/records/chaos.json; end with status 1 on any fault."""
    parser = inputs.parser(__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    kills, variants = (1, ["basic"]) if chosen.quick else (chosen.kills, VARIANTS)
    with inputs.temporary_folder() as folder:
        found = measure(kills, chosen.seed, variants, folder)
    measured.end("chaos", found, chosen.folder)


if __name__ == "__main__":
    main()
