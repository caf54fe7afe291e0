"""JWKS, discovery documents, answers of token endpoints, and the tokens that are neither logins nor access: one table each."""

import hashlib
import json

from common import write_cases
from jose_common import DROP, IAT, JOSE, RS, as_jwk, b64u, encrypt, id_claims, kid, raw, sign, un64u

RSA, EC, ED = "jose-rsa-1", "jose-p256", "jose-ed25519"


# The field and the curve of Ed25519, and the order of its group (RFC 8032, 5.1).
P = 2**255 - 19
CURVE = -121665 * pow(121666, -1, P) % P
ORDER = 2**252 + 27742317777372353535851937790883648493


def plus(a: tuple, b: tuple) -> tuple:
    """Of two points of the curve (RFC 8032, 5.1.4)."""
    (ax, ay), (bx, by) = a, b
    cross = CURVE * ax * bx * ay * by % P
    return (ax * by + ay * bx) * pow(1 + cross, -1, P) % P, (ay * by + ax * bx) * pow(1 - cross, -1, P) % P


def times(n: int, point: tuple) -> tuple:
    out = (0, 1)
    for bit in bin(n)[2:]:
        out = plus(out, out)
        out = plus(out, point) if bit == "1" else out
    return out


def small_order() -> list[bytes]:
    """Every encoding of a point whose order divides 8, the ones of a second form included (y + p in 255 bits, a sign of x = 0)."""
    points = set()
    for y in range(2, 40):
        square = (y * y - 1) * pow(CURVE * y * y + 1, -1, P) % P
        x = pow(square, (P + 3) // 8, P)
        x = x if x * x % P == square else x * pow(2, (P - 1) // 4, P) % P
        if x * x % P == square:
            points.add(times(ORDER, (x, y)))
    assert len(points) == 8 and all(times(8, point) == (0, 1) for point in points)
    forms = {form for _, y in points for form in (y, y + P) if form < 2**255}
    return [(form | sign << 255).to_bytes(32, "little") for form in sorted(forms) for sign in (0, 1)]


def change(key: dict, **changed) -> dict:
    return {k: v for k, v in {**key, **changed}.items() if v is not DROP}


def jwks() -> list:
    out = []

    def case(name, document, expect="ok", keys=(), warnings=(), about=""):
        text = document if isinstance(document, str) else json.dumps(document)
        out.append({"name": name, "document": text, "expect": expect, "keys": list(keys), "warnings": list(warnings),
                    "about": about})

    def one(name, key, fault, about):
        """Beside a good key, which must stay."""
        case(name, {"keys": [key, kid("good", EC)]}, "ok", ["P-256 good"], [f"0 {fault}"] if fault else [], about)

    rsa, ec, ed = kid("k", RSA), kid("k", "jose-p384"), kid("k", ED)
    case("all", {"keys": [rsa, kid("b", EC), kid("c", "jose-p384"), kid("d", "jose-p521"), kid("e", ED)]}, "ok",
         ["RSA k", "P-256 b", "P-384 c", "P-521 d", "Ed25519 e"], [], "Every type.")
    case("empty", {"keys": []}, about="No key at all: a good document, and a provider without keys.")
    case("other-members", {"keys": [change(ec, **{"x5c": ["no base64"], "x5t": 1, "x5u": 2, "ext": True})], "foo": [1]}, "ok",
         ["P-384 k"], [], "Members that are not read, certificates among them.")
    case("unnamed", {"keys": [as_jwk(RSA), as_jwk(EC)]}, "ok", ["RSA", "P-256"], [], "Without `kid`.")
    for name, document in {"no-json": "hello", "array": [], "trailing": '{"keys":[]}x', "bom": "\ufeff" + '{"keys":[]}',
                           "html": "<html>", "nothing": ""}.items():
        case(f"document-{name}", document, "json_malformed", about="No document.")
    for name, document in {"no-keys": {}, "keys-object": {"keys": {}}, "keys-null": {"keys": None}, "key-text": {"keys": ["x"]},
                           "key-null": {"keys": [kid("good", EC), None]}}.items():
        case(f"document-{name}", document, "jwks_malformed", about="Half of a document is none.")
    case("document-duplicate", '{"keys":[],"keys":[]}', "json_duplicate_member", about="`keys` twice.")
    case("key-duplicate-member", json.dumps({"keys": [rsa]}).replace('"kty"', '"kty":"EC","kty"'), "json_duplicate_member",
         about="`kty` twice.")
    case("document-deep", '{"keys":' + "[" * 20 + "]" * 20 + "}", "json_too_deep", about="Deeper than the limit.")
    case("document-many", {"keys": [{"kty": "x"}] * 129}, "jwks_malformed", about="129 keys.")
    case("document-most", {"keys": [kid("good", EC)] + [{"kty": "x", "use": "enc"}] * 127}, "ok", ["P-256 good"], [], "128 keys.")
    for member in ("d", "p", "q", "dp", "dq", "qi"):
        one(f"private-{member}", change(rsa, **{member: "AQAB"}), "Private", f"The private member `{member}`.")
    one("private-oth", change(rsa, oth=[]), "Private", "The private member `oth`.")
    one("private-ec", change(ec, d="AQAB"), "Private", "A private EC key.")
    one("private-okp", change(ed, d="AQAB"), "Private", "A private Ed25519 key.")
    one("private-enc", change(rsa, use="enc", d="AQAB"), "Private", "A private key for something else: lost all the same.")
    one("symmetric", {"kty": "oct", "k": b64u("x" * 32), "kid": "k"}, "Symmetric", "A shared secret.")
    one("symmetric-no-k", {"kty": "oct", "kid": "k"}, "Symmetric", "A shared secret, without it.")
    one("symmetric-rsa", change(rsa, k="AQAB"), "Symmetric", "An RSA key with a secret in it.")
    one("weak", kid("k", "jose-weak"), "Size", "RSA of 1024 bits.")
    one("curve-k256", kid("k", "jose-k256"), "Type", "secp256k1.")
    for name, changed in {"curve-unknown": {"crv": "P-257"}, "curve-case": {"crv": "p-384"}}.items():
        one(name, change(ec, **changed), "Type", "A curve that is not taken.")
    for name, crv in {"x25519": "X25519", "ed448": "Ed448", "case": "ed25519"}.items():
        one(f"okp-{name}", change(ed, crv=crv), "Type", "A curve that is not taken.")
    for name, kty in {"unknown": "AKP", "lower": "rsa", "empty": ""}.items():
        one(f"kty-{name}", change(rsa, kty=kty), "Type", "A type that is not taken.")
    for name, changed in {"kty-missing": {"kty": DROP}, "kty-number": {"kty": 1}, "n-missing": {"n": DROP}, "e-missing": {"e": DROP},
                          "n-number": {"n": 17}, "n-padded": {"n": rsa["n"] + "="}, "n-standard": {"n": "+/" + rsa["n"][2:]},
                          "n-empty": {"n": ""}, "e-empty": {"e": ""}, "e-zero": {"e": "AA"}, "e-one": {"e": "AQ"}, "e-two": {"e": "Ag"},
                          "e-even": {"e": "AQAA"}, "e-long": {"e": "AQAAAAAAAAAB"}, "kid-number": {"kid": 1}, "kid-null": {"kid": None},
                          "kid-long": {"kid": "x" * 513}, "use-number": {"use": 1}, "use-null": {"use": None},
                          "key-ops-text": {"key_ops": "verify"}, "key-ops-numbers": {"key_ops": [1]}}.items():
        one(f"rsa-{name}", change(rsa, **changed), "Malformed", f"RSA: {name}.")
    even = un64u(rsa["n"])
    one("rsa-n-even", change(rsa, n=b64u(even[:-1] + bytes([even[-1] & 0xFE]))), "Malformed", "An even modulus.")
    case("rsa-n-leading-zero", {"keys": [change(rsa, n=b64u(b"\0" + even))]}, "ok", ["RSA k"], [],
         "A leading zero, which some libraries write: the same number.")
    y = un64u(ec["y"])
    for name, changed in {"off-curve": {"y": b64u(y[:-1] + bytes([y[-1] ^ 1]))}, "zero": {"x": b64u(bytes(48)), "y": b64u(bytes(48))},
                          "short": {"x": b64u(un64u(ec["x"])[1:])}, "long": {"x": b64u(b"\0" + un64u(ec["x"]))}, "no-y": {"y": DROP},
                          "other-curve": {"crv": "P-256"}, "x-number": {"x": 1}}.items():
        one(f"ec-{name}", change(ec, **changed), "Malformed", f"EC: {name}.")
    for name, changed in {"short": {"x": b64u(un64u(ed["x"])[1:])}, "long": {"x": b64u(un64u(ed["x"]) + b"\0")}, "no-x": {"x": DROP}}.items():
        one(f"okp-{name}", change(ed, **changed), "Malformed", f"Ed25519: {name}.")
    for number, x in enumerate(small_order()):
        one(f"okp-small-order-{number}", change(ed, x=b64u(x)), "Malformed", "Ed25519: a point that anybody can sign for.")
    one("okp-second-form", change(ed, x=b64u((P + 3).to_bytes(32, "little"))), "Malformed", "Ed25519: y is not below p (RFC 8032, 5.1.3).")
    for name, alg in {"none": "none", "hmac": "HS256", "other-type": "ES256", "encryption": "RSA-OAEP", "number": 1, "empty": ""}.items():
        one(f"alg-{name}", change(rsa, alg=alg), "Algorithm", f"`alg` {alg!r} on an RSA key.")
    one("alg-other-curve", change(ec, alg="ES256"), "Algorithm", "ES256 on P-384.")
    one("use-enc", change(rsa, use="enc"), None, "For encryption: not ours to tell of.")
    one("use-other", change(rsa, use="tls"), None, "For something else.")
    one("ops-encrypt", change(rsa, key_ops=["encrypt"]), None, "For encryption, by `key_ops`.")
    one("ops-sign", change(rsa, key_ops=["sign"]), None, "For signing, which a public key does not.")
    one("ops-empty", change(rsa, key_ops=[]), None, "For nothing.")
    one("ops-and-use", change(rsa, use="sig", key_ops=["encrypt"]), "Operations", "`use` and `key_ops` that contradict each other.")
    one("ops-and-use-enc", change(rsa, use="enc", key_ops=["verify"]), "Operations", "And the reverse.")
    one("ops-twice", change(rsa, key_ops=["verify", "verify"]), "Operations", "An operation twice (RFC 7517, 4.3).")
    case("ops-good", {"keys": [change(rsa, use="sig", key_ops=["verify", "sign"])]}, "ok", ["RSA k"], [], "Both say so.")
    case("kid-shared", {"keys": [rsa, kid("k", "jose-rsa-2"), ec]}, "ok", ["RSA k", "RSA k", "P-384 k"], ["1 SharedKid"],
         "One `kid` for two RSA keys, and for one of another type.")
    case("repeated", {"keys": [rsa, rsa, change(rsa, kid="other")]}, "ok", ["RSA k", "RSA other"], ["1 Repeated"],
         "The same key again, and under another name.")
    return out


DOCUMENT = {
    "issuer": "https://op.example.se",
    "authorization_endpoint": "https://op.example.se/authorize",
    "token_endpoint": "https://op.example.se/token",
    "userinfo_endpoint": "https://op.example.se/me",
    "jwks_uri": "https://op.example.se/jwks",
    "end_session_endpoint": "https://op.example.se/logout",
    "pushed_authorization_request_endpoint": "https://op.example.se/par",
    "response_types_supported": ["code", "code id_token"],
    "subject_types_supported": ["public"],
    "id_token_signing_alg_values_supported": ["none", "HS256", "RS256", "ES256"],
    "token_endpoint_auth_methods_supported": ["private_key_jwt", "client_secret_basic"],
    "code_challenge_methods_supported": ["S256", "plain"],
    "claims_parameter_supported": True,
    "request_parameter_supported": True,
    "authorization_response_iss_parameter_supported": True,
    "acr_values_supported": ["http://id.elegnamnden.se/loa/1.0/loa3"],
    "scopes_supported": ["openid"],
}


def discovery() -> list:
    out = []

    def case(name, document, expect="ok", about="", issuer="https://op.example.se", **fields):
        text = document if isinstance(document, str) else json.dumps(document)
        entry = {"name": name, "issuer": issuer, "document": text, "expect": expect, "about": about}
        out.append({**entry, "yields": fields} if fields else entry)

    def one(name, expect, about, **changed):
        case(name, change(DOCUMENT, **changed), expect, about)

    case("good", DOCUMENT, about="A whole one.", claims_parameter=True, response_iss=True, algorithms=["RS256", "ES256"])
    small = {k: DOCUMENT[k] for k in ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri", "response_types_supported",
                                      "id_token_signing_alg_values_supported")}
    case("small", small, about="What must be there, and no more.", claims_parameter=False, response_iss=False)
    case("unknown", {**DOCUMENT, "x": {"y": [1]}, "service_documentation": None}, about="Members that are not read.")
    loopback = json.loads(json.dumps(DOCUMENT).replace("https://op.example.se", "http://op.localhost:9000"))
    case("loopback", loopback, about="Plain http on loopback.", issuer="http://op.localhost:9000")
    for name, issuer in {"slash": "https://op.example.se/", "case": "https://OP.example.se", "other": "https://evil.example",
                         "suffix": "https://op.example.se.evil.example"}.items():
        one(f"issuer-{name}", "issuer_mismatch", "Another issuer (OpenID Connect Discovery, 4.3).", issuer=issuer)
    one("issuer-missing", "issuer_missing", "No issuer.", issuer=DROP)
    for name, issuer in {"number": 1, "null": None, "array": ["https://op.example.se"], "empty": ""}.items():
        one(f"issuer-{name}", "discovery_malformed", "An issuer of another type.", issuer=issuer)
    for endpoint in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
        one(f"{endpoint}-missing", "discovery_malformed", f"No `{endpoint}`.", **{endpoint: DROP})
    for endpoint in ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint", "end_session_endpoint",
                     "pushed_authorization_request_endpoint"):
        one(f"{endpoint}-number", "discovery_malformed", f"`{endpoint}` is a number.", **{endpoint: 1})
        one(f"{endpoint}-null", "discovery_malformed", f"`{endpoint}` is null.", **{endpoint: None})
        one(f"{endpoint}-http", "endpoint_malformed", f"`{endpoint}` over plain http.", **{endpoint: "http://op.example.se/x"})
    for name, address in {"javascript": "javascript:alert(1)", "data": "data:text/html,x", "relative": "/authorize", "user": "https://a@b/",
                          "fragment": "https://op.example.se/a#b", "space": "https://op.example.se/a b", "quote": 'https://op.example.se/"',
                          "umlaut": "https://öp.example.se/", "file": "file:///etc/passwd", "no-host": "https:///x",
                          "loopback-like": "http://localhost.evil.example/", "upper": "HTTPS://op.example.se/"}.items():
        one(f"endpoint-{name}", "endpoint_malformed", f"An address that nobody should be sent to: {name}.", authorization_endpoint=address)
    one("response-types-missing", "discovery_malformed", "No `response_types_supported`.", response_types_supported=DROP)
    one("response-types-implicit", "discovery_malformed", "No code.", response_types_supported=["id_token", "token"])
    one("response-types-text", "discovery_malformed", "A text.", response_types_supported="code")
    one("algorithms-missing", "discovery_malformed", "No algorithms.", id_token_signing_alg_values_supported=DROP)
    one("algorithms-none", "discovery_malformed", "No algorithm that is taken.", id_token_signing_alg_values_supported=["none", "HS256"])
    one("algorithms-number", "discovery_malformed", "A number among them.", id_token_signing_alg_values_supported=["RS256", 1])
    one("pkce-plain-alone", "discovery_malformed", "PKCE, and not by S256.", code_challenge_methods_supported=["plain"])
    for flag in ("claims_parameter_supported", "authorization_response_iss_parameter_supported"):
        one(f"{flag}-text", "discovery_malformed", f"`{flag}` is a text.", **{flag: "true"})
        one(f"{flag}-number", "discovery_malformed", f"`{flag}` is a number.", **{flag: 1})
    one("unread-member-of-another-type", "ok", "A text, in a member that is not read.", acr_values_supported="loa3")
    one("pushed-required", "discovery_malformed", "Pushed requests are required, and there is no address for them.",
        require_pushed_authorization_requests=True, pushed_authorization_request_endpoint=DROP)
    for name, document, expect in [("no-json", "<html>", "json_malformed"), ("array", "[]", "json_malformed"), ("empty", "", "json_malformed"),
                                   ("truncated", json.dumps(DOCUMENT)[:-10], "json_malformed"),
                                   ("duplicate", json.dumps(DOCUMENT)[:-1] + ',"issuer":"https://evil.example"}', "json_duplicate_member"),
                                   ("duplicate-same", json.dumps(DOCUMENT)[:-1] + ',"jwks_uri":"https://op.example.se/jwks"}', "json_duplicate_member")]:
        case(f"document-{name}", document, expect, "No document.")
    return out


