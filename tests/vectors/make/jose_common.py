"""Keys, providers, and four ways to make a token: PyJWT, jwcrypto, npm's jose, and a plain script for what no library makes."""

import base64
import hashlib
import json
import pathlib
import subprocess

import jwt as pyjwt
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from jwcrypto import jwe, jwk, jws

from common import HERE, KEYS, VECTORS

JOSE = VECTORS / "jose"
CACHE = HERE / "randomised-jose.json"

IAT = 1772359200  # 2026-03-01T10:00:00Z
AT = "2026-03-01T10:00:05Z"
LOA3 = "http://id.elegnamnden.se/loa/1.0/loa3"

KINDS = {
    "jose-rsa-1": 2048, "jose-rsa-2": 3072, "jose-rsa-3": 2048, "jose-p256": ec.SECP256R1, "jose-p384": ec.SECP384R1,
    "jose-p521": ec.SECP521R1, "jose-ed25519": "ed25519", "jose-single": 2048, "jose-sweden": ec.SECP256R1,
    "jose-freja": 2048, "jose-other": 2048, "jose-as": 2048, "jose-as-p256": ec.SECP256R1, "jose-weak": 1024,
    "jose-attacker-rsa": 2048, "jose-attacker-p256": ec.SECP256R1, "jose-dup-a": 2048, "jose-dup-b": 2048,
    "jose-k256": ec.SECP256K1, "jose-dpop": ec.SECP256R1,
}


def b64u(data) -> str:
    return base64.urlsafe_b64encode(data.encode() if isinstance(data, str) else data).rstrip(b"=").decode()


def un64u(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def make_missing_keys() -> None:
    for name, kind in KINDS.items():
        if (KEYS / f"{name}.pem").exists():
            continue
        if kind == "ed25519":
            key = ed25519.Ed25519PrivateKey.generate()
        elif isinstance(kind, int):
            key = rsa.generate_private_key(public_exponent=65537, key_size=kind)
        else:
            key = ec.generate_private_key(kind())
        (KEYS / f"{name}.pem").write_bytes(pem(key))


def pem(key) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def private(name: str):
    return serialization.load_pem_private_key((KEYS / f"{name}.pem").read_bytes(), None)


def public_pem(name: str) -> bytes:
    return private(name).public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def as_jwk(name: str, secret: bool = False) -> dict:
    key = jwk.JWK.from_pem((KEYS / f"{name}.pem").read_bytes())
    out = key.export(private_key=secret, as_dict=True)
    out.pop("kid", None)
    return out


# --- what is random is made once and kept ---

cache: dict = {}


def load_cache() -> None:
    if CACHE.exists():
        cache.update(json.loads(CACHE.read_text()))


used: set = set()


def once(parts: list, make):
    """What `make` gave for these parts the first time."""
    key = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]
    if key not in cache:
        cache[key] = make()
    used.add(key)
    return cache[key]


def save_cache() -> None:
    kept = {key: cache[key] for key in sorted(used)}
    CACHE.write_text(json.dumps(kept, indent=0) + "\n")


# --- signing ---

def text_of(value) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def sign(header: dict, payload, key: str, by: str = "raw") -> str:
    """A token, its header and payload in JSON of the maker's own form."""
    body = text_of(payload)
    parts = ["sign", by, json.dumps(header), body, key]
    return once(parts, lambda: MAKERS[by](header, body, key))


def by_pyjwt(header: dict, body: str, key: str) -> str:
    extra = {k: v for k, v in header.items() if k not in ("alg", "typ")}
    # PyJWT writes `typ: JWT` unless told otherwise.
    extra["typ"] = header.get("typ")
    return pyjwt.api_jws.encode(body.encode(), private(key), header["alg"], headers=extra)


def by_jwcrypto(header: dict, body: str, key: str) -> str:
    token = jws.JWS(body.encode())
    token.allowed_algs = [header["alg"]]
    token.add_signature(jwk.JWK.from_pem((KEYS / f"{key}.pem").read_bytes()), None, json.dumps(header), None)
    return token.serialize(compact=True)


def by_npm(header: dict, body: str, key: str) -> str:
    return npm({"kind": "sign", "header": header, "payload": body, "jwk": as_jwk(key, True)})


def npm(job: dict) -> str:
    run = subprocess.run(["node", str(HERE / "jose_sign.mjs")], input=json.dumps(job), capture_output=True, text=True,
                         check=False, cwd=HERE)
    assert run.returncode == 0, run.stderr
    return run.stdout


def by_script(header: dict, body: str, key: str) -> str:
    return signed_input(f"{b64u(text_of(header))}.{b64u(body)}", header.get("alg"), key)


MAKERS = {"pyjwt": by_pyjwt, "jwcrypto": by_jwcrypto, "npm": by_npm, "raw": by_script}


