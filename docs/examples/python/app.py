"""A small e-service behind Grindvakt, in Python: PyJWT checks the token, the rest is the standard library.

    pip install "pyjwt[crypto]"
    PORT=8080 EID_ISSUER=http://localhost:8090 EID_AUDIENCE=dev \
        EID_JWKS=http://127.0.0.1:8090/eid/jwks.json python app.py

What to take over into a service of your own: `Identity.of`, which lets nobody in without a token that Grindvakt signed for
this service, and `Sessions.of`, which keeps what one person left behind from the next one at the same browser.
"""

import html
import json
import os
import secrets
import threading
import time
import urllib.parse
import urllib.request
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt

ISSUER = os.environ["EID_ISSUER"]  # Grindvakt's base_url: the address that citizens see
AUDIENCE = os.environ["EID_AUDIENCE"]  # Grindvakt's service.id
JWKS = os.environ["EID_JWKS"]  # <prefix>/jwks.json, asked of the sidecar itself
PORT = int(os.environ["PORT"])

LEEWAY = 30  # seconds that the two clocks may differ; in one pod they do not
KEYS_KEPT = 3600  # seconds after which the keys are asked for again: one that was taken away then counts no longer
KEYS_PAUSE = 5  # seconds between two questions for keys, whatever tokens come in
LARGEST_FORM = 64 * 1024


class Refused(Exception):
    """Nobody is let in: there is no token, or it does not hold."""


class Keys:
    """Grindvakt's public keys by their `kid`, fetched when one is missing and not more often than every few seconds."""

    def __init__(self):
        self.lock = threading.Lock()
        self.keys = {}
        self.asked = 0.0

    def get(self, kid):
        with self.lock:
            age = time.monotonic() - self.asked
            if age > KEYS_KEPT or (kid not in self.keys and age > KEYS_PAUSE) or not self.keys:
                with urllib.request.urlopen(JWKS, timeout=5) as answer:
                    found = json.load(answer)["keys"]
                self.keys = {key["kid"]: jwt.PyJWK(key) for key in found if key["kty"] == "EC" and key["crv"] == "P-256"}
                self.asked = time.monotonic()
            return self.keys.get(kid)


KEYS = Keys()


class Identity:
    """Who is there, from a token that holds."""

    def __init__(self, claims):
        self.subject = claims["sub"]  # the same person through every e-ID; no identity number
        self.session = claims["sid"]  # a new one for each login
        self.name = claims.get("name")  # these are there where the route's `forward` lists them
        self.level = claims.get("loa")

    @staticmethod
    def of(headers):
        tokens = headers.get_all("X-Eid-Assertion") or []
        if len(tokens) != 1:
            raise Refused("one X-Eid-Assertion is needed")
        try:
            header = jwt.get_unverified_header(tokens[0])
            # Which algorithm and which key are ours to say, not the token's: it only names one of our keys.
            if header.get("typ") != "grindvakt+jwt" or not isinstance(header.get("kid"), str):
                raise Refused("not a token of Grindvakt")
            key = KEYS.get(header["kid"])
            if key is None:
                raise Refused("signed by an unknown key")
            claims = jwt.decode(
                tokens[0],
                key,
                algorithms=["ES256"],
                issuer=ISSUER,
                audience=AUDIENCE,
                leeway=LEEWAY,
                options={"require": ["iss", "aud", "exp", "iat", "sub", "sid"], "strict_aud": True},
            )
        except jwt.PyJWTError as e:
            raise Refused(str(e)) from e
        texts = all(isinstance(claims[name], str) and claims[name] for name in ("sub", "sid"))
        if not texts or not all(type(claims[name]) is int for name in ("exp", "iat")):
            raise Refused("a claim of the wrong type")
        return Identity(claims)


