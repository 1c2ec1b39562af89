"""Foldlab: honest experiments on image classifiers, run by DVC and tracked in MLflow."""
