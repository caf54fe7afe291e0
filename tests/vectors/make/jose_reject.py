"""Tokens that must be refused, each with its exact code."""

import hashlib
import hmac
import json

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from jose_accept import CONNECT, E, FREJA, OIDC, S, nested
from jose_common import (AS, DROP, HASHES, IAT, LOA3, RS, as_jwk, at_claims, b64u, encrypt, id_claims, once, private,
                         public_pem, raw, seal, sign, signed_input, text_of, un64u)


def case(made, name, token, expect, about, tests=(), **more):
    made.append({"name": name, "token": token, **more, "expect": expect, "tests": list(tests), "about": about})


def idt(made, name, expect, about, /, tests=(), header=RS, issuer="https://op.example.se", key="jose-rsa-1", by="jwcrypto",
        more=None, **changed):
    case(made, name, sign(header, id_claims(name, issuer, **changed), key, by), expect, about, tests, **(more or {}))


def att(made, name, expect, about, /, tests=(), header=AS, issuer="https://as.example.se", key="jose-as", by="npm",
        more=None, **changed):
    case(made, name, sign(header, at_claims(name, issuer, **changed), key, by), expect, about, tests, **(more or {}))


# --- T35: the type of every claim ---

WRONG = {"number": "17", "float": "1.5", "negative": "-1", "huge": "1e400", "true": "true", "null": "null", "array": '["x"]',
         "object": '{"a":"b"}'}
TEXTS = ["iss", "sub", "jti", "nonce", "acr", "azp", "at_hash", "c_hash", "sid", "client_id", "scope", "htm", "htu", "ath"]
TIMES = ["exp", "nbf", "iat", "auth_time"]
OBJECTS = ["cnf", "events"]


def with_member(claims: dict, name: str, value: str) -> str:
    """The claims as JSON, with one member as this very text."""
    kept = {k: v for k, v in claims.items() if k != name}
    return text_of(kept)[:-1] + f',"{name}":{value}}}'


def types(made):
    def one(name, claim, value, expect, about):
        for kind, claims, header, key in (("id", id_claims(name), RS, "jose-rsa-1"),
                                          ("at", at_claims(f"at-{name}"), AS, "jose-as")):
            provider = "op" if kind == "id" else "as"
            case(made, f"{kind}-{name}", raw(header, with_member(claims, claim, value), key, "RS256"), expect, about,
                 ["T35"], provider=provider)

    for claim in TEXTS:
        for what, value in WRONG.items():
            one(f"type-{claim}-{what}", claim, value, "claim_type", f"`{claim}` is {what}.")
        if claim != "scope":
            one(f"type-{claim}-empty", claim, '""', "claim_type", f"`{claim}` is empty.")
    for claim in TIMES:
        exact = str(IAT + 300 if claim == "exp" else IAT)
        for what, value in {"string": f'"{exact}"', "float": f"{exact}.0", "fraction": f"{exact}.5", "exponent": "1.7723592e9",
                            "negative": "-1", "minus-zero": "-0", "huge": "1e400", "beyond-64-bits": "18446744073709551616",
                            "beyond-63-bits": "9223372036854775808", "beyond-the-calendar": "253402300800", "true": "true",
                            "null": "null", "array": f"[{exact}]", "object": "{}", "empty": '""'}.items():
            one(f"type-{claim}-{what}", claim, value, "claim_type", f"`{claim}` is {what}.")
    for what, value in {"number": "1", "float": "1.5", "negative": "-1", "true": "true", "null": "null",
                        "object": '{"vectors":1}', "number-inside": '["vectors","https://sp.example.se/api",1]',
                        "null-inside": '["vectors","https://sp.example.se/api",null]',
                        "array-inside": '[["vectors"],["https://sp.example.se/api"]]', "empty": '""'}.items():
        one(f"type-aud-{what}", "aud", value, "claim_type", f"`aud` is {what}.")
    one("type-aud-empty-array", "aud", "[]", "audience_mismatch", "`aud` names nobody.")
    for what, value in {"string": '"pwd"', "number": "1", "null": "null", "number-inside": "[1]"}.items():
        one(f"type-amr-{what}", "amr", value, "claim_type", f"`amr` is {what}.")
    for claim in OBJECTS:
        for what, value in {"string": '"x"', "number": "1", "null": "null", "array": "[]", "true": "true"}.items():
            one(f"type-{claim}-{what}", claim, value, "claim_type", f"`{claim}` is {what}.")
    for claim, expect in {"iss": "issuer_missing", "aud": "audience_missing", "exp": "claim_missing"}.items():
        idt(made, f"id-missing-{claim}", expect, f"No `{claim}`.", ["T35"], more={"provider": "op"}, **{claim: DROP})
        att(made, f"at-missing-{claim}", expect, f"No `{claim}`.", ["T35"], more={"provider": "as"}, **{claim: DROP})
    for claim in ("sub", "iat"):
        idt(made, f"id-missing-{claim}", "claim_missing", f"No `{claim}`.", ["T35"], **{claim: DROP})
    for claim in ("sub", "iat", "jti", "client_id"):
        att(made, f"at-missing-{claim}", "claim_missing", f"RFC 9068 demands `{claim}`.", ["T35"], **{claim: DROP})
    att(made, "at-nobody", "claim_missing", "A plain token that speaks of nobody.", header={"alg": "RS256", "kid": "as-1"},
        sub=DROP, client_id=DROP)
    idt(made, "sub-too-long", "claim_type", "256 bytes of `sub`.", sub="x" * 256)
    idt(made, "jti-too-long", "claim_type", "513 bytes of `jti`.", jti="x" * 513)


# --- the bytes ---

