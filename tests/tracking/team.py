"""The parts of a team's server, started on loopback: PostgreSQL, an S3 endpoint, MLflow."""

import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path

import requests

from tests.tracking.served import answers, free_port, inherited, running

DOCS = Path(__file__).parents[2] / "docs/team_server.md"
AS_POSTGRES = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]
ADMIN, PUBLISHERS, READER = "admin", ("anna", "ben"), "rita"


def programs():
    """Return the folder of PostgreSQL's programs, None where it is not installed."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=str)
    found = str(installed[-1]) if installed else shutil.which("initdb")
    return Path(found).parent if found else None


class Team:
    """Addresses and passwords of a running server."""

    def __init__(self, folder, artifacts):
        """Generate passwords; `folder` is for the logs."""
        self.folder, self.artifacts = folder, artifacts
        self.database_port, self.s3_port, self.port = (free_port() for _ in range(3))
        names = ("database", "s3", "admin", "session", "secrets", *PUBLISHERS, READER)
        self.password = {name: secrets.token_hex(12) for name in names}
        self.uri = f"http://127.0.0.1:{self.port}"
        self.s3 = f"http://127.0.0.1:{self.s3_port}"
        self.server = _server(self)

    def database(self, name):
        """Return a connection like the server's, without a password in the address."""
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
        """Return the environment of a user: a name and a password, but no keys of the store."""
        return inherited(
            MLFLOW_TRACKING_URI=self.uri,
            MLFLOW_TRACKING_USERNAME=user,
            MLFLOW_TRACKING_PASSWORD=self.password.get(user, "wrong"),
            **more,
        )

    def request(self, user, method, path, body=None):
        """Send a request as a user, or without a password for None; return the response."""
        name_and_password = user and (user, self.password.get(user, "wrong"))
        return requests.request(
            method, f"{self.uri}/{path}", auth=name_and_password, json=body, timeout=20
        )

    def ask(self, user, path, body=None, version="2.0"):
        """Send a request as a user, and return its JSON; requests.HTTPError if it is refused."""
        method = "POST" if body else "GET"
        answer = self.request(user, method, f"api/{version}/mlflow/{path}", body)
        answer.raise_for_status()
        return answer.json()


@contextmanager
def started(folder, restore=None, artifacts="s3://mlflow", workers=1):
    """Start all parts, make the buckets and the accounts, and yield the `Team`.

    `restore` is called with the team once its databases and buckets exist; it restores accounts.
    With artifacts in a folder there is no S3 store.
    """
    team = Team(folder, str(artifacts))
    with ExitStack() as stack:
        stack.enter_context(_postgres(team))
        if team.artifacts.startswith("s3:"):
            stack.enter_context(_s3(team))
        if restore:
            restore(team)
        stack.enter_context(_mlflow(team, workers))
        if not restore:
            for user in (*PUBLISHERS, READER):
                account = {"username": user, "password": team.password[user]}
                team.ask(ADMIN, "users/create", account)
            for user in PUBLISHERS:
                for kind in ("experiment", "registered_model"):
                    right = {"username": user, "resource_type": kind, "resource_id": "*"}
                    grant = right | {"permission": "EDIT"}
                    team.ask(ADMIN, "users/permissions/grant", grant, "3.0")
        yield team


@contextmanager
def proxy(team):
    """Start nginx with the certificate and the configuration of docs/team_server.md.

    Yields the addresses of MLflow and of the store behind it, and the certificate's path. Without
    a name server, one is `localhost` instead of `mlflow.example.org`, the other `127.0.0.1`.
    """
    folder, port = team.folder / "proxy", free_port()
    folder.mkdir()
    places = {
        "DNS:store.example.org": "IP:127.0.0.1",
        "store.example.org": "127.0.0.1",
        "mlflow.example.org": "localhost",
        "/etc/ssl/foldlab": str(folder),
        "listen 443": f"listen 127.0.0.1:{port}",
        "http://127.0.0.1:5000": team.uri,
        "http://127.0.0.1:8333": team.s3,
    }
    (make,) = re.findall(r"^openssl req .*?(?=```)", DOCS.read_text(), re.M | re.S)
    (servers,) = re.findall(r"```nginx\n(.*?)```", DOCS.read_text(), re.S)
    for there, here in places.items():
        make, servers = make.replace(there, here), servers.replace(there, here)
    done = subprocess.run(make, shell=True, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (folder / "foldlab.conf").write_text(servers)
    (folder / "nginx.conf").write_text(
        "user root; daemon off; pid pid; events {}\n"
        "http { access_log off; include foldlab.conf; client_body_temp_path body;\n"
        "proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s; }\n"
    )
    certificate = folder / "certificate.pem"
    uri, store = f"https://localhost:{port}", f"https://127.0.0.1:{port}"
    ready = lambda: requests.get(f"{uri}/health", verify=certificate, timeout=1)  # noqa: E731
    command = ["nginx", "-p", folder, "-c", folder / "nginx.conf", "-e", "stderr"]
    with running(command, folder / "log", ready):
        yield uri, store, certificate


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


def _server(team):
    """Write the settings of MLflow's accounts, and return its environment as in compose.yaml."""
    address = f"postgresql+psycopg://mlflow@127.0.0.1:{team.database_port}"
    settings = team.folder / "auth.ini"
    settings.write_text(
        f"[mlflow]\ndefault_permission = READ\ndatabase_uri = {address}/auth\n"
        f"admin_username = {ADMIN}\nauth_cache_ttl_seconds = 60\n"
    )
    return inherited(
        **team.keys(),
        PGPASSWORD=team.password["database"],
        MLFLOW_BACKEND_STORE_URI=f"{address}/mlflow",
        MLFLOW_ARTIFACTS_DESTINATION=team.artifacts,
        MLFLOW_S3_ENDPOINT_URL=team.s3,
        MLFLOW_AUTH_CONFIG_PATH=str(settings),
        MLFLOW_AUTH_ADMIN_PASSWORD=team.password["admin"],
        MLFLOW_FLASK_SERVER_SECRET_KEY=team.password["session"],
        MLFLOW_CRYPTO_KEK_PASSPHRASE=team.password["secrets"],
        MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false",
        MLFLOW_ALLOW_PICKLE_DESERIALIZATION="false",
        MLFLOW_DISABLE_TELEMETRY="true",
    )


@contextmanager
def _mlflow(team, workers):
    command = [sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth"]
    command += ["--host", "127.0.0.1", "--port", str(team.port), "--workers", str(workers)]
    command += ["--uvicorn-opts", "--timeout-keep-alive 120"]
    ready = answers(f"{team.uri}/health")
    with running(command, team.folder / "mlflow.log", ready, env=team.server, cwd=team.folder):
        yield
