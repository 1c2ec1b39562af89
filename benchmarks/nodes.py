"""A Ray cluster of two nodes of one core each, on this machine."""

import os
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from tempfile import TemporaryDirectory

from stages.engine import cluster
from stages.settings.sections import Parallel


@contextmanager
def two() -> Iterator:
    """Start the nodes in an empty folder, without a path to the repository, and connect to them.

    Ray workers can import from the folder in which the driver connects, so that is the empty one.
    """
    import ray
    from ray.cluster_utils import Cluster

    with TemporaryDirectory() as empty:
        path = os.environ.pop("PYTHONPATH", None)
        try:
            with chdir(empty):
                nodes = Cluster(
                    initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False}
                )
                nodes.add_node(num_cpus=1)
                cluster.connect(on(nodes))
        finally:
            if path is not None:
                os.environ["PYTHONPATH"] = path
        try:
            yield nodes
        finally:
            ray.shutdown()
            nodes.shutdown()


def on(nodes, **settings) -> Parallel:
    """Return the settings that connect to the cluster."""
    return Parallel(backend="ray", address=nodes.address, **settings)