def forms(made):
    def form(name, token, expect, about, tests=(), **more):
        case(made, name, token, expect, about, tests, **{"provider": "op", **more})

    good = sign(RS, id_claims("form"), "jose-rsa-1", "pyjwt")
    header, payload, signature = good.split(".")
    form("parts-two", f"{header}.{payload}", "token_malformed", "No signature.")
    form("parts-four", f"{good}.{signature}", "token_malformed", "Four parts.")
    form("parts-six", f"{good}.a.b.c", "token_malformed", "Six parts.")
    form("parts-empty-header", f".{payload}.{signature}", "json_malformed", "An empty header.")
    form("parts-empty-payload", raw(RS, b"", "jose-rsa-1", "RS256"), "json_malformed", "An empty payload, signed.")
    form("signature-empty", f"{header}.{payload}.", "signature_invalid", "An empty signature.", ["T37"])
    for at, what in enumerate(("header", "payload", "signature")):
        for name, spoil in {"padded": lambda p: p + "=", "plus": lambda p: "+" + p[1:], "slash": lambda p: "/" + p[1:],
                            "space": lambda p: p[:4] + " " + p[4:], "newline": lambda p: p[:4] + "\n" + p[4:],
                            "stray": lambda p: p + "A" * (5 - len(p) % 4 if len(p) % 4 else 1)}.items():
            parts = [header, payload, signature]
            parts[at] = spoil(parts[at])
            form(f"base64-{what}-{name}", ".".join(parts), "token_malformed", f"The {what}: {name}.")
    # A signature of 256 bytes ends with four spare bits.
    form("base64-spare-bits", good[:-1] + chr(ord(good[-1]) + 1), "token_malformed", "Spare bits that are not zero.")
    for name, text, expect, about in [
        ("bom", b"\xef\xbb\xbf" + text_of(id_claims("x")).encode(), "json_malformed", "A byte-order mark."),
        ("utf16", text_of(id_claims("x")).encode("utf-16"), "json_not_utf8", "UTF-16."),
        ("latin1", text_of(id_claims("x", name="Å")).encode("latin-1"), "json_not_utf8", "Latin-1."),
        ("overlong", text_of(id_claims("x")).encode().replace(b"vectors", b"vec\xc1\xb4ors"), "json_not_utf8", "Overlong."),
        ("surrogate-bytes", text_of(id_claims("x", name="Q")).encode().replace(b'"Q"', b'"\xed\xa0\x80"'),
         "json_not_utf8", "A surrogate in UTF-8."),
        ("lone-surrogate", with_member(id_claims("x"), "name", '"\\ud83d"').encode(), "json_bad_character", "Half a pair."),
        ("nul", with_member(id_claims("x"), "name", '"a\\u0000b"').encode(), "json_bad_character", "NUL."),
        ("control", with_member(id_claims("x"), "name", '"a\nb"').encode(), "json_bad_character", "A line break in a text."),
        ("array", b'["iss"]', "json_malformed", "No object."), ("string", b'"iss"', "json_malformed", "A text."),
        ("null", b"null", "json_malformed", "Nothing."), ("text", b"hello", "json_malformed", "No JSON."),
        ("trailing", text_of(id_claims("x")).encode() + b"{}", "json_malformed", "Two objects."),
        ("trailing-nul", text_of(id_claims("x")).encode() + b"\0", "json_malformed", "A NUL behind it."),
        ("comma", text_of(id_claims("x")).encode()[:-1] + b",}", "json_malformed", "A comma too many."),
        ("comment", b"/**/" + text_of(id_claims("x")).encode(), "json_malformed", "A comment."),
        ("single-quotes", text_of(id_claims("x")).encode().replace(b'"', b"'"), "json_malformed", "The wrong quotes."),
        ("nan", with_member(id_claims("x"), "x", "NaN").encode(), "json_malformed", "NaN."),
        ("zero-first", with_member(id_claims("x"), "x", "01").encode(), "json_malformed", "01."),
        ("duplicate", with_member(id_claims("x"), "x", '1,"sub":"someone-else"').encode(), "json_duplicate_member",
         "`sub` twice."),
        ("duplicate-same", with_member(id_claims("x"), "x", '1,"x":1').encode(), "json_duplicate_member", "One claim twice."),
        ("duplicate-escaped", with_member(id_claims("x"), "x", '1,"s\\u0075b":"someone-else"').encode(),
         "json_duplicate_member", "`sub` twice, once with an escape."),
        ("duplicate-deep", with_member(id_claims("x"), "x", '{"a":[{"b":1,"b":2}]}').encode(), "json_duplicate_member",
         "A member twice, deep inside."),
        ("deep", with_member(id_claims("x"), "x", json.dumps(nested(16))).encode(), "json_too_deep", "Deeper than the limit."),
        ("deeper", with_member(id_claims("x"), "x", "[" * 5000 + "]" * 5000).encode(), "json_too_deep", "Much deeper."),
        ("values", with_member(id_claims("x"), "x", json.dumps([1] * 5000)).encode(), "json_too_large", "5,000 values."),
        ("members", text_of(id_claims("x", **{f"m{i}": 1 for i in range(256)})).encode(), "json_too_large", "265 members."),
    ]:
        tests = ["T40"] if expect in ("json_too_deep", "json_too_large") else []
        form(f"payload-{name}", raw(RS, text, "jose-rsa-1", "RS256"), expect, about, tests)
    form("token-large", raw(RS, text_of(id_claims("x", pad="x" * 99000)), "jose-rsa-1", "RS256"), "message_too_large",
         "More than 128 KiB.", ["T40"])
    for name, header, expect, about in [
        ("duplicate-alg", '{"alg":"none","alg":"RS256","kid":"rsa-1"}', "json_duplicate_member", "`alg` twice."),
        ("duplicate-kid", '{"alg":"RS256","kid":"rsa-1","k\\u0069d":"rsa-1"}', "json_duplicate_member", "`kid` twice."),
        ("array", '["RS256"]', "json_malformed", "No object."), ("empty", "{}", "signature_algorithm", "No `alg`."),
        ("alg-number", '{"alg":1,"kid":"rsa-1"}', "header_malformed", "`alg` is a number."),
        ("alg-null", '{"alg":null,"kid":"rsa-1"}', "header_malformed", "`alg` is null."),
        ("alg-array", '{"alg":["RS256"],"kid":"rsa-1"}', "header_malformed", "`alg` is an array."),
        ("kid-number", '{"alg":"RS256","kid":1}', "header_malformed", "`kid` is a number."),
        ("kid-null", '{"alg":"RS256","kid":null}', "header_malformed", "`kid` is null."),
        ("kid-long", json.dumps({"alg": "RS256", "kid": "x" * 513}), "header_malformed", "513 bytes of `kid`."),
        ("typ-number", '{"alg":"RS256","kid":"rsa-1","typ":1}', "header_malformed", "`typ` is a number."),
        ("crit-unknown", '{"alg":"RS256","kid":"rsa-1","crit":["org.example"],"org.example":1}', "header_critical",
         "An extension that must be understood."),
        ("crit-exp", '{"alg":"RS256","kid":"rsa-1","crit":["exp"],"exp":1}', "header_critical", "RFC 7515, appendix E."),
        ("crit-empty", '{"alg":"RS256","kid":"rsa-1","crit":[]}', "header_critical", "An empty list."),
        ("crit-null", '{"alg":"RS256","kid":"rsa-1","crit":null}', "header_critical", "No list."),
        ("crit-b64-true", '{"alg":"RS256","kid":"rsa-1","crit":["b64"],"b64":true}', "header_critical", "Nothing is understood."),
        ("b64-false", '{"alg":"RS256","kid":"rsa-1","b64":false}', "header_critical", "`b64` is false, without `crit`."),
        ("b64-text", '{"alg":"RS256","kid":"rsa-1","b64":"true"}', "header_critical", "`b64` is a text."),
        ("zip", '{"alg":"RS256","kid":"rsa-1","zip":"DEF"}', "header_compressed", "`zip` in a signed token."),
        ("bom", "\ufeff" + '{"alg":"RS256","kid":"rsa-1"}', "json_malformed", "A byte-order mark."),
        ("deep", '{"alg":"RS256","kid":"rsa-1","x":' + "[" * 9 + "]" * 9 + "}", "json_too_deep", "Deeper than the limit."),
        ("members", json.dumps({"alg": "RS256", "kid": "rsa-1", **{f"m{i}": 1 for i in range(63)}}), "json_too_large",
         "65 members."),
        ("large", json.dumps({"alg": "RS256", "kid": "rsa-1", "x5c": ["A" * 17000]}), "message_too_large", "17 KB."),
    ]:
        tests = ["T40"] if name in ("deep", "members", "large", "zip") else ["T37"] if "alg" in name else []
        form(f"header-{name}", raw(header.encode(), id_claims(name), "jose-rsa-1", "RS256"), expect, about, tests)
    form("b64-false-crit", signed_input(b64u('{"alg":"RS256","kid":"rsa-1","crit":["b64"],"b64":false}') + "." + "x", "RS256",
                                        "jose-rsa-1"), "header_critical", "A payload that is not encoded (RFC 7797).")
    form("json-serialisation", json.dumps({"payload": payload, "protected": header, "signature": signature}),
         "token_malformed", "JSON serialisation (RFC 7515, 7.2): not the compact form.")


