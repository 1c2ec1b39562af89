"""`python -m benchmarks.plain_keras VARIANT ...`: the usual script, without a pipeline.

Fold after fold in one process, `fit` on float32 arrays of 0 to 1, Keras' own layers throughout. It
reads the arrays and folds of data/prepared in the current folder, and writes plain.json there.
"""

import argparse
import json
import time

import keras
import numpy as np
from keras import layers

# variant -> degrees of rotation, and fractions of zoom and shift
MOVES = {
    "double_conv": (10, 0.1, 0.08),
    "tiny": (7, 0, 0.07),
    "resnet": (10, 0.1, 0.08),
    "allconv": (15, 0.15, 0.1),
}
ONE_CYCLE = ("tiny", "resnet")
VARIANTS = ("basic", "batchnorm", *MOVES)


def network(variant: str, shape: tuple, classes: int):
    """Build the model of a variant, from pixels of 0 to 1 to probabilities."""
    x = pixels = keras.Input(shape)
    if variant in MOVES:
        degrees, zoom, shift = MOVES[variant]
        x = layers.RandomRotation(degrees / 360, fill_mode="constant")(x)
        x = layers.RandomZoom(zoom, fill_mode="constant")(x) if zoom else x
        x = layers.RandomTranslation(shift, shift, fill_mode="constant")(x)
    body = {"tiny": tiny, "resnet": resnet, "allconv": allconv}.get(variant, convolutions)
    x = body(x, variant)
    return keras.Model(pixels, layers.Dense(classes, activation="softmax")(x))


def convolutions(x, variant, dropout=0.5):
    """Apply two blocks of convolutions and poolings, and a hidden layer."""
    double = variant == "double_conv"
    for filters in (32, 64):
        x = layers.Conv2D(filters, 3, activation="relu")(x)
        if double:
            x = layers.Conv2D(filters, 3, activation="relu")(x)
        if variant == "batchnorm":
            x = layers.BatchNormalization(momentum=0.9)(x)
        x = layers.MaxPooling2D()(x)
        if double:
            x = layers.Dropout(0.1)(x)
    x = layers.Dense(256 if double else 128, activation="relu")(layers.Flatten()(x))
    return x if variant == "batchnorm" else layers.Dropout(0.3 if double else dropout)(x)


def tiny(x, _):
    """Apply seven small convolutions."""
    for filters, side in ((8, 3), (16, 3), (8, 1), (16, 3), (16, 3), (16, 3), (16, 3)):
        if side == 1:
            x = layers.MaxPooling2D()(x)
        x = layers.Conv2D(filters, side, activation="relu", use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        x = layers.Dropout(0.05)(x)
    return layers.GlobalAveragePooling2D()(x)


def resnet(x, _):
    """Apply three residual blocks."""

    def convolve(x, filters, side):
        x = layers.Conv2D(filters, side, padding="same", use_bias=False)(x)
        return layers.BatchNormalization(momentum=0.9)(x)

    x = layers.ReLU()(convolve(x, 16, 3))
    for filters in (16, 32, 64):
        x = layers.MaxPooling2D()(x)
        inner = convolve(layers.ReLU()(convolve(x, filters, 3)), filters, 3)
        shortcut = x if filters == 16 else convolve(x, filters, 1)
        x = layers.ReLU()(layers.Add()([inner, shortcut]))
    return layers.GlobalAveragePooling2D()(x)


def allconv(x, _):
    """Apply convolutions only, down to one pixel."""

    def convolve(x, filters, side, **given):
        x = layers.Conv2D(filters, side, activation="relu", **given)(x)
        return layers.BatchNormalization()(x)

    for filters in (32, 64):
        x = convolve(convolve(x, filters, 3), filters, 3)
        x = layers.Dropout(0.4)(convolve(x, filters, 5, strides=2, padding="same"))
    return layers.Dropout(0.4)(layers.Flatten()(convolve(x, 128, 4)))


def read(seed):
    """Set Keras' seed; return images of 0 to 1, labels and each image's fold."""
    keras.utils.set_random_seed(seed)
    images = np.load("data/prepared/train_images.npy").astype("float32") / 255
    return images, np.load("data/prepared/train_labels.npy"), np.load("data/prepared/folds.npy")[0]


def split(images, labels, folds):
    """Yield images and labels to train on and those to validate with, fold after fold."""
    for fold in range(folds.max() + 1):
        training, validation = folds != fold, folds == fold
        yield (images[training], labels[training]), (images[validation], labels[validation])


def fit(model, optimizer, fold, batch_size, epochs, callbacks=()):
    """Train on a fold and return its validation accuracy after the last epoch."""
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    training, validation = fold
    history = model.fit(
        *training,
        batch_size=batch_size,
        epochs=epochs,
        validation_data=validation,
        callbacks=[*callbacks],
        verbose=0,
    )
    return history.history["val_accuracy"][-1]


def train(variant, fold, given):
    """Train a variant on one fold and return its validation accuracy after the last epoch."""
    (images, labels), _ = fold
    model = network(variant, images.shape[1:], int(labels.max()) + 1)
    callbacks = []
    if variant == "double_conv":
        optimizer = keras.optimizers.RMSprop(given.learning_rate)
        callbacks.append(
            keras.callbacks.ReduceLROnPlateau(
                "val_accuracy",
                factor=given.factor,
                patience=given.patience,
                min_delta=0.0,
                mode="max",
            )
        )
    else:
        steps = -(-len(images) // given.batch_size) * given.epochs
        decay = keras.optimizers.schedules.CosineDecay
        schedule = decay(given.learning_rate, steps)
        if variant in ONE_CYCLE:
            rise, top = round(0.3 * steps), given.learning_rate
            schedule = decay(top / 25, steps - rise, warmup_target=top, warmup_steps=rise)
        optimizer = keras.optimizers.Adam(schedule)
    return fit(model, optimizer, fold, given.batch_size, given.epochs, callbacks)


def main() -> None:
    """Train all folds, one after the other."""
    parser = argparse.ArgumentParser(description="Cross-validate a CNN with plain Keras.")
    parser.add_argument("variant", choices=VARIANTS)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--batch-size", type=int, required=True)
    parser.add_argument("--learning-rate", type=float, required=True)
    parser.add_argument("--factor", type=float, help="by which a plateau lowers the rate")
    parser.add_argument("--patience", type=int, help="epochs that make a plateau")
    parser.add_argument("--seed", type=int, required=True)
    given = parser.parse_args()
    data = read(given.seed)
    began = time.perf_counter()
    accuracies = [train(given.variant, fold, given) for fold in split(*data)]
    with open("plain.json", "w") as file:
        json.dump({"accuracies": accuracies, "fit_seconds": time.perf_counter() - began}, file)


if __name__ == "__main__":
    main()
