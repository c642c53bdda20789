"""Ask the model server itself, arrays in and arrays out, with slipway.Client.

    python with_slipway_client.py [HOST:PORT, or http://HOST:PORT for REST]

It needs NumPy alone: neither TensorFlow nor grpcio.
"""

import sys

import numpy as np

import slipway

# Reviews are cut into words; the shorter is filled up, and `nwords` says how many words it has.
WORDS = [["我", "很", "喜欢", "这个", "产品"], ["太", "失望", "了", "", ""]]
NWORDS = np.array([5, 3], np.int32)


def main(address: str = "127.0.0.1:8500") -> None:
    """Ask for both reviews in one request. Threads may share a client."""
    with slipway.Client(address, timeout_s=10) as client:
        try:
            signature = client.metadata("sentiment").signatures["serving_default"]
            outputs = client.predict("sentiment", {"words": WORDS, "nwords": NWORDS})
        except slipway.ServingError as error:
            sys.exit(f"{error.code.name}: {error}")
    for name, spec in signature.inputs.items():
        print(f"takes {name}: {spec.dtype} {spec.shape}")
    for words, label, softmax in zip(WORDS, outputs["labels"], outputs["softmax"]):
        print("".join(words), label.decode(), softmax.round(3))


if __name__ == "__main__":
    main(*sys.argv[1:])
