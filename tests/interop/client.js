// SPDX-License-Identifier: Apache-2.0
// client.js PORT VERSION CA [P12 PASSWORD]: GET over Node's https, a new connection; prints the answer or the error.
"use strict";
const fs = require("fs");
const https = require("https");

const [port, version, ca, p12, password] = process.argv.slice(2);
const options = {
    host: "localhost", port, path: "/interop", family: 4, agent: false, ca: fs.readFileSync(ca),
    minVersion: `TLSv${version}`, maxVersion: `TLSv${version}`,
};
if (p12)
    Object.assign(options, { pfx: fs.readFileSync(p12), passphrase: password });

const fail = (error) => console.log(`${error.code}: ${error.message}`);
https.get(options, (response) => {
    console.log(`${response.statusCode} ${response.statusMessage}`);
    response.on("error", fail);
    response.pipe(process.stdout);
}).on("error", fail);
