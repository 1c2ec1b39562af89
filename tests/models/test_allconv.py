from stages.models import ARCHITECTURES, build
from stages.settings.registry import check_arguments
from stages.settings.sections import Named


def model(name, **arguments):
    full = check_arguments(ARCHITECTURES[name], arguments, name)
    return build(Named(name=name, arguments=full), (28, 28, 1), 10)


def test_allconv_is_the_published_net():
    made = model("allconv")
    assert made.count_params() == 327_242
    convolutions = [layer for layer in made.layers if hasattr(layer, "filters")]
    assert [(layer.filters, layer.kernel_size[0], layer.strides[0]) for layer in convolutions] == [
        *[(32, 3, 1), (32, 3, 1), (32, 5, 2)],
        *[(64, 3, 1), (64, 3, 1), (64, 5, 2)],
        (128, 4, 1),
    ]
    assert convolutions[-1].output.shape == (None, 1, 1, 128)


def test_its_rates_reach_the_layers():
    made = model("allconv", dropout=0.1, momentum=0.8)
    assert {layer.rate for layer in made.layers if hasattr(layer, "rate")} == {0.1}
    assert {layer.momentum for layer in made.layers if hasattr(layer, "momentum")} == {0.8}