# --- T37: algorithms ---

def algorithms(made):
    claims = id_claims("alg")
    for name in ("none", "None", "NONE", "nOnE", "", "HS256", "HS384", "HS512", "ES256K", "RS1", "rs256", "RSA-OAEP", "A128GCM",
                 "Ed448", "RS256\u0000"):
        label = name.replace("\u0000", "-nul") or "empty"
        header = {"alg": name, "kid": "rsa-1"}
        for what, tail in {"unsigned": "", "signed": None}.items():
            token = f"{b64u(text_of(header))}.{b64u(text_of(claims))}."
            token = raw(header, claims, "jose-rsa-1", "RS256") if tail is None else token
            expect = "json_bad_character" if "\u0000" in name else "signature_algorithm"
            case(made, f"alg-{label}-{what}", token, expect, f"`alg` {name!r}, {what}.", ["T37"], provider="op")
    der = private("jose-rsa-1").public_key().public_bytes(serialization.Encoding.DER,
                                                         serialization.PublicFormat.SubjectPublicKeyInfo)
    secrets = {"pem": public_pem("jose-rsa-1"), "pem-stripped": public_pem("jose-rsa-1").strip(), "der": der,
               "jwk": json.dumps(as_jwk("jose-rsa-1")).encode(), "n": un64u(as_jwk("jose-rsa-1")["n"])}
    for alg, digest in {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}.items():
        for form, secret in secrets.items():
            data = f"{b64u(text_of({'alg': alg, 'kid': 'rsa-1'}))}.{b64u(text_of(claims))}"
            token = f"{data}.{b64u(hmac.new(secret, data.encode(), digest).digest())}"
            case(made, f"hmac-{alg.lower()}-{form}", token, "signature_algorithm",
                 f"{alg} with the public key ({form}) as the secret.", ["T37"], provider="op")
    for alg, kid, expect in [
        ("ES256", "rsa-1", "signature_key_type"), ("RS256", "p256", "signature_key_type"), ("EdDSA", "rsa-1", "signature_key_type"),
        ("ES256", "p384", "signature_key_type"), ("ES384", "p256", "signature_key_type"), ("ES512", "p256", "signature_key_type"),
        ("ES256", "ed", "signature_key_type"), ("EdDSA", "p256", "signature_key_type"), ("PS256", "p521", "signature_key_type"),
        ("RS256", "rs512-only", "signature_key_type"), ("PS512", "rs512-only", "signature_key_type"),
        ("RS256", "nobody", "key_unknown"), ("RS256", "RSA-1", "key_unknown"), ("RS256", "", "key_unknown"),
        ("RS256", "../../etc/passwd", "key_unknown"), ("RS256", "rsa-1' OR '1'='1", "key_unknown"),
        ("RS256", "https://evil.example/keys#rsa-1", "key_unknown"), ("RS256", "rsa-1 ", "key_unknown"),
    ]:
        key = {"R": "jose-rsa-1", "P": "jose-rsa-1", "E": "jose-p256"}[alg[0]] if alg != "EdDSA" else "jose-ed25519"
        key = {"ES384": "jose-p384", "ES512": "jose-p521"}.get(alg, key)
        name = f"key-{alg.lower()}-{hashlib.sha256(kid.encode()).hexdigest()[:6]}"
        case(made, name, raw({"alg": alg, "kid": kid}, id_claims(name), key, alg), expect, f"{alg} with the `kid` {kid!r}.",
             ["T37", "T38"])
    idt(made, "alg-not-listed", "signature_algorithm", "An algorithm that is not on the provider's list.", ["T37"],
        header={"alg": "PS256", "kid": "rsa-1"}, issuer="https://rs256.example.se")
    idt(made, "alg-es256-not-listed", "signature_algorithm", "A key that is there, an algorithm that is not listed.", ["T37"],
        header={"alg": "ES256", "kid": "p256"}, issuer="https://rs256.example.se", key="jose-p256")
    idt(made, "kid-absent-several", "key_ambiguous", "No `kid`, and several keys that fit.", header={"alg": "RS256"})
    idt(made, "kid-absent-none", "signature_key_type", "No `kid`, and no key that fits.", header={"alg": "ES256"},
        issuer="https://single.example.se", key="jose-p256")
    idt(made, "kid-where-none-has", "key_unknown", "A `kid`, where the one key has none.", issuer="https://single.example.se",
        key="jose-single")
    for provider, issuer in (("op-weak", "https://weak.example.se"), ("op-keyless", "https://keyless.example.se")):
        idt(made, f"without-keys-{provider}", "provider_without_keys", "The provider has no key that is taken.",
            header={"alg": "RS256", "kid": "weak"}, issuer=issuer, key="jose-attacker-rsa")

    # --- signatures ---
    def bad(name, alg, kid, key, spoil, about, expect="signature_invalid"):
        token = sign({"alg": alg, "kid": kid}, id_claims(name), key, "pyjwt")
        head, _, signature = token.rpartition(".")
        case(made, name, f"{head}.{b64u(spoil(un64u(signature)))}", expect, about, ["T37"])

    for alg, kid, key in (("RS256", "rsa-1", "jose-rsa-1"), ("PS384", "rsa-1", "jose-rsa-1"), ("ES256", "p256", "jose-p256"),
                          ("ES384", "p384", "jose-p384"), ("ES512", "p521", "jose-p521"), ("EdDSA", "ed", "jose-ed25519")):
        low = alg.lower()
        bad(f"sig-{low}-flipped", alg, kid, key, lambda s: s[:-1] + bytes([s[-1] ^ 1]), "One bit of the signature.")
        bad(f"sig-{low}-first", alg, kid, key, lambda s: bytes([s[0] ^ 1]) + s[1:], "One bit at its beginning.")
        bad(f"sig-{low}-short", alg, kid, key, lambda s: s[:-1], "A byte too few.")
        bad(f"sig-{low}-long", alg, kid, key, lambda s: s + b"\0", "A byte too many.")
        bad(f"sig-{low}-zero", alg, kid, key, lambda s: bytes(len(s)), "Zeros.")
        bad(f"sig-{low}-ones", alg, kid, key, lambda s: b"\xff" * len(s), "Ones.")
    half = lambda s: (int.from_bytes(s[:32], "big"), int.from_bytes(s[32:], "big"))
    bad("sig-es256-der", "ES256", "p256", "jose-p256", lambda s: encode_dss_signature(*half(s)), "In DER, which is XML's nor JOSE's.")
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    bad("sig-es256-order", "ES256", "p256", "jose-p256", lambda s: order.to_bytes(32, "big") * 2, "r and s are the group's order.")
    l = 2**252 + 27742317777372353535851937790883648493
    bad("sig-eddsa-malleable", "EdDSA", "ed", "jose-ed25519",
        lambda s: s[:32] + (int.from_bytes(s[32:], "little") + l).to_bytes(32, "little"), "s plus the group's order (RFC 8032, 5.1.7).")
    for name, change in {"payload": 1, "header": 0}.items():
        token = sign(RS, id_claims(f"swap-{name}"), "jose-rsa-1", "pyjwt").split(".")
        other = sign({**RS, "typ": "JWT"}, id_claims(f"swapped-{name}"), "jose-rsa-1", "pyjwt").split(".")
        token[change] = other[change]
        case(made, f"sig-other-{name}", ".".join(token), "signature_invalid", f"The {name} of another token.", ["T37"])
    token = sign({"alg": "RS256", "kid": "rsa-1"}, id_claims("sig-alg"), "jose-rsa-1", "raw").split(".")
    token[0] = b64u('{"alg":"RS384","kid":"rsa-1"}')
    case(made, "sig-alg-changed", ".".join(token), "signature_invalid", "Another algorithm in the header.", ["T37"])
    for alg in ("RS256", "PS256"):
        other = "PS256" if alg == "RS256" else "RS256"
        case(made, f"sig-{alg.lower()}-is-{other.lower()}", raw({"alg": alg, "kid": "rsa-1"}, id_claims(f"is-{alg}"), "jose-rsa-1", other),
             "signature_invalid", f"{other} under the name of {alg}.", ["T37"])


