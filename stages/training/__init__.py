"""Numerics: from resolved settings and arrays to finished folds and one model file.

With models, augment and the environment this is all that can change a result, and all that enters
the fingerprint. It knows no file of the repository, no process and nothing of the engine.
"""
