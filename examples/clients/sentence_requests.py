"""Ask the gateway whether a sentence is a good review or a bad one, with requests.

python sentence_requests.py [URL]
"""

import base64
import sys
from typing import Any

import requests

SENTENCES = ("我很喜欢这个产品", "太失望了")  # "I like this product a lot", "too disappointing"
TIMEOUT_S = 10


def ask_in_url(session: requests.Session, url: str, line: str) -> Any:
    """Send a sentence by GET, in URL-safe base64."""
    params = {"line": base64.urlsafe_b64encode(line.encode()).decode()}
    return answer_of(session.get(f"{url}/lstm/predict", params=params, timeout=TIMEOUT_S))


def ask_in_json(session: requests.Session, url: str, line: str) -> Any:
    """Send a sentence by POST, as JSON."""
    return answer_of(session.post(f"{url}/lstm/predict", json={"line": line}, timeout=TIMEOUT_S))


def answer_of(response: requests.Response) -> Any:
    """Return the JSON of an answer; end with its text when it is a failure."""
    if not response.ok:
        sys.exit(f"{response.status_code}: {response.text}")
    return response.json()


def main(url: str = "http://127.0.0.1:5000") -> None:
    """Ask both ways. A session keeps its connection from one request to the next."""
    with requests.Session() as session:
        for line in SENTENCES:
            print("GET ", line, ask_in_url(session, url, line))
            print("POST", line, ask_in_json(session, url, line))


if __name__ == "__main__":
    main(*sys.argv[1:])
