# SPDX-License-Identifier: Apache-2.0
"""Requests that two parsers could tell apart differently: what test_smuggling.py and test_smuggling_backends.py send."""
import re

SMUGGLED = b"GET /smuggled-00000 HTTP/1.1\r\nHost: localhost\r\n\r\n"
NUMBERED = b"-00000"  # each request of a case gets a number here, of the same length
ODD = [*range(0x00, 0x21), ord('"'), ord(","), ord(";"), ord(":"), ord("("), 0x7f, 0x80, 0x85, 0xa0, 0xad, 0xff]
BYTES = [bytes([b]) for b in ODD]
LINES = [b"POST /outer-00000 HTTP/1.1", b"GET /outer-00000 HTTP/1.1", b"POST /outer-00000 HTTP/1.0"]


def head(*fields, line=b"POST /outer-00000 HTTP/1.1"):
    return b"\r\n".join([line, b"Host: localhost", *fields, b"", b""])


def cl_te(*fields):
    """Whoever goes by the length sees one request; whoever goes by the coding sees a second one behind the empty body."""
    body = b"0\r\n\r\n" + SMUGGLED
    return head(b"Content-Length: %d" % len(body), *fields) + body


def te_cl(*fields):
    """Whoever goes by the coding sees one request; whoever goes by the length sees a second one in the chunk."""
    size = b"%x\r\n" % len(SMUGGLED)
    return head(b"Content-Length: %d" % len(size), *fields) + size + SMUGGLED + b"\r\n0\r\n\r\n"


def te_te(*fields):
    """Without a length: whoever does not see the coding sees a request without content, and the chunks as the next."""
    return head(*fields) + b"0\r\n\r\n" + SMUGGLED


def with_length(field, line):
    """The fields of FIELD, with the length of the second request where it has a %d or the like."""
    return head(re.sub(rb"%[dox]", lambda found: found[0] % len(SMUGGLED), field), line=line) + SMUGGLED


FORMS = {"CL.TE": cl_te, "TE.CL": te_cl, "TE.TE": te_te}

# Where a byte is put into Transfer-Encoding: chunked
PLACES = {
    "before the name": b"%bTransfer-Encoding: chunked", "in the name": b"Transfer%bEncoding: chunked",
    "behind the name": b"Transfer-Encoding%b: chunked",
    "behind the colon": b"Transfer-Encoding:%bchunked", "before the value": b"Transfer-Encoding: %bchunked",
    "in the value": b"Transfer-Encoding: chu%bnked",
    "behind the value": b"Transfer-Encoding: chunked%b", "instead of the colon": b"Transfer-Encoding%bchunked",
    "behind another field": b"X: y%bTransfer-Encoding: chunked", "behind another field's line": b"X: y\r\n%bTransfer-Encoding: chunked",
}

CHUNKED = [  # which we write anew as `Transfer-Encoding: chunked`; empty elements of a list are none (RFC 9110 §5.6.1.2)
    b"Transfer-Encoding: chunked", b"transfer-encoding: CHUNKED", b"TRANSFER-ENCODING: cHuNkEd", b"Transfer-Encoding:chunked",
    b"Transfer-Encoding: ,chunked", b"Transfer-Encoding: chunked,", b"Transfer-Encoding: , ,chunked, ,",
    b"Trailer: Transfer-Encoding\r\nTransfer-Encoding: chunked",
]
CODINGS = [
    *CHUNKED, b"Transfer-Encoding: xchunked", b"Transfer-Encoding: chunkedx", b"Transfer-Encoding: x chunked",
    b"Transfer-Encoding: chunked chunked", b'Transfer-Encoding: "chunked"', b"Transfer-Encoding: 'chunked'",
    b"Transfer-Encoding: identity", b"Transfer-Encoding: identity, chunked", b"Transfer-Encoding: chunked, identity",
    b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding:", b"Transfer-Encoding: chunked;q=1", b"Transfer-Encoding: chunk",
    b"Transfer-Encoding: ch\xc3\xbcnked", b"Transfer-Encoding: \xef\xbd\x83hunked", b"Transfer-Encoding: chun\xe2\x84\xaaed",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked", b"Transfer-Encoding: chunked\r\nTransfer-encoding: x",
    b"Transfer-Encoding: x\r\nTransfer-Encoding: chunked", b"Transfer-Encoding:\r\n chunked", b"Transfer-Encoding:\r\n\tchunked",
    b"Transfer-Encoding: chu\r\n nked", b"Transfer\r\n -Encoding: chunked", b"Transfer_Encoding: chunked",
    b"Transfer-Encodin: chunked", b"Content-Encoding: chunked", b"X-Transfer-Encoding: chunked", b"TE: chunked",
    b"Transfer-Encoding\\: chunked", b"Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked",
    b"Connection: close, transfer-encoding\r\nTransfer-Encoding: chunked", b"X: y\r\r\nTransfer-Encoding: chunked",
    b"X: y\n\r\nTransfer-Encoding: chunked", b"X: y\r\n\rTransfer-Encoding: chunked", b"X\r\nTransfer-Encoding: chunked",
]

