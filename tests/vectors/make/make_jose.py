"""Makes everything under `jose/`: `python make_jose.py`, in an environment with requirements-jose.txt and package.json."""

import json

from jwcrypto import jwe, jwk, jws

import jose_accept
import jose_common
import jose_documents
import jose_reject
import jose_rfc
from common import KEYS, write_cases
from jose_common import AT, JOSE, OIDC, un64u

HEAD = """Tokens with the verdict that each must get. Made by make/make_jose.py; signed by PyJWT, jwcrypto and npm's jose.

name            of the case
token           in compact form
config          the configuration to hold it against
at              the instant of verification
in_response_to  the nonce that was sent; left out or "*": not looked at
provider        the provider that was asked; left out: by issuer
expect          "accepted" or the exact reason code
identity        what an accepted one must yield; a value that is not named is not looked at
after           a case that must have been accepted before (replay)
opaque          true: told apart from the others that have it by nothing, neither code nor detail
tests           T..: the incident it stands for; a number: the rule of the profile's checklist

One run with one replay memory takes them all, in this order."""


def check(cases: list) -> None:
    """Every token that must be accepted holds for jwcrypto too, by the key that its `kid` names in the provider's set."""
    opened = [jwk.JWK.from_pem((KEYS / f"{name}.pem").read_bytes()) for name in ("sp-decrypt", "sp-decrypt-old")]
    issuers = {settings.get("issuer", "https://op.example.se"): settings.get("jwks", name) for name, settings in OIDC.items()}
    issuers |= {settings.get("issuer", "https://as.example.se"): settings.get("jwks", name)
                for name, settings in jose_common.JWT.items()}
    for case in cases:
        if case["expect"] not in ("accepted", "replayed"):
            continue
        token = case["token"]
        if token.count(".") == 4:
            token = unwrapped(token, opened)
        header = json.loads(un64u(token.split(".")[0]))
        claims = json.loads(un64u(token.split(".")[1]))
        keys = json.loads((JOSE / f"jwks-{issuers[claims['iss']]}.json").read_text())["keys"]
        keys = [key for key in keys if header.get("kid") in (None, key.get("kid"))]
        assert any(holds(token, key, header["alg"]) for key in keys), case["name"]


def unwrapped(token: str, keys: list) -> str:
    for key in keys:
        try:
            sealed = jwe.JWE(algs=["RSA-OAEP", "RSA-OAEP-256", "A128GCM", "A256GCM"])
            sealed.deserialize(token, key)
            return sealed.payload.decode()
        except jwe.InvalidJWEData:
            continue
    raise AssertionError("nobody opens it")


def holds(token: str, key: dict, alg: str) -> bool:
    # The later name of EdDSA, and headers that it finds odd, are unknown to it: they are covered by the signature all the same.
    if alg == "Ed25519" or not all(isinstance(v, str) for v in json.loads(un64u(token.split(".")[0])).values()):
        return True
    signed = jws.JWS()
    signed.allowed_algs = [alg]
    try:
        signed.deserialize(token, jwk.JWK(**{k: v for k, v in key.items() if k not in ("use", "alg", "key_ops")}))
        return True
    except (jws.InvalidJWSSignature, ValueError, TypeError):
        return False


def main() -> None:
    JOSE.mkdir(exist_ok=True)
    jose_common.load_cache()
    jose_common.make_missing_keys()
    jose_rfc.write_keys()
    jose_common.write_configuration()
    made = []
    accept, reject = jose_accept, jose_reject
    for part in (accept.algorithms, accept.headers, accept.claims, accept.encrypted, accept.profiles, accept.access,
                 reject.types, reject.forms, reject.algorithms, reject.confusion, reject.kinds, reject.rules,
                 reject.encrypted, reject.replay, jose_rfc.compact):
        part(made)
    names = [entry["name"] for entry in made]
    assert len(names) == len(set(names)), [name for name in names if names.count(name) > 1]
    cases = []
    for entry in made:
        entry = {"name": entry.pop("name"), "token": entry.pop("token"), "config": entry.pop("config", "grindvakt.toml"),
                 "at": entry.pop("at", AT), **entry}
        cases.append({k: v for k, v in entry.items() if v is not None and v != []})
    write_cases(JOSE / "cases.toml", HEAD, cases)
    check(cases)
    jose_documents.write()
    jose_common.save_cache()
    print(len(cases), "cases,", sum(c["expect"] == "accepted" for c in cases), "accepted")


if __name__ == "__main__":
    main()