def signature(data: bytes, alg: str, key: str) -> bytes:
    k = private(key)
    if alg == "EdDSA":
        return k.sign(data)
    digest = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}[alg[2:5]]()
    if alg.startswith("RS"):
        return k.sign(data, padding.PKCS1v15(), digest)
    if alg.startswith("PS"):
        return k.sign(data, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
    r, s = utils.decode_dss_signature(k.sign(data, ec.ECDSA(digest)))
    width = (k.curve.key_size + 7) // 8
    return r.to_bytes(width, "big") + s.to_bytes(width, "big")


def signed_input(data: str, alg: str, key: str) -> str:
    """Whatever stands before the second dot, signed."""
    return data + "." + once(["input", data, alg, key], lambda: b64u(signature(data.encode(), alg, key)))


def raw(header, payload, key: str, alg: str) -> str:
    """A token of these very bytes, signed with `alg` whatever the header says."""
    part = lambda value: b64u(value if isinstance(value, bytes) else text_of(value))
    return signed_input(f"{part(header)}.{part(payload)}", alg, key)


# --- encrypting ---

HASHES = {"RSA-OAEP": hashes.SHA1, "RSA-OAEP-256": hashes.SHA256}


def encrypt(header: dict, inner: str, to: str = "sp-decrypt", by: str = "raw") -> str:
    parts = ["encrypt", by, json.dumps(header), inner, to]
    return once(parts, lambda: ENCRYPTERS[by](header, inner, to))


def encrypt_by_jwcrypto(header: dict, inner: str, to: str) -> str:
    token = jwe.JWE(inner.encode(), json.dumps(header), algs=[header["alg"], header["enc"]])
    key = jwk.JWK.from_pem((KEYS / f"{to}.pem").read_bytes())
    token.add_recipient(key)
    return token.serialize(compact=True)


def encrypt_by_npm(header: dict, inner: str, to: str) -> str:
    return npm({"kind": "encrypt", "header": header, "payload": inner, "jwk": as_jwk(to)})


def encrypt_by_script(header: dict, inner: str, to: str) -> str:
    protected = b64u(text_of(header))
    seed = hashlib.sha512(protected.encode() + inner.encode()).digest()
    size = {"A128GCM": 16, "A192GCM": 24, "A256GCM": 32}[header["enc"]]
    content_key, nonce = seed[:size], seed[32:44]
    digest = HASHES[header["alg"]]()
    wrapped = private(to).public_key().encrypt(content_key, padding.OAEP(padding.MGF1(digest), digest, None))
    return seal(protected, wrapped, content_key, nonce, inner.encode())


def seal(protected: str, wrapped: bytes, content_key: bytes, nonce: bytes, inner: bytes) -> str:
    sealed = AESGCM(content_key).encrypt(nonce, inner, protected.encode())
    return ".".join([protected, b64u(wrapped), b64u(nonce), b64u(sealed[:-16]), b64u(sealed[-16:])])


ENCRYPTERS = {"jwcrypto": encrypt_by_jwcrypto, "npm": encrypt_by_npm, "raw": encrypt_by_script}


# --- claims ---

def id_claims(name: str, issuer: str = "https://op.example.se", /, **changed) -> dict:
    claims = {"iss": issuer, "sub": f"pers-{name}", "aud": "vectors", "exp": IAT + 300, "iat": IAT,
              "auth_time": IAT - 5, "nonce": "n-1", "acr": LOA3, "jti": name}
    claims.update(changed)
    return {k: v for k, v in claims.items() if v is not DROP}


def at_claims(name: str, issuer: str = "https://as.example.se", /, **changed) -> dict:
    claims = {"iss": issuer, "sub": f"pers-{name}", "aud": "https://sp.example.se/api", "exp": IAT + 3600, "iat": IAT,
              "client_id": "app", "scope": "cases.read cases.write", "jti": name}
    claims.update(changed)
    return {k: v for k, v in claims.items() if v is not DROP}


DROP = object()
RS = {"alg": "RS256", "kid": "rsa-1"}
AS = {"alg": "RS256", "kid": "as-1", "typ": "at+jwt"}


# --- providers ---

def kid(name: str, key: str, **more) -> dict:
    return {"kid": name, **as_jwk(key), **more}


def jwks() -> dict:
    op = [kid("rsa-1", "jose-rsa-1", use="sig"), kid("rsa-2", "jose-rsa-2"), kid("rs512-only", "jose-rsa-3", alg="RS512"),
          kid("p256", "jose-p256", use="sig", alg="ES256"), kid("p384", "jose-p384", key_ops=["verify"]),
          kid("p521", "jose-p521"), kid("ed", "jose-ed25519", use="sig")]
    return {
        "op": op,
        "op-single": [as_jwk("jose-single")],
        "op-other": [kid("rsa-1", "jose-other")],
        "op-sweden": [kid("se-1", "jose-sweden")],
        "op-freja": [kid("freja-1", "jose-freja")],
        "op-dup": [kid("same", "jose-dup-a"), kid("same", "jose-dup-b")],
        "op-weak": [kid("weak", "jose-weak"), {"kty": "oct", "k": b64u("secret" * 8), "kid": "oct"},
                    kid("private", "jose-attacker-rsa", **{"d": as_jwk("jose-attacker-rsa", True)["d"]}),
                    kid("enc", "jose-rsa-2", use="enc"), kid("k256", "jose-k256")],
        "as": [kid("as-1", "jose-as"), kid("as-p256", "jose-as-p256")],
    }


OIDC = {
    "op": {},
    "op-rs256": {"issuer": "https://rs256.example.se", "jwks": "op", "algorithms": ["RS256"]},
    "op-single": {"issuer": "https://single.example.se"},
    "op-other": {"issuer": "https://other.example.se"},
    "op-dup": {"issuer": "https://dup.example.se"},
    "op-weak": {"issuer": "https://weak.example.se"},
    "op-keyless": {"issuer": "https://keyless.example.se", "jwks": None},
    "op-encrypted": {"issuer": "https://encrypted.example.se", "jwks": "op", "encryption": "required"},
    "op-audiences": {"issuer": "https://audiences.example.se", "jwks": "op", "trusted_audiences": ["partner"]},
    "op-mapped": {"issuer": "https://mapped.example.se", "jwks": "op", "loa": ["loa2"],
                  "loa_map": {"silver": "loa2"},
                  "claims": {"personal_number": "pnr", "loa": "level", "name": "display"}},
    "op-sweden": {"issuer": "https://sweden.example.se", "profile": "oidc-sweden"},
    "op-connect": {"issuer": "https://connect.example.se", "jwks": "op-sweden", "profile": "sweden-connect",
                   "eidas_connector": True, "loa": ["loa3", "eidas-nf-sub"]},
    "op-freja": {"issuer": "https://freja.example.se/oidc/", "profile": "freja",
                 "loa": ["loa2", "loa3", "loa3-nonresident"]},
    "op-inera": {"issuer": "https://inera.example.se:443/oidc", "jwks": "op-sweden", "profile": "inera",
                 "loa": ["sambi-loa3"]},
    # One issuer with logins and access tokens.
    "both-login": {"issuer": "https://both.example.se", "jwks": "op"},
}
JWT = {
    "as": {},
    "as-strict": {"issuer": "https://strict.example.se", "jwks": "as", "require_at_jwt": True},
    "as-person": {"issuer": "https://person.example.se", "jwks": "as", "loa": ["loa3"], "profile": "oidc-sweden"},
    "as-two": {"issuer": "https://two.example.se", "jwks": "as", "audience": ["urn:a", "urn:b"]},
    "both-api": {"issuer": "https://both.example.se", "jwks": "op", "audience": "https://sp.example.se/api"},
}


def configuration(coordination: bool) -> str:
    from common import toml_value
    out = ["# Made by make/make_jose.py.", 'environment = "test"', "", "[service]", 'id = "vectors"',
           'entity_id = "https://sp.example.se/sp"', 'base_url = "https://sp.example.se"',
           'upstream = "http://127.0.0.1:8000"', f"accept_coordination_number = {str(coordination).lower()}", "",
           "[keys]", 'decryption = ["../keys/sp-decrypt.pem", "../keys/sp-decrypt-old.pem", "../keys/rfc7516-a1.pem", '
           '"../keys/rfc7520-samwise.pem"]']

    def add(name: str, protocol: str, settings: dict, issuer: str, usual: dict) -> None:
        own = {"id": name, "eid": name, "protocol": protocol, "issuer": issuer, **usual, **settings}
        file = own.pop("jwks", name)
        if file:
            own["jwks_file"] = f"jwks-{file}.json"
        out.extend(["", "[[provider]]"])
        out.extend(f"{key} = {toml_value(value)}" for key, value in own.items())

    for name, settings in OIDC.items():
        add(name, "oidc", dict(settings), "https://op.example.se",
            {"client_id": "vectors", "client_key": "client.pem", "loa": ["loa2", "loa3"]})
    for name, settings in JWT.items():
        add(name, "jwt", dict(settings), "https://as.example.se", {"audience": "https://sp.example.se/api"})
    return "\n".join(out) + "\n"


def write_configuration() -> None:
    for name, keys in jwks().items():
        (JOSE / f"jwks-{name}.json").write_text(json.dumps({"keys": keys}, indent=1) + "\n")
    (JOSE / "grindvakt.toml").write_text(configuration(False))
    (JOSE / "grindvakt-coordination.toml").write_text(configuration(True))
