"""The parts of a team's server, started on loopback: PostgreSQL, an S3 endpoint, MLflow."""

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path

import requests

from tests.tracking.served import answers, free_port, inherited, running

AS_POSTGRES = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]
ADMIN = "admin"


def programs():
    """Return the folder of PostgreSQL's programs, None where it is not installed."""
    there = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=str)
    found = str(there[-1]) if there else shutil.which("initdb")
    return Path(found).parent if found else None


class Team:
    """Addresses and passwords of a running server."""

    def __init__(self, folder):
        """Make up passwords; `folder` is for the logs."""
        self.folder = folder
        self.database_port, self.s3_port, self.port = (free_port() for _ in range(3))
        names = ("database", "s3", "admin", "session", "anna", "ben")
        self.password = {name: secrets.token_hex(12) for name in names}
        self.uri = f"http://127.0.0.1:{self.port}"
        self.s3 = f"http://127.0.0.1:{self.s3_port}"

    def database(self, name):
        """Return a connection as the server has it: the password is not in its address."""
        import psycopg

        return psycopg.connect(
            f"postgresql://mlflow@127.0.0.1:{self.database_port}/{name}",
            password=self.password["database"],
            autocommit=True,
        )

    def keys(self):
        """Return the environment that holds the artifact store's keys."""
        return {
            "AWS_ACCESS_KEY_ID": "foldlab",
            "AWS_SECRET_ACCESS_KEY": self.password["s3"],
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def client(self, user, **more):
        """Return the environment of a person: a name, a password, and no key of the store."""
        return inherited(
            MLFLOW_TRACKING_URI=self.uri,
            MLFLOW_TRACKING_USERNAME=user,
            MLFLOW_TRACKING_PASSWORD=self.password.get(user, "wrong"),
            **more,
        )

    def ask(self, user, path, body=None, version="2.0"):
        """Send a request as somebody; raise requests.HTTPError if it is refused."""
        answer = requests.request(
            "POST" if body else "GET",
            f"{self.uri}/api/{version}/mlflow/{path}",
            auth=(user, self.password.get(user, "wrong")),
            json=body,
            timeout=20,
        )
        answer.raise_for_status()


@contextmanager
def started(folder):
    """Start all parts, make the buckets and two users, and yield the `Team`."""
    team = Team(folder)
    with ExitStack() as stack:
        stack.enter_context(_postgres(team))
        stack.enter_context(_s3(team))
        stack.enter_context(_mlflow(team))
        for user in ("anna", "ben"):
            account = {"username": user, "password": team.password[user]}
            team.ask(ADMIN, "users/create", account)
        yield team


@contextmanager
def _postgres(team):
    prefix, data = [], Path(tempfile.mkdtemp(prefix="foldlab-pg-"))  # below /tmp, for its own user
    try:
        word = data / "password"
        word.touch(0o600)
        word.write_text(team.password["database"])
        if os.getuid() == 0:  # it refuses to run as root
            prefix = AS_POSTGRES
            for path in (data, word):
                shutil.chown(path, "postgres", "postgres")
        make = ["initdb", "-D", data / "db", "-U", "mlflow", "--pwfile", word]
        make += ["-A", "scram-sha-256", "--no-sync"]
        make[0] = programs() / "initdb"
        done = subprocess.run([*prefix, *make], cwd=data, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        serve = [programs() / "postgres", "-D", data / "db", "-k", data, "-F"]
        serve += ["-h", "127.0.0.1", "-p", str(team.database_port)]
        ready = lambda: team.database("postgres").close()  # noqa: E731
        with running([*prefix, *serve], team.folder / "postgres.log", ready, cwd=data):
            with team.database("postgres") as connection:
                connection.execute("create database mlflow")
                connection.execute("create database auth")
            yield
    finally:
        shutil.rmtree(data)


@contextmanager
def _s3(team):
    import boto3

    keys = team.keys()
    store = boto3.client(
        "s3",
        endpoint_url=team.s3,
        aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
        region_name=keys["AWS_DEFAULT_REGION"],
    )
    command = [Path(sys.executable).with_name("moto_server")]
    command += ["-H", "127.0.0.1", "-p", str(team.s3_port)]
    with running(command, team.folder / "s3.log", store.list_buckets, env=inherited()):
        for bucket in ("mlflow", "dvc"):
            store.create_bucket(Bucket=bucket)
        team.store = store
        yield


@contextmanager
def _mlflow(team):
    address = f"postgresql+psycopg://mlflow@127.0.0.1:{team.database_port}"
    settings = team.folder / "auth.ini"
    settings.write_text(
        f"[mlflow]\ndefault_permission = EDIT\ndatabase_uri = {address}/auth\n"
        f"admin_username = {ADMIN}\nauth_cache_ttl_seconds = 60\n"
    )
    environment = inherited(
        **team.keys(),
        PGPASSWORD=team.password["database"],
        MLFLOW_BACKEND_STORE_URI=f"{address}/mlflow",
        MLFLOW_ARTIFACTS_DESTINATION="s3://mlflow",
        MLFLOW_S3_ENDPOINT_URL=team.s3,
        MLFLOW_AUTH_CONFIG_PATH=str(settings),
        MLFLOW_AUTH_ADMIN_PASSWORD=team.password["admin"],
        MLFLOW_FLASK_SERVER_SECRET_KEY=team.password["session"],
        MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false",
        MLFLOW_ALLOW_PICKLE_DESERIALIZATION="false",
        MLFLOW_DISABLE_TELEMETRY="true",
    )
    command = [sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth"]
    command += ["--host", "127.0.0.1", "--port", str(team.port), "--workers", "1"]
    ready = answers(f"{team.uri}/health")
    with running(command, team.folder / "mlflow.log", ready, env=environment, cwd=team.folder):
        yield
