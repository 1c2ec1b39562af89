"""`python -m stages ui`, which `make ui` runs: MLflow's pages for the store on this machine."""

import os
import socket
import sys

from stages.errors import UserError
from stages.settings import params
from stages.tracking import store

HOST = "127.0.0.1"


def ui(port: int) -> None:
    """Print the address of the table of variants, then serve MLflow's pages until interrupted.

    Raises:
        UserError: if the store is a server, which has pages of its own, or the port is in use.
        StoreError: if the store cannot be opened.
    """
    uri = store.location()
    if uri.startswith(("http:", "https:", "databricks")):
        raise UserError(f"MLflow runs at {store.address()}; open this address in a browser.")
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            free.bind((HOST, port))
        except OSError as error:
            raise UserError(
                f"port {port} cannot be used ({error.strerror}); choose another one, for example "
                f"`make ui PORT={port + 1}`."
            ) from None
    with store.opened(params.load().tracking) as client:
        experiment_id = client.experiment_id
    print("All variants side by side, as soon as MLflow runs:")
    print(
        f"http://{HOST}:{port}/#/experiments/{experiment_id}/runs?viewStateShareKey=variants",
        flush=True,
    )
    os.environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"  # saves processes and memory
    serve = ["mlflow", "ui", "--host", HOST, "--port", str(port), "--workers", "1"]
    os.execv(sys.executable, [sys.executable, "-m", *serve, "--backend-store-uri", uri])  # noqa: S606
