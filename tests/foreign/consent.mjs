// oidc-provider with its own login and consent pages, for a browser. Its arguments are the redirect URI of
// the clients that are known beforehand (others register, RFC 7591), and for how many seconds an access
// token lives. One line of JSON on standard output tells what to connect with. All it answers is the library's, but `/counted`: how often its token
// endpoint was asked for what, and how that ended.
import { createServer } from 'node:http';
import { randomBytes } from 'node:crypto';
import Provider from 'oidc-provider';

const REDIRECT = process.argv[2];
const LIFE = Number(process.argv[3] ?? 600);
const SECRET = randomBytes(32).toString('hex');
const BOTH = ['authorization_code', 'refresh_token'];
const clients = [
  { client_id: 'refresher', client_secret: SECRET, grant_types: BOTH, redirect_uris: [REDIRECT] },
  { client_id: 'resource', client_secret: SECRET, grant_types: [], redirect_uris: [], response_types: [] },
];

const server = createServer();
await new Promise((done) => { server.listen(0, '127.0.0.1', done); });
const issuer = `http://localhost:${server.address().port}`;
const provider = new Provider(issuer, {
  clients,
  cookies: { keys: [randomBytes(32).toString('hex')] },
  scopes: ['openid', 'offline_access', 'read', 'write'],
  claims: { email: ['email'], openid: ['sub'] },
  conformIdTokenClaims: false,
  findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id, email: `${id}@example.com` }) }),
  rotateRefreshToken: true,
  ttl: {
    AccessToken: (_ctx, token) => token.resourceServer?.accessTokenTTL ?? LIFE,
    AuthorizationCode: 60, Grant: 86400, IdToken: 600, Interaction: 600, RefreshToken: 86400, Session: 600,
  },
  features: {
    devInteractions: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    registration: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: () => ({ scope: 'read write', accessTokenFormat: 'opaque', accessTokenTTL: 300 }),
    },
    revocation: { enabled: true },
  },
});

const counted = {};
const count = (ctx, end) => {
  const name = `${ctx.oidc?.params?.grant_type ?? 'unknown'} ${end}`;
  counted[name] = (counted[name] ?? 0) + 1;
};
provider.on('grant.success', (ctx) => count(ctx, 'granted'));
provider.on('grant.error', (ctx, error) => {
  count(ctx, 'refused');
  console.error(error.error, error.error_description, error.error_detail);
});
provider.on('server_error', (_ctx, error) => console.error(error));
for (const name of ['authorization', 'registration_create', 'introspection']) {
  provider.on(`${name}.error`, (_ctx, error) => console.error(name, error.error, error.error_description, error.error_detail));
}
const callback = provider.callback();
server.on('request', (request, response) => {
  if (request.url === '/counted') response.end(JSON.stringify(counted));
  else callback(request, response);
});
console.log(JSON.stringify({ url: issuer, client_id: 'refresher', secret: SECRET }));
process.stdin.resume();
process.stdin.on('end', () => process.exit(0)); // who started it has ended
