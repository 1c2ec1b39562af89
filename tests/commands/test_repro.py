import subprocess

import pytest

from stages.commands import repro
from stages.errors import UserError
from tests import prepared


@pytest.mark.parametrize("stages", [(), ("prepare",)])
def test_a_folder_without_git_is_refused_unless_dvc_is_to_do_without(folder, stages):
    with pytest.raises(UserError, match="git init"):
        repro.repro(stages)
    subprocess.run(["dvc", "init", "-q", "--no-scm"], check=True)
    prepared.write(folder)
    with pytest.raises(SystemExit):  # there is no dvc.yaml
        repro.repro(("prepare",))


def test_a_failed_stage_ends_the_command_with_dvc_s_status(folder):
    subprocess.run(["git", "init", "-q"], check=True)
    subprocess.run(["dvc", "init", "-q"], check=True)
    prepared.write(folder)
    (folder / "dvc.yaml").write_text("stages:\n  prepare:\n    cmd: exit 3\n")
    with pytest.raises(SystemExit) as ended:
        repro.repro()
    assert ended.value.code == subprocess.run(["dvc", "repro"], check=False).returncode


def test_changes_of_tracked_results_are_noticed(folder):
    assert not repro._differs_from_git()  # no repository
    subprocess.run(["git", "init", "-q"], check=True)
    (folder / "params.yaml").touch()
    assert not repro._differs_from_git()
    (folder / "dvc.lock").touch()
    assert repro._differs_from_git()
