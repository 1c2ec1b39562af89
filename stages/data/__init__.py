"""Sources of images: a name stands for one function, each kind of source has its own file.

A source is a function that takes the settings `data` and returns a `Source`. To add one, write
it in a file of its own and enter it in `SOURCES`.
"""

from collections.abc import Callable

from stages.data import checks, mnist, mnist5k
from stages.data.source import Source
from stages.params import Data
from stages.registry import lookup

SOURCES: dict[str, Callable[[Data], Source]] = {
    "mnist-5k": mnist5k.load,
    "mnist": mnist.load_mnist,
    "fashion-mnist": mnist.load_fashion_mnist,
}


def load(data: Data) -> Source:
    """Read and check the images that the settings name.

    Args:
        data: the section `data` of params.yaml.

    Returns:
        The source as `stages.data.checks.check` passed it.

    Raises:
        ValueError: for an unknown source, or for files and arrays that are not as they must be.
        OSError: when a file can be neither read nor downloaded.
    """
    return checks.check(lookup("data source", SOURCES, data.source, "data.source")(data))
