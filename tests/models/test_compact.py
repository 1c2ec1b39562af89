from tests.models.built import convolutions, kinds, model


def test_sprint_pools_before_its_relu():
    assert kinds("sprint")[2:8] == ["Conv2D", "MaxPooling2D", "ReLU"] * 2


def test_tiny_has_small_convolutions_and_at_most_ten_thousand_parameters():
    assert model("tiny").count_params() <= 10_000
    found = convolutions("tiny")
    assert {filters for filters, *_ in found} == {8, 16}
    assert sorted(side for _, side, _ in found) == [1, 3, 3, 3, 3, 3, 3]
