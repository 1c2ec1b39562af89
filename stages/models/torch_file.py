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
        magic, _version, _system, tensors, keys = (_Reader(file).load() for _ in range(5))
    except Exception as error:  # damaged pickles raise many types
        raise _refusal(name, error) from None
    if magic != MAGIC:
        raise _refusal(name, "another format")
    types = {tensor.storage[2]: tensor.storage[1] for tensor in tensors.values()}
    storages = {}
    for key in keys:
        size = int.from_bytes(file.read(8), "little") * types[key].itemsize
        data = file.read(size)
        if len(data) < size:
            raise _refusal(name, "it ends too early")
        storages[key] = np.frombuffer(data, types[key])
    if any(_exceeds(tensor, storages[tensor.storage[2]]) for tensor in tensors.values()):
        raise _refusal(name, "a tensor is larger than its storage")
    return {key: _view(tensor, storages[tensor.storage[2]]) for key, tensor in tensors.items()}


def _refusal(name: str, reason: object) -> UserError:
    return UserError(
        f"{name} is not a file of weights in PyTorch's old format ({reason}); "
        "reinstall the package that contains it."
    )


def _exceeds(tensor: _Tensor, storage: np.ndarray) -> bool:
    """Return whether some element of a tensor lies outside its storage."""
    steps = ((n - 1) * step for n, step in zip(tensor.shape, tensor.strides, strict=True))
    last = tensor.offset + sum(steps)
    return min((*tensor.shape, *tensor.strides, tensor.offset)) < 0 or last >= len(storage)


def _view(tensor: _Tensor, storage: np.ndarray) -> np.ndarray:
    steps = [step * storage.itemsize for step in tensor.strides]
    start = storage[tensor.offset :]
    return np.lib.stride_tricks.as_strided(start, tensor.shape, steps, writeable=False)
