"""A parent with more runs below it than MLflow gives in one answer."""

from stages.tracking import store

MANY = 1_001


def test_all_runs_below_a_parent_are_found_whatever_their_number(repository):
    from stages.tracking.children import FOLDS, TRIALS, child_runs

    with store.opened("foldlab") as (client, experiment_id):
        parent, other = (client.create_run(experiment_id, run_name=name) for name in "ab")
        kinds = ["fold"] * MANY + ["trial"]
        for number, kind in enumerate(kinds):
            tags = {"mlflow.parentRunId": parent.info.run_id, "foldlab.kind": kind}
            client.create_run(experiment_id, 1 + number, tags, str(number))
        folds = child_runs(client, parent, FOLDS)
        assert [run.info.run_name for run in folds] == [str(number) for number in range(MANY)]
        assert [run.info.run_name for run in child_runs(client, parent, TRIALS)] == [str(MANY)]
        assert child_runs(client, other, FOLDS) == []
