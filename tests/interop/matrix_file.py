# SPDX-License-Identifier: Apache-2.0
"""What was seen, as rows for docs/interoperability.md: a fact is a value in a table at a row, a column and a TLS version."""
import json
import pathlib
import re


class Matrix:
    def __init__(self):
        self.facts = []

    def add(self, table, row, column, value, version=""):
        self.facts.append([table, row, column, version, value])

    def save(self, path):
        path.write_text("".join(json.dumps(fact) + "\n" for fact in self.facts))


def load(path):
    """table → row → column → version → value"""
    tables = {}
    for line in pathlib.Path(path).read_text().splitlines():
        table, row, column, version, value = json.loads(line)
        tables.setdefault(table, {}).setdefault(row, {}).setdefault(column, {})[version] = value
    return tables


def cell(values):
    """One value if it does not depend on the version, else each with its version."""
    text = lambda value: value.replace("|", "\\|").replace("<", "&lt;")
    if len(set(values.values())) == 1:
        return text(next(iter(values.values())))
    return "; ".join(f"{version}: {text(value)}" for version, value in sorted(values.items()))


def markdown(rows, corner):
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    out = [f"| {corner} | " + " | ".join(columns) + " |", "|" + "---|" * (len(columns) + 1)]
    for name, row in rows.items():
        out.append(f"| {name} | " + " | ".join(cell(row[c]) if c in row else "not tried" for c in columns) + " |")
    return "\n".join(out) + "\n"


NOTE = re.compile(r"n/a: `([^`]*)`")


def with_notes(text):
    """TEXT, what is said of `n/a` below it and not in it."""
    notes = list(dict.fromkeys(NOTE.findall(text)))
    text = NOTE.sub(lambda found: f"n/a ({notes.index(found[1]) + 1})", text)
    return text + "".join(f"\n({number}) `{note}`{'' if number == len(notes) else '  '}" for number, note in enumerate(notes, 1)) + "\n"


def handshakes(tables, where):
    """The tables of test_handshakes.py."""
    return "\n".join(with_notes(markdown(tables[f"{where}-{table}"], table)) for table in HANDSHAKE_TABLES)


PAGE = """# Interoperability

What was seen when programs of others met Sallyport, on {date}: {system}, Sallyport {product}. This page is written by
`tests/interop/run --write`; `make interop` runs the same without writing. A cell holds for TLS 1.2 and 1.3, or says for which; each is a
test that fails where something else happens. Certificates are made in each run, by `sallyport pki` where nothing else is said.

{programs}
## Handshakes

Each handshake with each peer, both ways, by both of our engines (`tls: {{engine: native}}` and `openssl`); where a cell does not name one, it holds for both. "yes" and
"full": bytes went both ways, and the access log tells the version, and the suite or group that was asked for; "resumed": in a second connection the session went on.
"n/a": it was tried all the same, and the peer said what is noted, or our log did. libssl resumes no session of a client with a certificate
([authentication.md](authentication.md)); curl asks for no tickets in TLS 1.2, and Chromium resumes when it likes; in TLS 1.2 the groups of a client are also the curves that certificates may have (RFC 8422
§5.1), secp521r1 is none of ours unless `groups` names it, and some hold to that. "after HelloRetryRequest": the client's first
choice was secp521r1; Java may send a second key share with it. Chromium cannot be told suites, groups and schemes: where it is missing, it was not asked. Java, Node and Python
are programs of ours over their libraries (`tests/interop/peer.*`), as are wolfSSL and Mbed TLS; OpenSSL, GnuTLS and NSS are their own clients and servers
(s_client, s_server; gnutls-cli, gnutls-serv; tstclnt, selfserv). Certificates are of OpenSSL here, as `sallyport pki` does not make all kinds of keys.

### Their clients at our listeners

{their_clients}
### Their servers as our targets

{their_servers}
## Clients

At an HTTPS and at a TCP_SSL listener in front of the same page. "served": the page came, and the access log names the TLS version and,
under `mutual`, the accepted verdict. Refused: the target saw no connection, the log has the reason, and the client printed what stands
here. Node, Java and Chromium have their certificate from PKCS#12 (`sallyport pki client --p12`). The last column shows that the
client looked at our certificate.

{clients}
Chromium loads the page without a window, with a scratch NSS database and the policy `AutoSelectCertificateForUrls`; a screenshot of it is
left in `build/interop/chromium-mutual.png`. For an alert it shows one of two errors, `ERR_BAD_SSL_CLIENT_AUTH_CERT` or
`ERR_SOCKET_NOT_CONNECTED`, now this and now that; the latter was seen at `openssl s_server` as well.

A client that would rather speak HTTP/2 gets it, by ALPN:

{alpn}
## Servers as targets

Behind a group of protocol HTTPS and of TCP_SSL, one-way and with our certificate; then, where one side refuses the other, the status that
the client gets, and of what the target says, `close` and `detail` of the access log. Under TCP_SSL there is no status: the client gets
nothing. Where we refuse, `close` is `target_refused` and the verdict has the reason. nginx completes the handshake with anybody and answers 400 to whom it does not want.

{targets}
## Content

Through an HTTPS listener to a target over HTTP and over HTTPS: uploads ("up") and downloads ("down"), with Content-Length
and with chunked coding, which arrives as it was sent; downloads also where the end of the connection is the end of the content, which a client of
HTTP/1.1 gets in chunks, and one of HTTP/1.0 as it came. "equal": length and SHA-256, in each of them.

{bodies}
{cases}
"slow": curl with 32 MiB/s. "resets": the client in the middle of an upload and of a download, five times each; the log says `client_reset`, and the
next request is served. "killed": SIGKILL to the server; an upload is answered 502, a download is cut off by a reset; the log says `target_closed`.
nginx drops the trailers of a request for its own handlers, and no module of apache2 sends trailers of a response; their content arrives.

## Quirks of others that the tests step around

- curl 7.88 with `-T FILE -H "Transfer-Encoding: chunked"` never sends the last chunk of an empty file, to any server; with `-T -` it does.
- Node throws where the answer to a HEAD announces a trailer.
- Python's http.server closes TLS connections without close_notify: content that ends so is cut off, and for us it is (the client is reset).
- nginx tells the length of an empty file even where it is to end with the connection: that cell lacks 0 B.
- nginx 1.22 in one process crashes with sockets that it inherits.
"""
CORNERS = {"programs": "program", "clients": "client, listener", "alpn": "client", "targets": "server, group", "bodies": "server, group",
           "cases": "server, group"}
HANDSHAKE_TABLES = ["versions", "suites", "groups", "certificates"]


def page(path, **about):
    tables = load(path)
    return PAGE.format(**{name: markdown(tables[name], corner) for name, corner in CORNERS.items()},
                       their_clients=handshakes(tables, "clients"), their_servers=handshakes(tables, "servers"), **about)
