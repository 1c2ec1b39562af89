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


def test_a_failed_stage_ends_the_command_with_dvc_s_status(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    subprocess.run(["git", "init", "-q"], check=True)
    subprocess.run(["dvc", "init", "-q"], check=True)
    prepared.write(tmp_path)
    (tmp_path / "dvc.yaml").write_text("stages:\n  prepare:\n    cmd: exit 3\n")
    with pytest.raises(SystemExit) as ended:
        repro.repro()
    assert ended.value.code == subprocess.run(["dvc", "repro"], check=False).returncode


def test_changes_of_tracked_results_are_noticed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert not repro._differs_from_git()  # no repository
    subprocess.run(["git", "init", "-q"], check=True)
    (tmp_path / "params.yaml").touch()
    assert not repro._differs_from_git()
    (tmp_path / "dvc.lock").touch()
    assert repro._differs_from_git()