class Sessions:
    """The service's own sessions. Each belongs to one login: when X-Eid-Session changes it is thrown away, whole.

    Those that nobody comes back to must be thrown away by time, too: a store of sessions does that.
    """

    COOKIE = "app"

    def __init__(self):
        self.lock = threading.Lock()
        self.all = {}

    def of(self, identity, cookie):
        """The session of this login, and the value of a cookie to set, if it is a new one."""
        with self.lock:
            session = self.all.get(cookie)
            if session is not None and session["login"] == identity.session:
                return session, None
            # Another login: another person, or the same one again. Nothing of the old session is carried over.
            self.all.pop(cookie, None)
            cookie = secrets.token_urlsafe(32)
            self.all[cookie] = {"login": identity.session, "notes": []}
            return self.all[cookie], cookie

    def end(self, cookie):
        with self.lock:
            self.all.pop(cookie, None)


SESSIONS = Sessions()


def page(identity, session):
    text = html.escape
    notes = "".join(f"<li>{text(note)}</li>" for note in session["notes"])
    return f"""<!doctype html>
<html lang="sv"><meta charset="utf-8"><title>Mina anteckningar</title>
<h1>Mina anteckningar</h1>
<p>Inloggad som <strong>{text(identity.name or identity.subject)}</strong> ({text(identity.level or "okänd nivå")})</p>
<ul>{notes}</ul>
<form method="post" action="/anteckning"><label>Ny anteckning <input name="text"></label> <button>Spara</button></form>
<form method="post" action="/eid/logout"><button>Logga ut</button></form>
"""


class App(BaseHTTPRequestHandler):
    server_version = "app"
    sys_version = ""

    def do_GET(self):
        self.answer()

    def do_POST(self):
        self.answer()

    def answer(self):
        # The body is read first: what is left of it would be taken for the next request.
        form = self.form()
        try:
            identity = Identity.of(self.headers)
        except Refused as e:
            # Nobody is there, so no session of ours goes on.
            SESSIONS.end(self.cookie())
            return self.send(401, "text/plain", f"401: {e}\n")
        except (OSError, ValueError, KeyError):
            return self.send(503, "text/plain", "503: Grindvakt's keys cannot be fetched\n")
        session, cookie = SESSIONS.of(identity, self.cookie())
        if (self.command, self.path) == ("GET", "/"):
            return self.send(200, "text/html", page(identity, session), cookie=cookie)
        if (self.command, self.path) == ("POST", "/anteckning"):
            if self.headers.get("Origin", origin(ISSUER)) != origin(ISSUER):
                return self.send(403, "text/plain", "403: a form of another site\n", cookie=cookie)
            session["notes"].append(form.get("text", [""])[0])
            # The public address comes from the configuration, never from Host or X-Forwarded-Host.
            return self.send(303, "text/plain", "", cookie=cookie, location=f"{ISSUER}/")
        return self.send(404, "text/plain", "404\n", cookie=cookie)

    def form(self):
        length = int(self.headers.get("Content-Length") or 0)
        if length > LARGEST_FORM:
            self.close_connection = True
            length = 0
        return urllib.parse.parse_qs(self.rfile.read(length).decode("utf-8", "replace"))

    def cookie(self):
        try:
            found = SimpleCookie(self.headers.get("Cookie", "")).get(Sessions.COOKIE)
        except CookieError:
            return None
        return found.value if found else None

    def send(self, status, kind, body, cookie=None, location=None):
        body = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "private, no-store")
        if cookie:
            secure = "; Secure" if ISSUER.startswith("https:") else ""
            self.send_header("Set-Cookie", f"{Sessions.COOKIE}={cookie}; Path=/; HttpOnly; SameSite=Lax{secure}")
        if location:
            self.send_header("Location", location)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """No request lines in the log: a path or a query can hold what a person wrote."""


def origin(url):
    parts = urllib.parse.urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


if __name__ == "__main__":
    # Reachable from the sidecar alone. The token would keep forgers out all the same.
    ThreadingHTTPServer(("127.0.0.1", PORT), App).serve_forever()
