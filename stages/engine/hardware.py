"""What the processor or the GPU computes with: its kernels, and whether it multiplies bfloat16.

`mixed_bfloat16` keeps weights, losses and updates in float32 and multiplies in bfloat16, which has
half the bits. Where the processor has no instructions for it, it is emulated, many times slower.
"""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Collection
from ctypes.util import find_library
from functools import cache
from importlib.util import find_spec
from pathlib import Path

MIXED = "mixed_bfloat16"
PROCESSOR = Path("/proc/cpuinfo")
LEVELS = ("amx_bf16", "avx512_bf16", "avx512_vnni", "avx512f", "avx2")  # the best one comes first
BFLOAT16 = {"avx512_bf16", "amx_bf16"}  # of processors that multiply bfloat16
CAPABILITY = 8.0  # the least compute capability of such a GPU


def resolve(precision: str) -> str:
    """Return `precision`, or what this machine computes best where it is `auto`."""
    if precision != "auto":
        return precision
    return MIXED if bfloat16() else "float32"


def kernels() -> str:
    """Return what TensorFlow's kernels are chosen by: the GPU's capability, or the processor's.

    Another value may round otherwise. `ONEDNN_MAX_CPU_ISA` limits the processor's.
    """
    if (gpu := _gpu()) is not None:
        return f"cuda {gpu}"
    flags = _flags()
    level = next((level for level in LEVELS if level in flags), platform.machine())
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA")
    return f"{level}, at most {limit.lower()}" if limit else level


def bfloat16() -> bool:
    """Return whether the processor or a GPU here multiplies bfloat16 by itself."""
    gpu = _gpu()
    return bool(BFLOAT16 & _flags()) or (gpu is not None and gpu >= CAPABILITY)


def warn(precisions: Collection[str]) -> None:
    """Say on stderr when one of these precisions would be emulated; the results are the same."""
    if MIXED in precisions and not bfloat16():
        print(
            f"foldlab: train.precision is {MIXED}, which this processor only emulates, many times "
            "slower; use float32, or auto, which chooses by the processor.",
            file=sys.stderr,
        )


@cache
def _flags() -> frozenset[str]:
    try:
        lines = PROCESSOR.read_text(encoding="utf-8").splitlines()
    except OSError:
        return frozenset()  # another system than Linux
    return frozenset(next((line for line in lines if line.startswith("flags")), "").split())


@cache
def _gpu() -> float | None:
    """Return the best compute capability of the GPUs that TensorFlow would use, None without one.

    NVIDIA's own command is asked, once in a process.
    """
    command = shutil.which("nvidia-smi")
    if not command or os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1") or not _cudnn():
        return None
    query = [command, "--query-gpu=compute_cap", "--format=csv,noheader"]
    try:
        told = subprocess.run(query, capture_output=True, text=True, timeout=60, check=True).stdout
        return max((float(line) for line in told.split()), default=None)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None


def _cudnn() -> bool:
    """Return whether the library is here without which TensorFlow leaves a GPU alone."""
    return bool(find_spec("nvidia") or find_library("cudnn"))
