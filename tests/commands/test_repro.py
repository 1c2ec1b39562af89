import subprocess
from contextlib import nullcontext

import pytest

from stages.commands import champion, repro, sweep, warm, watched
from stages.errors import UserError
from stages.report import terminal
from stages.tracking import store_errors
from tests import prepared
from tests.tracking.made_results import make_comparison


@pytest.mark.slow
def test_a_folder_without_git_is_refused_unless_dvc_needs_none(folder):
    for stages in ((), ("prepare",)):
        with pytest.raises(UserError, match="git init"):
            repro.repro(stages)
    subprocess.run(["dvc", "init", "-q", "--no-scm"], check=True)
    prepared.write(folder)
    with pytest.raises(SystemExit):  # there is no dvc.yaml
        repro.repro(("prepare",))


@pytest.mark.slow
def test_a_failed_stage_ends_the_command_with_dvc_s_status(folder, monkeypatch):
    subprocess.run(["git", "init", "-q"], check=True)
    subprocess.run(["dvc", "init", "-q"], check=True)
    prepared.write(folder)
    (folder / "dvc.yaml").write_text("stages:\n  prepare:\n    cmd: exit 3\n")
    with pytest.raises(SystemExit) as ended:
        repro.repro()
    assert ended.value.code == subprocess.run(["dvc", "repro"], check=False).returncode
    monkeypatch.setenv("FOLDLAB_PRIVATE_KEY", "/nowhere/private.pem")
    with pytest.raises(UserError, match="FOLDLAB_PRIVATE_KEY"):  # before any stage
        repro.repro()


def test_changes_of_tracked_results_are_noticed(folder):
    assert not repro._differs_from_git()  # no repository
    subprocess.run(["git", "init", "-q"], check=True)
    (folder / "params.yaml").touch()
    assert not repro._differs_from_git()
    (folder / "dvc.lock").touch()
    assert repro._differs_from_git()


@pytest.fixture
def run(two_published, monkeypatch):
    """Return a function that runs `repro`, in which DVC makes a comparison, and counts logging."""
    logged = []
    log = champion._log
    monkeypatch.setattr(repro, "_check_git", lambda: None)
    monkeypatch.setattr(watched, "watched", lambda: None)
    monkeypatch.setattr(warm, "started", nullcontext)
    monkeypatch.setattr(sweep, "sweep", lambda: None)
    monkeypatch.setattr(terminal, "of_comparison", lambda hints: "")  # no stamp counts then
    monkeypatch.setattr(champion, "_log", lambda seconds: logged.append(1) or log(seconds))

    def run(by_dvc=lambda: None, **means):
        def dvc(*stages):
            make_comparison(two_published, **means)
            if not stages:
                by_dvc()

        logged.clear()
        monkeypatch.setattr(repro, "_dvc", dvc)
        repro.repro()
        return len(logged)

    return run


@pytest.mark.slow
def test_mlflow_shows_a_comparison_that_dvc_only_restored(run, monkeypatch):
    assert run(champion.champion, basic=0.93, other=0.92) == 1
    assert run(basic=0.93, other=0.92) == 0
    assert run(basic=0.91, other=0.92) == 1  # of another branch
    assert run(basic=0.91, other=0.92) == 0
    with monkeypatch.context() as patch:
        patch.setattr(champion.store, "opened", fail)
        assert run(champion.champion, basic=0.93, other=0.92) == 1  # not twice
    assert run(basic=0.93, other=0.92) == 1
    assert run(basic=0.93, other=0.92) == 0


def fail(*_):
    raise store_errors.StoreError("it is down")
