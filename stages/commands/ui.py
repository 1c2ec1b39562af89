"""`python -m stages ui`, which `make ui` runs: MLflow's pages for the store on this machine."""

import os
import socket
import subprocess
import sys
import time
from contextlib import closing
from http.client import HTTPConnection, HTTPException

from stages.errors import UserError
from stages.settings import params
from stages.tracking import address, store, view

HOST = "127.0.0.1"


def ui(port: int) -> None:
    """Serve MLflow's pages until interrupted; print the address of the variants once they answer.

    Raises:
        UserError: if the store is a server, which has its own pages, or the port is in use.
        StoreError: if the store cannot be opened.
    """
    uri = address.uri()
    if uri.startswith(("http:", "https:", "databricks")):
        raise UserError(f"MLflow runs at {address.shown()}; open this address in a browser.")
    try:
        socket.create_server((HOST, port)).close()
    except OSError as error:
        raise UserError(
            f"port {port} cannot be used ({os.strerror(error.errno or 0)}); choose another one, "
            f"for example `make ui PORT={port + 1}`."
        ) from None
    with store.opened(params.load().tracking) as client:
        experiment_id = client.experiment_id
    serve = [sys.executable, "-m", "mlflow", "ui", "--host", HOST, "--port", str(port)]
    serve += ["--workers", "1", "--backend-store-uri", uri]
    serve += ["--uvicorn-opts", "--log-level warning"]  # otherwise requests bury the address
    environment = os.environ | {
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # saves processes and memory
        "PYTHONWARNINGS": "ignore",  # those of MLflow's packages
    }
    with subprocess.Popen(serve, env=environment) as server:
        try:
            while server.poll() is None and not _answers(port):
                time.sleep(0.2)
            if server.poll() is None:
                print("All variants side by side; Ctrl-C stops the server:")
                print(view.address(f"http://{HOST}:{port}", experiment_id), flush=True)
            sys.exit(server.wait())
        except KeyboardInterrupt:  # the server gets it too
            pass
        finally:
            server.terminate()


def _answers(port: int) -> bool:
    """Return whether the server has started; unlike urllib, do not ask through a proxy."""
    try:
        with closing(HTTPConnection(HOST, port, timeout=5)) as connection:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
