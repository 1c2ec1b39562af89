"""`python -m stages try`, which `make try` runs: the whole pipeline on a few digits, in a minute.

It works in a copy of the code that has its own settings, results and MLflow store. Files that Git
tracks, and the runs and models in the repository's own store, stay as they are.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from stages.errors import UserError

FOLDER = Path(".foldlab/try")
COPIED = ("stages", "dvc.yaml", "constraints.txt", ".dvcignore", ".dvc/plots")
DVC = "[core]\n    analytics = false\n    check_update = false\n    no_scm = true\n"
SETTINGS = """\
data: {source: mnist-5k, limit: 1000, watch: stages/data}
folds: {count: 3}
train: {epochs: 5, batch_size: 32, optimizer: adam, learning_rate: 0.004, schedule: cosine}
variants:
  basic:
    description: Two convolutions, two poolings, one dense layer, dropout.
    architecture: basic
  batchnorm:
    description: The same with batch normalisation.
    architecture: batchnorm
compare: {variants: [batchnorm, basic], baseline: basic}
tracking: {experiment: foldlab, model_name: foldlab, live_after: null}
"""


def try_out() -> None:
    """Run `python -m stages repro` in FOLDER; exit with its status if it fails."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    (FOLDER / ".dvc").mkdir(parents=True)
    try:
        for name in COPIED:
            if Path(name).is_dir():
                shutil.copytree(name, FOLDER / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(name, FOLDER / name)
    except shutil.Error as error:  # a list of what could not be copied
        _, path, reason = error.args[0][0]
        raise UserError(
            f"{path} cannot be written ({reason}); fix this and run the same command again."
        ) from None
    (FOLDER / ".dvc/config").write_text(DVC, encoding="utf-8")
    (FOLDER / "params.yaml").write_text(SETTINGS, encoding="utf-8")
    given = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_TRACKING_", "DVC_"))}
    repro = [sys.executable, "-m", "stages", "repro", "--no-hints"]
    given["PYTHONUNBUFFERED"] = "1"  # each line at once, though it goes through a pipe
    with subprocess.Popen(repro, cwd=FOLDER, env=given, stdout=subprocess.PIPE, text=True) as done:
        for line in done.stdout or ():
            if not line.startswith("Use `dvc push`"):  # DVC's hint: there is nowhere to push to
                print(line, end="", flush=True)
    if done.returncode:
        sys.exit(done.returncode)
    print(
        f"\nThis run trained on only 1,000 digits, in {FOLDER}, so its numbers mean little.\n"
        f"  its report      {FOLDER}/results/report.html\n"
        "  the real thing  make repro"
    )
