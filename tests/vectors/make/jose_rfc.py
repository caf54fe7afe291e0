"""The examples of RFC 7515, 7516, 7519, 7520 and 8037, as jwcrypto ships them in its own tests.

None is for us, so that each is refused, and by what says how far it came: `issuer_mismatch` and `json_malformed` (of a text
that is no JSON) only come after the signature has held."""

import importlib.util
import json
import pathlib

import jwcrypto.tests as rfc
from jwcrypto import jwe, jwk, jws

import jose_common
from common import KEYS
from jose_common import JOSE, b64u

SPEC = importlib.util.spec_from_file_location("cookbook", pathlib.Path(rfc.__file__).with_name("tests-cookbook.py"))
book = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(book)

# RFC 8037, A.1 and A.4.
ED25519 = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
ED25519_TOKEN = ("eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
                 "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg")
# RFC 7519, 6.1.
UNSECURED = ("eyJhbGciOiJub25lIn0.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cn"
             "VlfQ.")
PRIVATE = ("d", "p", "q", "dp", "dq", "qi")


def public(key: dict) -> dict:
    return {k: v for k, v in key.items() if k not in PRIVATE}


def write_keys() -> None:
    for name, key in {"rfc7516-a1": rfc.E_A1_key, "rfc7520-samwise": book.RSA_key_5_2_1}.items():
        members = {k: v for k, v in key.items() if k not in ("kid", "use")}
        text = jwk.JWK(**members).export_to_pem(private_key=True, password=None)
        (KEYS / f"{name}.pem").write_bytes(text)
    sets = {"rfc7515": [public(rfc.A2_key), public(rfc.A3_key), public(rfc.A4_key)],
            "rfc7520": [book.RSA_Public_Key_3_3, book.EC_Public_Key_3_1], "rfc8037": [ED25519]}
    for name, keys in sets.items():
        (JOSE / f"jwks-{name}.json").write_text(json.dumps({"keys": keys}, indent=1) + "\n")
        jose_common.OIDC[name] = {"issuer": f"https://{name}.example.se"}


def token(example: dict) -> str:
    return f"{b64u(example['protected'])}.{b64u(example['payload'])}.{b64u(example['signature'])}"


def nested() -> str:
    """After RFC 7520, 6, whose own token is not among jwcrypto's: its claims, headers and algorithms, with the keys of 3.4 and 5.2."""
    claims = '{"iss":"hobbiton.example","exp":1300819380,"http://example.com/is_root":true}'
    inner = jws.JWS(claims.encode())
    inner.allowed_algs = ["PS256"]
    inner.add_signature(jwk.JWK(**book.RSA_Private_Key_3_4), None, '{"alg":"PS256","typ":"JWT"}', None)
    outer = jwe.JWE(inner.serialize(compact=True).encode(), '{"alg":"RSA-OAEP","cty":"JWT","enc":"A128GCM"}',
                    algs=["RSA-OAEP", "A128GCM"])
    outer.add_recipient(jwk.JWK(**book.RSA_key_5_2_1))
    return outer.serialize(compact=True)


def detached(text: str) -> str:
    header, _, signature = text.split(".")
    return f"{header}..{signature}"


