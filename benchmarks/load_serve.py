"""Many clients of a served champion: errors, latencies, throughput and the server's memory."""

import json
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil
import requests

from benchmarks import checkout, inputs, processes, publish
from tests.tracking.served import answers, free_port, running

IMAGES = 100  # different ones that clients send
TOLERANCE = 1e-5  # of a probability, because the order of summation may differ


def serve(folder: Path, clients: int, seconds: float) -> dict[str, Any]:
    """Return what clients of a champion measure that is served as docs/tracking.md shows."""
    root = publish.trained_on_digits(folder, [])
    for command in ("publish basic", "promote basic"):
        checkout.run(f"python -m stages {command}", root, PYTHONPATH=str(inputs.ROOT))
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", "models:/foldlab@champion"]
    command += ["--env-manager", "local", "--port", str(port)]
    given = processes.environment(
        MLFLOW_TRACKING_URI=f"sqlite:///{root}/mlflow.db",
        MLFLOW_ALLOW_PICKLE_DESERIALIZATION="false",
    )
    address = f"http://127.0.0.1:{port}"
    images = np.load(root / "data" / "prepared" / "train_images.npy")[:IMAGES]
    ready = answers(f"{address}/ping")
    with running(command, folder / "log", ready, cwd=root, env=given) as process:
        return asked(f"{address}/invocations", images, clients, seconds, process.pid)


def asked(url: str, images: np.ndarray, clients: int, seconds: float, pid: int) -> dict[str, Any]:
    """Query a served model with many clients at once; return errors, throughput and latencies.

    Args:
        url: of its invocations.
        images: uint8, (n, height, width, channels); each request has one.
        clients: threads, each with its own persistent connection.
        seconds: how long.
        pid: of the server, whose memory is measured with its children's.
    """
    bodies = [json.dumps({"inputs": [image.tolist()]}) for image in images]
    under_load: list[Answer] = []
    end = time.monotonic() + seconds

    def client(number: int) -> None:
        random = np.random.default_rng(number)
        with requests.Session() as session:
            while time.monotonic() < end:
                image = int(random.integers(len(bodies)))
                under_load.append(ask(session, url, image, bodies[image]))

    with ThreadPoolExecutor(clients) as threads:
        finished = threads.map(client, range(clients))
        time.sleep(seconds / 10)
        early = memory(pid)
        list(finished)  # raises what a client raised
    late = memory(pid)
    with requests.Session() as session:
        alone = [ask(session, url, image, body) for image, body in enumerate(bodies)]
    errors = Counter(
        one.error or "another answer"
        for one in under_load
        if one.error
        or not np.allclose(one.probability, alone[one.image].probability, rtol=0, atol=TOLERANCE)
    )
    latency = np.array([one.seconds for one in under_load]) * 1000
    return {
        "clients": clients,
        "seconds": seconds,
        "requests": len(under_load),
        "errors": sum(errors.values()),
        "errors_by_kind": dict(errors),
        "requests_per_second": len(under_load) / seconds,
        "latency_ms": {
            name: float(np.percentile(latency, share))
            for name, share in (("p50", 50), ("p95", 95), ("p99", 99), ("max", 100))
        },
        "alone_ms": float(np.median([one.seconds for one in alone])) * 1000,
        "server_mib_after_a_tenth": early,
        "server_mib_at_the_end": late,
    }


class Answer(NamedTuple):
    """The answer to one request."""

    image: int
    seconds: float
    error: str  # the name of an exception; "" without one
    probability: list[float]  # of each class; empty after an error


def ask(session: requests.Session, url: str, image: int, body: str) -> Answer:
    """Send one request; `body` is its content."""
    began, error, probability = time.perf_counter(), "", []
    try:
        got = session.post(url, body, headers={"Content-Type": "application/json"}, timeout=60)
        got.raise_for_status()
        probability = [*got.json()["predictions"][0].values()]
    except requests.RequestException as failure:
        error = type(failure).__name__
    return Answer(image, time.perf_counter() - began, error, probability)


def memory(pid: int) -> float:
    """Return the memory of a process and its children, in MiB."""
    top = psutil.Process(pid)
    held = [each.memory_full_info().pss for each in (top, *top.children(recursive=True))]
    return round(sum(held) / 2**20, 1)
