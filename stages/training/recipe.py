"""The recipe: all settings that determine how one variant is trained."""

from stages.settings.sections import Named, Settings, Train


class Recipe(Settings):
    """One variant's resolved settings; the fingerprint covers `model_dump()` of it."""

    variant: str
    architecture: Named
    augmentation: list[Named]
    train: Train
    shrink: int = 1

    def image_shape(self, prepared: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the images that it trains on, (height, width, channels)."""
        height, width, channels = prepared
        return height // self.shrink, width // self.shrink, channels