# --- T38, T39: whose key, whose token ---

def confusion(made):
    attacker = as_jwk("jose-attacker-rsa")
    for name, extra in {"jwk": {"jwk": attacker}, "jku": {"jku": "https://evil.example/jwks.json"},
                        "x5u": {"x5u": "https://evil.example/cert.pem"}, "x5c": {"x5c": ["MIIB"]},
                        "jwk-kid": {"jwk": {**attacker, "kid": "rsa-1"}}}.items():
        case(made, f"header-key-{name}", raw({**RS, **extra}, id_claims(name), "jose-attacker-rsa", "RS256"),
             "signature_invalid", f"Signed by an attacker, whose key is in `{name}`.", ["T38"])
    case(made, "header-key-jwk-no-kid", raw({"alg": "EdDSA", "jwk": as_jwk("jose-ed25519")}, id_claims("x"), "jose-ed25519", "EdDSA"),
         "signature_key_type", "The key in the header, where the provider has none of its type.", ["T38"], provider="op-single")
    case(made, "attacker", sign(RS, id_claims("attacker"), "jose-attacker-rsa", "npm"), "signature_invalid",
         "An attacker's key under the right `kid`.", ["T38"])
    idt(made, "confusion-key-of-b", "signature_invalid", "Issuer A, key of B with the same `kid`.", ["T39"], key="jose-other")
    idt(made, "confusion-a-asked-b", "signature_invalid", "A token of A where B was asked, whose key has the same `kid`.",
        ["T39"], more={"provider": "op-other"})
    idt(made, "confusion-shared-keys", "issuer_mismatch", "A token of A where B was asked, which has the same keys.", ["T39"],
        more={"provider": "op-rs256"})
    for name, issuer in {"slash": "https://op.example.se/", "case": "https://OP.example.se", "port": "https://op.example.se:443",
                         "http": "http://op.example.se", "space": "https://op.example.se ", "prefix": "https://op.example.se.evil.example",
                         "path": "https://op.example.se/x"}.items():
        idt(made, f"issuer-{name}", "issuer_mismatch", f"The issuer is {issuer!r}.", ["36"], issuer=issuer, more={"provider": "op"})
        idt(made, f"issuer-unknown-{name}", "issuer_unknown", f"The issuer is {issuer!r}, and nobody was asked.", ["36"], issuer=issuer)
    idt(made, "issuer-absent", "issuer_missing", "No issuer, and nobody was asked.", ["36"], iss=DROP)
    for name, aud, expect in [("other", "other", "audience_mismatch"), ("case", "Vectors", "audience_mismatch"),
                              ("array-other", ["other", "third"], "audience_mismatch"), ("prefix", "vectors2", "audience_mismatch"),
                              ("joined", "vectors other", "audience_mismatch"),
                              ("untrusted", ["vectors", "other"], "audience_untrusted"),
                              ("untrusted-first", ["other", "vectors"], "audience_untrusted")]:
        idt(made, f"aud-{name}", expect, f"The audience is {aud!r}.", ["T39", "37"], aud=aud)
    idt(made, "aud-untrusted-azp", "audience_untrusted", "An audience that nobody trusts, and `azp` is us.", ["37"],
        aud=["vectors", "other"], azp="vectors")
    idt(made, "azp-other", "authorized_party", "Given to somebody else.", ["37"], azp="other")
    idt(made, "azp-missing", "authorized_party", "Two audiences, and not a word of who it was given to.", ["37"],
        issuer="https://audiences.example.se", aud=["vectors", "partner"])
    idt(made, "azp-partner", "authorized_party", "Given to the other audience.", ["37"], issuer="https://audiences.example.se",
        aud=["vectors", "partner"], azp="partner")
    att(made, "at-aud-other", "audience_mismatch", "For another API.", ["T39"], aud="https://other.example.se/api")
    att(made, "at-aud-client", "audience_mismatch", "For the client.", ["T39"], aud=["app", "vectors"])
    att(made, "at-key-of-op", "signature_invalid", "The key of another provider.", ["T39"], key="jose-rsa-1")
    att(made, "at-asked-op", "key_unknown", "An access token where a login was asked for.", ["T39"], more={"provider": "op"})
    case(made, "saml-asked", sign(RS, id_claims("saml"), "jose-rsa-1", "pyjwt"), "issuer_unknown",
         "A provider that is not there.", provider="nobody")


