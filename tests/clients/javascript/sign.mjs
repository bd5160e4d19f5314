// Signs the requests given as JSON on standard input with the JavaScript SDK's own signer; prints them signed.
import { createHash, createHmac } from "node:crypto";
import { SignatureV4 } from "@smithy/signature-v4";

class Sha256 {
  constructor(key) { this.hash = key ? createHmac("sha256", key) : createHash("sha256"); }
  update(data) { this.hash.update(data); }
  async digest() { return new Uint8Array(this.hash.digest()); }
}

const { credentials, service, region, requests } = JSON.parse(await new Response(process.stdin).text());
const signer = new SignatureV4({ credentials, service, region, sha256: Sha256 });
const signed = [];
for (const { method, path, query, headers, body } of requests) {
  const { headers: all } = await signer.sign({
    method, path, query, headers, body, protocol: "http:", hostname: headers.host });
  signed.push(all);
}
console.log(JSON.stringify(signed));
