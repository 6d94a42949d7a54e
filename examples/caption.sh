#!/bin/sh
# Caption a picture with curl: caption.sh PICTURE [URL]. Prints the server's answer, which is JSON.
set -eu
curl --silent --show-error --fail-with-body --form "image=@$1" "${2:-http://127.0.0.1:8000}/caption"
