"""The questions of the demo: each is printed as one would type it, asked, and its answer printed.

What `curl` is shown to ask is sent as curl would send it, also where there is no curl. Each returns
whether the answer is right.
"""

import io
import json
import os
import re
import shlex
from pathlib import Path

import numpy as np
import requests
from PIL import Image

TIMEOUT_S = 30
PICTURE = Path(__file__).parent / "clients" / "picture.jpg"
MASK = Path("mask.png")

GOOD = "我很喜欢这个产品"  # I like this product a lot
BAD = ["太", "失望", "了"]  # too disappointing, cut into words


def ask_about_a_sentence(url: str) -> bool:
    """Is a review good? The handler cuts it into words."""
    body = json.dumps({"line": GOOD}, ensure_ascii=False)
    show("curl", "-d", body, f"{url}/lstm/predict")
    answer = session().post(f"{url}/lstm/predict", body.encode(), timeout=TIMEOUT_S)
    print(answer.text)
    return answer.ok and answer.json()["labels"] == "POS"


def ask_about_a_picture(url: str) -> bool:
    """Where in a picture is what it shows? The answer is a picture too."""
    path, headers = os.path.relpath(PICTURE), {"Accept": "image/png"}
    show("curl", "-F", f"img=@{path}", "-H", "Accept: image/png", "-o", str(MASK),
         f"{url}/cv_sod/predict")  # fmt: skip
    answer = session().post(
        f"{url}/cv_sod/predict",
        files={"img": (PICTURE.name, PICTURE.read_bytes())},
        headers=headers,
        timeout=TIMEOUT_S,
    )
    if answer.headers["Content-Type"] != "image/png":
        print(answer.text)
        return False
    MASK.write_bytes(answer.content)
    mask = np.asarray(Image.open(io.BytesIO(answer.content)))
    height, width = mask.shape
    print(f"{MASK} is a PNG of {width}x{height}, {len(answer.content)} bytes")
    with Image.open(PICTURE) as picture:
        is_as_large = picture.size == (width, height)
    # White where the orange is, in the middle, and black elsewhere.
    return is_as_large and bool(mask[height // 2, width // 2] > 200 > 50 > mask[0, 0])


def ask_rest(url: str) -> bool:
    """Are two reviews good or bad? Asked of the model itself, in rows as TensorFlow Serving's."""
    # The shorter row is filled up, and `nwords` says with what it really has.
    rows = [
        {"words": ["我", "很", "喜欢", "这个", "产品"], "nwords": 5},
        {"words": [*BAD, "", ""], "nwords": len(BAD)},
    ]
    body = json.dumps({"instances": rows}, ensure_ascii=False)
    path = f"{url}/v1/models/sentiment:predict"
    show("curl", "-d", body, path)
    answer = session().post(path, body.encode(), timeout=TIMEOUT_S)
    print(answer.text)
    return answer.ok and [row["labels"] for row in answer.json()["predictions"]] == ["POS", "NEG"]


def ask_grpc(address: str) -> bool:
    """Is a review bad? Asked with TensorFlow Serving's own client."""
    # Before it is imported; TensorFlow then says only what is wrong.
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
    import grpc
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    request = predict_pb2.PredictRequest()
    request.model_spec.name = "sentiment"
    words = request.inputs["words"]
    words.dtype = 7  # DT_STRING
    words.tensor_shape.dim.add(size=1)
    words.tensor_shape.dim.add(size=len(BAD))
    words.string_val.extend(word.encode() for word in BAD)
    nwords = request.inputs["nwords"]
    nwords.dtype = 3  # DT_INT32
    nwords.tensor_shape.dim.add(size=1)
    nwords.int_val.append(len(BAD))
    print(f"PredictRequest to {address}\n{indented(request)}")
    with grpc.insecure_channel(address, [("grpc.enable_http_proxy", 0)]) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        try:
            response = stub.Predict(request, timeout=TIMEOUT_S)
        except grpc.RpcError as error:
            print(f"{error.code().name}: {error.details()}")
            return False
    print(f"PredictResponse\n{indented(response)}")
    return list(response.outputs["labels"].string_val) == [b"NEG"]


def show(*command: str) -> None:
    """Print a command as a shell takes it."""
    print("$", shlex.join(command), flush=True)


def session() -> requests.Session:
    """Return a session that does not go through the proxy to the rest of the world."""
    session = requests.Session()
    session.trust_env = False
    return session


def indented(message: object) -> str:
    """Return a message's text, moved to the right; UTF-8 that is written as numbers is readable."""
    from google.protobuf import text_format

    # Unlike str, it sorts what has names, so that the demo prints the same each time.
    text = re.sub(
        r"(\\[0-7]{3})+",
        lambda found: bytes(int(octal, 8) for octal in found[0].split("\\")[1:]).decode(),
        text_format.MessageToString(message),
    )
    return "\n".join(f"    {line}" for line in text.splitlines())