LENGTHS = [
    b"Content-Length: %d\r\nContent-Length: 0", b"Content-Length: 0\r\nContent-Length: %d",
    b"Content-Length: %d\r\ncontent-length: %d", b"Content-Length: %d, %d", b"Content-Length: %d,0", b"Content-Length: %d 0",
    b"Content-Length: +%d", b"Content-Length: -%d", b"Content-Length: 0x%x", b"Content-Length: 0%o", b"Content-Length: 00%d",
    b"Content-Length: %d.0", b"Content-Length: %de0", b"Content-Length: 0_%d", b"Content-Length: %d_0", b"Content-Length: \x0b%d",
    b"Content-Length: %d\x0c", b"Content-Length: %d\0", b"Content-Length: \"%d\"", b"Content-Length: %d;x", b"Content-Length : %d",
    b"Content-Length\t: %d", b" Content-Length: %d", b"Content-Length\0: %d", b"Content-Length\xa0: %d", b"Content-Length:\r\n %d",
    b"Content_Length: %d", b"Content Length: %d", b"Content-Length: \xd9\xa5", b"Content-Length: \xef\xbc\x95",
    b"Content-Length: 18446744073709551616", b"Content-Length: 9223372036854775808", b"Content-Length: 4294967301", b"Content-Length:",
    b"Content-Length: ,", b"Content-Length: %d,", b"Connection: Content-Length\r\nContent-Length: %d", b"X: y\nContent-Length: %d",
    b"X: y\rContent-Length: %d", b"X: y\r\nContent-Length: %d\r\n : z", b": x\r\nContent-Length: %d",
    b"Content-Length: %d\r\nTransfer-Encoding: chunked", b"Content-Length: %d\r\nTransfer-Encoding:",
]

SHAPES = {
    "LF everywhere": b"POST /outer-00000 HTTP/1.1\nHost: localhost\nContent-Length: 0\n\n",
    "LF behind the request line": b"POST /outer-00000 HTTP/1.1\nHost: localhost\r\n\r\n",
    "LF behind a field": head(b"X: y\nZ: z"),
    "LF as the end": b"POST /outer-00000 HTTP/1.1\r\nHost: localhost\r\n\n",
    "CR as the end": b"POST /outer-00000 HTTP/1.1\r\nHost: localhost\r\n\r",
    "CR CR LF": head(b"X: y\r"),
    "CR behind a field": head(b"X: y\rZ: z"),
    "CR in the request line": head(line=b"POST /outer-00000\r HTTP/1.1"),
    "an empty name": head(b": y"),
    "an empty name before a host": b"POST /outer-00000 HTTP/1.1\r\n: x\r\nHost: localhost\r\n\r\n",
    "nothing but a colon": head(b":"),
    "a name with a space": head(b"X Y: z"),
    "a name with NUL": head(b"X\0Y: z"),
    "a name in brackets": head(b"X[Y]: z"),
    "a name in UTF-8": head(b"X\xc3\xa4: z"),
    "a line without a colon": head(b"X"),
    "a folded field": head(b"X: y\r\n z"),
    "a folded request line": head(line=b"POST /outer-00000\r\n HTTP/1.1"),
    "a first field that is folded": b"POST /outer-00000 HTTP/1.1\r\n X: y\r\nHost: localhost\r\n\r\n",
    "NUL in a value": head(b"X: y\0z"),
    "two hosts": head(b"Host: localhost"),
    "two different hosts": head(b"Host: other"),
    "two hosts, one folded": head(b" Host: other"),
    "two hosts in a list": b"POST /outer-00000 HTTP/1.1\r\nHost: localhost, other\r\n\r\n",
    "no host": b"POST /outer-00000 HTTP/1.1\r\n\r\n",
    "a tab in the request line": head(line=b"POST\t/outer-00000\tHTTP/1.1"),
    "two spaces in the request line": head(line=b"POST  /outer-00000  HTTP/1.1"),
    "a space behind the version": head(line=b"POST /outer-00000 HTTP/1.1 "),
    "two versions": head(line=b"POST /outer-00000 HTTP/1.1 HTTP/1.1"),
    "another version": head(line=b"POST /outer-00000 HTTP/1.11"),
    "no version": b"POST /outer-00000\r\n\r\n",
    "a space before the method": head(line=b" POST /outer-00000 HTTP/1.1"),
    "NUL before the method": head(line=b"\0POST /outer-00000 HTTP/1.1"),
    "a colon behind the method": head(line=b"POST: /outer-00000 HTTP/1.1"),
}

