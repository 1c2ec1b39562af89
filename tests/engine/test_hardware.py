import platform

import pytest

from stages.engine import hardware
from stages.engine.resolve import recipe
from stages.settings import params
from tests.settings.test_params import changed

WITH = "processor\t: 0\nflags\t\t: fpu avx512f avx512_bf16 sse\n"
WITHOUT = "processor\t: 0\nflags\t\t: fpu avx512f avx512_bf16x sse\nbugs\t: amx_bf16\n"


def forget():
    hardware._flags.cache_clear()
    hardware._gpu.cache_clear()


@pytest.fixture(autouse=True)
def _fresh():
    yield
    forget()


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Simulate a machine with the given processor and, optionally, a GPU's command."""

    def make(processor, gpu=None, cudnn=True):
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

    return make


@pytest.mark.parametrize(
    ("processor", "gpu", "native"),
    [
        (WITH, None, True),
        (WITH.replace("avx512_bf16", "amx_bf16"), None, True),
        (WITHOUT, None, False),
        ("Hardware : other", None, False),
        (WITHOUT, "echo 7.5; echo 9.0", True),
        (WITHOUT, "echo 7.5", False),
        (WITHOUT, "echo no devices were found; exit 6", False),
    ],
)
def test_auto_is_mixed_only_where_the_machine_multiplies_bfloat16(machine, processor, gpu, native):
    machine(processor, gpu)
    assert hardware.resolve("auto") == ("mixed_bfloat16" if native else "float32")
    assert hardware.resolve("float32") == "float32"
    assert hardware.resolve("mixed_bfloat16") == "mixed_bfloat16"


def test_a_gpu_that_is_hidden_from_tensorflow_does_not_count(machine, monkeypatch):
    machine(WITHOUT, "echo 9.0")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    forget()
    assert hardware.resolve("auto") == "float32"


def test_a_gpu_that_tensorflow_has_no_library_for_does_not_count(machine):
    machine(WITHOUT, "echo 9.0", cudnn=False)
    assert hardware.resolve("auto") == "float32"


def test_another_system_computes_in_float32(machine, monkeypatch, tmp_path):
    machine(WITH)
    monkeypatch.setattr(hardware, "PROCESSOR", tmp_path / "none")
    forget()
    assert hardware.resolve("auto") == "float32"


def test_a_recipe_holds_what_auto_became(machine):
    for processor, found in ((WITH, "mixed_bfloat16"), (WITHOUT, "float32")):
        machine(processor)
        settings = params.parse(changed("variants.basic.train", {"precision": "auto"}))
        assert recipe(settings, "basic").model_dump()["train"]["precision"] == found


def test_emulation_is_warned_of_in_one_sentence(machine, capsys):
    machine(WITHOUT)
    hardware.warn({"float32", "mixed_bfloat16"})
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("foldlab: train.precision is mixed_bfloat16, ")


def test_nothing_is_said_where_nothing_is_emulated(machine, capsys):
    machine(WITHOUT)
    hardware.warn({"float32"})
    machine(WITH)
    hardware.warn({"mixed_bfloat16"})
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("processor", "gpu", "found"),
    [
        (WITH, None, "avx512_bf16"),
        (WITHOUT, None, "avx512f"),
        ("flags : sse avx2", None, "avx2"),
        ("Hardware : other", None, platform.machine()),
        (WITH, "echo 7.5; echo 9.0", "cuda 9.0"),
    ],
)
def test_kernels_are_those_of_the_gpu_or_the_processor(machine, monkeypatch, processor, gpu, found):
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    machine(processor, gpu)
    assert hardware.kernels() == found


@pytest.mark.parametrize("name", ["ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"])
def test_a_limit_for_the_kernels_is_part_of_them(machine, monkeypatch, name):
    machine(WITH)
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    monkeypatch.setenv(name, "AVX2")
    assert hardware.kernels() == "avx512_bf16, at most avx2"


def test_the_gpu_s_command_is_started_once(machine, tmp_path):
    machine(WITHOUT, f"echo 9.0; echo x >> {tmp_path}/started")
    for _ in range(5):
        hardware.resolve("auto")
        hardware.kernels()
    assert (tmp_path / "started").read_text() == "x\n"