def answers() -> list:
    """Of a token endpoint."""
    good = {"access_token": "a", "token_type": "Bearer", "id_token": "x.y.z", "expires_in": 600}
    out = []

    def case(name, document, expect="ok", about=""):
        out.append({"name": name, "document": document if isinstance(document, str) else json.dumps(document), "expect": expect,
                    "about": about})

    case("good", good)
    case("lower", change(good, token_type="bearer"), about="Case does not count (RFC 6749, 5.1).")
    case("dpop", change(good, token_type="DPoP"), about="Bound to a key.")
    case("more", {**good, "refresh_token": "r", "scope": "openid", "x": None}, about="More than we need.")
    case("no-expiry", change(good, expires_in=DROP), about="Recommended, not required.")
    for name, changed in {"no-id-token": {"id_token": DROP}, "no-access-token": {"access_token": DROP}, "no-type": {"token_type": DROP},
                          "mac": {"token_type": "mac"}, "type-number": {"token_type": 1}, "id-token-null": {"id_token": None},
                          "id-token-empty": {"id_token": ""}, "id-token-array": {"id_token": ["x.y.z"]}, "access-token-number": {"access_token": 1},
                          "expires-text": {"expires_in": "600"}, "expires-negative": {"expires_in": -1}, "expires-float": {"expires_in": 1.5},
                          "refresh-number": {"refresh_token": 1}}.items():
        case(name, change(good, **changed), "token_response_malformed", f"{name}.")
    case("error", {"error": "invalid_grant"}, "token_response_malformed", "A refusal that came as success.")
    case("html", "<html>", "json_malformed", "A page.")
    case("duplicate", json.dumps(good)[:-1] + ',"id_token":"other"}', "json_duplicate_member", "Two ID tokens.")
    return out