# Chunks, behind a head that has gone on already.
CHUNKS = [
    b"5\nab\r\nc\r\n0\r\n\r\n", b"5\rabcde\r\n0\r\n\r\n", b"5\r\nabcde\n0\r\n\r\n", b"5\r\nabcde0\r\n\r\n",
    b"5\r\nabcdeX\r\n0\r\n\r\n", b"5\r\nabcde\r0\r\n\r\n", b"0\n\n", b"0\n\r\n", b"0\r\n\n", b"0x5\r\nabcde\r\n0\r\n\r\n",
    b"+5\r\nabcde\r\n0\r\n\r\n", b"-5\r\nabcde\r\n0\r\n\r\n", b"5_\r\nabcde\r\n0\r\n\r\n", b" 5\r\nabcde\r\n0\r\n\r\n",
    b"5 \r\nabcde\r\n0\r\n\r\n", b"5\t\r\nabcde\r\n0\r\n\r\n", b"5,\r\nabcde\r\n0\r\n\r\n", b"5 5\r\nabcde\r\n0\r\n\r\n",
    b"\r\n5\r\nabcde\r\n0\r\n\r\n", b"5g\r\nabcde\r\n0\r\n\r\n", b"\r\n", b";\r\nabcde\r\n0\r\n\r\n",
    b"fffffffffffffffff5\r\nabcde\r\n0\r\n\r\n", b"10000000000000005\r\nabcde\r\n0\r\n\r\n", b"5;a\nb\r\nabcde\r\n0\r\n\r\n",
    b"5;\nabcde\r\n0\r\n\r\n", b"5;a=\"\n\"\r\nabcde\r\n0\r\n\r\n", b"5;a\rb\r\nabcde\r\n0\r\n\r\n", b"5;a\0\r\nabcde\r\n0\r\n\r\n",
    b"5;a=\"x\r\nabcde\r\n0\r\n\r\n", b"0;a\n\r\n", b"0\r\nX: y\n\r\n", b"0\r\nX : y\r\n\r\n", b"0\r\n X: y\r\n\r\n",
    b"0\r\nX: y\r\n z\r\n\r\n", b"0\r\n: y\r\n\r\n", b"0\r\nX\r\n\r\n", b"0\r\nContent-Length: 5\r\n\r\n",
    b"0\r\nTransfer-Encoding: chunked\r\n\r\n", b"0\r\nHost: other\r\n\r\n", b"0\r\nX: y\0\r\n\r\n", b"0\r\nX: y\rZ: z\r\n\r\n",
    b"00\r\n\n", b"0 \r\n\r\n", b"0\r\n\r",
]


def everything():
    """All of them, as they are sent."""
    for form in FORMS.values():
        yield from (form(place % byte) for place in PLACES.values() for byte in BYTES)
        yield from map(form, CODINGS)
    yield from (with_length(length, line) for length in LENGTHS for line in LINES)
    yield from (shape + SMUGGLED for shape in SHAPES.values())
    yield from (head(b"Transfer-Encoding: chunked") + chunks + SMUGGLED for chunks in CHUNKS)
