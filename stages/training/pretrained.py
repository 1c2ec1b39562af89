"""Load the weights of a backbone with Keras."""

import os
import warnings
from pathlib import Path

import numpy as np

from stages.errors import UserError
from stages.models.backbone import body
from stages.models.transfer import UnreadableModelError, first_line, load_model
from stages.settings.sections import Kernels, Named
from stages.training.fold import derive_seed
from stages.training.tf_runtime import import_tensorflow

SHAPE = (224, 224, 3)  # of images that weights are made for; they do not depend on it


def initial_weights(
    architecture: Named, file: Path | None, where: str, kernels: Kernels
) -> list[np.ndarray]:
    """Return a backbone's weights in Keras' order: of a file, Keras' of ImageNet, or random ones.

    Raises:
        UserError: when Keras cannot download them, or the file has no such weights; the message
            names the setting `where`.
    """
    import_tensorflow(kernels)
    import keras

    keras.utils.clear_session()
    name, weights = architecture.arguments["name"], architecture.arguments["weights"]
    keras.utils.set_random_seed(derive_seed("backbone", name))
    model = body(name, SHAPE)  # before the handlers of Keras' errors: a bug keeps its traceback
    content = file.read_bytes() if file else b""
    with warnings.catch_warnings(action="ignore"):  # Keras warns of what it then refuses
        if weights == "imagenet":
            try:
                return body(name, SHAPE, weights="imagenet").get_weights()
            except Exception as error:
                # Keras raises Exception itself for a failed download, the others for a wrong file.
                if type(error) not in (Exception, ValueError) and not isinstance(error, OSError):
                    raise
                home = Path(os.environ.get("KERAS_HOME") or "~/.keras")
                raise UserError(
                    f"Keras could not load the weights of {name} ({first_line(error)}); try again "
                    f"with a network, or put that file into the folder {home / 'models'}."
                ) from None
        if file is None:
            return model.get_weights()

        def refusal(reason: object) -> UserError:
            return UserError(
                f"{where}.weights is {weights!r}, which is not a file of {name}'s weights "
                f"({reason}); use one that was saved from this network."
            )

        try:
            saved = load_model(content) if file.suffix == ".keras" else None
        except UnreadableModelError as error:
            raise refusal(error) from None
        try:
            if saved:  # the weights of a classifier come last
                model.set_weights(saved.get_weights()[: len(model.weights)])
            else:
                model.load_weights(file)
        except Exception as error:  # Keras and HDF5 raise many types
            raise refusal(first_line(error)) from None
    return model.get_weights()
