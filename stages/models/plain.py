"""What every network must beat: no image at all, and no hidden layer."""

from stages.models import architecture


@architecture
def majority(layers, images, classes):
    """Learn the frequencies of the classes and ignore the image: 20 parameters.

    It predicts the largest class for every image, or with `train.class_weight: balanced` any class.
    """
    nothing = layers.Rescaling(0.0)(layers.GlobalAveragePooling2D()(images))
    return layers.Dense(classes, kernel_initializer="zeros")(nothing)


@architecture
def logistic(layers, images, classes):
    """Multinomial logistic regression on the pixels, by gradient descent: 7,850 parameters."""
    return layers.Dense(classes)(layers.Flatten()(images))
