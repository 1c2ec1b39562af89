"""Detect the instruction set of the processor or GPU, and bfloat16 support.

With `mixed_bfloat16`, weights, losses and updates are float32 and products are bfloat16, which has
half the bits. Processors without bfloat16 instructions emulate it, many times slower.
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

from stages.errors import UserError
from stages.settings.sections import Kernels

MIXED = "mixed_bfloat16"
PROCESSOR = Path("/proc/cpuinfo")
LEVELS = ("amx_bf16", "avx512_bf16", "avx512_vnni", "avx512f", "avx2")  # best first
BFLOAT16 = {"avx512_bf16", "amx_bf16"}  # flags of processors with bfloat16 instructions
CAPABILITY = 8.0  # lowest compute capability of a GPU with bfloat16 instructions


def resolve(precision: str, setting: Kernels) -> str:
    """Return `precision`, or for `auto` the fastest one on this machine with these kernels.

    Raises:
        UserError: for mixed precision on a processor with portable kernels, which are float32 only.
    """
    if precision == MIXED and setting == "portable" and _gpu() is None:
        raise UserError(
            f"train.precision is {MIXED}, but portable kernels compute in float32 only; set "
            "train.kernels to native, or train.precision to float32 or auto."
        )
    if precision != "auto":
        return precision
    return MIXED if _bfloat16(setting) else "float32"


def kernels(setting: Kernels) -> str:
    """Return what TensorFlow chooses its kernels by: GPU capability or CPU instruction set.

    Results may round differently with another value. It is "portable" with portable kernels on any
    processor with AVX2. `ONEDNN_MAX_CPU_ISA`, or its older name `DNNL_MAX_CPU_ISA`, limits native
    ones.
    """
    if (gpu := _gpu()) is not None:
        return f"cuda {gpu}"
    level = next((level for level in LEVELS if level in _flags()), platform.machine())
    if setting == "portable":
        return setting if level in LEVELS else level
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA") or os.environ.get("DNNL_MAX_CPU_ISA")
    return f"{level}, at most {limit.lower()}" if limit else level


def warn_if_emulated(precisions: Collection[str]) -> None:
    """Print a warning to stderr if one of these precisions is emulated; results do not change."""
    if MIXED in precisions and not _bfloat16("native"):
        print(
            f"foldlab: train.precision is {MIXED}, which this processor can only emulate, many "
            "times slower; use float32, or auto to choose by the processor.",
            file=sys.stderr,
        )


def _bfloat16(setting: Kernels) -> bool:
    """Return whether a GPU, or the processor with these kernels, has bfloat16 instructions."""
    processor = setting == "native" and bool(BFLOAT16 & _flags())
    return processor or (_gpu() or 0) >= CAPABILITY


@cache
def processor() -> dict[str, str]:
    """Return what Linux says of the first core, by name; {} on other systems."""
    text = PROCESSOR.read_text().partition("\n\n")[0] if PROCESSOR.is_file() else ""
    pairs = (line.partition(":") for line in text.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _flags() -> set[str]:
    return {*processor().get("flags", "").split()}


@cache
def _gpu() -> float | None:
    """Return the highest compute capability of the GPUs that TensorFlow would use, or None."""
    command = shutil.which("nvidia-smi")
    if not command or os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1") or not _cudnn():
        return None
    query = [command, "--query-gpu=compute_cap", "--format=csv,noheader"]
    try:
        text = subprocess.run(query, capture_output=True, text=True, timeout=60, check=True).stdout
        return max((float(line) for line in text.split()), default=None)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None


def _cudnn() -> bool:
    """Return whether cuDNN is installed; without it TensorFlow does not use a GPU."""
    return bool(find_spec("nvidia") or find_library("cudnn"))
