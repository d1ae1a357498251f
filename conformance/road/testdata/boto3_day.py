"""A day at work with boto3's default settings, through Envoy.

Reads {"endpoint", "port", "style", "token"} from standard input. The token is the session token; key and secret are made up. Prints
one JSON object a step: its name, the error code that boto3 raised ("" if none), and the decision and status of each answer.
"""

import hashlib
import io
import json
import random
import socket
import sys

import boto3
import botocore.config
import botocore.exceptions

asked = json.load(sys.stdin)

# Bucket names below the endpoint's lead to Envoy, as they would by a resolver.
resolve = socket.getaddrinfo
socket.getaddrinfo = lambda host, *rest, **named: resolve(
    "127.0.0.1" if host.endswith(".test") else host, *rest, **named)

s3 = boto3.client(
    "s3", endpoint_url=asked["endpoint"], region_name="us-east-1",
    aws_access_key_id="any", aws_secret_access_key="any", aws_session_token=asked["token"],
    config=botocore.config.Config(s3={"addressing_style": asked["style"]}, retries={"total_max_attempts": 1}))

answers = []
s3.meta.events.register("before-parse.s3", lambda response_dict, **_: answers.append(
    {"id": response_dict["headers"].get("x-sallyport-decision-id", ""), "status": response_dict["status_code"]}))

BUCKET = "us-defense-plans"
DIR = "boto3-%032x/" % random.getrandbits(128)
KEY = DIR + "a b+é%(x)~.txt"  # needs an escape for about everything that clients escape differently
TEXT = b"the plan\n"
LARGE = random.Random(1).randbytes(64 << 20)


def step(name, do):
    answers.clear()
    code = ""
    try:
        do()
    except botocore.exceptions.ClientError as e:
        code = e.response["Error"]["Code"]
    except Exception as e:  # an error of the connection, or a text that differs
        code = f"{type(e).__name__}: {e}"
    print(json.dumps({"step": name, "code": code, "answers": answers}), flush=True)


def same(have, want):
    if have != want:
        raise ValueError(f"have {have!r:.100}, want {want!r:.100}")


def read(key=KEY, **more):
    return s3.get_object(Bucket=BUCKET, Key=key, **more)["Body"].read()


def keys(answer):
    return [o["Key"] for o in answer.get("Contents", [])]


def large():
    s3.upload_fileobj(io.BytesIO(LARGE), BUCKET, DIR + "large")
    got = io.BytesIO()
    s3.download_fileobj(BUCKET, DIR + "large", got)
    same(hashlib.sha256(got.getvalue()).digest(), hashlib.sha256(LARGE).digest())


def tag():
    s3.put_object_tagging(Bucket=BUCKET, Key=KEY, Tagging={"TagSet": [{"Key": "label", "Value": "UNCLASSIFIED"}]})


def copy(key, source):
    s3.copy_object(Bucket=BUCKET, Key=key, CopySource={"Bucket": BUCKET, "Key": source})


def delete_batch():
    gone = s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "noforn/" + KEY}, {"Key": DIR + "large"}]})
    same(len(gone["Deleted"]), 2)


step("put", lambda: s3.put_object(Bucket=BUCKET, Key=KEY, Body=TEXT, Metadata={"author": "sam"}))
step("head", lambda: same(s3.head_object(Bucket=BUCKET, Key=KEY)["Metadata"], {"author": "sam"}))
step("get", lambda: same(read(), TEXT))
step("get a range", lambda: same(read(Range="bytes=4-7"), b"plan"))
step("list, version 1", lambda: same(keys(s3.list_objects(Bucket=BUCKET, Prefix=DIR)), [KEY]))
step("list, version 2", lambda: same(keys(s3.list_objects_v2(Bucket=BUCKET, Prefix=DIR)), [KEY]))
step("copy up", lambda: copy("noforn/" + KEY, KEY))
step("copy down", lambda: copy(DIR + "down", "noforn/" + KEY))
step("tag", tag)
step("put with tags", lambda: s3.put_object(Bucket=BUCKET, Key=KEY, Body=TEXT, Tagging="label=UNCLASSIFIED"))
step("list buckets", s3.list_buckets)
step("open the bucket", lambda: s3.put_bucket_policy(Bucket=BUCKET, Policy="{}"))
step("upload and download 64 MiB", large)
step("delete", lambda: s3.delete_object(Bucket=BUCKET, Key=KEY))
step("delete a batch", delete_batch)
step("list what is left", lambda: same(keys(s3.list_objects_v2(Bucket=BUCKET, Prefix=DIR)), []))
step("put 64 MiB in one piece where it is denied", lambda: s3.put_object(Bucket="fr-space-missions", Key=DIR + "large", Body=LARGE))
step("get what is denied", lambda: s3.get_object(Bucket="fr-space-missions", Key="welcome.txt"))
step("head of what is denied", lambda: s3.head_object(Bucket="fr-space-missions", Key="welcome.txt"))
