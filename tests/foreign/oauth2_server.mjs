// @node-oauth/oauth2-server with its tokens in memory: opaque ones, each refresh token good for once.
// Grants are made here, as a user's consent would; one line of JSON on standard output tells them.
import { createServer } from 'node:http';
import { randomBytes } from 'node:crypto';
import OAuth2Server from '@node-oauth/oauth2-server';

const { Request, Response } = OAuth2Server;
const CLIENT = { id: 'node app', secret: `+/=%${randomBytes(24).toString('hex')}`, grants: ['refresh_token', 'client_credentials'] };
const LIFE_SECONDS = 600;
const tokens = new Map(); // by either token

function keep(token) {
  tokens.set(token.accessToken, token);
  if (token.refreshToken) tokens.set(token.refreshToken, token);
  return token;
}

const oauth = new OAuth2Server({
  accessTokenLifetime: LIFE_SECONDS,
  model: {
    getClient: async (id, secret) => (id === CLIENT.id && (secret === CLIENT.secret || secret == null) ? CLIENT : null),
    getAccessToken: async (text) => tokens.get(text),
    getRefreshToken: async (text) => tokens.get(text),
    getUserFromClient: async () => ({ id: 'machine' }),
    revokeToken: async (token) => tokens.delete(token.refreshToken),
    saveToken: async (token, client, user) => keep({ ...token, client, user }),
  },
});

const routes = {
  '/token': (request, response) => oauth.token(request, response),
  '/me': async (request, response) => {
    const { user } = await oauth.authenticate(request, response);
    response.body = user;
  },
};

async function answer(incoming) {
  let text = '';
  for await (const part of incoming) text += part;
  const url = new URL(incoming.url, 'http://here');
  const request = new Request({
    headers: incoming.headers, method: incoming.method,
    query: Object.fromEntries(url.searchParams), body: Object.fromEntries(new URLSearchParams(text)),
  });
  const response = new Response();
  try {
    await routes[url.pathname](request, response);
  } catch (error) {
    response.status = error.code ?? 500;
    response.body ??= {};
    if (!response.body.error) response.body = { error: error.name, error_description: error.message };
  }
  return response;
}

const server = createServer(async (incoming, outgoing) => {
  const { status, headers, body } = await answer(incoming);
  outgoing.writeHead(status, { ...headers, 'content-type': 'application/json' }).end(JSON.stringify(body));
});
server.listen(0, '127.0.0.1', () => {
  const grants = ['ann', 'ben', 'cem', 'dan'].map((id) => {
    const token = {
      accessToken: randomBytes(32).toString('hex'), accessTokenExpiresAt: new Date(Date.now() + LIFE_SECONDS * 1000),
      refreshToken: randomBytes(32).toString('hex'), client: CLIENT, user: { id },
    };
    return keep(token).refreshToken;
  });
  console.log(JSON.stringify({
    url: `http://127.0.0.1:${server.address().port}`, client_id: CLIENT.id, secret: CLIENT.secret, grants,
  }));
});
process.stdin.resume();
process.stdin.on('end', () => process.exit(0)); // who started it has ended
