// How a service is tested with e-ID logins, without a browser: `grindvakt-demo dev` logs a test in by one call, through the
// real gatekeeper, and the test goes on with the cookie. Node's own test runner; any other does the same.
//
//   grindvakt-demo dev --upstream http://localhost:8080      # and the service itself on port 8080
//   node --test app.test.mjs

import assert from "node:assert/strict";
import test from "node:test";

// 127.0.0.1 rather than localhost: older Nodes try ::1 alone, where nobody listens.
const SERVICE = process.env.SERVICE ?? "http://127.0.0.1:8090";
const TOOL = process.env.TOOL ?? "http://127.0.0.1:8091";

async function login(wish) {
  const headers = { "Content-Type": "application/json" };
  const answer = await fetch(`${TOOL}/login`, { method: "POST", headers, body: JSON.stringify(wish) });
  return { status: answer.status, ...(await answer.json()) };
}

async function get(path, cookie = "") {
  const answer = await fetch(SERVICE + path, { headers: { cookie }, redirect: "manual" });
  return { status: answer.status, text: await answer.text(), app: answer.headers.getSetCookie() };
}

test("a person sees their own name, whatever letters it has", async () => {
  const { cookie, message } = await login({ person: "asa" });
  assert.ok(cookie, message);
  const page = await get("/", cookie);
  assert.equal(page.status, 200);
  assert.match(page.text, /Åsa Märta Öberg-Sjöström/);
});

test("the level is the one that the person logged in at", async () => {
  const { cookie } = await login({ person: "anna", loa: "loa3" });
  assert.match((await get("/", cookie)).text, /\/loa3\)/);
});

test("a person without a name is still somebody", async () => {
  const { cookie } = await login({ person: "protected" });
  assert.match((await get("/", cookie)).text, /<strong>personal-number:/);
});

test("the next person at the same browser finds nothing of the first", async () => {
  const anna = await login({ person: "anna" });
  const first = await get("/", anna.cookie);
  const app = first.app[0].split(";")[0];
  const body = new URLSearchParams({ text: "bara för Anna" });
  await fetch(`${SERVICE}/anteckning`, { method: "POST", body, headers: { cookie: `${anna.cookie}; ${app}` }, redirect: "manual" });
  assert.match((await get("/", `${anna.cookie}; ${app}`)).text, /bara för Anna/);

  const zoe = await login({ person: "zoe" });
  const page = await get("/", `${zoe.cookie}; ${app}`);
  assert.match(page.text, /Zoë Nowak/);
  assert.doesNotMatch(page.text, /Anna/);
});

test("nobody gets in without a login, and a person who cancels stays outside", async () => {
  assert.equal((await get("/")).status, 401);
  const cancelled = await login({ person: "anna", outcome: "cancel" });
  assert.equal(cancelled.status, 403);
  assert.equal(cancelled.refusal.code, "status_cancel");
});
