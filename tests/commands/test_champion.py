import shutil
import socket

import mlflow
import pytest

from stages import publish
from stages.commands.champion import champion
from stages.errors import UserError
from tests.tracking.made_results import empty_store, make_comparison, make_repository


@pytest.fixture
def repository(tmp_path, monkeypatch, tmp_path_factory):
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "DVC_ROOT", "DVC_EXP_NAME"):
        monkeypatch.delenv(name, raising=False)
    root = make_repository(tmp_path / "repository", "basic", "other", folds=5)
    shutil.copyfile(empty_store(tmp_path_factory.getbasetemp()), root / "mlflow.db")
    monkeypatch.chdir(root)
    for variant in ("basic", "other"):
        publish.publish(variant)
    return root


def aliases(root):
    client = mlflow.MlflowClient(f"sqlite:///{root}/mlflow.db")
    versions = {
        version.version: version.tags["variant"]
        for version in client.search_model_versions("name = 'foldlab'")
    }
    model = client.get_registered_model("foldlab")
    return {alias: versions[int(number)] for alias, number in model.aliases.items()}


def test_the_best_is_the_first_champion_and_the_next_its_challenger(repository):
    make_comparison(repository, basic=0.91, other=0.92)
    champion()
    assert aliases(repository) == {"champion": "other", "challenger": "basic"}


def test_a_better_mean_alone_does_not_move_the_champion_but_the_test_does(repository, capsys):
    """The made folds of `other` are all one point better, so the test's p is 0."""
    make_comparison(repository, basic=0.93, other=0.92)
    champion()
    assert aliases(repository)["champion"] == "basic"
    make_comparison(repository, basic=0.91, other=0.92)
    champion()
    assert aliases(repository) == {"champion": "other", "challenger": "basic"}
    make_comparison(repository, basic=0.93, other=0.92)  # its folds are still the worse ones
    champion()
    assert aliases(repository)["champion"] == "other"
    assert "does not replace" in capsys.readouterr().out


def test_a_dead_server_costs_one_sentence(repository, monkeypatch, capsys):
    make_comparison(repository, basic=0.91, other=0.92)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    champion()
    stderr = capsys.readouterr().err
    assert stderr.startswith("foldlab: publishing the comparison to MLflow at http://127")
    assert stderr.count("\n") == 1


def test_a_bug_of_ours_keeps_its_traceback(repository):
    make_comparison(repository, basic=0.91, other=0.92)
    path = repository / "results/comparison.csv"
    path.write_text(path.read_text().replace("p_better", "p_best"))
    with pytest.raises(KeyError, match="p_better"):
        champion()


def test_another_store_is_said_to_lack_what_make_publish_fills(
    repository, monkeypatch, capsys, tmp_path, tmp_path_factory
):
    make_comparison(repository, basic=0.91, other=0.92)
    champion()
    assert "missing" not in capsys.readouterr().err
    shutil.copyfile(empty_store(tmp_path_factory.getbasetemp()), tmp_path / "mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    champion()
    stderr = capsys.readouterr().err
    assert stderr.startswith("foldlab: other, basic missing from MLflow")
    assert stderr.count("\n") == 1
    publish.publish("basic")  # not the best one, so nobody is crowned yet
    champion()
    assert "foldlab: other missing" in capsys.readouterr().err
    assert publish.publish_all() is True
    champion()
    assert capsys.readouterr().err == ""
    assert aliases(tmp_path) == {"champion": "other", "challenger": "basic"}


def test_what_was_never_published_is_refused(repository):
    make_comparison(repository, basic=0.91, other=0.92)
    (repository / "results/published/other.json").unlink()
    with pytest.raises(UserError, match=r"published/other\.json .*`dvc repro`"):
        champion()


def test_without_a_comparison_it_is_refused(repository):
    with pytest.raises(OSError, match=r"comparison\.csv"):
        champion()
