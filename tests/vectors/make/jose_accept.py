"""Tokens that must be accepted, each with what it must yield."""

import hashlib
import json

from jose_common import AS, DROP, IAT, LOA3, RS, at_claims, b64u, encrypt, id_claims, raw, sign

E = "http://id.elegnamnden.se/loa/1.0/"
S = "http://id.swedenconnect.se/loa/1.0/"
OIDC = "https://id.oidc.se/claim/"
CONNECT = "https://id.swedenconnect.se/claim/"
FREJA = "https://frejaeid.com/oidc/claims/"


def case(made, name, token, about, tests=(), identity=None, **more):
    entry = {"name": name, "token": token, **more, "expect": "accepted", "tests": list(tests), "about": about}
    entry["identity"] = identity if identity is not None else {"subject": f"pers-{name}"}
    made.append(entry)


ALGORITHMS = [("RS256", "rsa-1", "jose-rsa-1"), ("RS384", "rsa-1", "jose-rsa-1"), ("RS512", "rsa-1", "jose-rsa-1"),
              ("PS256", "rsa-1", "jose-rsa-1"), ("PS384", "rsa-1", "jose-rsa-1"), ("PS512", "rsa-1", "jose-rsa-1"),
              ("ES256", "p256", "jose-p256"), ("ES384", "p384", "jose-p384"), ("ES512", "p521", "jose-p521"),
              ("EdDSA", "ed", "jose-ed25519")]


def algorithms(made):
    for alg, kid, key in ALGORITHMS:
        for by in ("pyjwt", "jwcrypto", "npm"):
            name = f"{alg.lower()}-{by}"
            case(made, name, sign({"alg": alg, "kid": kid}, id_claims(name), key, by), f"{alg} by {by}.", ["T37"],
                 {"subject": f"pers-{name}", "provider": "op", "loa": LOA3})
    for alg in ("RS256", "PS512"):
        name = f"{alg.lower()}-3072"
        case(made, name, sign({"alg": alg, "kid": "rsa-2"}, id_claims(name), "jose-rsa-2", "npm"), "A key of 3072 bits.")
    name = "key-for-one-algorithm"
    case(made, name, sign({"alg": "RS512", "kid": "rs512-only"}, id_claims(name), "jose-rsa-3", "pyjwt"),
         "The key's own `alg` is the token's.")
    name = "eddsa-by-its-later-name"
    case(made, name, raw({"alg": "Ed25519", "kid": "ed"}, id_claims(name), "jose-ed25519", "EdDSA"), "RFC 9864.")
    name = "listed-algorithm"
    claims = id_claims(name, "https://rs256.example.se")
    case(made, name, sign(RS, claims, "jose-rsa-1", "jwcrypto"), "The one algorithm of the provider's list.")


def headers(made):
    for name, typ in [("typ-upper", "JWT"), ("typ-lower", "jwt"), ("typ-media", "application/jwt"), ("typ-jose", "JOSE")]:
        case(made, name, sign({**RS, "typ": typ}, id_claims(name), "jose-rsa-1", "jwcrypto"), f"`typ` {typ}.")
    name = "kid-absent"
    case(made, name, sign({"alg": "RS256"}, id_claims(name, "https://single.example.se"), "jose-single", "pyjwt"),
         "No `kid`, and one key that fits.")
    name = "kid-absent-one-fits"
    case(made, name, sign({"alg": "EdDSA"}, id_claims(name), "jose-ed25519", "npm"), "No `kid`; of seven keys one fits.")
    name = "kid-shared"
    case(made, name, sign({"alg": "PS256", "kid": "same"}, id_claims(name, "https://dup.example.se"), "jose-dup-b", "npm"),
         "The second of two keys with one `kid`.")
    name = "header-keys-ignored"
    header = {**RS, "jku": "https://evil.example/jwks", "x5u": "https://evil.example/x5u", "x5t": "AAAA",
              "jwk": {"kty": "oct", "k": "AAAA"}, "x5c": ["not even base64"]}
    case(made, name, raw(header, id_claims(name), "jose-rsa-1", "RS256"),
         "Signed by the right key; what the header says of keys is not read.", ["T38"])
    name = "header-unknown"
    case(made, name, raw({**RS, "cty": "x", "org.example": {"a": [1, None]}}, id_claims(name), "jose-rsa-1", "RS256"),
         "Unknown members are ignored (RFC 7515, 4).")
    name = "header-b64-true"
    case(made, name, raw({**RS, "b64": True}, id_claims(name), "jose-rsa-1", "RS256"), "What `b64` says anyway.")


