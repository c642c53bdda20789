"""The network: a small U-Net that scores how much each pixel belongs to what is to be found.

`scores` is the network, once: training runs it inside a Keras model, whose convolutions normalise
by batch, and `saliency_export` puts it into the graph that is served, where the normalisation has
become part of the kernels and biases.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import keras
import tensorflow as tf
from pictures import SIDE

# What the mean has been subtracted from varies about this much.
_DEVIATION: Final = 64.0


@dataclass(frozen=True)
class Convolution:
    """A convolution: size of its square kernel, channels in and out, stride and dilation."""

    size: int
    channels: int
    filters: int
    stride: int = 1
    dilation: int = 1
    normalised: bool = True
    """Whether a batch normalisation and a ReLU follow; only the last one scores instead."""

    @property
    def kernel_shape(self) -> tuple[int, int, int, int]:
        """Height, width, channels in and out."""
        return (self.size, self.size, self.channels, self.filters)


CONVOLUTIONS: Final[Mapping[str, Convolution]] = {
    # Down: half the height and width at each step, from 320 to 10.
    "down1": Convolution(3, 3, 12, stride=2),
    "down2": Convolution(3, 12, 24, stride=2),
    "keep2": Convolution(3, 24, 24),
    "down3": Convolution(3, 24, 40, stride=2),
    "keep3": Convolution(3, 40, 40),
    "down4": Convolution(3, 40, 64, stride=2),
    "keep4a": Convolution(3, 64, 64),
    "keep4b": Convolution(3, 64, 64, dilation=2),
    "keep4c": Convolution(3, 64, 64, dilation=4),
    "down5": Convolution(3, 64, 96, stride=2),
    "keep5a": Convolution(3, 96, 64),
    "keep5b": Convolution(3, 64, 64, dilation=2),
    # The whole picture at once.
    "whole": Convolution(1, 96, 64),
    # Up: each step sees what its size had on the way down.
    "join5": Convolution(1, 192, 64),
    "narrow4": Convolution(1, 64, 64),
    "join4": Convolution(3, 64, 64),
    "narrow3": Convolution(1, 64, 40),
    "join3": Convolution(3, 40, 40),
    "narrow2": Convolution(1, 40, 24),
    "join2": Convolution(3, 24, 24),
    "narrow1": Convolution(1, 24, 12),
    "join1": Convolution(3, 12, 12),
    "score": Convolution(3, 12, 1, normalised=False),
}

Convolve = Callable[[str, Any], Any]
"""Applies the convolution of a name to a tensor, with the ReLU where one follows."""


def scores(images: Any, convolve: Convolve) -> Any:
    """Return a score for each pixel, [image, 320, 320, 1], above 0 where it is to be found.

    `images` are float32 [image, 320, 320, 3], red, green and blue without the mean of each.
    """
    first = convolve("down1", images / _DEVIATION)
    second = convolve("down2", first)
    second += convolve("keep2", second)
    third = convolve("down3", second)
    third += convolve("keep3", third)
    fourth = convolve("down4", third)
    fourth += convolve("keep4a", fourth)
    fourth += convolve("keep4b", fourth)
    fourth += convolve("keep4c", fourth)
    fifth = convolve("down5", fourth)
    near = convolve("keep5a", fifth)
    far = convolve("keep5b", near)
    whole = convolve("whole", tf.reduce_mean(fifth, [1, 2], keepdims=True))
    whole = tf.broadcast_to(whole, tf.shape(near))
    top = convolve("join5", tf.concat([near, far, whole], -1))
    for step, beside in ((4, fourth), (3, third), (2, second), (1, first)):
        top = _enlarged(convolve(f"narrow{step}", top), beside.shape[1])
        top = convolve(f"join{step}", top + beside)
    return _enlarged(convolve("score", top), SIDE)


def _enlarged(images: Any, side: int) -> Any:
    return tf.image.resize(images, [side, side], tf.image.ResizeMethod.BILINEAR)


@dataclass(frozen=True)
class Weights:
    """What training finds: kernels and biases by the names of `CONVOLUTIONS`, as float32 arrays,
    variables or tensors. Batch normalisation is part of them.
    """

    kernels: Mapping[str, Any]
    biases: Mapping[str, Any]


def convolve_with(weights: Weights) -> Convolve:
    """Return what applies trained convolutions."""

    def convolve(name: str, images: Any) -> Any:
        convolution = CONVOLUTIONS[name]
        sums = tf.nn.conv2d(
            images,
            weights.kernels[name],
            convolution.stride,
            "SAME",
            dilations=convolution.dilation,
        )
        scored = tf.nn.bias_add(sums, weights.biases[name])
        return tf.nn.relu(scored) if convolution.normalised else scored

    return convolve


class Network(keras.Model):
    """The network with weights that can be trained.

    Takes images float32 [image, 320, 320, 3], returns scores float32 [image, 320, 320, 1].
    """

    def __init__(self) -> None:
        super().__init__()
        self._convolutions = {
            name: keras.layers.Conv2D(
                convolution.filters,
                convolution.size,
                convolution.stride,
                "same",
                dilation_rate=convolution.dilation,
                use_bias=not convolution.normalised,
                kernel_initializer="he_normal",
                name=name,
            )
            for name, convolution in CONVOLUTIONS.items()
        }
        self._normalisations = {
            name: keras.layers.BatchNormalization(momentum=0.98, name=f"{name}_normalisation")
            for name, convolution in CONVOLUTIONS.items()
            if convolution.normalised
        }

    def call(self, images: Any, training: bool = False) -> Any:
        """Return scores; in training, batches are normalised by themselves."""

        def convolve(name: str, images: Any) -> Any:
            sums = self._convolutions[name](images)
            if name not in self._normalisations:
                return sums
            return tf.nn.relu(self._normalisations[name](sums, training=training))

        return scores(images, convolve)

    def trained(self) -> Weights:
        """Return the weights as arrays, with each normalisation taken into its convolution."""
        kernels, biases = {}, {}
        for name, layer in self._convolutions.items():
            if name not in self._normalisations:
                kernels[name], biases[name] = layer.kernel.numpy(), layer.bias.numpy()
                continue
            norm = self._normalisations[name]
            deviation = (norm.moving_variance.numpy() + norm.epsilon) ** 0.5
            scale = norm.gamma.numpy() / deviation
            kernels[name] = layer.kernel.numpy() * scale
            biases[name] = norm.beta.numpy() - norm.moving_mean.numpy() * scale
        return Weights(kernels, biases)
