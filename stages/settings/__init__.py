"""The settings of params.yaml: frozen, validated models, and the registries of names."""
