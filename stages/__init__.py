"""Foldlab: honest experiments on image classifiers, run by DVC and tracked in MLflow."""

import os
import platform

__version__ = "0.1.0"

os.environ["KERAS_BACKEND"] = "tensorflow"  # whatever ~/.keras/keras.json says
if platform.machine() == "x86_64":
    # Read when NumPy and its BLAS are imported. Their code for AVX-512 rounds differently, so the
    # last digits of losses and scores would depend on the processor.
    os.environ["NPY_DISABLE_CPU_FEATURES"] = "X86_V4 AVX512_ICL AVX512_SPR"
    os.environ["OPENBLAS_CORETYPE"] = "Haswell"
