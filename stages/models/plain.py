"""Baselines that every network must beat: one ignores the image, one has no hidden layer."""

from stages.models import architecture


@architecture
def majority(layers, images, classes):
    """Learn the frequencies of the classes and ignore the image: 20 parameters.

    It predicts the most frequent class for every image. With `train.class_weight: balanced`, all
    classes are equally likely.
    """
    nothing = layers.Rescaling(0.0)(layers.GlobalAveragePooling2D()(images))
    return layers.Dense(classes, kernel_initializer="zeros")(nothing)


@architecture
def logistic(layers, images, classes):
    """Multinomial logistic regression on the pixels, by gradient descent: 7,850 parameters."""
    return layers.Dense(classes)(layers.Flatten()(images))
