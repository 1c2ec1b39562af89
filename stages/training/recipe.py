"""The recipe: all settings that determine how one variant is trained."""

from stages.settings.sections import Named, Settings, Train


class Recipe(Settings):
    """One variant's resolved settings; the fingerprint covers `model_dump()` of it."""

    variant: str
    architecture: Named
    augmentation: list[Named]
    train: Train
