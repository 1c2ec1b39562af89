"""README.md and docs/ agree with the repository: commands, names, links, tables and examples."""

import re
import shlex
import shutil
import subprocess
import sys

import pytest
import yaml

from benchmarks import table
from benchmarks.inputs import ROOT, defaults
from stages.augment import OPS
from stages.commands.cli import cli
from stages.engine.resolve import recipe
from stages.models import ARCHITECTURES
from stages.settings import params
from stages.training.optimizers import OPTIMIZERS
from stages.training.schedules import SCHEDULES
from tests.prepared import TRAIN
from tests.project import shipped

shipped.skip_unless_shipped()
README = (ROOT / "README.md").read_text()
VARIANTS = (ROOT / "docs/variants.md").read_text()
SETTINGS = defaults()
PAGES = [ROOT / "README.md", ROOT / "benchmarks/README.md", *sorted((ROOT / "docs").glob("*.md"))]
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))

# Code that uses the snippets of docs/variants.md, which add a new architecture and a new op.
NEW = f"""
from stages.engine.resolve import recipe
from stages.settings import params
content = {{"train": {TRAIN}, "variants": {{"new": row}}}}
content["compare"] = {{"variants": ["new"], "baseline": "new"}}
new = recipe(params.parse(content), "new")
"""
ARCHITECTURE = f"""
import numpy as np
from stages.models import build
row = {{"architecture": {{"wide": {{"filters": 128}}}}}}
{NEW}
model = build(new.architecture, (28, 28, 1), 10)
print(model(np.zeros((2, 28, 28, 1), "f4")).shape, model.count_params())
"""
OP = f"""
import numpy as np, tensorflow as tf
from stages.augment import augmenter
row = {{"architecture": "basic", "augmentation": [{{"darken": {{"factor": 0.2}}}}]}}
{NEW}
augment = tf.function(augmenter(new.augmentation))
images, _ = augment(tf.fill((2, 28, 28, 1), 100.0), tf.eye(2), tf.constant([1, 2]))
print(images.shape, 80 <= images.numpy().min() < images.numpy().max() <= 100)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "code", "printed"),
    [
        # 7 x 7 x 128 + 128 and 128 x 10 + 10 parameters
        ("stages/models/compact.py", ARCHITECTURE, "(2, 10) 7690"),
        ("stages/augment/pixels.py", OP, "(2, 28, 28, 1) True"),
    ],
)
def test_a_snippet_works_at_the_end_of_its_file(file, code, printed, tmp_path):
    shutil.copytree(ROOT / "stages", tmp_path / "stages")
    (snippet,) = re.findall(rf"```python\n# {file}\n(.*?)```", VARIANTS, re.S)
    with (tmp_path / file).open("a") as module:
        module.write("\n\n" + snippet)
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.strip() == printed, done.stderr


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


@each_page
def test_commands_exist_with_their_options(page):
    text = page.read_text()
    code = "\n".join(re.findall(r"```bash\n(.*?)```", text, re.S))
    code += "\n" + "\n".join(re.findall(r"`([^`\n]+)`", text))
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    assert set(re.findall(r"^\s*make ([a-z-]+)", code, re.M)) <= targets
    assert "python -m stages." not in code  # would do nothing and say nothing
    for command in re.findall(r"python -m stages (.*)", code):
        name, *words = shlex.split(command.replace("\\", ""), comments=True)
        if not name.isupper() and not name.startswith("-"):  # COMMAND, --help
            allowed = {option for param in cli.commands[name].params for option in param.opts}
            assert {word for word in words if word.startswith("--")} <= allowed | {"--help"}
    for module in re.findall(r"python -m (benchmarks\.\w+)", code):
        assert module == "benchmarks.NAME" or (ROOT / f"{module.replace('.', '/')}.py").exists()
    project = yaml.safe_load((ROOT / "MLproject").read_text())
    for entry, words in re.findall(r"mlflow run \. -e (\w+)(.*)", code):
        given = set(re.findall(r"-P (\w+)=", words))
        assert given <= set(project["entry_points"][entry].get("parameters", {}))
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    for stage, variant in re.findall(r"dvc repro (\w+)(?:@(\w+))?", code):
        assert stage in stages
        assert variant in {"", "NAME", *SETTINGS["variants"]}


def anchors(page):
    """Return the anchors that GitHub gives a page's headings."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.S)
    headings = re.findall(r"^#+ (.*)$", text, re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@each_page
def test_links_lead_somewhere_and_named_files_exist(page):
    text = page.read_text()
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if not link.startswith("http"):
            path, _, anchor = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            assert target.exists() or target.name == "comparison.png", link  # made by a run
            assert not anchor or anchor in anchors(target), link
    if page.name != "experiments.md":  # what was tried names files as they were then
        for name in re.findall(r"`((?:stages|tests|benchmarks|docs|\.github)/[\w./-]+)`", text):
            assert (ROOT / name).exists(), name


def test_readme_links_every_document():
    linked = set(re.findall(r"\]\((docs/\w+\.md)\)", README))
    assert linked == {f"docs/{page.name}" for page in PAGES if page.parent.name == "docs"}


@pytest.mark.parametrize("path", table.TABLES, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_a_page_s_table_is_that_of_the_records(path):
    assert path.read_text(encoding="utf-8") == table.rendered(path, table.records())


def test_settings_and_results_are_those_that_are_shipped():
    assert shipped.own() == ""


def test_readme_s_versions_are_the_pinned_ones():
    pins = dict(re.findall(r"^([\w.-]+)==([\w.]+)$", (ROOT / "constraints.txt").read_text(), re.M))
    for name in ("TensorFlow", "Keras", "DVC", "MLflow"):
        assert f"{name} {pins[name.lower()]}" in README


def test_readme_s_file_tree_lists_all_packages_and_only_what_exists():
    (tree,) = re.findall(r"```text\n(.*?)```", README, re.S)
    named = re.findall(r"^( *)([\w./-]+)  ", tree, re.M)
    for indent, name in named:
        assert name == "results/" or (ROOT / ("stages" if indent else "") / name).exists()
    packages = {f"{path.parent.name}/" for path in (ROOT / "stages").glob("*/__init__.py")}
    assert packages <= {name for indent, name in named if indent}


def test_running_draws_the_edges_of_the_pipeline():
    (diagram,) = re.findall(r"```mermaid\n(.*?)```", (ROOT / "docs/running.md").read_text(), re.S)
    drawn = set()
    for line in re.sub(r'\["[^"]*"\]', "", diagram).splitlines():
        if "-->" in line:
            ones, others = (side.split("&") for side in line.split("-->"))
            drawn |= {(one.strip(), other.strip()) for one in ones for other in others}
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    writer = {}
    for name, stage in stages.items():
        written = [*stage["outs"], *stage.get("metrics", []), *stage.get("plots", [])]
        writer |= {path if isinstance(path, str) else next(iter(path)): name for path in written}
    assert drawn == {
        (source, name)
        for name, stage in stages.items()
        for needed in stage["deps"]
        for path, source in writer.items()
        if needed == path or f"{needed}/" in path or f"{path}/" in needed
    }
