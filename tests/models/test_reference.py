from tests.models.built import convolutions, kinds


def test_the_references_hold_the_layers_that_their_readmes_name():
    convolve = ["Conv2D", "MaxPooling2D"]
    head = ["Flatten", "Dense", "Dropout", "Dense"]
    assert kinds("basic")[2:] == [*convolve, *convolve, *head]
    assert kinds("stacked")[2:] == [*convolve, *convolve, "Conv2D", *head]
    assert kinds("dropout")[2:] == [*[*convolve, "Dropout"] * 2, *head]
    assert kinds("batchnorm").count("BatchNormalization") == 2
    assert [filters for filters, *_ in convolutions("double_conv")] == [32, 32, 64, 64]
