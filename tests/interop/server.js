// SPDX-License-Identifier: Apache-2.0
// server.js ROOT [VERSION CERT KEY [CLIENT_CA]]: the tests' file server, over HTTP or HTTPS, on a port of the kernel's choice.
//   PUT /put/NAME         stores it; answers how its length was told, and its trailers
//   GET /files/NAME       with Content-Length and an ETag           GET /chunked/NAME   chunked, with a trailer
//   GET /close/NAME       its end is the connection's
"use strict";
const fs = require("fs");
const path = require("path");
const { pipeline } = require("stream");

const [root, version, cert, key, clientCa] = process.argv.slice(2);

function framing(request) {
    return request.headers["transfer-encoding"] || (request.headers["content-length"] ? "content-length" : "none");
}

function put(request, response) {
    pipeline(request, fs.createWriteStream(path.join(root, request.url)), (error) => {
        response.writeHead(error ? 500 : 201, {
            "X-Framing": framing(request), "X-Trailers": request.trailers["x-checksum"] || "", "Content-Length": 0,
        });
        response.end();
    });
}

function get(request, response) {
    const chunked = request.url.startsWith("/chunked/"), untilClose = request.url.startsWith("/close/");
    const file = path.join(root, "files", path.basename(request.url));
    const { size } = fs.statSync(file);
    const etag = `"${size}"`;
    if (!chunked && request.headers["if-none-match"] === etag) {
        response.writeHead(304, { ETag: etag });
        response.end();
        return;
    }
    const fields = { "Content-Type": "application/octet-stream", ETag: etag };
    if (!chunked && !untilClose)
        fields["Content-Length"] = size;
    if (untilClose) {
        response.useChunkedEncodingByDefault = false;
        response.shouldKeepAlive = false;
    }
    if (request.method === "HEAD") {
        response.writeHead(200, fields); // Node throws where a HEAD's answer announces a trailer
        response.end();
        return;
    }
    response.writeHead(200, chunked ? { ...fields, Trailer: "X-Checksum" } : fields);
    const stream = fs.createReadStream(file);
    stream.pipe(response, { end: false });
    stream.on("end", () => {
        if (chunked)
            response.addTrailers({ "X-Checksum": "end" });
        response.end();
    });
}

const serve = (request, response) => (request.method === "PUT" ? put : get)(request, response);
const server = cert
    ? require("https").createServer({
        cert: fs.readFileSync(cert), key: fs.readFileSync(key), minVersion: `TLSv${version}`, maxVersion: `TLSv${version}`,
        ca: clientCa && fs.readFileSync(clientCa), requestCert: !!clientCa, rejectUnauthorized: !!clientCa,
    }, serve)
    : require("http").createServer(serve);
server.requestTimeout = 0;
server.listen(0, "127.0.0.1");
