"""Training: from a recipe and arrays to finished folds and one model file."""
