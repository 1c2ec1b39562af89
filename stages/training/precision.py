"""Precision: the number format a fold computes in, and whether this machine is made for it.

`mixed_bfloat16` keeps weights, losses and updates in float32 and multiplies in bfloat16, which has
half the bits. Where the processor has no instructions for it, it is emulated, many times slower.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Collection
from ctypes.util import find_library
from importlib.util import find_spec
from pathlib import Path

MIXED = "mixed_bfloat16"
PROCESSOR = Path("/proc/cpuinfo")
FLAGS = {"avx512_bf16", "amx_bf16"}  # of processors that multiply bfloat16
CAPABILITY = 8.0  # the least compute capability of such a GPU


def resolve(precision: str) -> str:
    """Return `precision`, or what this machine computes best where it is `auto`."""
    if precision != "auto":
        return precision
    return MIXED if native() else "float32"


def native() -> bool:
    """Return whether the processor or a GPU here multiplies bfloat16 by itself."""
    return _processor() or _gpu()


def warn(precisions: Collection[str]) -> None:
    """Say on stderr when one of these precisions would be emulated; the results are the same."""
    if MIXED in precisions and not native():
        print(
            f"foldlab: train.precision is {MIXED}, which this processor only emulates, many times "
            "slower; use float32, or auto, which chooses by the processor.",
            file=sys.stderr,
        )


def _processor() -> bool:
    try:
        lines = PROCESSOR.read_text(encoding="utf-8").splitlines()
    except OSError:
        return False  # another system than Linux
    flags = next((line for line in lines if line.startswith("flags")), "")
    return bool(FLAGS & set(flags.split()))


def _gpu() -> bool:
    """Ask NVIDIA's own command, unless TensorFlow would not use what it finds."""
    command = shutil.which("nvidia-smi")
    if not command or os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return False
    query = [command, "--query-gpu=compute_cap", "--format=csv,noheader"]
    try:
        said = subprocess.run(query, capture_output=True, text=True, timeout=60, check=True).stdout
        return any(float(line) >= CAPABILITY for line in said.split()) and _cudnn()
    except (OSError, subprocess.SubprocessError, ValueError):
        return False


def _cudnn() -> bool:
    """Return whether the library is here without which TensorFlow leaves a GPU alone."""
    return bool(find_spec("nvidia") or find_library("cudnn"))
