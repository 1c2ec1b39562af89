import pytest

from stages import params
from stages.training import precision
from stages.training.recipe import recipe
from tests.test_params import changed

WITH = "processor\t: 0\nflags\t\t: fpu avx512f avx512_bf16 sse\n"
WITHOUT = "processor\t: 0\nflags\t\t: fpu avx512f avx512_bf16x sse\nbugs\t: amx_bf16\n"


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Make this machine one with the given processor and the GPU's command, or none."""

    def make(processor, gpu=None, cudnn=True):
        (tmp_path / "cpuinfo").write_text(processor)
        monkeypatch.setattr(precision, "PROCESSOR", tmp_path / "cpuinfo")
        if gpu is not None:
            command = tmp_path / "nvidia-smi"
            command.write_text(f"#!/bin/sh\n{gpu}\n")
            command.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin" if gpu else str(tmp_path))
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        monkeypatch.setattr(precision, "_cudnn", lambda: cudnn)

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
    assert precision.resolve("auto") == ("mixed_bfloat16" if native else "float32")
    assert precision.resolve("float32") == "float32"
    assert precision.resolve("mixed_bfloat16") == "mixed_bfloat16"


def test_a_gpu_that_is_hidden_from_tensorflow_does_not_count(machine, monkeypatch):
    machine(WITHOUT, "echo 9.0")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert precision.resolve("auto") == "float32"


def test_a_gpu_that_tensorflow_has_no_library_for_does_not_count(machine):
    machine(WITHOUT, "echo 9.0", cudnn=False)
    assert precision.resolve("auto") == "float32"


def test_another_system_computes_in_float32(machine, monkeypatch, tmp_path):
    machine(WITH)
    monkeypatch.setattr(precision, "PROCESSOR", tmp_path / "none")
    assert precision.resolve("auto") == "float32"


def test_a_recipe_holds_what_auto_became(machine):
    for processor, found in ((WITH, "mixed_bfloat16"), (WITHOUT, "float32")):
        machine(processor)
        settings = params.parse(changed("variants.basic.train", {"precision": "auto"}))
        assert recipe(settings, "basic").model_dump()["train"]["precision"] == found


def test_emulation_is_warned_of_in_one_sentence(machine, capsys):
    machine(WITHOUT)
    precision.warn({"float32", "mixed_bfloat16"})
    assert capsys.readouterr().err == (
        "foldlab: train.precision is mixed_bfloat16, which this processor only emulates, many "
        "times slower; use float32, or auto, which chooses by the processor.\n"
    )


def test_nothing_is_said_where_nothing_is_emulated(machine, capsys):
    machine(WITHOUT)
    precision.warn({"float32"})
    machine(WITH)
    precision.warn({"mixed_bfloat16"})
    assert capsys.readouterr().err == ""
