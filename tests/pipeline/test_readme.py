"""README.md and docs/ agree with the repository: commands, names, links, tables and examples."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from stages.augment import OPS
from stages.commands.line import line
from stages.engine.resolve import recipe
from stages.models import ARCHITECTURES
from stages.settings import params
from stages.training.optimizers import OPTIMIZERS
from stages.training.schedules import SCHEDULES
from tests.prepared import TRAIN

HERE = Path(__file__).parents[2]
README = (HERE / "README.md").read_text()
VARIANTS = (HERE / "docs/variants.md").read_text()
SETTINGS = yaml.safe_load((HERE / "params.yaml").read_text())
PAGES = [HERE / "README.md", HERE / "benchmarks/README.md", *sorted((HERE / "docs").glob("*.md"))]
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(HERE)))
SNIPPETS = dict(re.findall(r"```python\n# (stages/\S+)\n(.*?)```", VARIANTS, re.S))

USE = {
    "stages/models/compact.py": """
import numpy as np
from stages.settings import params
from stages.models import build
from stages.engine.resolve import recipe
row = {"architecture": {"wide": {"filters": 128}}}
content = {"train": TRAIN, "variants": {"new": row}}
content["compare"] = {"variants": ["new"], "baseline": "new"}
model = build(recipe(params.parse(content), "new").architecture, (28, 28, 1), 10)
print(model(np.zeros((2, 28, 28, 1), "f4")).shape, model.count_params())
""",
    "stages/augment/pixels.py": """
