"""Read weights from files in PyTorch's format from before 2020, without PyTorch.

Such a file holds pickles: a magic number, a version, facts about the system, the dictionary of
tensors and the keys of their storages; the storages follow as raw bytes. Pickles can run any code,
so only the four names that such a dictionary needs can be loaded.
"""

import io
import pickle
from collections import OrderedDict
from typing import Any, NamedTuple

import numpy as np

from stages.errors import UserError

MAGIC = 0x1950A86A20F9469CFC6C
TYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


class _Tensor(NamedTuple):
    """A view of a storage; numbers are elements, not bytes."""

    storage: tuple  # "storage", type, key, device, size, None
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _tensor(storage, offset, shape, strides, *_) -> _Tensor:
    return _Tensor(storage, offset, shape, strides)


class _Reader(pickle.Unpickler):
    ALLOWED = {  # noqa: RUF012 - constant
        ("collections", "OrderedDict"): OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): _tensor,
        **{("torch", name): kind for name, kind in TYPES.items()},
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f"it loads {module}.{name}, which may run any code")
        return self.ALLOWED[module, name]

    def persistent_load(self, pid: tuple) -> tuple:
        return pid


def read(content: bytes, name: str) -> dict[str, np.ndarray]:
    """Return the tensors in the content of a file, in its order, as float32 or int64 arrays.

    Raises:
        UserError: when the file, called `name` in the message, is damaged, of another format, or
            contains anything but tensors of these types.
    """
    file = io.BytesIO(content)
    try:
        if _Reader(file).load() != MAGIC:
            raise ValueError("another format")
        _version, _system = _Reader(file).load(), _Reader(file).load()
        tensors, keys = _Reader(file).load(), _Reader(file).load()
        types = {tensor.storage[2]: tensor.storage[1] for tensor in tensors.values()}
        storages = {}
        for key in keys:
            count = int.from_bytes(_exactly(file, 8), "little")
            storages[key] = np.frombuffer(_exactly(file, count * types[key].itemsize), types[key])
        return {name: _view(storages[t.storage[2]], t) for name, t in tensors.items()}
    except Exception as error:  # damaged pickles raise many types
        raise UserError(
            f"{name} is not a file of weights in PyTorch's old format ({error}); "
            "reinstall the package that contains it."
        ) from None


def _exactly(file: io.BytesIO, count: int) -> bytes:
    data = file.read(count)
    if len(data) < count:
        raise EOFError("it ends too early")
    return data


def _view(storage: np.ndarray, tensor: _Tensor) -> np.ndarray:
    """Return a tensor's array, which stays inside its storage."""
    shape, strides, first = tensor.shape, tensor.strides, tensor.offset
    last = first + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
    if min((*shape, *strides, first, last), default=0) < 0 or last >= len(storage):
        raise ValueError("a tensor is larger than its storage")
    steps = [step * storage.itemsize for step in strides]
    return np.lib.stride_tricks.as_strided(storage[first:], shape, steps, writeable=False)
