// oidc-provider, under a realm of its own. Grants are made here, as a user's consent would; one line of
// JSON on standard output tells what to connect with. The rest is the library's, over HTTP; and over TLS
// with what the folder has that is named as an argument: server.pem, authority.pem, client.pem.
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { readFileSync } from 'node:fs';
import { X509Certificate, createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import Provider from 'oidc-provider';

const REALM = '/realms/acme';
const API = 'urn:api';
const SECRET = randomBytes(32).toString('hex');
const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const PUBLIC = { ...publicKey.export({ format: 'jwk' }), kid: 'our-key', use: 'sig' };
const SIGNING = { ...generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' }), kid: 'theirs', use: 'sig' };

const folder = process.argv[2];
const pem = (name) => readFileSync(`${folder}/${name}.pem`);
const shown = folder ? new X509Certificate(pem('client')) : undefined;

function client(name, method, more = {}) {
  const proof = {
    none: () => ({}),
    private_key_jwt: () => ({ jwks: { keys: [PUBLIC] } }),
    tls_client_auth: () => ({ tls_client_auth_subject_dn: shown.subject }),
    self_signed_tls_client_auth: () => ({
      jwks: { keys: [{ ...shown.publicKey.export({ format: 'jwk' }), x5c: [shown.raw.toString('base64')] }] },
    }),
  }[method]?.() ?? { client_secret: SECRET };
  return {
    client_id: name,
    token_endpoint_auth_method: method,
    grant_types: ['authorization_code', 'refresh_token'],
    redirect_uris: ['https://app.example/callback'],
    ...proof,
    ...more,
  };
}

const clients = [
  client('basic', 'client_secret_basic'),
  client('post', 'client_secret_post'),
  client('public', 'none'),
  client('key', 'private_key_jwt'),
  client('hmac', 'client_secret_jwt'),
  client('jwt', 'client_secret_basic'),
  client('still', 'client_secret_basic'),
  client('machine', 'client_secret_basic', {
    grant_types: ['client_credentials'], redirect_uris: [], response_types: [],
  }),
];
if (folder) {
  clients.push(client('certified', 'tls_client_auth'), client('pinned', 'self_signed_tls_client_auth'));
}

async function listening(server) {
  await new Promise((done) => { server.listen(0, '127.0.0.1', done); });
  return server.address().port;
}

const plain = createServer();
const servers = [plain];
const issuer = `http://127.0.0.1:${await listening(plain)}${REALM}`;
let tls;
if (folder) {
  const trust = { ca: pem('authority'), requestCert: true, rejectUnauthorized: false };
  servers.push(createTlsServer({ cert: pem('server'), key: pem('server'), ...trust }));
  tls = `https://localhost:${await listening(servers[1])}${REALM}`;
}
const provider = new Provider(issuer, {
  discovery: tls ? {
    mtls_endpoint_aliases: { token_endpoint: `${tls}/token`, revocation_endpoint: `${tls}/token/revocation` },
  } : {},
  clients,
  jwks: { keys: [SIGNING] },
  clientAuthMethods: [...new Set(clients.map((one) => one.token_endpoint_auth_method))],
  scopes: ['offline_access', 'read'],
  findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  rotateRefreshToken: (ctx) => ctx.oidc.client.clientId !== 'still',
  issueRefreshToken: () => true,
  ttl: {
    AccessToken: (_ctx, token) => token.resourceServer?.accessTokenTTL ?? 600,
    ClientCredentials: 600, RefreshToken: 86400, Grant: 86400, AuthorizationCode: 60 },
  features: {
    devInteractions: { enabled: false },
    mTLS: {
      enabled: Boolean(folder),
      tlsClientAuth: true,
      selfSignedTlsClientAuth: true,
      getCertificate: (ctx) => ctx.socket.getPeerX509Certificate()?.toString(),
      certificateAuthorized: (ctx) => ctx.socket.authorized,
      certificateSubjectMatches: (ctx, _name, expected) => ctx.socket.getPeerX509Certificate().subject === expected,
    },
    clientCredentials: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    revocation: { enabled: true, allowedPolicy: () => true },
    resourceIndicators: {
      enabled: true,
      defaultResource: (ctx) => (ctx.oidc.client.clientId === 'jwt' ? API : undefined),
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({ scope: 'read', accessTokenFormat: 'jwt', accessTokenTTL: 300 }),
    },
  },
});
provider.on('grant.error', (_ctx, error) => console.error(error.error, error.error_detail));
const callback = provider.callback();
const answer = (request, response) => {
  request.originalUrl = request.url;
  request.url = request.url.startsWith(REALM) ? request.url.slice(REALM.length) : '/nowhere';
  callback(request, response);
};
for (const server of servers) server.on('request', answer);

async function grant(clientId) {
  const made = new provider.Grant({ accountId: 'ann', clientId });
  made.addOIDCScope('openid offline_access');
  made.addResourceScope(API, 'read');
  return { accountId: 'ann', grantId: await made.save(), client: await provider.Client.find(clientId) };
}
async function refreshToken(clientId) {
  const common = { ...(await grant(clientId)), gty: 'authorization_code', scope: 'openid offline_access' };
  const audience = clientId === 'jwt' ? { resource: API, scope: 'openid offline_access read' } : {};
  return { refresh_token: await new provider.RefreshToken({ ...common, ...audience }).save() };
}
const grants = {
  thief: await refreshToken('basic'), realm: await refreshToken('basic'), found: await refreshToken('post'),
};
for (const { client_id: name, grant_types: types } of clients) {
  if (types.includes('refresh_token')) grants[name] = await refreshToken(name);
}
const verifier = randomBytes(32).toString('base64url');
const code = await new provider.AuthorizationCode({
  ...(await grant('public')), gty: 'authorization_code', scope: 'openid offline_access',
  redirectUri: 'https://app.example/callback', codeChallengeMethod: 'S256',
  codeChallenge: createHash('sha256').update(verifier).digest('base64url'),
}).save();
grants.public = { code, code_verifier: verifier, redirect_uri: 'https://app.example/callback' };
console.log(JSON.stringify({
  url: issuer, tls, realms: issuer.replace('/acme', ''), secret: SECRET, key: privateKey.export({ type: 'pkcs8', format: 'pem' }), grants,
}));
process.stdin.resume();
process.stdin.on('end', () => process.exit(0)); // who started it has ended