def claims(made):
    def ok(name, about, /, tests=(), by="jwcrypto", issuer="https://op.example.se", header=RS, key="jose-rsa-1", more=None,
           identity=None, **changed):
        case(made, name, sign(header, id_claims(name, issuer, **changed), key, by), about, tests, identity, **(more or {}))

    ok("aud-array", "`aud` as an array of one.", ["T39"], aud=["vectors"])
    ok("aud-trusted", "Another audience that the configuration trusts.", ["T39"], issuer="https://audiences.example.se",
       aud=["partner", "vectors"], azp="vectors")
    ok("azp-ours", "`azp` is us.", azp="vectors")
    ok("nonce-equal", "The nonce is the one that was sent.", more={"in_response_to": "n-1"})
    ok("nonce-unchecked", "A captured token.", more={"in_response_to": "*"})
    ok("nonce-absent", "Without a nonce, and none to compare.", nonce=DROP)
    ok("exp-last", "The last instant within skew.", more={"at": "2026-03-01T10:05:59Z"})
    ok("iat-ahead", "Issued 60 s ahead: within skew.", iat=IAT + 65, auth_time=IAT + 65)
    ok("nbf-ahead", "Not before in 60 s: within skew.", nbf=IAT + 65)
    ok("long-lived", "Valid for a year: the generic profile has no cap.", exp=IAT + 31536000)
    ok("auth-time-absent", "No `auth_time`, and no max_age sent.", auth_time=DROP)
    ok("amr", "`amr`.", amr=["pwd", "otp"])
    ok("sub-longest", "255 bytes of `sub`.", sub="x" * 255, identity={"subject": "x" * 255})
    ok("extra-claims", "Unknown claims of any type.", ["53"], foo=None, bar=[1, {"a": 1.5e300}], **{"ö": True})
    ok("at-hash", "An `at_hash` that nothing came along with.", at_hash="MTIzNDU2Nzg5MDEyMzQ1Ng")
    for alg, kid, key in ALGORITHMS:
        digest = hashlib.new({"256": "sha256", "384": "sha384", "512": "sha512", "DSA": "sha512"}[alg[2:]])
        digest.update(b"an-access-token")
        half = b64u(digest.digest()[:len(digest.digest()) // 2])
        ok(f"hashes-{alg.lower()}", "Half hashes of what came along.", by="pyjwt", header={"alg": alg, "kid": kid}, key=key,
           at_hash=half, c_hash=half)
    ok("jti-absent", "No `jti`: remembered by its digest.", jti=DROP)
    ok("big", "60 KB of claims.", by="npm", userCertificate="A" * 60000)
    ok("loa2", "Another level of the provider's list.", acr=f"{E}loa2", identity={"loa": f"{E}loa2"})

    def form(name, text, about, tests=()):
        case(made, name, raw(RS, text, "jose-rsa-1", "RS256"), about, tests)

    name = "json-spaced"
    form(name, json.dumps(id_claims(name), indent="\t").replace("\n", "\r\n") + "\n ", "White space where JSON has it.")
    name = "json-escapes"
    form(name, json.dumps(id_claims(name)).replace('"iss"', '"\\u0069ss"').replace("https://", "https:\\/\\/"),
         "Escapes in a name and in values.")
    name = "json-unicode"
    case(made, name, raw(RS, json.dumps(id_claims(name, name="Åsa \U0001f600 Öberg")), "jose-rsa-1", "RS256"),
         "Surrogate pairs and umlauts as escapes.", identity={"name": "Åsa 😀 Öberg"})
    name = "json-deepest"
    form(name, json.dumps(id_claims(name, deep=nested(14))), "As deep as the limit.", ["T40"])


def nested(depth: int):
    value = 1
    for _ in range(depth):
        value = [value]
    return value


def encrypted(made):
    for alg in ("RSA-OAEP", "RSA-OAEP-256"):
        for enc in ("A128GCM", "A256GCM"):
            for by in ("jwcrypto", "npm", "raw"):
                name = f"jwe-{alg.lower()}-{enc.lower()}-{by}"
                inner = sign({"alg": "PS256", "kid": "rsa-1"}, id_claims(name), "jose-rsa-1", "npm" if by == "jwcrypto" else "jwcrypto")
                case(made, name, encrypt({"alg": alg, "enc": enc, "cty": "JWT", "kid": "sp"}, inner, by=by),
                     f"{alg} and {enc} by {by}.", ["T36"])
    name = "jwe-required"
    inner = sign(RS, id_claims(name, "https://encrypted.example.se"), "jose-rsa-1", "pyjwt")
    case(made, name, encrypt({"alg": "RSA-OAEP", "enc": "A256GCM"}, inner, by="npm"), "Where it must be encrypted.")
    name = "jwe-old-key"
    inner = sign(RS, id_claims(name), "jose-rsa-1", "pyjwt")
    case(made, name, encrypt({"alg": "RSA-OAEP-256", "enc": "A128GCM", "typ": "JWT"}, inner, "sp-decrypt-old", "jwcrypto"),
         "To our key before the roll-over.")
    name = "jwe-named-provider"
    inner = sign({"alg": "ES256", "kid": "p256"}, id_claims(name), "jose-p256", "npm")
    case(made, name, encrypt({"alg": "RSA-OAEP", "enc": "A128GCM"}, inner, by="jwcrypto"), "The provider is named.",
         provider="op")


def profiles(made):
    def ok(name, header, issuer, key, about, /, tests=(), identity=None, more=None, by="pyjwt", **changed):
        case(made, name, sign(header, id_claims(name, issuer, **changed), key, by), about, tests, identity, **(more or {}))

    se, sweden = {"alg": "ES256", "kid": "se-1"}, ("https://sweden.example.se", "jose-sweden")
    person = {"name": "Åsa Öberg", "given_name": "Åsa", "family_name": "Öberg", "birthdate": "1950-06-26"}
    ok("sweden-number", se, *sweden, "Personal number and names.", ["43"],
       {"personal_number": "195006262546", "name": "Åsa Öberg", "given_name": "Åsa", "surname": "Öberg",
        "date_of_birth": "1950-06-26", "provider": "op-sweden", "loa": LOA3},
       **{f"{OIDC}personalIdentityNumber": "195006262546", **person})
    ok("sweden-coordination", se, *sweden, "A coordination number, for a service that takes them.", ["43"],
       {"coordination_number": "197010632391", "coordination_level": "confirmed"},
       {"config": "grindvakt-coordination.toml"},
       **{f"{OIDC}coordinationNumber": "197010632391", f"{OIDC}coordinationNumberLevel": "confirmed"})
    ok("sweden-affiliation", se, *sweden, "Affiliations.", (), {"org_affiliation": "a.b@5562265719,c@2021006883"},
       **{f"{OIDC}orgAffiliation": ["a.b@5562265719", "c@2021006883"]})
    ok("sweden-previous", se, *sweden, "The number before.", (),
       {"personal_number": "195006262546", "previous_number": "197010632391"},
       **{f"{OIDC}personalIdentityNumber": "195006262546", f"{OIDC}previousCoordinationNumber": "197010632391"})
    ok("sweden-five-minutes", se, *sweden, "Valid for five minutes to the second.", ["38"], exp=IAT + 300)
    connect = ("https://connect.example.se", "jose-sweden")
    ok("connect-eidas", se, *connect, "A foreign e-ID by the connector.", ["26"],
       {"prid": "NO:05068907693", "country": "NO", "loa": f"{E}eidas-nf-sub"}, acr=f"{E}eidas-nf-sub",
       **{f"{CONNECT}prid": "NO:05068907693", f"{CONNECT}eidasCountry": "NO"})
    ok("connect-mapped", se, *connect, "A mapped number with an acceptable binding.", ["25"],
       {"personal_number": "195006262546", "prid": "NO:05068907693"}, acr=f"{E}eidas-nf-sub",
       **{f"{CONNECT}prid": "NO:05068907693", f"{CONNECT}eidasCountry": "NO",
          f"{CONNECT}mappedPersonalIdentityNumber": "195006262546",
          f"{CONNECT}identityBinding": "http://id.swedenconnect.se/id-binding/process/populationregister"})
    ok("connect-mapped-coordination", se, *connect, "A mapped coordination number is exempt from the opt-in.", ["58"],
       {"coordination_number": "197010632391"}, acr=f"{E}eidas-nf-sub",
       **{f"{CONNECT}mappedCoordinationNumber": "197010632391",
          f"{CONNECT}identityBinding": "http://id.swedenconnect.se/id-binding/process/swedish-eid"})
    freja = ({"alg": "RS256", "kid": "freja-1"}, "https://freja.example.se/oidc/", "jose-freja")
    ok("freja", *freja, "An hour, no `acr`, no `auth_time`, the level in a claim of its own.", (),
       {"personal_number": "195006262546", "loa": LOA3, "provider": "op-freja", "country": "SE"},
       exp=IAT + 3600, acr=DROP, auth_time=DROP,
       **{f"{FREJA}loaLevel": "LOA3", f"{FREJA}registrationLevel": "PLUS", f"{FREJA}country": "SE",
          f"{FREJA}personalIdentityNumber": "195006262546", f"{FREJA}relyingPartyUserId": "r1"})
    ok("freja-foreign", *freja, "Another country's number is nobody's here.", (),
       {"loa": f"{S}loa3-nonresident", "country": "DK"}, exp=IAT + 3600, acr=DROP, auth_time=DROP,
       **{f"{FREJA}loaLevel": "LOA3_NR", f"{FREJA}country": "DK", f"{FREJA}personalIdentityNumber": "123456789"})
    ok("inera", se, "https://inera.example.se:443/oidc", "jose-sweden", "SITHS.", (),
       {"hsa_id": "SE2321000016-abcd", "personal_number": "195006262546", "loa": "http://id.sambi.se/loa/loa3"},
       exp=IAT + 3600, acr="http://id.sambi.se/loa/loa3", employeeHsaId="SE2321000016-abcd",
       credentialPersonalIdentityNumber="195006262546", credentialGivenName="Åsa")
    ok("mapped", RS, "https://mapped.example.se", "jose-rsa-1", "Claims and level by the configuration.", (),
       {"personal_number": "195006262546", "name": "Å", "loa": f"{E}loa2"}, acr="ignored", level="silver",
       pnr="195006262546", display="Å")
    ok("both-login", RS, "https://both.example.se", "jose-rsa-1", "One issuer with logins and access tokens: a login.",
       (), {"provider": "both-login"})


def access(made):
    def ok(name, about, /, header=AS, issuer="https://as.example.se", key="jose-as", tests=(), identity=None, by="npm",
           more=None, **changed):
        case(made, name, sign(header, at_claims(name, issuer, **changed), key, by), about, tests, identity, **(more or {}))

    plain = {"alg": "RS256", "kid": "as-1"}
    ok("at-jwt", "RFC 9068.", identity={"subject": "pers-at-jwt", "provider": "as"})
    ok("at-jwt-media", "`typ` with its prefix.", {**AS, "typ": "application/at+jwt"})
    ok("at-plain", "A plain access token that says `JWT`.", {**plain, "typ": "JWT"}, by="pyjwt")
    ok("at-untyped", "One that says nothing.", plain, by="pyjwt")
    ok("at-sparse", "Without iat, jti and client_id, which only RFC 9068 demands.", plain, iat=DROP, jti=DROP, client_id=DROP)
    ok("at-client", "A client for itself, and no `sub`.", plain, sub=DROP, identity={"subject": "app"})
    ok("at-es256", "By another key.", {"alg": "ES256", "kid": "as-p256"}, key="jose-as-p256", by="jwcrypto")
    ok("at-strict", "Where only `at+jwt` passes.", issuer="https://strict.example.se")
    ok("at-audiences", "Among several audiences.", tests=["55"], aud=["urn:x", "https://sp.example.se/api"])
    ok("at-audience-two", "The second of our two names.", issuer="https://two.example.se", aud="urn:b",
       identity={"provider": "as-two"})
    ok("at-long", "Valid for a month.", exp=IAT + 2592000)
    ok("at-acr-unknown", "A level that the server may not assert is none.", acr="1", identity={"provider": "as"})
    ok("at-scope-empty", "An empty scope.", scope="")
    ok("at-bound", "Bound to a key.", cnf={"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"})
    ok("at-person", "A person in an access token.", issuer="https://person.example.se", acr=LOA3,
       identity={"personal_number": "195006262546", "loa": LOA3, "provider": "as-person"},
       **{f"{OIDC}personalIdentityNumber": "195006262546"})
    ok("both-api", "One issuer with logins and access tokens: an access token.", RS, "https://both.example.se",
       "jose-rsa-1", identity={"provider": "both-api"})
    ok("at-again", "Once.")
    made.append({**{k: v for k, v in made[-1].items() if k != "after"}, "after": "at-again", "name": "at-again-2",
                 "about": "And again: an access token may be used until it ends.", "tests": ["45"]})
