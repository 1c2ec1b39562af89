"""The server of docs/team_server.md for the tests, results published to it, and its content.

One server is started for all tests, which tests/conftest.py gives to one worker.
"""

import shutil
import subprocess

import pytest

from benchmarks.inputs import ROOT
from tests.tracking import team as parts
from tests.tracking.made_results import make_comparison, make_repository
from tests.tracking.served import inherited

PUBLISH = "python -m stages publish --all"


@pytest.fixture(scope="session")
def team(tmp_path_factory):
    for package in ("boto3", "dvc_s3", "flask_wtf", "moto", "psycopg"):
        pytest.importorskip(
            package, reason=f"{package} is missing: pip install -r requirements-team.txt"
        )
    for package, found in (("postgresql", parts.programs()), ("nginx", shutil.which("nginx"))):
        if not found:
            pytest.skip(f"{package} is missing: apt-get install {package}")
    with parts.started(tmp_path_factory.mktemp("team")) as team:
        yield team


@pytest.fixture(scope="session")
def proxy(team):
    with parts.proxy(team) as found:
        yield found


@pytest.fixture(scope="session")
def annas(tmp_path_factory):
    """Return anna's repository, with results that are not published."""
    root = make_repository(tmp_path_factory.mktemp("anna") / "repository", "basic", "other")
    make_comparison(root, basic=0.9005, other=0.9105)  # the means of the made folds
    identity = "git config user.name a && git config user.email a@b.c"
    succeed(f"git init -q -b main && {identity}", root, inherited())
    succeed("git add params.yaml && git commit -qm settings", root, inherited())
    return root


@pytest.fixture(scope="session")
def published(team, proxy, annas, tmp_path_factory):
    """Publish as anna over TLS, from a machine without boto3; return the command's stderr."""
    without = tmp_path_factory.mktemp("without")
    for name in ("boto3", "psycopg", "flask_wtf"):
        (without / f"{name}.py").write_text("raise ImportError('not on a client')\n")
    uri, _, certificate = proxy
    environment = team.client("anna", PYTHONPATH=f"{without}:{ROOT}") | {
        "MLFLOW_TRACKING_URI": uri,
        "MLFLOW_TRACKING_SERVER_CERT_PATH": str(certificate),
    }
    return succeed(PUBLISH, annas, environment)


def call(command, folder, environment):
    return subprocess.run(
        command, shell=True, cwd=folder, env=environment, capture_output=True, text=True
    )


def succeed(command, folder, environment):
    done = call(command, folder, environment)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def everything(team, name="mlflow"):
    """Return each row of each table of a database, and each object of the bucket of its name."""
    tables = {}
    with team.database(name) as connection:
        names = connection.execute(
            "select table_name from information_schema.tables where table_schema = 'public'"
        ).fetchall()
        for (table,) in names:
            tables[table] = sorted(map(str, connection.execute(f'select * from "{table}"')))
    return tables, objects(team, "mlflow")


def objects(team, bucket):
    """Return the digest of each object in a bucket by its name."""
    listed = team.store.list_objects_v2(Bucket=bucket).get("Contents", [])
    return {entry["Key"]: entry["ETag"] for entry in listed}
