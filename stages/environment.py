"""The stage `environment`: record library versions and kernels for DVC to track."""

from stages.engine.environment import RECORDED, current
from stages.files import write_json
from stages.settings import params


def environment() -> None:
    """Write the current environment to data/environment.json."""
    write_json(RECORDED, dict(current(params.load().train.kernels)))
