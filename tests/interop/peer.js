// SPDX-License-Identifier: Apache-2.0
// peer.js client|server NAME=VALUE…: a small peer over Node's tls, as peer_mbedtls.c is over Mbed TLS.
"use strict";
const fs = require("fs");
const tls = require("tls");

const REQUEST = "GET /interop HTTP/1.0\r\n\r\n", ANSWER = "HTTP/1.0 200 OK\r\n\r\nhello\n";
const [role, ...rest] = process.argv.slice(2);
const told = Object.fromEntries(rest.map((t) => [t.slice(0, t.indexOf("=")), t.slice(t.indexOf("=") + 1)]));
const read = (name) => told[name] && fs.readFileSync(told[name]);

const options = {
    minVersion: `TLSv${told.version}`, maxVersion: `TLSv${told.version}`, cert: read("certificate"), key: read("key"), ca: read("ca"),
    ...(told.suite && { ciphers: told.suite }), ...(told.groups && { ecdhCurve: told.groups }),
    ...(told.signatures && { sigalgs: told.signatures }),
};

function fail(error) {
    console.log(`${error.code}: ${error.message}`);
    process.exit(1);
}

function ask(times, session) {
    let kept;
    const socket = tls.connect({ ...options, host: "127.0.0.1", port: told.port, servername: "localhost", session });
    socket.on("secureConnect", () => socket.write(REQUEST));
    socket.on("session", (s) => { kept = s; });
    socket.on("error", fail);
    socket.on("data", (data) => process.stdout.write(data));
    socket.on("close", () => times > 1 && ask(times - 1, kept));
}

if (role === "client") {
    ask(Number(told.times));
} else {
    const server = tls.createServer({ ...options, requestCert: !!told.ca, rejectUnauthorized: !!told.ca }, (socket) => {
        socket.on("error", (error) => console.log(error.message));
        socket.once("data", () => socket.end(ANSWER));
    });
    server.on("tlsClientError", (error) => console.log(error.message));
    server.listen(0, "127.0.0.1");
}
