"""Train the saliency model on pictures that are made here, measure it on others, and export it.

python examples/saliency/train_saliency.py [--output FOLDER] [--pictures N] [--epochs N]
"""

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Sequence
from functools import partial
from multiprocessing.pool import Pool
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pictures
import saliency_export
import tensorflow as tf
from pictures import Example, Part
from saliency_model import Network

HELD_OUT = 400

SEED = 1
BATCH = 16
LEARNING_RATE = 3e-3
WARM_UP = 200


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Train, measure and export the saliency model.")
    parser.add_argument("--output", type=Path, help="where to write the SavedModel; must be new")
    parser.add_argument(
        "--pictures", type=int, default=10_000, help="pictures to train on (%(default)s)"
    )
    parser.add_argument(
        "--epochs", type=int, default=3, help="times to look at each picture (%(default)s)"
    )
    options = parser.parse_args(arguments)
    if options.output and options.output.exists():
        sys.exit(f"train_saliency.py: {options.output} exists")
    start = time.monotonic()
    # New processes rather than copies of this one, whose threads TensorFlow may have started.
    with multiprocessing.get_context("spawn").Pool(os.cpu_count()) as pool:
        training = made(pool, "training", options.pictures)
        held_out = made(pool, "held-out", HELD_OUT)
    print(f"made {len(training)} pictures in {time.monotonic() - start:.0f} s", flush=True)
    network = train(training, options.epochs)
    print(f"mean IoU on {len(held_out)} held-out pictures: {measure(network, held_out):.4f}")
    if options.output:
        saliency_export.write(options.output, network.trained())
        size = sum(file.stat().st_size for file in options.output.rglob("*") if file.is_file())
        print(f"wrote {options.output}, {size:,} bytes")


def made(pool: Pool, part: Part, count: int) -> list[Example]:
    """Return the first `count` pictures of a part."""
    return pool.map(partial(pictures.example, part), range(count), chunksize=25)


def train(examples: Sequence[Example], epochs: int) -> Network:
    """Return the trained network."""
    keras.utils.set_random_seed(SEED)
    batches = _batches(examples)
    network = Network()
    decay = keras.optimizers.schedules.CosineDecay(
        0.0, epochs * len(batches), warmup_target=LEARNING_RATE, warmup_steps=WARM_UP
    )
    network.compile(keras.optimizers.Adam(decay), _loss, jit_compile=False)
    network.fit(batches, epochs=epochs, shuffle=False, verbose=2)
    return network


def measure(network: Network, examples: Sequence[Example]) -> float:
    """Return the mean IoU of a network on examples."""
    found, wanted = [], []
    for images, masks in _decoded(examples).batch(BATCH):
        # A score of 0 is a share of 0.5.
        found.append(network(images).numpy() > 0)
        wanted.append(masks.numpy() > 0.5)
    return pictures.mean_iou(np.concatenate(found), np.concatenate(wanted))


def _loss(masks: Any, scores: Any) -> Any:
    """Return how wrong each pixel is, and how wrong each mask is as a whole: small things count in
    the second as much as large ones.
    """
    pixels = tf.nn.sigmoid_cross_entropy_with_logits(masks, scores)
    found = tf.sigmoid(scores)
    both = tf.reduce_sum(found * masks, [1, 2, 3])
    either = tf.reduce_sum(found + masks, [1, 2, 3]) - both
    # One hundred pixels more in either keep the share steady where there is nothing to be found.
    return tf.reduce_mean(pixels, [1, 2, 3]) + 0.5 * (1 - (both + 100) / (either + 100))


def _batches(examples: Sequence[Example]) -> Any:
    """Return a dataset of (images, masks), mirrored by chance, in another order at each reading."""

    def mirrored(image: Any, mask: Any) -> Any:
        both = tf.image.random_flip_left_right(tf.concat([image, mask], -1))
        return both[..., :3], both[..., 3:]

    dataset = _decoded(examples, shuffled=True).map(mirrored, tf.data.AUTOTUNE)
    return dataset.batch(BATCH, drop_remainder=True).prefetch(4)


def _decoded(examples: Sequence[Example], shuffled: bool = False) -> Any:
    """Return a dataset of images as the network takes them, and masks in 0..1."""

    def decode(jpeg: Any, mask: Any) -> Any:
        image = tf.io.decode_jpeg(jpeg, channels=3, dct_method="INTEGER_ACCURATE")
        image, mask = (
            tf.image.resize(pixels, [pictures.SIDE] * 2, tf.image.ResizeMethod.NEAREST_NEIGHBOR)
            for pixels in (image, tf.io.decode_png(mask, channels=1))
        )
        return tf.cast(image, tf.float32) - pictures.MEANS, tf.cast(mask, tf.float32) / 255

    dataset = tf.data.Dataset.from_tensor_slices(
        ([e.jpeg for e in examples], [e.mask for e in examples])
    )
    if shuffled:
        dataset = dataset.shuffle(len(examples))
    return dataset.map(decode, tf.data.AUTOTUNE)


if __name__ == "__main__":
    main()
