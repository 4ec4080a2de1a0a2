# SPDX-License-Identifier: Apache-2.0
"""For gunicorn: answers each request with what it was, and writes it down in the file BACKEND_LOG."""
import json
import os


def write_down(**fields):
    with open(os.environ["BACKEND_LOG"], "a") as log:  # small pieces: each is written at once, whichever thread does it
        log.write(json.dumps(fields) + "\n")


def application(environ, start_response):
    method, target = environ["REQUEST_METHOD"], environ["RAW_URI"]
    kind = target.split("-")[0].strip("/")
    body = None if kind == "early" else environ["wsgi.input"].read()
    status = int(kind.removeprefix("bare")) if kind.startswith("bare") else 200
    if body is not None and len(body) < int(environ.get("CONTENT_LENGTH") or 0):
        status = 400  # cut off: gunicorn leaves it to applications to see that
    write_down(connection=environ["REMOTE_PORT"], method=method, target=target, body=None if body is None else body.hex(), status=status)
    text = f"{method} {target}".encode("latin-1")
    start_response(f"{status} as asked", [("Content-Length", str(len(text)))] if status == 200 else [])
    return [text] if status == 200 and method != "HEAD" else []
