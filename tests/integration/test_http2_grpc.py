# SPDX-License-Identifier: Apache-2.0
"""gRPC end to end: a real client and a real server, HTTP/2 on both sides of us, each kind of call."""
import concurrent.futures
import threading

import grpc
import pytest

from http_peers import running

TRAILER = (("x-sum", "42"), ("x-other", "ok"))


class Service(grpc.GenericRpcHandler):
    """Calls by name; messages are bytes."""

    def __init__(self):
        self.waiting, self.cancelled, self.release = threading.Event(), threading.Event(), threading.Event()

    def service(self, details):
        make = {"/t/unary": grpc.unary_unary_rpc_method_handler(self.unary), "/t/server": grpc.unary_stream_rpc_method_handler(self.server),
                "/t/client": grpc.stream_unary_rpc_method_handler(self.client), "/t/both": grpc.stream_stream_rpc_method_handler(self.both),
                "/t/fail": grpc.unary_unary_rpc_method_handler(self.fail), "/t/wait": grpc.unary_unary_rpc_method_handler(self.wait)}
        return make.get(details.method)

    def unary(self, message, context):
        context.set_trailing_metadata(TRAILER)
        return b"<" + message + b">"

    def server(self, message, context):
        for i in range(int(message)):
            yield b"%d" % i * 1000

    def client(self, messages, context):
        return b"%d" % sum(len(m) for m in messages)

    def both(self, messages, context):
        for m in messages:
            yield m.upper()

    def fail(self, message, context):
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not like this")

    def wait(self, message, context):
        context.add_callback(self.cancelled.set)
        self.waiting.set()
        self.release.wait(20)
        return b""


@pytest.fixture(scope="module", params=["HTTP", "HTTPS"])
def world(request, pki, tmp_path_factory):
    service = Service()
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers((service,))
    if request.param == "HTTPS":
        pair = (open(pki.server.key_file, "rb").read(), open(pki.server.crt, "rb").read())
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    tls = f", tls: {{ca: [{pki.ca('servers').crt}], name: localhost}}" if request.param == "HTTPS" else ""
    config = f"""
listeners:
  - {{name: web, protocol: HTTPS, address: "127.0.0.1:0", certificates: [{pki.server.yaml()}],
      rules: [{{domain: localhost, path: /, target_group: grpc}}]}}
target_groups:
  - {{name: grpc, protocol: {request.param}, http_version: 2, targets: [{{address: "127.0.0.1:{port}"}}]{tls}}}
access_log: {{file: access.log}}
workers: 1
"""
    with running(tmp_path_factory.mktemp("grpc"), config) as instance:
        instance.service = service
        yield instance
        service.release.set()
    server.stop(None)


@pytest.fixture
def channel(world, pki):
    credentials = grpc.ssl_channel_credentials(open(pki.ca("servers").crt, "rb").read())
    with grpc.secure_channel(f"localhost:{world.port('web')}", credentials) as c:
        yield c


def test_unary_with_trailers(channel, world):
    answer, call = channel.unary_unary("/t/unary").with_call(b"hello", timeout=10)
    assert answer == b"<hello>" and set(TRAILER) <= set(call.trailing_metadata())
    line = world.line(path="/t/unary")
    assert (line["status"], line["tls"]["alpn"]) == (200, "h2") and "close" not in line


def test_large_messages_in_both_directions(channel):
    message = bytes(range(256)) * 12000  # 3 MiB
    assert channel.unary_unary("/t/unary")(message, timeout=20) == b"<" + message + b">"


def test_the_server_streams(channel):
    assert [len(m) for m in channel.unary_stream("/t/server")(b"200", timeout=20)][-1] == 3000


def test_the_client_streams(channel):
    assert channel.stream_unary("/t/client")((b"x" * 1000 for _ in range(300)), timeout=20) == b"300000"


def test_both_stream_and_neither_waits_for_the_other(channel):
    """Each message is sent only when the answer to the one before has come."""
    answered = threading.Semaphore(1)

    def messages():
        for i in range(50):
            assert answered.acquire(timeout=10)
            yield b"m%d" % i
    answers = []
    for a in channel.stream_stream("/t/both")(messages(), timeout=20):
        answers.append(a)
        answered.release()
    assert answers == [b"M%d" % i for i in range(50)]


def test_many_calls_at_once(channel):
    calls = [channel.unary_unary("/t/unary").future(b"%d" % i, timeout=20) for i in range(300)]
    assert [c.result() for c in calls] == [b"<%d>" % i for i in range(300)]


def test_an_error_is_a_response_of_trailers_alone(channel):
    with pytest.raises(grpc.RpcError) as e:
        channel.unary_unary("/t/fail")(b"", timeout=10)
    assert (e.value.code(), e.value.details()) == (grpc.StatusCode.FAILED_PRECONDITION, "not like this")
    with pytest.raises(grpc.RpcError) as e:
        channel.unary_unary("/t/nothing")(b"", timeout=10)
    assert e.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_a_cancelled_call_is_cancelled_at_the_server(channel, world):
    world.service.waiting.clear()
    world.service.cancelled.clear()
    call = channel.unary_unary("/t/wait").future(b"", timeout=20)
    before = world.mark()
    assert world.service.waiting.wait(10)
    assert channel.unary_unary("/t/unary")(b"", timeout=10) == b"<>"
    call.cancel()
    assert world.service.cancelled.wait(10)
    assert world.line(path="/t/wait", since=before)["close"] == "client_reset"
