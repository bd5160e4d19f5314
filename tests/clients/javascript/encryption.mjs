// AWS's Encryption SDK for JavaScript: envelopes under keys of the server at AWS_ENDPOINT_URL. Prints what was seen.
import assert from "node:assert/strict";
import {
  CommitmentPolicy,
  KmsKeyringNode,
  NodeCachingMaterialsManager,
  buildClient,
  getLocalCryptographicMaterialsCache,
} from "@aws-crypto/client-node";
import { CreateKeyCommand, KMSClient } from "@aws-sdk/client-kms";

const kms = new KMSClient({});
const make = async () => (await kms.send(new CreateKeyCommand({}))).KeyMetadata.Arn;
const [key, other] = [await make(), await make()];
const { encrypt, decrypt } = buildClient(CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT);
const context = { purpose: "payroll", größe: "100 €" };
const secret = Buffer.from("a secret of some length ".repeat(400));

const keyring = new KmsKeyringNode({ generatorKeyId: key, keyIds: [other] });
const { result, messageHeader } = await encrypt(keyring, secret, { encryptionContext: context });
assert.equal(messageHeader.encryptedDataKeys.length, 2);

const seen = { suite: messageHeader.suiteId, opened: 0 };
for (const one of [key, other]) {
  const opened = await decrypt(new KmsKeyringNode({ keyIds: [one] }), result);
  assert.deepEqual(opened.plaintext, secret);
  for (const [name, value] of Object.entries(context)) {
    assert.equal(opened.messageHeader.encryptionContext[name], value);
  }
  seen.opened += 1;
}

const account = key.split(":")[4];
const discovering = new KmsKeyringNode({ discovery: true, discoveryFilter: { accountIDs: [account], partition: "aws" } });
assert.deepEqual((await decrypt(discovering, result)).plaintext, secret);

const refused = async (keyringOrManager, message) => {
  try {
    await decrypt(keyringOrManager, message);
    return "opened";
  } catch (error) {
    return error.message;
  }
};
const changed = Buffer.from(result);
changed.write("holiday", changed.indexOf("payroll"));
seen.otherContext = await refused(keyring, changed);
seen.otherKey = await refused(new KmsKeyringNode({ keyIds: [await make()] }), result);

const manager = new NodeCachingMaterialsManager({
  backingMaterials: keyring,
  cache: getLocalCryptographicMaterialsCache(10),
  maxAge: 600_000,
  maxMessagesEncrypted: 3,
});
const sealed = [];
for (let n = 0; n < 3; n += 1) {
  sealed.push((await encrypt(manager, Buffer.from(`${n}`), { encryptionContext: context })).result);
}
seen.cached = [];
for (const each of sealed) seen.cached.push((await decrypt(manager, each)).plaintext.toString());
console.log(JSON.stringify(seen));
