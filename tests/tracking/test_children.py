import sqlite3
from contextlib import closing

from stages.settings.sections import Tracking
from stages.tracking import store
from tests.tracking.made_results import everything


def test_all_child_runs_are_found_however_many(repository):
    """By default, MLflow returns at most 1,000 runs at once."""
    from stages.tracking.children import child_runs

    with store.opened(Tracking()) as client:
        parent, other = (client.create_run("0", run_name=name) for name in "ab")
        tags = {"mlflow.parentRunId": parent.info.run_id, "foldlab.kind": "fold"}
        first = client.create_run("0", 1, tags, "0").info.run_id
        copy(first, 1_001)
        names = [run.info.run_name for run in child_runs(client, parent, "fold")]
        assert names == [str(number) for number in range(1_002)]
        assert child_runs(client, parent, "trial") == []
        assert child_runs(client, other, "fold") == []


def copy(run_id, times):
    """Copy a run's rows; through the client, this would take half a minute."""
    stored = everything(store.root())
    with closing(sqlite3.connect("mlflow.db")) as connection, connection:
        for number in range(1, times + 1):
            changed = {"run_uuid": f"{number:032}", "name": str(number), "start_time": 1 + number}
            for table in ("runs", "tags"):
                for row in stored[table]:
                    if row["run_uuid"] == run_id:
                        values = [changed.get(key, row[key]) for key in row]
                        marks = ", ".join("?" * len(values))
                        connection.execute(f"insert into {table} values ({marks})", values)
