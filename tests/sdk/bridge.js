// SPDX-License-Identifier: Apache-2.0
// The official SDK, driven line by line: each line of standard input is one call,
//   {"service": "clb"|"ssl"|"tag"|"common", "action", "request", "profile"},
// and each line of standard output its outcome, {"response"} or {"error": {code, message, requestId}}.
// The first argument is the endpoint, HOST:PORT; TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY are the access key.
"use strict";

const readline = require("readline");
const sdk = require("tencentcloud-sdk-nodejs");
const { CommonClient } = require("tencentcloud-sdk-nodejs-common");

const [endpoint, protocol = "http://"] = process.argv.slice(2);
const credential = {
  secretId: process.env.TENCENTCLOUD_SECRET_ID,
  secretKey: process.env.TENCENTCLOUD_SECRET_KEY,
};
const clients = {
  clb: sdk.clb.v20180317.Client,
  ssl: sdk.ssl.v20191205.Client,
  tag: sdk.tag.v20180813.Client,
};

// What a caller of the SDK sets: endpoint and protocol, and what PROFILE says besides.
function configuration({ signMethod, reqMethod = "POST" } = {}) {
  const httpProfile = { protocol, endpoint, reqMethod, reqTimeout: 60 };
  return { credential, region: "ap-guangzhou", profile: { signMethod, httpProfile } };
}

function call({ service, version = "2018-03-17", action, request, profile }) {
  const settings = configuration(profile);
  if (service === "common") return new CommonClient(endpoint, version, settings).request(action, request);
  const client = new clients[service](settings);
  // an action that is Sallyport's own has no method in the SDK, but the way that they all go
  return client[action] ? client[action](request) : client.request(action, request);
}

async function answer(line) {
  try {
    return { response: await call(JSON.parse(line)) };
  } catch (e) {
    return { error: { code: e.code, message: e.message, requestId: e.requestId, httpCode: e.httpCode } };
  }
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    process.stdout.write(JSON.stringify(await answer(line)) + "\n");
  }
}

main();
