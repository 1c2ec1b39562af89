"""Numerics: turn resolved settings and arrays into trained folds and one model file.

Together with `models`, `augment` and the environment, this code determines every result, so it is
part of the fingerprint. It does not depend on repository files, worker processes or the engine.
"""
