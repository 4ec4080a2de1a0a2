// SPDX-License-Identifier: Apache-2.0
// backend.js LOG http|http2: answers each request with what it was, and writes it down, on a port of the kernel's choice.
// Its parser is set to forgive whatever it can.
"use strict";
const fs = require("fs");

const [log, version] = process.argv.slice(2);
const connections = new WeakMap();
let opened = 0;

function numberOf(socket) {
    if (!connections.has(socket))
        connections.set(socket, ++opened);
    return connections.get(socket);
}

function write(fields) {
    fs.appendFileSync(log, JSON.stringify(fields) + "\n");
}

function answer(request, response, body) {
    const kind = request.url.split(/[/-]/)[1];
    const text = Buffer.from(`${request.method} ${request.url}`, "latin1");
    const status = { bare204: 204, bare304: 304 }[kind] || 200;
    write({
        connection: numberOf(request.stream ? request.stream.session : request.socket), method: request.method, target: request.url,
        body: body && body.toString("hex"), status,
    });
    response.writeHead(status, status === 200 ? { "Content-Length": text.length } : {});
    response.end(status === 200 && request.method !== "HEAD" ? text : undefined);
}

function serve(request, response) {
    const pieces = [];
    if (request.url.startsWith("/early")) {
        answer(request, response, null);
        return;
    }
    request.on("data", (piece) => pieces.push(piece));
    request.on("end", () => {
        if (!request.stream || !request.stream.rstCode) // else it was cut off
            answer(request, response, Buffer.concat(pieces));
    });
}

const server = version === "http2"
    ? require("http2").createServer(serve)
    : require("http").createServer({ insecureHTTPParser: true, requireHostHeader: false, keepAliveTimeout: 60000 }, serve);
server.on("clientError", (error, socket) => {
    if (error.code !== "ECONNRESET")
        write({ connection: numberOf(socket), method: "-", target: "-", body: "", status: 400 });
    socket.destroy();
});
server.listen(0, "127.0.0.1");
