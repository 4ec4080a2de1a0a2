# SPDX-License-Identifier: Apache-2.0
"""The control API on the wire: who may ask, what a request may look like, and what its answer does."""
import json

from http_peers import Client, header
from processes import ADMIN, admin_port, config, get, listener


def post(client, body=b"{}", **headers):
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    client.send(f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n{lines}\r\n".encode() + body)
    return client.response()


def error_of(answer):
    assert answer.status == 200 and header(answer, "Content-Type") == "application/json"
    return json.loads(answer.body)["Response"]["Error"]


def test_without_a_state_folder_the_api_says_what_to_do(lb, target):
    instance = lb(config(listener(), web=target(), admin=ADMIN))
    with Client(admin_port(instance)) as c:
        error = error_of(post(c))
        assert error["Code"] == "FailedOperation" and "`state: {dir: …}`" in error["Message"]
    assert get(admin_port(instance), "/healthz") == (200, b"ok")
