// An OpenID provider that no one here wrote: panva's oidc-provider, certified by the OpenID Foundation. This file gives it
// persons and orders, and nothing of the protocol.
//
//   node oidc_op.mjs NODE_MODULES      (the folder that npm installed into)
//
// listens on a free loopback port, tells it in one line of JSON, {"issuer", "port"}, and then takes orders as JSON by POST,
// which nobody who logs in would know of:
//
//   /control/configure   the provider anew, with what is given of: clients (their metadata, RFC 7591), require_par,
//                        require_signed_request, id_token_seconds, id_token_claims (whether what scopes ask for is in the
//                        ID token too), scopes ({scope: [claims]}), acr_values, persons ({account: {claims}})
//   /control/answer      how the next logins end: {account, acr, auth_time} or {error, error_description}
//   /control/rotate      new keys: {keep: true} publishes the old ones beside them
//   /control/events      what has happened since this was asked the last time: [{event, …}]
//
// Sessions, codes and tokens outlive a new configuration.

import { createServer } from 'node:http';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';

const modules = createRequire(join(process.argv[2], 'x.js'));
const { Provider, interactionPolicy } = await import(pathToFileURL(modules.resolve('oidc-provider')).href);

function newKeys() {
  const jwk = (type, options, alg) => {
    const { privateKey } = generateKeyPairSync(type, options);
    return { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg, kid: randomUUID() };
  };
  return [
    jwk('rsa', { modulusLength: 2048 }, 'RS256'),
    jwk('rsa', { modulusLength: 2048 }, 'PS256'),
    jwk('ec', { namedCurve: 'P-256' }, 'ES256'),
    jwk('ed25519', {}, 'EdDSA'),
  ];
}

const setup = {
  clients: [],
  require_par: false,
  require_signed_request: false,
  id_token_seconds: 300,
  id_token_claims: false,
  scopes: { profile: ['name', 'given_name', 'family_name', 'birthdate'] },
  acr_values: [],
  persons: {},
};
// The first of each type signs; old ones are published behind them.
let keys = newKeys();
let answer = { account: 'asa' };
let events = [];
let issuer;
let handle;

// Nobody is asked for consent: what an e-service may know was settled when it was registered.
async function grantAll(ctx) {
  const { provider, client, session } = ctx.oidc;
  const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
  grant.addOIDCScope(['openid', ...Object.keys(setup.scopes)].join(' '));
  grant.addOIDCClaims(Object.values(setup.scopes).flat());
  await grant.save();
  return grant;
}

function start() {
  const policy = interactionPolicy.base();
  policy.remove('consent');
  const claims = { openid: ['sub'], acr: null, auth_time: null, sid: null, iss: null };
  const provider = new Provider(issuer, {
    clients: setup.clients,
    jwks: { keys },
    scopes: ['openid', ...Object.keys(setup.scopes)],
    claims: { ...claims, ...setup.scopes },
    acrValues: setup.acr_values,
    conformIdTokenClaims: !setup.id_token_claims,
    cookies: { keys: ['a key of a test'] },
    discovery: { ui_locales_supported: ['sv', 'en'] },
    clockTolerance: 5,
    ttl: { IdToken: setup.id_token_seconds },
    pkce: { required: () => true },
    interactions: { policy, url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    loadExistingGrant: grantAll,
    findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ ...setup.persons[id], sub: id }) }),
    features: {
      devInteractions: { enabled: false },
      backchannelLogout: { enabled: true },
      claimsParameter: { enabled: true },
      encryption: { enabled: true },
      jwtUserinfo: { enabled: true },
      pushedAuthorizationRequests: { enabled: true, requirePushedAuthorizationRequests: setup.require_par },
      requestObjects: { enabled: true, requireSignedRequestObject: setup.require_signed_request },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: (ctx, form) => {
          ctx.body = `<!doctype html>${form.replace('</form>', '<input type="hidden" name="logout" value="yes"></form>')}`;
        },
        postLogoutSuccessSource: (ctx) => {
          ctx.body = '<!doctype html><h1>logged out</h1>';
        },
      },
    },
    renderError: (ctx, out) => {
      ctx.type = 'json';
      ctx.body = out;
    },
    // It refuses to call loopback addresses unless the operator calls for it.
    fetch: (url, { dispatcher, ...options }) => fetch(url, options),
  });
  const tell = (event, details) => events.push({ event, ...details });
  const named = (ctx) => ({ client: ctx.oidc?.client?.clientId });
  provider.on('authorization.accepted', (ctx) => tell('authorization', { ...named(ctx), params: { ...ctx.oidc.params } }));
  provider.on('authorization.error', (ctx, e) => tell('authorization.error', { ...named(ctx), error: e.error, detail: e.error_description }));
  provider.on('pushed_authorization_request.success', (ctx) => tell('pushed', { ...named(ctx), auth: ctx.oidc.client.clientAuthMethod }));
  provider.on('pushed_authorization_request.error', (_ctx, e) => tell('pushed.error', { error: e.error, detail: e.error_detail }));
  provider.on('grant.success', (ctx) => tell('grant', { ...named(ctx), auth: ctx.oidc.client.clientAuthMethod }));
  provider.on('grant.error', (_ctx, e) => tell('grant.error', { error: e.error, detail: e.error_detail ?? e.message }));
  provider.on('userinfo.error', (_ctx, e) => tell('userinfo.error', { error: e.error }));
  provider.on('end_session.success', () => tell('end_session', {}));
  provider.on('backchannel.success', (_ctx, client) => tell('backchannel', { client: client.clientId }));
  provider.on('backchannel.error', (_ctx, e, client) => tell('backchannel.error', { client: client.clientId, detail: e.message }));
  provider.on('server_error', (_ctx, e) => tell('server_error', { detail: e.stack }));
  const callback = provider.callback();
  return async (request, response) => {
    if (!request.url.startsWith('/interaction/')) return callback(request, response);
    const { error, error_description, account, acr, auth_time } = answer;
    const result = error
      ? { error, error_description }
      : { login: { accountId: account, acr, ts: auth_time, remember: true } };
    return provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
  };
}

const orders = {
  configure: (given) => {
    for (const name of Object.keys(given)) {
      if (!(name in setup)) throw new Error(`no setting ${name}`);
    }
    Object.assign(setup, given);
    handle = start();
    return {};
  },
  answer: (how) => {
    answer = { account: 'asa', ...how };
    return {};
  },
  rotate: ({ keep = false }) => {
    keys = keep ? [...newKeys(), ...keys] : newKeys();
    handle = start();
    return { kids: keys.map((key) => key.kid) };
  },
  events: () => {
    const said = events;
    events = [];
    return said;
  },
};

async function control(name, request, response) {
  let status = 200;
  let said;
  try {
    let body = '';
    for await (const part of request) body += part;
    if (request.method !== 'POST' || !(name in orders)) throw new Error(`no order ${name}`);
    said = orders[name](JSON.parse(body || '{}'));
  } catch (error) {
    status = 400;
    said = { error: error.stack };
  }
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(said));
}

const server = createServer((request, response) => {
  const order = request.url.match(/^\/control\/(\w+)$/);
  const done = order ? control(order[1], request, response) : handle(request, response);
  Promise.resolve(done).catch((error) => {
    events.push({ event: 'server_error', detail: error.stack });
    if (!response.headersSent) response.writeHead(500);
    response.end();
  });
});
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address();
  issuer = `http://127.0.0.1:${port}`;
  handle = start();
  console.log(JSON.stringify({ issuer, port }));
});
