#!/bin/sh
# Ask the gateway, and the REST API of the model server, with curl.
#
#     sh with_curl.sh [GATEWAY] [REST] [PICTURE]
set -eu
gateway=${1:-http://127.0.0.1:5000}
rest=${2:-http://127.0.0.1:8501}
picture=${3:-$(dirname "$0")/picture.jpg}

# Prints the answer on a line of its own; a failure's too, and then ends with a status of its own.
ask() {
    curl --silent --show-error --fail-with-body --max-time 30 --write-out '\n' "$@"
}

echo "A sentence in the URL, in URL-safe base64:"
line=$(printf '%s' "我很喜欢这个产品" | base64 | tr -d '\n' | tr '+/' '-_')
ask "$gateway/lstm/predict?line=$line"

echo "A sentence in JSON:"
ask --data '{"line": "太失望了"}' "$gateway/lstm/predict"

echo "Words that are cut already:"
ask --get --data-urlencode 'words=["非常","喜欢"]' --data 'nwords=2' "$gateway/predict"

echo "A picture; its mask goes into mask.png:"
ask --form "img=@$picture" --header "Accept: image/png" --output mask.png \
    --write-out '%{content_type}, %{size_download} bytes\n' "$gateway/cv_sod/predict"

echo "The model server itself:"
ask --data '{"instances": [{"words": ["太", "失望", "了"], "nwords": 3}]}' \
    "$rest/v1/models/sentiment:predict"
