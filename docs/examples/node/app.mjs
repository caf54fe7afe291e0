// A small e-service behind Grindvakt, in Node (18 or newer), without any package.
//
//   PORT=8080 EID_ISSUER=http://localhost:8090 EID_AUDIENCE=dev \
//     EID_JWKS=http://127.0.0.1:8090/eid/jwks.json node app.mjs
//
// What to take over into a service of your own: `identityOf`, which lets nobody in without a token that Grindvakt signed for
// this service, and `sessionOf`, which keeps what one person left behind from the next one at the same browser.

import { createPublicKey, randomBytes, verify } from "node:crypto";
import { createServer } from "node:http";

const ISSUER = need("EID_ISSUER"); // Grindvakt's base_url: the address that citizens see
const AUDIENCE = need("EID_AUDIENCE"); // Grindvakt's service.id
const JWKS = need("EID_JWKS"); // <prefix>/jwks.json, asked of the sidecar itself
const PORT = Number(need("PORT"));

const LEEWAY = 30; // seconds that the two clocks may differ; in one pod they do not
const KEYS_KEPT = 3_600_000; // ms after which the keys are asked for again: one that was taken away then counts no longer
const KEYS_PAUSE = 5_000; // ms between two questions for keys, whatever tokens come in
const LARGEST_FORM = 64 * 1024;

function need(name) {
  const value = process.env[name];
  if (!value) throw new Error(`set the environment variable ${name}`);
  return value;
}

/** Nobody is let in: there is no token, or it does not hold. */
class Refused extends Error {}

// --- Grindvakt's public keys by their `kid`, fetched when one is missing and not more often than every few seconds.

let keys = new Map();
let asked = -Infinity;
let asking = null;

async function keyOf(kid) {
  const age = performance.now() - asked;
  if (age > KEYS_KEPT || keys.size === 0 || (!keys.has(kid) && age > KEYS_PAUSE)) {
    asking ??= fetchKeys().finally(() => (asking = null));
    await asking;
  }
  return keys.get(kid);
}

async function fetchKeys() {
  const answer = await fetch(JWKS, { signal: AbortSignal.timeout(5_000), redirect: "error" });
  if (!answer.ok) throw new Error(`${JWKS} answered ${answer.status}`);
  const found = (await answer.json()).keys.filter((key) => key.kty === "EC" && key.crv === "P-256");
  keys = new Map(found.map((key) => [key.kid, createPublicKey({ key, format: "jwk" })]));
  asked = performance.now();
}

// --- Who is there, from a token that holds (RFC 7515, 7519, 8725).

const BASE64URL = /^[A-Za-z0-9_-]+$/;

function json(part) {
  try {
    const value = JSON.parse(Buffer.from(part, "base64url").toString("utf8"));
    if (value && typeof value === "object" && !Array.isArray(value)) return value;
  } catch {
    // Falls through: no JSON is no token.
  }
  throw new Refused("not a token");
}

async function identityOf(request) {
  // Node joins headers that stand twice with a comma, which no token holds.
  const parts = (request.headers["x-eid-assertion"] ?? "").split(".");
  if (parts.length !== 3 || !parts.every((part) => BASE64URL.test(part))) throw new Refused("one X-Eid-Assertion is needed");
  const [head, body, signature] = parts;
  const header = json(head);
  // Which algorithm and which key are ours to say, not the token's: it only names one of our keys.
  if (header.alg !== "ES256" || header.typ !== "grindvakt+jwt" || typeof header.kid !== "string") {
    throw new Refused("not a token of Grindvakt");
  }
  const key = await keyOf(header.kid);
  if (!key) throw new Refused("signed by an unknown key");
  const bytes = Buffer.from(signature, "base64url");
  const good = verify("sha256", Buffer.from(`${head}.${body}`), { key, dsaEncoding: "ieee-p1363" }, bytes);
  if (!good) throw new Refused("the signature does not hold");

  const claims = json(body);
  const now = Date.now() / 1000;
  if (claims.iss !== ISSUER || claims.aud !== AUDIENCE) throw new Refused("not for this service");
  if (!Number.isInteger(claims.exp) || claims.exp <= now - LEEWAY) throw new Refused("expired");
  if (!Number.isInteger(claims.iat) || claims.iat > now + LEEWAY) throw new Refused("not valid yet");
  for (const name of ["sub", "sid"]) {
    if (typeof claims[name] !== "string" || claims[name] === "") throw new Refused(`no ${name}`);
  }
  return {
    subject: claims.sub, // the same person through every e-ID; no identity number
    session: claims.sid, // a new one for each login
    name: claims.name, // these are there where the route's `forward` lists them
    level: claims.loa,
  };
}