def compact(made: list) -> None:
    def case(name, text, expect, about, provider):
        made.append({"name": name, "token": text, "expect": expect, "about": about, "provider": provider,
                     "at": "2011-03-22T18:00:00Z"})

    one, two, three = "rfc7515", "rfc7520", "rfc8037"
    case("rfc7515-a1", token(rfc.A1_example), "signature_algorithm", "RFC 7515, A.1 (also RFC 7519, 3.1): HS256.", one)
    case("rfc7515-a2", token(rfc.A2_example), "issuer_mismatch", "RFC 7515, A.2: RS256, by joe.", one)
    case("rfc7515-a3", token(rfc.A3_example), "issuer_mismatch", "RFC 7515, A.3: ES256, by joe.", one)
    case("rfc7515-a4", token(rfc.A4_example), "json_malformed", "RFC 7515, A.4: ES512 over a text.", one)
    case("rfc7515-a5", token(rfc.A5_example), "signature_algorithm", "RFC 7515, A.5: unsecured.", one)
    case("rfc7515-a6", rfc.A6_serialized if isinstance(rfc.A6_serialized, str) else json.dumps(rfc.A6_serialized),
         "token_malformed", "RFC 7515, A.6: JSON serialisation, two signatures.", one)
    case("rfc7515-a7", rfc.A7_example, "token_malformed", "RFC 7515, A.7: JSON serialisation, flattened.", one)
    case("rfc7515-a2-changed", token(rfc.A2_example)[:-6] + "AAAAAA", "signature_invalid",
         "RFC 7515, A.2, its signature changed.", one)
    case("rfc7516-a1", rfc.E_A1_vector, "inner_not_signed", "RFC 7516, A.1: RSA-OAEP and A256GCM around a text.", one)
    case("rfc7516-a2", rfc.E_A2_vector, "encryption_algorithm", "RFC 7516, A.2: RSA 1.5.", one)
    case("rfc7516-a3", rfc.E_A3_vector, "encryption_algorithm", "RFC 7516, A.3: AES key wrap.", one)
    case("rfc7516-a4", rfc.E_A4_vector, "token_malformed", "RFC 7516, A.4: JSON serialisation, two recipients.", one)
    case("rfc7516-a5", rfc.E_A5_ex, "token_malformed", "RFC 7516, A.5: JSON serialisation, flattened.", one)
    case("rfc7519-a1", rfc.A1_token, "encryption_algorithm", "RFC 7519, A.1: RSA 1.5 around claims that nobody signed.", one)
    case("rfc7519-6.1", UNSECURED, "signature_algorithm", "RFC 7519, 6.1: an unsecured token.", one)
    case("rfc7519-a2", rfc.A2_token, "encryption_algorithm", "RFC 7519, A.2: RSA 1.5 around a signed token.", one)
    for number, expect, what in [("4_1_3", "json_malformed", "RS256 over a text"), ("4_2_3", "json_malformed", "PS384 over a text"),
                                 ("4_3_3", "json_malformed", "ES512 over a text"), ("4_4_3", "signature_algorithm", "HS256")]:
        case(f"rfc7520-{number[:3].replace('_', '.')}", getattr(book, f"JWS_compact_{number}"), expect,
             f"RFC 7520, {number[:3].replace('_', '.')}: {what}.", two)
        flat = getattr(book, f"JWS_flattened_{number}")
        case(f"rfc7520-{number[:3].replace('_', '.')}-json", json.dumps(flat), "token_malformed",
             f"RFC 7520, {number[:3].replace('_', '.')}: the same in JSON.", two)
    for number, expect, what in [
        ("5_1_5", "encryption_algorithm", "RSA 1.5"), ("5_2_5", "inner_not_signed", "RSA-OAEP and A256GCM around a text"),
        ("5_3_5", "encryption_algorithm", "PBES2"), ("5_4_5", "encryption_algorithm", "ECDH-ES with key wrap"),
        ("5_5_5", "encryption_algorithm", "ECDH-ES"), ("5_6_4", "encryption_algorithm", "a shared key"),
        ("5_7_5", "encryption_algorithm", "AES-GCM key wrap"), ("5_8_5", "encryption_algorithm", "AES key wrap"),
        ("5_9_5", "header_compressed", "compressed"),
    ]:
        text = getattr(book, f"JWE_compact_{number}", None)
        if text:
            case(f"rfc7520-{number[:3].replace('_', '.')}", text, expect, f"RFC 7520, {number[:3].replace('_', '.')}: {what}.", two)
    case("rfc7520-4.5", detached(book.JWS_compact_4_4_3), "signature_algorithm", "RFC 7520, 4.5: HS256, its content elsewhere.", two)
    case("rfc7520-4.5-rs256", detached(book.JWS_compact_4_1_3), "signature_invalid", "The same of 4.1: content that is elsewhere is none.",
         two)
    case("rfc7520-6", jose_common.once(["rfc7520", "6"], nested), "issuer_mismatch",
         "After RFC 7520, 6: RSA-OAEP and A128GCM around PS256, with other keys.", two)
    # What stands in JSON alone: several signatures or recipients, headers that nobody protected, content that is elsewhere.
    for number, end, what in [("4_6", "3", "a header in part unprotected"), ("4_7", "3", "no protected header"),
                              ("4_8", "5", "several signatures"), ("5_10", "5", "additional data"),
                              ("5_11", "5", "a header in part unprotected"), ("5_12", "5", "no protected header")]:
        kind = "JWS" if number.startswith("4") else "JWE"
        for form in ("general", "flattened"):
            example = getattr(book, f"{kind}_{form}_{number}_{end}", None)
            if example:
                section = number.replace("_", ".")
                case(f"rfc7520-{section}-{form}", json.dumps(example), "token_malformed",
                     f"RFC 7520, {section}: {what}, in JSON.", two)
    case("rfc8037-a4", ED25519_TOKEN, "json_malformed", "RFC 8037, A.4: EdDSA over a text.", three)
