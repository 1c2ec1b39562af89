import platform

import numpy as np
import pytest

from stages.engine import hardware
from stages.engine.resolve import recipe
from stages.errors import UserError
from stages.settings import params
from tests.settings.defaults import changed

WITH = "processor\t: 0\nflags\t\t: fpu avx512f avx512_bf16 sse\n"
WITHOUT = "processor\t: 0\nflags\t\t: fpu avx512f avx512_bf16x sse\nbugs\t: amx_bf16\n"


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Simulate a machine with the given processor and, optionally, a GPU's command."""

    def forget():
        hardware.processor.cache_clear()
        hardware._gpu.cache_clear()

    def make(processor, gpu=None, cudnn=True):
        if processor is not None:
            (tmp_path / "cpuinfo").write_text(processor)
        monkeypatch.setattr(hardware, "PROCESSOR", tmp_path / "cpuinfo")
        if gpu is not None:
            command = tmp_path / "nvidia-smi"
            command.write_text(f"#!/bin/sh\n{gpu}\n")
            command.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin" if gpu else str(tmp_path))
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        monkeypatch.setattr(hardware, "_cudnn", lambda: cudnn)
        forget()

    yield make
    forget()


@pytest.mark.parametrize(
    ("processor", "gpu", "cudnn", "native"),
    [
        (WITH, None, True, True),
        (WITH.replace("avx512_bf16", "amx_bf16"), None, True, True),
        (WITHOUT, None, True, False),
        (None, None, True, False),  # a system without that file
        (WITHOUT, "echo 7.5; echo 9.0", True, True),
        (WITHOUT, "echo 7.5; echo 9.0", False, False),
        (WITHOUT, "echo 7.5", True, False),
        (WITHOUT, "echo no devices were found; exit 6", True, False),
    ],
)
def test_auto_is_mixed_only_with_bfloat16_instructions(machine, processor, gpu, cudnn, native):
    machine(processor, gpu, cudnn)
    content = changed("variants.basic.train", {"precision": "auto"})
    content["train"]["kernels"] = "native"
    settings = params.parse(content)
    found = "mixed_bfloat16" if native else "float32"
    assert hardware.resolve("auto", "native") == recipe(settings, "basic").train.precision == found


def test_portable_kernels_have_bfloat16_on_a_gpu_that_is_not_hidden(machine, monkeypatch):
    machine(WITH)
    assert hardware.resolve("auto", "portable") == "float32"
    machine(WITH, "echo 9.0")
    assert hardware.resolve("auto", "portable") == "mixed_bfloat16"
    machine(WITH, "echo 9.0")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert hardware.resolve("auto", "portable") == "float32"


def test_mixed_precision_needs_native_kernels_on_a_processor(machine):
    machine(WITH)
    assert hardware.resolve("mixed_bfloat16", "native") == "mixed_bfloat16"
    with pytest.raises(UserError, match=r"train\.kernels"):
        hardware.resolve("mixed_bfloat16", "portable")
    machine(WITH, "echo 7.5")
    assert hardware.resolve("mixed_bfloat16", "portable") == "mixed_bfloat16"


def test_only_emulation_gives_a_warning(machine, capsys):
    machine(WITH)
    hardware.warn_if_emulated({"mixed_bfloat16"})
    machine(WITHOUT)
    hardware.warn_if_emulated({"float32"})
    assert capsys.readouterr().err == ""
    hardware.warn_if_emulated({"float32", "mixed_bfloat16"})
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("foldlab: train.precision is mixed_bfloat16, ")


@pytest.mark.parametrize(
    ("processor", "gpu", "limit", "native", "portable"),
    [
        (WITH, None, None, "avx512_bf16", "portable"),
        (WITHOUT, None, None, "avx512f", "portable"),
        ("flags : sse avx2", None, None, "avx2", "portable"),
        ("flags : sse avx", None, None, platform.machine(), platform.machine()),
        ("Hardware : other", None, None, platform.machine(), platform.machine()),
        (WITH, "echo 7.5; echo 9.0", None, "cuda 9.0", "cuda 9.0"),
        (WITH, None, "ONEDNN_MAX_CPU_ISA", "avx512_bf16, at most avx2", "portable"),
        (WITH, None, "DNNL_MAX_CPU_ISA", "avx512_bf16, at most avx2", "portable"),
    ],
)
def test_kernels_are_those_of_the_gpu_or_the_processor(
    machine, monkeypatch, processor, gpu, limit, native, portable
):
    """Portable ones need AVX2, and a limit does not change them."""
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA")
    if limit:
        monkeypatch.setenv(limit, "AVX2")
    machine(processor, gpu)
    assert (hardware.kernels("native"), hardware.kernels("portable")) == (native, portable)


def test_the_command_for_gpus_is_started_once(machine, tmp_path):
    machine(WITHOUT, f"echo 9.0; echo x >> {tmp_path}/started")
    for _ in range(3):
        hardware.resolve("auto", "native")
        hardware.kernels("native")
    assert (tmp_path / "started").read_text() == "x\n"


@pytest.mark.skipif(platform.machine() != "x86_64", reason="NumPy has other kernels there")
def test_numpy_uses_no_code_that_needs_newer_processors():
    used = np.lib.introspect.opt_func_info(func_name="^(log|exp)$", signature="float64")
    assert {kernel["current"] for by_type in used.values() for kernel in by_type.values()} <= {
        "X86_V3",
        "baseline(X86_V2)",
    }
