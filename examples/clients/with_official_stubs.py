"""Ask the model server with TensorFlow Serving's own client, as code written for it does.

    python with_official_stubs.py [HOST:PORT]

It needs `tensorflow` and `tensorflow-serving-api`.
"""

import sys

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

WORDS = [["我", "很", "喜欢", "这个", "产品"], ["太", "失望", "了", "", ""]]
NWORDS = [5, 3]
TIMEOUT_S = 10


def main(address: str = "127.0.0.1:8500") -> None:
    """Ask for both reviews in one request."""
    channel = grpc.insecure_channel(address)
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)

    request = predict_pb2.PredictRequest()
    request.model_spec.name = "sentiment"
    request.model_spec.signature_name = "serving_default"
    request.inputs["words"].CopyFrom(tf.make_tensor_proto(WORDS, dtype=tf.string))
    request.inputs["nwords"].CopyFrom(tf.make_tensor_proto(NWORDS, dtype=tf.int32))

    try:
        response = stub.Predict(request, timeout=TIMEOUT_S)
    except grpc.RpcError as error:
        sys.exit(f"{error.code().name}: {error.details()}")
    labels = tf.make_ndarray(response.outputs["labels"])
    softmax = tf.make_ndarray(response.outputs["softmax"])
    for words, label, row in zip(WORDS, labels, softmax):
        print("".join(words), label.decode(), np.round(row, 3))


if __name__ == "__main__":
    main(*sys.argv[1:])
