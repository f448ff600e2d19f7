"""The networks. Each takes uint8 (n, size, size, 1) and normalises inside."""

import keras
import numpy as np
from keras import layers, ops

from training.config import Article, Preset, Robust

# filters, kernel, stride; 13.4 million multiplications, a millisecond on one core
BODY = ((16, 5, 2), (32, 3, 2), (32, 3, 1), (64, 3, 2), (64, 3, 1), (128, 3, 2), (128, 3, 1), (128, 3, 1))


def build(preset: Preset, classes: int, steps_per_epoch: int) -> keras.Model:
    """The untrained, compiled network of `preset`."""
    if isinstance(preset, Article):
        return _article(preset, classes)
    assert isinstance(preset, Robust)
    return _robust(preset, classes, preset.max_epochs * steps_per_epoch)


def _article(preset: Article, classes: int) -> keras.Model:
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


def _robust(preset: Robust, classes: int, steps: int) -> keras.Model:
    """Pictures to logits: convolutions down to class evidence at a sixteenth of the size, averaged."""
    inputs = keras.Input((preset.size, preset.size, 1), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 255)(inputs)
    for filters, kernel, stride in BODY:
        x = layers.Conv2D(filters, kernel, strides=stride, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.98)(x))
    x = layers.SpatialDropout2D(preset.dropout)(x)
    evidence = layers.Conv2D(classes, 1)(x)  # (n, size / 16, size / 16, classes)
    model = keras.Model(inputs, layers.GlobalAveragePooling2D()(evidence), name=preset.name)
    warmup = int(steps * preset.warmup)
    rate = keras.optimizers.schedules.CosineDecay(
        preset.learning_rate / 10, steps - warmup, alpha=0.005, warmup_target=preset.learning_rate, warmup_steps=warmup
    )
    model.compile(
        optimizer=keras.optimizers.AdamW(rate, weight_decay=preset.weight_decay),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True),
        weighted_metrics=[],
        metrics=["accuracy"],
        jit_compile=False,
    )
    return model


def served(model: keras.Model, temperature: float, energy: float) -> keras.Model:
    """A robust network as the service needs it: normalisation folded into the convolutions, outputs named.

    `ood_score` is the sigmoid of how far the free energy, −log Σ exp(logit), lies above `energy` (Liu et al., NeurIPS
    2020, as a score): ½ there, and nearer to 1 the less the network finds of any class.
    """
    kinds = (layers.Conv2D, layers.BatchNormalization)
    convolutions, norms = ([layer for layer in model.layers if isinstance(layer, kind)] for kind in kinds)
    inputs = keras.Input(model.input_shape[1:], dtype="uint8", name="image")
    x = layers.Rescaling(1 / 255)(inputs)
    for convolution, norm in zip(convolutions, norms, strict=False):
        folded = layers.Conv2D(
            convolution.filters, convolution.kernel_size, convolution.strides, padding="same", activation="relu"
        )
        x = folded(x)
        folded.set_weights(_folded(convolution, norm))
    last = layers.Conv2D(convolutions[-1].filters, 1, name="evidence")
    evidence = last(x)
    last.set_weights(convolutions[-1].get_weights())
    logits = layers.GlobalAveragePooling2D()(evidence)
    outputs = {
        "probabilities": layers.Softmax(name="probabilities")(logits / temperature),
        "ood_score": ops.sigmoid(-energy - ops.logsumexp(logits, axis=1, keepdims=True)),
        "evidence": evidence,
    }
    return keras.Model(inputs, outputs, name=model.name)


def _folded(convolution: keras.Layer, norm: keras.Layer) -> list[np.ndarray]:
    gamma, beta, mean, variance = norm.get_weights()
    scale = gamma / np.sqrt(variance + norm.epsilon)
    return [convolution.get_weights()[0] * scale, beta - mean * scale]
