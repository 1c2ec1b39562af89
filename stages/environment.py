"""The stage `environment`: the versions and kernels that compute, as a file that stages follow."""

from stages.engine.environment import RECORDED, current
from stages.files import write_json


def environment() -> None:
    """Write the present environment."""
    write_json(RECORDED, dict(current()))
