// The five-minute walk of the README with the JavaScript SDK: people, a role, a key, and four refusals.
// Takes the endpoint and root credentials from the environment; prints one JSON object with what it saw.
import { IAMClient, CreateUserCommand, AttachUserPolicyCommand, CreateAccessKeyCommand, PutUserPolicyCommand,
  CreateRoleCommand, PutRolePolicyCommand, CreatePolicyCommand, PutRolePermissionsBoundaryCommand,
  DeleteRolePermissionsBoundaryCommand, DeleteRolePolicyCommand, DeleteRoleCommand, ListUsersCommand,
  GetRoleCommand } from "@aws-sdk/client-iam";
import { KMSClient, CreateKeyCommand, EncryptCommand, DecryptCommand, ListKeysCommand } from "@aws-sdk/client-kms";
import { STSClient, GetCallerIdentityCommand, AssumeRoleCommand } from "@aws-sdk/client-sts";

const endpoint = process.env.AWS_ENDPOINT_URL;
const region = process.env.AWS_REGION;
const seen = {};

function as(credentials) {
  const options = { endpoint, region, maxAttempts: 1, ...(credentials && { credentials }) };
  return { iam: new IAMClient(options), sts: new STSClient(options), kms: new KMSClient(options) };
}

async function refusal(promise) {
  try { await promise; } catch (error) {
    return { name: error.name, message: error.message, status: error.$metadata?.httpStatusCode };
  }
  throw new Error("this should have been refused");
}

async function keysOf(client, UserName) {
  const { AccessKey } = await client.send(new CreateAccessKeyCommand({ UserName }));
  return { accessKeyId: AccessKey.AccessKeyId, secretAccessKey: AccessKey.SecretAccessKey };
}

const document = (...Statement) => JSON.stringify({ Version: "2012-10-17", Statement });
const allow = (Action, Resource, extra = {}) => ({ Effect: "Allow", Action, Resource, ...extra });

const root = as();
const { Account, Arn } = await root.sts.send(new GetCallerIdentityCommand({}));
seen.root = Arn;
await root.iam.send(new CreateUserCommand({ UserName: "js-admin" }));
await root.iam.send(new AttachUserPolicyCommand({
  UserName: "js-admin", PolicyArn: "arn:aws:iam::aws:policy/AdministratorAccess" }));
const admin = as(await keysOf(root.iam, "js-admin"));

const roleArn = `arn:aws:iam::${Account}:role/js-vault`;
await admin.iam.send(new CreateUserCommand({ UserName: "js-alice", Tags: [{ Key: "team", Value: "blau + grün" }] }));
await admin.iam.send(new PutUserPolicyCommand({
  UserName: "js-alice", PolicyName: "assume", PolicyDocument: document(allow("sts:AssumeRole", roleArn)) }));
const alice = as(await keysOf(admin.iam, "js-alice"));
const { KeyMetadata } = await admin.kms.send(new CreateKeyCommand({ Description: "for the walk" }));
await admin.iam.send(new CreateRoleCommand({
  RoleName: "js-vault",
  AssumeRolePolicyDocument: document({
    Effect: "Allow", Principal: { AWS: `arn:aws:iam::${Account}:user/js-alice` }, Action: "sts:AssumeRole" }) }));
await admin.iam.send(new PutRolePolicyCommand({
  RoleName: "js-vault", PolicyName: "use-key",
  PolicyDocument: document(allow(["kms:Encrypt", "kms:Decrypt"], KeyMetadata.Arn,
    { Condition: { StringEquals: { "kms:EncryptionContext:purpose": "walk" } } })) }));

seen.listUsers = await refusal(alice.iam.send(new ListUsersCommand({})));
seen.listKeys = await refusal(alice.kms.send(new ListKeysCommand({})));

const { Credentials, AssumedRoleUser } = await alice.sts.send(
  new AssumeRoleCommand({ RoleArn: roleArn, RoleSessionName: "js" }));
seen.session = AssumedRoleUser.Arn;
const session = as({ accessKeyId: Credentials.AccessKeyId, secretAccessKey: Credentials.SecretAccessKey,
  sessionToken: Credentials.SessionToken });
seen.identity = (await session.sts.send(new GetCallerIdentityCommand({}))).Arn;

const KeyId = KeyMetadata.Arn;
const EncryptionContext = { purpose: "walk" };
const { CiphertextBlob } = await session.kms.send(
  new EncryptCommand({ KeyId, Plaintext: Buffer.from("geheim ✓"), EncryptionContext }));
const { Plaintext } = await session.kms.send(new DecryptCommand({ CiphertextBlob, EncryptionContext }));
seen.plaintext = Buffer.from(Plaintext).toString();
seen.otherContext = await refusal(session.kms.send(
  new EncryptCommand({ KeyId, Plaintext: Buffer.from("x"), EncryptionContext: { purpose: "other" } })));

const { Policy } = await admin.iam.send(new CreatePolicyCommand({
  PolicyName: "js-boundary", PolicyDocument: document(allow("kms:Decrypt", "*")) }));
await admin.iam.send(new PutRolePermissionsBoundaryCommand({ RoleName: "js-vault", PermissionsBoundary: Policy.Arn }));
seen.boundary = await refusal(session.kms.send(
  new EncryptCommand({ KeyId, Plaintext: Buffer.from("x"), EncryptionContext })));
await admin.iam.send(new DeleteRolePermissionsBoundaryCommand({ RoleName: "js-vault" }));

await admin.iam.send(new DeleteRolePolicyCommand({ RoleName: "js-vault", PolicyName: "use-key" }));
await admin.iam.send(new DeleteRoleCommand({ RoleName: "js-vault" }));
seen.dead = await refusal(session.kms.send(new DecryptCommand({ CiphertextBlob, EncryptionContext })));
seen.missing = await refusal(admin.iam.send(new GetRoleCommand({ RoleName: "js-vault" })));
console.log(JSON.stringify(seen));
