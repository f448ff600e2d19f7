"""The networks. Each takes uint8 (n, size, size, 1), normalises inside, and names its outputs."""

import keras
from keras import layers

from training.config import Preset


def build(preset: Preset, classes: int) -> keras.Model:
    """The untrained, compiled network of `preset`."""
    inputs = keras.Input((preset.size, preset.size, 1), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 255)(inputs)  # (n, size, size, 1) float32, 0…1
    x = layers.Conv2D(32, 3, activation="relu")(x)
    x = layers.MaxPooling2D()(x)
    x = layers.Conv2D(32, 3)(x)
    x = layers.MaxPooling2D()(x)
    x = layers.Flatten()(x)
    x = layers.Dense(128, activation="relu")(x)
    probabilities = layers.Dense(classes, activation="softmax", name="probabilities")(x)
    model = keras.Model(inputs, {"probabilities": probabilities}, name=preset.name)
    model.compile(
        optimizer=keras.optimizers.Adam(preset.learning_rate),
        loss={"probabilities": "categorical_crossentropy"},
        metrics={"probabilities": ["accuracy"]},
        steps_per_execution=10,  # a step takes a millisecond; returning to Python after each costs a fifth more
        jit_compile=False,  # XLA compiles for seconds and then runs at half the speed on two cores
    )
    return model