import numpy as np, tensorflow as tf
from stages.settings import params
from stages.augment import augmenter
from stages.engine.resolve import recipe
row = {"architecture": "basic", "augmentation": [{"contrast": {"factor": 0.2}}]}
content = {"train": TRAIN, "variants": {"new": row}}
content["compare"] = {"variants": ["new"], "baseline": "new"}
augment = tf.function(augmenter(recipe(params.parse(content), "new").augmentation))
images, _ = augment(tf.zeros((2, 28, 28, 1)), tf.eye(2), tf.constant([1, 2]))
distance = np.abs(images.numpy() - 127.5)
print(images.shape, 0.8 * 127.5 <= distance.min() <= distance.max() <= 127.5)
""",
}
PRINTED = {
    # 7 x 7 x 128 + 128 and 128 x 10 + 10 parameters
    "stages/models/compact.py": "(2, 10) 7690",
    "stages/augment/pixels.py": "(2, 28, 28, 1) True",
}


def test_the_documents_show_an_architecture_and_an_op():
    assert set(SNIPPETS) == set(USE)


@pytest.mark.parametrize("file", sorted(USE))
def test_a_snippet_works_at_the_end_of_its_file(file, tmp_path):
    shutil.copytree(HERE / "stages", tmp_path / "stages")
    with (tmp_path / file).open("a") as module:
        module.write("\n\n" + SNIPPETS[file])
    code = f"TRAIN = {TRAIN}{USE[file]}"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout.strip() == PRINTED[file], done.stderr


def test_the_added_variant_differs_from_the_baseline_in_its_rotation_only():
    (text,) = re.findall(r"## Add a variant.*?```yaml\n(.*?)```", README, re.S)
    added = yaml.safe_load(text)
    variants = SETTINGS["variants"] | added["variants"]
    compare = SETTINGS["compare"] | added["compare"]
    settings = params.parse(SETTINGS | {"variants": variants, "compare": compare})
    basic, rotated = (recipe(settings, name) for name in added["compare"]["variants"])
    assert (rotated.train, rotated.architecture) == (basic.train, basic.architecture)
    assert [op.name for op in rotated.augmentation] == ["rotate"]
    assert not basic.augmentation


@pytest.mark.parametrize(
    ("setting", "registry"),
    [
        ("architecture", ARCHITECTURES),
        ("augmentation", OPS),
        ("train.optimizer", OPTIMIZERS),
        ("train.schedule", SCHEDULES),
    ],
)
def test_the_table_of_settings_lists_all_registered_names(setting, registry):
    (row,) = re.findall(rf"^\| `{re.escape(setting)}` \| (.*) \|$", VARIANTS, re.M)
    assert set(re.findall(r"`(\w+)`", row)) == set(registry)


def test_the_table_of_settings_names_settings_that_exist():
    named = re.findall(r"^\| `(\w+)\.(\w+)` \|", VARIANTS, re.M)
    assert named
    for section, setting in named:
        assert setting in SETTINGS[section]
    assert {f"train.{setting}" for setting in SETTINGS["train"]} - {
        f"{section}.{setting}" for section, setting in named
    } == {f"train.{setting}" for setting in ("epochs", "batch_size", "learning_rate", "seed")}


@each_page
def test_commands_exist_with_their_options(page):
    text = page.read_text()
    code = "\n".join(re.findall(r"```bash\n(.*?)```", text, re.S))
    code += "\n" + "\n".join(re.findall(r"`([^`\n]+)`", text))
    targets = set(re.findall(r"^([a-z-]+):", (HERE / "Makefile").read_text(), re.M))
    assert set(re.findall(r"^\s*make ([a-z-]+)", code, re.M)) <= targets
    for command in re.findall(r"python -m stages (.*)", code):
        name, *words = shlex.split(command.replace("\\", ""), comments=True)
        if not name.isupper() and not name.startswith("-"):  # COMMAND, --help
            allowed = {option for param in line.commands[name].params for option in param.opts}
            assert {word for word in words if word.startswith("--")} <= allowed | {"--help"}
    for module in re.findall(r"python -m (benchmarks\.\w+)", code):
        assert module == "benchmarks.NAME" or (HERE / f"{module.replace('.', '/')}.py").exists()
    project = yaml.safe_load((HERE / "MLproject").read_text())
    for entry, words in re.findall(r"mlflow run \. -e (\w+)(.*)", code):
        given = set(re.findall(r"-P (\w+)=", words))
        assert given <= set(project["entry_points"][entry].get("parameters", {}))
    stages = yaml.safe_load((HERE / "dvc.yaml").read_text())["stages"]
    for stage, variant in re.findall(r"dvc repro (\w+)(?:@(\w+))?", code):
        assert stage in stages
        assert variant in {"", "NAME", *SETTINGS["variants"]}


def test_readme_shows_how_to_run_and_test():
    code = "\n".join(re.findall(r"```bash\n(.*?)```", README, re.S))
    made = set(re.findall(r"^make ([a-z]+)", code, re.M))
    assert {"repro", "test", "ui"} <= made
    assert "make test" in (HERE / ".ci/run").read_text()


def anchors(page):
    """Return the anchors that GitHub gives a page's headings."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.S)
    headings = re.findall(r"^#+ (.*)$", text, re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@each_page
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if not link.startswith("http"):
            path, _, anchor = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            if target.name != "comparison.png":  # made by a run
                assert target.exists(), link
            assert not anchor or anchor in anchors(target), link


@each_page
def test_named_files_exist(page):
    if page.name == "experiments.md":
        pytest.skip("what was tried names files as they were then")
    for name in re.findall(
        r"`((?:stages|tests|benchmarks|docs|\.github)/[\w./-]+)`", page.read_text()
    ):
        assert (HERE / name).exists(), name


def test_readme_links_every_document():
    linked = set(re.findall(r"\]\((docs/[\w.]+)\)", README))
    assert linked == {f"docs/{page.name}" for page in PAGES if page.parent.name == "docs"}


def test_decisions_lists_all_its_sections():
    page = HERE / "docs/decisions.md"
    listed = re.findall(r"^- \[.*?\]\(#(.*?)\)", page.read_text(), re.M)
    assert set(listed) == anchors(page) - {"decisions"}


def test_readme_s_table_is_the_committed_comparison():
    """What a run on other settings or another processor leaves in the working tree is no matter."""
    if "the table of results/comparison.md" not in README:
        pytest.skip("README holds another table")
    shown = subprocess.run(
        ["git", "show", "HEAD:results/comparison.md"], cwd=HERE, capture_output=True, text=True
    )
    if shown.returncode:
        pytest.skip("no commit to compare with")
    table = "\n".join(line for line in shown.stdout.splitlines() if line.startswith("|"))
    assert table.count("\n") > 2
    assert table in README


def test_readme_s_versions_are_the_pinned_ones():
    pins = dict(re.findall(r"^([\w.-]+)==([\w.]+)$", (HERE / "constraints.txt").read_text(), re.M))
    for name in ("TensorFlow", "Keras", "DVC", "MLflow"):
        assert f"{name} {pins[name.lower()]}" in README


def test_readme_s_file_tree_lists_all_packages_and_only_what_exists():
    (tree,) = re.findall(r"```text\n(.*?)```", README, re.S)
    named = re.findall(r"^( *)([\w./-]+)  ", tree, re.M)
    for indent, name in named:
        path = HERE / ("stages" if indent else "") / name
        assert path.exists() or name == "results/"  # made by a run
        assert path.is_dir() == name.endswith("/") or name == "results/"
    packages = {f"{path.parent.name}/" for path in (HERE / "stages").glob("*/__init__.py")}
    assert packages <= {name for indent, name in named if indent}
