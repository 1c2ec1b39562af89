"""What docs/cluster.md says is what the code and the pins say."""

import re
import subprocess
import sys
from pathlib import Path

import yaml

from stages.settings import params
from stages.settings.sections import Parallel

HERE = Path(__file__).parents[2]
PAGE = (HERE / "docs" / "cluster.md").read_text()
SETTINGS, MANIFEST = (yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.S))


def test_its_settings_are_allowed_and_all_there_are():
    Parallel.model_validate(SETTINGS["parallel"])
    shown = yaml.safe_load((HERE / "params.yaml").read_text())["parallel"]
    assert shown.keys() == SETTINGS["parallel"].keys() == Parallel.model_fields.keys()
    assert params.load(HERE / "params.yaml").parallel == Parallel()


def test_its_image_and_manifest_name_the_pinned_ray():
    (pinned,) = re.findall(r"^ray==(.*)$", (HERE / "constraints.txt").read_text(), re.M)
    assert f"FROM rayproject/ray:{pinned}-py311\n" in PAGE
    spec = MANIFEST["spec"]
    assert (MANIFEST["kind"], spec["rayVersion"]) == ("RayCluster", pinned)
    groups = [spec["headGroupSpec"], *spec["workerGroupSpecs"]]
    assert len({pod["template"]["spec"]["containers"][0]["image"] for pod in groups}) == 1
    assert all(isinstance(value, str) for pod in groups for value in pod["rayStartParams"].values())


def test_its_table_is_what_the_command_prints():
    command = [sys.executable, "-m", "benchmarks.flops"]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True)
    assert done.stdout in PAGE, done.stderr
    assert done.stdout.count("\n") == 2 + 11
