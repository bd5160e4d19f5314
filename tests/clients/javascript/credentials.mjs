// A program whose credentials come from what the environment or its profile names, and from nowhere else; it asks twice.
import { KMSClient, EncryptCommand, ListKeysCommand } from "@aws-sdk/client-kms";
import { STSClient, GetCallerIdentityCommand } from "@aws-sdk/client-sts";

const options = { endpoint: process.env.AWS_ENDPOINT_URL, region: process.env.AWS_REGION, maxAttempts: 1 };
const kms = new KMSClient(options), sts = new STSClient(options), seen = {};

seen.identity = (await sts.send(new GetCallerIdentityCommand({}))).Arn;
const Plaintext = new TextEncoder().encode("hello");
seen.encrypted = (await kms.send(new EncryptCommand({ KeyId: process.env.KEY, Plaintext }))).KeyId;
try { await kms.send(new ListKeysCommand({})); } catch (error) { seen.denied = error.name; }
const first = await kms.config.credentials();
const again = await kms.config.credentials({ forceRefresh: true });
seen.same = first.accessKeyId === again.accessKeyId;
seen.expires = again.expiration.getTime() / 1000;
console.log(JSON.stringify(seen));
