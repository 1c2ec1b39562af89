from stages.models import ARCHITECTURES, build
from stages.settings.registry import check_arguments
from stages.settings.sections import Named


def model(name, **arguments):
    full = check_arguments(ARCHITECTURES[name], arguments, name)
    return build(Named(name=name, arguments=full), (28, 28, 1), 10)


def kinds(made):
    return [type(layer).__name__ for layer in made.layers]


def test_sprint_pools_before_its_relu():
    assert kinds(model("sprint"))[2:8] == [
        *["Conv2D", "MaxPooling2D", "ReLU"],
        *["Conv2D", "MaxPooling2D", "ReLU"],
    ]


def test_tiny_has_at_most_ten_thousand_parameters():
    assert model("tiny").count_params() <= 10_000


def test_tiny_s_convolutions_are_small_and_one_squeezes():
    filters = [
        (layer.filters, layer.kernel_size)
        for layer in model("tiny").layers
        if hasattr(layer, "filters")
    ]
    assert {count for count, _ in filters} == {8, 16}
    assert [size for _, size in filters].count((1, 1)) == 1
    assert {size for _, size in filters} == {(1, 1), (3, 3)}
