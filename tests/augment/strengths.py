"""Arguments of every op at zero, typical and greatest strength."""

STRENGTHS = {
    "rotate": {"degrees": (0, 30, 180)},
    "zoom": {"factor": (0, 0.3, 0.999)},
    "shift": {"fraction": (0, 0.2, 0.999), "whole": (True, False, True)},
    "shear": {"degrees": (0, 30, 60)},
    "elastic": {"pixels": (0, 2.0, 100), "sigma": (2.0, 2.0, 50.0)},
    "random_erasing": {"fraction": (0, 0.9, 1)},
    "noise": {"deviation": (0, 20, 255)},
    "brightness": {"factor": (0, 0.5, 1)},
    "flip": {"horizontal": (False, True, True), "vertical": (False, True, True)},
    "crop": {"area": (0, 0.5, 0.999), "stretch": (0, 0.25, 0.999)},
    "color": {
        "brightness": (0, 0.2, 1),
        "contrast": (0, 0.2, 1),
        "saturation": (0, 0.2, 1),
        "hue": (0, 0.1, 0.5),
    },
    "blur": {"sigma": (0, 1.5, 10)},
    "grayscale": {"probability": (0, 0.5, 1)},
    "rand_augment": {"magnitude": (0, 0.7, 1)},
    "trivial_augment": {"magnitude": (0, 1.0, 1)},
    "mixup": {"alpha": (0, 1.0, 100)},
    "cutmix": {"alpha": (0, 1.0, 100)},
}
NONE, TYPICAL, GREATEST = (
    {op: {name: three[place] for name, three in given.items()} for op, given in STRENGTHS.items()}
    for place in range(3)
)
