"""What README.md shows of extending the catalogue works as it stands there."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from stages import params
from stages.augment import OPS
from stages.engine.resolve import recipe
from stages.models import ARCHITECTURES
from stages.training.optimizers import OPTIMIZERS
from stages.training.schedules import SCHEDULES
from tests.prepared import TRAIN

HERE = Path(__file__).parents[2]
README = (HERE / "README.md").read_text()
SNIPPETS = dict(re.findall(r"```python\n# (stages/\S+)\n(.*?)```", README, re.S))

USE = {
    "stages/models/compact.py": """
import numpy as np
from stages import params
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
from stages import params
from stages.augment import augmenter
from stages.engine.resolve import recipe
row = {"architecture": "basic", "augmentation": [{"contrast": {"factor": 0.2}}]}
content = {"train": TRAIN, "variants": {"new": row}}
content["compare"] = {"variants": ["new"], "baseline": "new"}
augment = tf.function(augmenter(recipe(params.parse(content), "new").augmentation))
images, _ = augment(tf.zeros((2, 28, 28, 1)), tf.eye(2), tf.constant([1, 2]))
spread = np.abs(images.numpy() - 127.5)
print(images.shape, 0.8 * 127.5 <= spread.min() <= spread.max() <= 127.5)
""",
}
SAID = {
    # 7 x 7 x 128 + 128 and 128 x 10 + 10 parameters
    "stages/models/compact.py": "(2, 10) 7690",
    "stages/augment/pixels.py": "(2, 28, 28, 1) True",
}


def test_readme_shows_an_architecture_and_an_op():
    assert set(SNIPPETS) == set(USE)


@pytest.mark.parametrize("file", sorted(USE))
def test_a_snippet_of_under_15_lines_works_at_the_end_of_its_file(file, tmp_path):
    assert len(SNIPPETS[file].splitlines()) + 1 < 15
    shutil.copytree(HERE / "stages", tmp_path / "stages")
    with (tmp_path / file).open("a") as module:
        module.write("\n\n" + SNIPPETS[file])
    code = f"TRAIN = {TRAIN}{USE[file]}"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout.strip() == SAID[file], done.stderr


def test_the_variant_that_readme_adds_differs_from_the_baseline_in_its_rotation_only():
    (text,) = re.findall(r"## Add a variant.*?```yaml\n(.*?)```", README, re.S)
    added, present = yaml.safe_load(text), yaml.safe_load((HERE / "params.yaml").read_text())
    present["variants"] |= added["variants"]
    settings = params.parse(present | {"compare": present["compare"] | added["compare"]})
    basic, rotated = (recipe(settings, name) for name in added["compare"]["variants"])
    assert (rotated.train, rotated.architecture) == (basic.train, basic.architecture)
    assert [op.name for op in rotated.augmentation] == ["rotate"]
    assert not basic.augmentation


@pytest.mark.parametrize(
    ("setting", "table"),
    [
        ("architecture", ARCHITECTURES),
        ("augmentation", OPS),
        ("train.optimizer", OPTIMIZERS),
        ("train.schedule", SCHEDULES),
    ],
)
def test_the_table_of_names_is_complete(setting, table):
    (row,) = re.findall(rf"^\| `{re.escape(setting)}` \| (.*) \|$", README, re.M)
    assert set(re.findall(r"`(\w+)`", row)) == set(table)