# --- kinds of tokens ---

LOGOUT = {"http://schemas.openid.net/event/backchannel-logout": {}}


def kinds(made):
    for typ in ("at+jwt", "application/at+jwt", "logout+jwt", "dpop+jwt", "secevent+jwt", "refresh", ""):
        idt(made, f"id-typ-{typ.replace('/', '-') or 'empty'}", "token_type", f"`typ` {typ!r} where an ID token is expected.",
            ["44"], header={**RS, "typ": typ})
    idt(made, "id-events", "token_type", "A logout token where an ID token is expected.", ["44"], events=LOGOUT)
    for typ in ("logout+jwt", "dpop+jwt", "secevent+jwt", "id_token+jwt"):
        att(made, f"at-typ-{typ}", "token_type", f"`typ` {typ!r} where an access token is expected.", ["44"], header={**AS, "typ": typ})
    plain = {"alg": "RS256", "kid": "as-1"}
    for name, extra in {"nonce": {"nonce": "n"}, "at-hash": {"at_hash": "MTIzNDU2Nzg5MDEyMzQ1Ng"}, "c-hash": {"c_hash": "x"},
                        "events": {"events": LOGOUT}}.items():
        att(made, f"at-is-id-token-{name}", "token_type", f"A token without a type and with `{name}`: no access token.", ["44"],
            header=plain, **extra)
    att(made, "at-strict-jwt", "token_type", "`JWT` where only `at+jwt` passes.", header={**plain, "typ": "JWT"},
        issuer="https://strict.example.se")
    att(made, "at-strict-untyped", "token_type", "No `typ` where only `at+jwt` passes.", header=plain, issuer="https://strict.example.se")
    for name, cnf in {"x5t": {"x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}, "empty": {},
                      "jwk": {"jwk": as_jwk("jose-dpop")},
                      "both": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I", "x5t#S256": "x"}}.items():
        att(made, f"at-cnf-{name}", "confirmation_unsupported", f"Bound to something that cannot be checked: {name}.", cnf=cnf)
    att(made, "at-cnf-number", "claim_type", "`jkt` is a number.", cnf={"jkt": 1})


# --- time, nonce, level ---

def rules(made):
    idt(made, "expired", "expired", "At `exp` plus skew it is over.", ["38"], more={"at": "2026-03-01T10:06:00Z"})
    idt(made, "expired-long-ago", "expired", "A year ago.", ["38"], exp=IAT - 31536000, iat=IAT - 31536300, auth_time=IAT - 31536300)
    idt(made, "exp-zero", "expired", "1970.", ["38"], exp=0, iat=0, auth_time=0)
    idt(made, "iat-future", "issued_in_future", "Issued a second beyond skew.", ["38"], iat=IAT + 66)
    idt(made, "nbf-future", "not_yet_valid", "Not before a second beyond skew.", ["38"], nbf=IAT + 66)
    idt(made, "exp-before-iat", "claim_type", "Over before it was made.", exp=IAT - 10, iat=IAT, auth_time=IAT - 20)
    idt(made, "auth-time-future", "issued_in_future", "Logged in in the future.", ["40"], auth_time=IAT + 66)
    att(made, "at-expired", "expired", "At `exp` plus skew it is over.", more={"at": "2026-03-01T11:01:00Z"})
    att(made, "at-nbf-future", "not_yet_valid", "Not before a second beyond skew.", nbf=IAT + 66)
    att(made, "at-iat-future", "issued_in_future", "Issued a second beyond skew.", iat=IAT + 66)
    idt(made, "nonce-other", "nonce_mismatch", "The nonce of another login.", ["39"], more={"in_response_to": "n-2"})
    idt(made, "nonce-missing", "nonce_missing", "No nonce where one was sent.", ["39"], more={"in_response_to": "n-1"}, nonce=DROP)
    idt(made, "acr-missing", "authn_context_missing", "No level.", ["41"], acr=DROP)
    idt(made, "acr-other", "loa_not_certified", "A level that the provider may not assert.", ["41"], acr=f"{E}loa4")
    idt(made, "acr-case", "loa_not_certified", "Another case is another level.", ["41"], acr=f"{E}LOA3")
    idt(made, "acr-short", "loa_not_certified", "A short name is a name of ours, not the provider's.", ["41"], acr="loa3")
    idt(made, "acr-eidas", "loa_eidas_not_connector", "An eIDAS level from somebody else than the connector.", ["41"],
        acr=f"{E}eidas-nf-sub")
    se, sweden = {"alg": "ES256", "kid": "se-1"}, {"issuer": "https://sweden.example.se", "key": "jose-sweden"}
    idt(made, "sweden-lifetime", "lifetime_too_long", "Five minutes and a second.", ["38"], header=se, **sweden, exp=IAT + 301)
    idt(made, "sweden-auth-time", "claim_missing", "No `auth_time`.", ["40"], header=se, **sweden, auth_time=DROP)
    freja = {"header": {"alg": "RS256", "kid": "freja-1"}, "issuer": "https://freja.example.se/oidc/", "key": "jose-freja"}
    own = {f"{FREJA}loaLevel": "LOA3", f"{FREJA}country": "SE"}
    idt(made, "freja-acr", "authn_context_missing", "`acr` where Freja has a claim of its own.", ["41"], **freja)
    idt(made, "freja-level", "loa_not_certified", "A level that is not on the list.", ["41"], **freja, **{**own, f"{FREJA}loaLevel": "LOA1"})
    idt(made, "freja-level-number", "claim_type", "A level that is a number.", ["41"], **freja, **{**own, f"{FREJA}loaLevel": 3})
    idt(made, "freja-issuer", "issuer_mismatch", "The slash at the end counts.", ["36"], **{**freja, "issuer": "https://freja.example.se/oidc"},
        more={"provider": "op-freja"}, **own)
    # --- the person ---
    def person(name, expect, about, /, tests=(), **changed):
        idt(made, name, expect, about, tests, header=se, **sweden, **changed)

    number, coordination = f"{OIDC}personalIdentityNumber", f"{OIDC}coordinationNumber"
    person("person-both", "numbers_together", "Both kinds of number.", ["43"], **{number: "195006262546", coordination: "197010632391"})
    person("person-type", "claim_type", "A number as a number.", ["T35", "23"], **{number: 195006262546})
    person("person-null", "claim_type", "A number that is null.", ["T35", "23"], **{number: None})
    person("person-array", "claim_type", "Two numbers.", ["T35", "23"], **{number: ["195006262546", "195207306886"]})
    person("person-hyphen", "personal_number_malformed", "A hyphen.", ["23"], **{number: "19500626-2546"})
    person("person-short", "personal_number_malformed", "Ten digits.", ["23"], **{number: "5006262546"})
    person("person-misplaced", "personal_number_malformed", "A coordination number in the other's claim.", ["23"], **{number: "197010632391"})
    person("person-misplaced-back", "personal_number_malformed", "And the reverse.", ["23"], **{coordination: "195006262546"})
    person("person-coordination", "coordination_number_not_accepted", "A service that has not opted in.", ["23"], **{coordination: "197010632391"})
    person("person-date", "attribute_malformed", "No date.", **{"birthdate": "26/6 1950"})
    person("person-name-control", "attribute_malformed", "A line break in a name.", **{"name": "Åsa\nÖberg"})
    person("person-affiliation", "attribute_malformed", "An affiliation without its organisation.", ["24"], **{f"{OIDC}orgAffiliation": "a"})
    person("person-affiliation-two", "attribute_malformed", "Two in one.", ["24"], **{f"{OIDC}orgAffiliation": "a@1,b@2"})
    idt(made, "person-nonresident", "nonresident_with_number", "A non-resident with a Swedish number.", ["17"], **freja,
        **{**own, f"{FREJA}loaLevel": "LOA3_NR", f"{FREJA}personalIdentityNumber": "195006262546"})
    connect = {"header": se, "issuer": "https://connect.example.se", "key": "jose-sweden", "acr": f"{E}eidas-nf-sub"}
    idt(made, "person-mapped", "mapped_number_binding", "A mapped number without its binding.", ["25"], **connect,
        **{f"{CONNECT}mappedPersonalIdentityNumber": "195006262546"})
    idt(made, "person-prid", "prid_malformed", "A prid that is none.", ["26"], **connect, **{f"{CONNECT}prid": "NO:1", f"{CONNECT}eidasCountry": "NO"})
    idt(made, "person-prid-country", "prid_country_mismatch", "A prid of another country.", ["26"], **connect,
        **{f"{CONNECT}prid": "NO:05068907693", f"{CONNECT}eidasCountry": "DK"})


# --- T36, T40: encrypted ---

def encrypted(made):
    std = {"alg": "RSA-OAEP", "enc": "A256GCM", "cty": "JWT"}
    inner = sign(RS, id_claims("jwe"), "jose-rsa-1", "pyjwt")
    claims = text_of(id_claims("jwe"))
    none = f"{b64u(json.dumps({'alg': 'none'}))}.{b64u(claims)}."
    hs = f"{b64u(json.dumps({'alg': 'HS256'}))}.{b64u(claims)}"
    hs = f"{hs}.{b64u(hmac.new(public_pem('jose-rsa-1'), hs.encode(), hashlib.sha256).digest())}"
    for name, text, expect, about in [
        ("none", none, "signature_algorithm", "An unsigned token inside."),
        ("hmac", hs, "signature_algorithm", "An HMAC with the public key inside."),
        ("json", claims, "inner_not_signed", "Bare claims inside."),
        ("text", "hello", "inner_not_signed", "A text inside."),
        ("empty", "", "inner_not_signed", "Nothing inside."),
        ("two-parts", ".".join(inner.split(".")[:2]), "inner_not_signed", "A token without its signature inside."),
        ("jwe", encrypt(std, inner, by="jwcrypto"), "inner_not_signed", "An encrypted token inside."),
        ("attacker", sign(RS, id_claims("x"), "jose-attacker-rsa", "pyjwt"), "signature_invalid", "Signed by an attacker."),
        ("stripped", ".".join(inner.split(".")[:2]) + ".", "signature_invalid", "The signature left out."),
        ("aud", sign(RS, id_claims("x", aud="other"), "jose-rsa-1", "pyjwt"), "audience_mismatch", "For somebody else."),
    ]:
        case(made, f"jwe-inner-{name}", encrypt(std, text, by="npm" if name != "empty" else "raw"), expect, about, ["T36"], provider="op")
        case(made, f"jwe-inner-{name}-unasked", encrypt({**std, "kid": "x"}, text, by="raw"), expect, about, ["T36"],
             **({"provider": "op"} if expect not in ("inner_not_signed", "signature_algorithm") else {}))
    good = encrypt(std, inner, by="raw").split(".")

    def spoilt(name, at, part, about, expect="token_undecryptable", opaque=True):
        parts = list(good)
        parts[at] = part
        case(made, f"jwe-{name}", ".".join(parts), expect, about, ["T36"], provider="op", **({"opaque": True} if opaque else {}))

    flip = lambda part, at=0: b64u(bytes(b ^ (i == at) for i, b in enumerate(un64u(part))))
    spoilt("key-flipped", 1, flip(good[1], 100), "The wrapped key.")
    spoilt("key-short", 1, b64u(un64u(good[1])[:-1]), "The wrapped key, a byte short.")
    spoilt("key-empty", 1, "", "No wrapped key.")
    spoilt("nonce-flipped", 2, flip(good[2]), "The nonce.")
    spoilt("content-flipped", 3, flip(good[3], 5), "The content.")
    spoilt("content-short", 3, b64u(un64u(good[3])[:-1]), "The content, a byte short.")
    spoilt("content-empty", 3, "", "No content.")
    spoilt("tag-flipped", 4, flip(good[4]), "The tag.")
    spoilt("header-changed", 0, b64u(json.dumps({**std, "x": 1})), "Another header: it is sealed with the content.")
    spoilt("header-enc", 0, b64u(json.dumps({**std, "enc": "A128GCM"})), "Another cipher of another key length.")
    spoilt("header-alg", 0, b64u(json.dumps({**std, "alg": "RSA-OAEP-256"})), "Another hash.")
    spoilt("tag-short", 4, b64u(un64u(good[4])[:-4]), "A shorter tag is easier to guess.", "token_malformed", False)
    spoilt("nonce-long", 2, b64u(un64u(good[2]) + b"\0\0\0\0"), "A nonce of 16 bytes.", "token_malformed", False)
    spoilt("key-long", 1, b64u(bytes(1025)), "A wrapped key of more than 8192 bits.", "token_malformed", False)
    spoilt("padded", 4, good[4] + "==", "Padding.", "token_malformed", False)
    case(made, "jwe-stranger", encrypt(std, inner, "stranger", "jwcrypto"), "token_undecryptable", "To somebody else.", ["T36"],
         provider="op", opaque=True)
    wrapped = once(["pkcs1", "jwe"], lambda: b64u(private("sp-decrypt").public_key().encrypt(b"k" * 32, padding.PKCS1v15())))
    case(made, "jwe-pkcs1-inside", seal(b64u(json.dumps(std)), un64u(wrapped), b"k" * 32, b"n" * 12, inner.encode()),
         "token_undecryptable", "RSA 1.5 under the name of OAEP.", ["T36"], provider="op", opaque=True)
    digest = HASHES["RSA-OAEP"]()
    short = once(["short", "jwe"], lambda: b64u(private("sp-decrypt").public_key().encrypt(
        b"k" * 16, padding.OAEP(padding.MGF1(digest), digest, None))))
    case(made, "jwe-key-of-other-length", seal(b64u(json.dumps(std)), un64u(short), b"k" * 16, b"n" * 12, inner.encode()),
         "token_undecryptable", "A content key of 16 bytes for AES-256.", ["T36"], provider="op", opaque=True)
    for alg in ("RSA1_5", "dir", "A256KW", "ECDH-ES", "RSA-OAEP-384", "RSA-OAEP-512", "PBES2-HS256+A128KW", "none", ""):
        header = b64u(json.dumps({**std, "alg": alg}))
        case(made, f"jwe-alg-{alg or 'empty'}", ".".join([header, *good[1:]]), "encryption_algorithm", f"`alg` {alg!r}.", provider="op")
    for enc in ("A192GCM", "A128CBC-HS256", "A256CBC-HS512", "none", ""):
        header = b64u(json.dumps({**std, "enc": enc}))
        case(made, f"jwe-enc-{enc or 'empty'}", ".".join([header, *good[1:]]), "encryption_algorithm", f"`enc` {enc!r}.", provider="op")
    for name, header, expect in [
        ("zip", {**std, "zip": "DEF"}, "header_compressed"), ("crit", {**std, "crit": ["x"], "x": 1}, "header_critical"),
        ("alg-number", {**std, "alg": 1}, "header_malformed"), ("enc-null", {**std, "enc": None}, "header_malformed"),
        ("kid-number", {**std, "kid": 1}, "header_malformed"), ("no-alg", {"enc": "A256GCM"}, "encryption_algorithm"),
        ("no-enc", {"alg": "RSA-OAEP"}, "encryption_algorithm"),
    ]:
        case(made, f"jwe-header-{name}", ".".join([b64u(json.dumps(header)), *good[1:]]), expect, f"The header: {name}.", ["T40"], provider="op")
    bomb = once(["zip", "bomb"], lambda: zipped("A" * 3_000_000))
    case(made, "jwe-zip-bomb", bomb, "header_compressed", "Three megabytes in a few kilobytes.", ["T40"], provider="op")
    idt(made, "jwe-not-encrypted", "token_not_encrypted", "In clear where it must be encrypted.", issuer="https://encrypted.example.se")
    case(made, "jwe-access-token", encrypt(std, sign(AS, at_claims("jwe-at"), "jose-as", "npm"), by="npm"), "token_undecryptable",
         "An encrypted access token: nobody opens it.", provider="as")


def zipped(text: str) -> str:
    from jwcrypto import jwe, jwk
    from common import KEYS
    token = jwe.JWE(text.encode(), json.dumps({"alg": "RSA-OAEP", "enc": "A256GCM", "zip": "DEF"}))
    token.add_recipient(jwk.JWK.from_pem((KEYS / "sp-decrypt.pem").read_bytes()))
    return token.serialize(compact=True)


def replay(made):
    """After the accepted ones."""
    accepted = {entry["name"]: entry for entry in made if entry["expect"] == "accepted"}
    for first in ("rs256-pyjwt", "jti-absent", "jwe-rsa-oaep-a128gcm-jwcrypto"):
        entry = {k: v for k, v in accepted[first].items() if k != "identity"}
        made.append({**entry, "name": f"replayed-{first}", "after": first, "expect": "replayed", "tests": ["45"],
                     "about": "The same ID token again."})
    # The signature of ECDSA is not part of what a token is.
    token = sign({"alg": "ES256", "kid": "p256"}, id_claims("es-once", jti=DROP), "jose-p256", "pyjwt")
    made.append({"name": "es-once", "token": token, "expect": "accepted", "tests": ["45"], "about": "Once.",
                 "identity": {"subject": "pers-es-once"}})
    head, _, s = token.rpartition(".")
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    s = un64u(s)
    other = s[:32] + (order - int.from_bytes(s[32:], "big")).to_bytes(32, "big")
    made.append({"name": "replayed-malleated", "token": f"{head}.{b64u(other)}", "after": "es-once", "expect": "replayed",
                 "tests": ["45"], "about": "Its signature changed into the other one that holds: the same token again."})
    token = sign({"alg": "RS384", "kid": "rsa-1"}, id_claims("same-jti", jti="rs256-pyjwt"), "jose-rsa-1", "pyjwt")
    made.append({"name": "replayed-same-jti", "token": token, "after": "rs256-pyjwt", "expect": "replayed", "tests": ["45"],
                 "about": "Another token with a `jti` that was used."})