// --- The service's own sessions. Each belongs to one login: when X-Eid-Session changes it is thrown away, whole. (Those that
// nobody comes back to must be thrown away by time, too: a store of sessions does that.)

const COOKIE = "app";
const sessions = new Map();

/** The session of this login, and the value of a cookie to set, if it is a new one. */
function sessionOf(identity, cookie) {
  const known = sessions.get(cookie);
  if (known && known.login === identity.session) return { session: known };
  // Another login: another person, or the same one again. Nothing of the old session is carried over.
  sessions.delete(cookie);
  const fresh = randomBytes(32).toString("base64url");
  const session = { login: identity.session, notes: [] };
  sessions.set(fresh, session);
  return { session, fresh };
}

function cookieOf(request) {
  const pairs = (request.headers.cookie ?? "").split(";").map((pair) => pair.trim().split("="));
  return pairs.find(([name]) => name === COOKIE)?.[1];
}

// --- Pages.

const ENTITIES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
const text = (value) => String(value).replace(/[&<>"']/g, (c) => ENTITIES[c]);

const page = (identity, session) => `<!doctype html>
<html lang="sv"><meta charset="utf-8"><title>Mina anteckningar</title>
<h1>Mina anteckningar</h1>
<p>Inloggad som <strong>${text(identity.name ?? identity.subject)}</strong> (${text(identity.level ?? "okänd nivå")})</p>
<ul>${session.notes.map((note) => `<li>${text(note)}</li>`).join("")}</ul>
<form method="post" action="/anteckning"><label>Ny anteckning <input name="text"></label> <button>Spara</button></form>
<form method="post" action="/eid/logout"><button>Logga ut</button></form>
`;

async function formOf(request) {
  const chunks = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length > LARGEST_FORM) return new URLSearchParams();
    chunks.push(chunk);
  }
  return new URLSearchParams(Buffer.concat(chunks).toString("utf8"));
}

function send(response, status, kind, body, { fresh, location } = {}) {
  const headers = { "Content-Type": `${kind}; charset=utf-8`, "Cache-Control": "private, no-store" };
  const secure = ISSUER.startsWith("https:") ? "; Secure" : "";
  if (fresh) headers["Set-Cookie"] = `${COOKIE}=${fresh}; Path=/; HttpOnly; SameSite=Lax${secure}`;
  if (location) headers.Location = location;
  response.writeHead(status, headers).end(body);
}

async function answer(request, response) {
  let identity;
  try {
    identity = await identityOf(request);
  } catch (e) {
    if (!(e instanceof Refused)) return send(response, 503, "text/plain", "503: Grindvakt's keys cannot be fetched\n");
    // Nobody is there, so no session of ours goes on.
    sessions.delete(cookieOf(request));
    return send(response, 401, "text/plain", `401: ${e.message}\n`);
  }
  const { session, fresh } = sessionOf(identity, cookieOf(request));
  if (request.method === "GET" && request.url === "/") {
    return send(response, 200, "text/html", page(identity, session), { fresh });
  }
  if (request.method === "POST" && request.url === "/anteckning") {
    const from = request.headers.origin;
    if (from !== undefined && from !== new URL(ISSUER).origin) {
      return send(response, 403, "text/plain", "403: a form of another site\n", { fresh });
    }
    session.notes.push((await formOf(request)).get("text") ?? "");
    // The public address comes from the configuration, never from Host or X-Forwarded-Host.
    return send(response, 303, "text/plain", "", { fresh, location: `${ISSUER}/` });
  }
  return send(response, 404, "text/plain", "404\n", { fresh });
}

const server = createServer((request, response) => {
  answer(request, response).catch(() => response.destroy());
});
// Reachable from the sidecar alone. The token would keep forgers out all the same.
server.listen(PORT, "127.0.0.1");