LOGOUT = {"http://schemas.openid.net/event/backchannel-logout": {}}


def others() -> list:
    out = []

    def case(kind, name, token, expect="ok", about="", **more):
        out.append({"kind": kind, "name": f"{kind}-{name}", "token": token, "expect": expect, "about": about, **more})

    # --- logout tokens ---
    def logout(name, expect="ok", about="", header=None, by="jwcrypto", key=RSA, **changed):
        claims = {"iss": "https://op.example.se", "aud": "vectors", "iat": IAT, "exp": IAT + 120, "jti": name, "sub": "pers-1",
                  "sid": "session-1", "events": LOGOUT}
        case("logout", name, sign(header or {**RS, "typ": "logout+jwt"}, change(claims, **changed), key, by), expect, about)

    logout("good", about="As the specification shows it.")
    logout("untyped", header=RS, about="`typ` is recommended, not required.")
    logout("jwt", header={**RS, "typ": "JWT"}, by="pyjwt", about="`JWT`.")
    logout("media", header={**RS, "typ": "application/logout+jwt"}, by="npm", about="With its prefix.")
    logout("sub-only", sid=DROP, about="Every session of a person.")
    logout("sid-only", sub=DROP, about="One session.")
    logout("event-members", events={**LOGOUT, "http://example.org/other": {"a": 1}}, about="Another event beside it.")
    logout("neither", "claim_missing", "Neither person nor session.", sub=DROP, sid=DROP)
    logout("nonce", "token_type", "A nonce: an ID token in disguise.", nonce="n")
    logout("no-events", "token_type", "No events.", events=DROP)
    logout("other-event", "token_type", "Another event.", events={"http://example.org/other": {}})
    logout("event-text", "claim_type", "An event that is no object.", events={k: "x" for k in LOGOUT})
    logout("events-array", "claim_type", "Events in an array.", events=list(LOGOUT))
    logout("no-jti", "claim_missing", "No `jti`.", jti=DROP)
    logout("no-exp", "claim_missing", "No `exp`.", exp=DROP)
    logout("no-iat", "claim_missing", "No `iat`.", iat=DROP)
    logout("expired", "expired", "Over.", exp=IAT - 60, iat=IAT - 120)
    logout("iss", "issuer_mismatch", "Another issuer.", iss="https://other.example.se")
    logout("aud", "audience_mismatch", "For somebody else.", aud="other")
    logout("attacker", "signature_invalid", "Signed by an attacker.", key="jose-attacker-rsa")
    for typ in ("at+jwt", "dpop+jwt", "secevent+jwt"):
        logout(f"typ-{typ}", "token_type", "Another kind of token.", header={**RS, "typ": typ})
    case("logout", "id-token", sign(RS, id_claims("as-logout"), RSA, "pyjwt"), "token_type", "An ID token.")
    case("logout", "encrypted", encrypt({"alg": "RSA-OAEP", "enc": "A128GCM"}, sign(RS, {
        "iss": "https://op.example.se", "aud": "vectors", "iat": IAT, "exp": IAT + 120, "jti": "e", "sub": "s", "events": LOGOUT}, RSA), by="npm"),
         about="Encrypted.")

    # --- UserInfo ---
    def userinfo(name, expect="ok", about="", header=None, by="jwcrypto", key=RSA, profile="oidc-sweden", **changed):
        claims = {"iss": "https://op.example.se", "aud": "vectors", "sub": "pers-1", "name": "Åsa Öberg"}
        case("userinfo", name, sign(header or RS, change(claims, **changed), key, by), expect, about, profile=profile)

    userinfo("good")
    userinfo("times", iat=IAT, exp=IAT + 60, by="npm", about="With times.")
    userinfo("sub", "subject_mismatch", "Of somebody else.", sub="pers-2")
    userinfo("no-sub", "claim_missing", "Of nobody.", sub=DROP)
    userinfo("sub-number", "claim_type", "Of a number.", sub=1)
    userinfo("iss", "issuer_mismatch", "Of another issuer.", iss="https://other.example.se")
    userinfo("no-iss", "issuer_missing", "Of no issuer (OpenID Connect Core, 5.3.2).", iss=DROP)
    userinfo("aud", "audience_mismatch", "For somebody else.", aud="other")
    userinfo("no-aud", "audience_missing", "For nobody.", aud=DROP)
    userinfo("expired", "expired", "Over.", exp=IAT - 60)
    userinfo("attacker", "signature_invalid", "Signed by an attacker.", key="jose-attacker-rsa")
    userinfo("access-token", "token_type", "An access token.", header={**RS, "typ": "at+jwt"})
    userinfo("logout-token", "token_type", "A logout token.", events=LOGOUT)
    case("userinfo", "encrypted", encrypt({"alg": "RSA-OAEP-256", "enc": "A256GCM", "cty": "JWT"}, sign(
        RS, {"iss": "https://op.example.se", "aud": "vectors", "sub": "pers-1"}, RSA), by="jwcrypto"), about="Encrypted.", profile="oidc-sweden")
    case("userinfo", "encrypted-json", encrypt({"alg": "RSA-OAEP", "enc": "A256GCM"}, '{"sub":"pers-1"}'), "inner_not_signed",
         "Encrypted, and not signed.", profile="oidc-sweden")
    for name, body, expect, profile in [
        ("good", '{"sub":"pers-1","name":"Å"}', "ok", "generic"), ("freja", '{"sub":"pers-1"}', "ok", "freja"),
        ("strict", '{"sub":"pers-1"}', "userinfo_not_signed", "oidc-sweden"), ("strict-connect", '{"sub":"pers-1"}', "userinfo_not_signed", "sweden-connect"),
        ("sub", '{"sub":"pers-2"}', "subject_mismatch", "generic"), ("no-sub", '{"name":"x"}', "claim_missing", "generic"),
        ("sub-array", '{"sub":["pers-1"]}', "claim_type", "generic"), ("duplicate", '{"sub":"pers-1","sub":"pers-1"}', "json_duplicate_member", "generic"),
        ("page", "<html>", "json_malformed", "generic"), ("array", '[{"sub":"pers-1"}]', "json_malformed", "generic"),
    ]:
        case("plain", name, body, expect, "UserInfo in clear.", profile=profile)

    # --- DPoP ---
    access = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
    ath = b64u(hashlib.sha256(access.encode()).digest())
    public = as_jwk("jose-dpop")

    def dpop(name, expect="ok", about="", header=None, key="jose-dpop", alg="ES256", by="jwcrypto", raw_claims=None, **changed):
        claims = {"jti": f"j-{name}", "htm": "GET", "htu": "https://sp.example.se/api/cases", "iat": IAT, "ath": ath}
        head = {"typ": "dpop+jwt", "alg": alg, "jwk": public, **(header or {})}
        head = {k: v for k, v in head.items() if v is not DROP}
        claims = change(claims, **changed)
        token = raw(head, claims, key, alg) if by == "raw" else sign(head, claims, key, by)
        case("dpop", name, token, expect, about, access_token=access)

    dpop("good", by="npm")
    dpop("pyjwt", by="pyjwt")
    dpop("rs256", header={"jwk": as_jwk(RSA)}, key=RSA, alg="RS256")
    dpop("eddsa", header={"jwk": as_jwk(ED)}, key=ED, alg="EdDSA", by="npm")
    dpop("query", htu="https://sp.example.se/api/cases?x=1#y", about="Query and fragment do not count.")
    dpop("host-case", htu="HTTPS://SP.example.se:443/api/cases", about="Nor do case and the usual port.")
    dpop("skew", iat=IAT + 60, about="A minute ahead.")
    dpop("typ", "token_type", "Another type.", header={"typ": "JWT"})
    dpop("typ-missing", "token_type", "No type.", header={"typ": DROP}, by="raw")
    dpop("none", "signature_algorithm", "Unsigned.", header={"alg": "none"}, by="raw")
    dpop("hmac", "signature_algorithm", "A shared secret.", header={"alg": "HS256"}, by="raw")
    dpop("no-key", "dpop_key", "No key.", header={"jwk": DROP})
    dpop("key-text", "dpop_key", "A key that is a text.", header={"jwk": "x"}, by="raw")
    dpop("key-private", "dpop_key", "A private key.", header={"jwk": as_jwk("jose-dpop", True)}, by="raw")
    dpop("key-symmetric", "dpop_key", "A shared secret.", header={"jwk": {"kty": "oct", "k": "AAAA"}}, by="raw")
    dpop("key-weak", "dpop_key", "RSA of 1024 bits.", header={"jwk": as_jwk("jose-weak"), "alg": "RS256"}, key="jose-weak", alg="RS256", by="raw")
    rsa = as_jwk(RSA)
    dpop("key-form", "dpop_key", "A number with a leading zero: another thumbprint for the same key.",
         header={"jwk": {**rsa, "n": b64u(b"\0" + un64u(rsa["n"]))}}, key=RSA, alg="RS256", by="raw")
    dpop("key-other", "signature_invalid", "Another key.", header={"jwk": as_jwk(EC)}, by="raw")
    dpop("key-type", "signature_key_type", "A key of another type.", header={"jwk": as_jwk(RSA)}, by="raw")
    for claim in ("jti", "htm", "htu", "iat", "ath"):
        dpop(f"no-{claim}", "claim_missing", f"No `{claim}`.", **{claim: DROP})
        dpop(f"{claim}-null", "claim_type", f"`{claim}` is null.", **{claim: None})
    dpop("method", "dpop_method_mismatch", "Another method.", htm="POST")
    dpop("method-case", "dpop_method_mismatch", "Methods have one case.", htm="get")
    for name, uri in {"path": "https://sp.example.se/api/case", "host": "https://evil.example/api/cases", "scheme": "http://sp.example.se/api/cases",
                      "port": "https://sp.example.se:8443/api/cases", "slash": "https://sp.example.se/api/cases/", "user": "https://x@sp.example.se/api/cases",
                      "relative": "/api/cases", "dots": "https://sp.example.se/api/../api/cases"}.items():
        dpop(f"uri-{name}", "dpop_uri_mismatch", f"Another address: {name}.", htu=uri)
    dpop("old", "issued_too_long_ago", "Older than it may be.", iat=IAT - 200)
    dpop("future", "issued_in_future", "From the future.", iat=IAT + 66)
    dpop("ath", "dpop_token_mismatch", "Of another access token.", ath=b64u(hashlib.sha256(b"other").digest()))
    dpop("ath-hex", "dpop_token_mismatch", "In another form.", ath=hashlib.sha256(access.encode()).hexdigest())
    # RFC 9449, figures 1 and 13.
    case("dpop", "rfc9449-token-request",
         "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRn"
         "MiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwia"
         "HRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiM"
         "LvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg", "claim_missing",
         "RFC 9449, figure 1: for a token endpoint, hence without `ath`.", method="POST", uri="https://server.example.com/token",
         at="2019-07-04T17:50:20Z", access_token=access)
    return out


