"""`python -m benchmarks.plain_keras VARIANT ...`: the script that one writes without a pipeline.

Fold after fold in one process, `fit` on float32 arrays of 0 to 1, Keras' own layers throughout. It
reads the arrays and folds of data/prepared in the present folder, and writes plain.json there.
"""

import argparse
import json
import time

import keras
import numpy as np
from keras import layers


def moves():
    """Return rotation by 10 degrees, zoom by 10 % and shift by 8 %, as three layers."""
    return [
        layers.RandomRotation(10 / 360, fill_mode="constant"),
        layers.RandomZoom(0.1, fill_mode="constant"),
        layers.RandomTranslation(0.08, 0.08, fill_mode="constant"),
    ]


VARIANTS = ("basic", "batchnorm", "double_conv")


def network(variant: str, shape: tuple, classes: int):
    """Build the model of a variant, from pixels of 0 to 1 to probabilities."""
    double = variant == "double_conv"
    hidden = moves() if double else []
    for filters in (32, 64):
        hidden.append(layers.Conv2D(filters, 3, activation="relu"))
        if double:
            hidden.append(layers.Conv2D(filters, 3, activation="relu"))
        if variant == "batchnorm":
            hidden.append(layers.BatchNormalization(momentum=0.9))
        hidden.append(layers.MaxPooling2D())
        if double:
            hidden.append(layers.Dropout(0.1))
    hidden += [layers.Flatten(), layers.Dense(256 if double else 128, activation="relu")]
    if variant != "batchnorm":
        hidden.append(layers.Dropout(0.3 if double else 0.5))
    last = layers.Dense(classes, activation="softmax")
    return keras.Sequential([keras.Input(shape), *hidden, last])


def train(variant, images, labels, training, validation, given):
    """Train one fold and return its validation accuracy after the last epoch."""
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
        steps = -(-len(training) // given.batch_size) * given.epochs
        schedule = keras.optimizers.schedules.CosineDecay(given.learning_rate, steps)
        optimizer = keras.optimizers.Adam(schedule)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(
        images[training],
        labels[training],
        batch_size=given.batch_size,
        epochs=given.epochs,
        validation_data=(images[validation], labels[validation]),
        callbacks=callbacks,
        verbose=0,
    )
    return history.history["val_accuracy"][-1]


def main() -> None:
    """Train all folds, one after the other."""
    parser = argparse.ArgumentParser(description="Cross-validate a CNN with plain Keras.")
    parser.add_argument("variant", choices=VARIANTS)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--batch-size", type=int, required=True)
    parser.add_argument("--learning-rate", type=float, required=True)
    parser.add_argument("--factor", type=float, help="by which a plateau lowers the rate")
    parser.add_argument("--patience", type=int, help="epochs until it does")
    parser.add_argument("--seed", type=int, required=True)
    given = parser.parse_args()
    images = np.load("data/prepared/train_images.npy").astype("float32") / 255
    labels = np.load("data/prepared/train_labels.npy")
    folds = np.load("data/prepared/folds.npy")[0]
    keras.utils.set_random_seed(given.seed)
    accuracies, began = [], time.perf_counter()
    for fold in range(folds.max() + 1):
        (training,), (validation,) = np.nonzero(folds != fold), np.nonzero(folds == fold)
        accuracies.append(train(given.variant, images, labels, training, validation, given))
    with open("plain.json", "w") as file:
        json.dump({"accuracies": accuracies, "fit_seconds": time.perf_counter() - began}, file)


if __name__ == "__main__":
    main()
