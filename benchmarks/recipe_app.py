"""The Flask app of the usual recipe around TensorFlow Serving, to measure against.

It is written as guides have it: a channel for each request, the official stubs, TensorFlow for the
arrays. Runs under `gunicorn -w 4`; RECIPE_SERVER is the address of the model server.
"""

import base64
import os

import grpc
import jieba
import tensorflow as tf
from flask import Flask, jsonify, request
from flask.typing import ResponseReturnValue
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

TIMEOUT_S = 10.0
SERVER = os.environ["RECIPE_SERVER"]
jieba.initialize()
app = Flask(__name__)


@app.get("/lstm/predict")
def predict() -> ResponseReturnValue:
    """Answer with the class of a sentence, which is there in URL-safe base64."""
    line = base64.urlsafe_b64decode(request.args["line"]).decode()
    words = list(jieba.cut(line))
    channel = grpc.insecure_channel(SERVER, [("grpc.enable_http_proxy", 0)])
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    question = predict_pb2.PredictRequest()
    question.model_spec.name = "sentiment"
    question.inputs["words"].CopyFrom(tf.make_tensor_proto([words]))
    question.inputs["nwords"].CopyFrom(tf.make_tensor_proto([len(words)], dtype=tf.int32))
    answer = stub.Predict(question, TIMEOUT_S)
    return jsonify(
        status=0,
        classes_id=answer.outputs["classes_id"].int64_val[0],
        labels=answer.outputs["labels"].string_val[0].decode(),
        softmax=list(answer.outputs["softmax"].float_val),
    )