HEADS = {
    "jwks": """JWKS with what must come of each. Made by make/make_jose.py.

document  as it is published
expect    "ok" or the exact reason code
keys      type and kid of every key that is taken, in order
warnings  place and fault of every key that is told of""",
    "discovery": """Discovery documents with the verdict that each must get. Made by make/make_jose.py.

issuer  as configured
yields  what an accepted one must say""",
    "answers": "Answers of a token endpoint with the verdict that each must get. Made by make/make_jose.py.",
    "others": """Logout tokens, UserInfo (signed, or plain) and DPoP proofs with the verdict that each must get. Made by make/make_jose.py.

They are held against the provider "op" at 2026-03-01T10:00:05Z; UserInfo against the subject pers-1 and the named profile;
proofs against a GET of https://sp.example.se/api/cases with the named access token, at most 120 s old.""",
}


def write() -> None:
    for name, cases in {"jwks": jwks(), "discovery": discovery(), "answers": answers(), "others": others()}.items():
        cases = [{k: v for k, v in case.items() if v not in ("", None)} for case in cases]
        names = [case["name"] for case in cases]
        assert len(names) == len(set(names)), [n for n in names if names.count(n) > 1]
        write_cases(JOSE / f"{name}.toml", HEADS[name], cases)
        print(name, len(cases))
