"""Holds what was made against tools that are not ours, before anyone tests with it."""

import re
import tomllib

import encrypt
import message as m
import reference
import signer
from common import NS_DS, NS_SAML, SAML, VECTORS

SIG = f"{{{NS_DS}}}Signature"
ASSERTION, SEALED = f"{{{NS_SAML}}}Assertion", f"{{{NS_SAML}}}EncryptedAssertion"
PLACES = {"response": SIG, "assertion": f"{ASSERTION}/{SIG}"}


def key_names(entity: str) -> list:
    """The keys that metadata gives this issuer for signatures."""
    import feed
    for name, (entity_id, key, _, _) in m.IDP.items():
        if entity_id == entity:
            return [k for k, use in feed.KEYS.get(name, [(key, "signing")]) if use != "encryption"]
    return []


def opened(data: bytes) -> bytes | None:
    """What libxmlsec1 opens the message's EncryptedAssertion to."""
    sealed = signer.parse(data).find(SEALED)
    return None if sealed is None else encrypt.opened(sealed)


def the_assertion(data: bytes, inside: bytes | None):
    return signer.parse(data).find(ASSERTION) if inside is None else signer.parse(inside)


def signatures_hold(data: bytes, inside: bytes | None) -> list:
    """Which of the two places hold a signature that xmlsec verifies with a key of the Assertion's issuer. `inside` is the
    Assertion that came encrypted: a document of its own."""
    issuer = the_assertion(data, inside).find(f"{{{NS_SAML}}}Issuer")
    good = []
    for place, path in PLACES.items():
        holder, path = (inside, SIG) if inside and place == "assertion" else (data, path)
        if signer.parse(holder).find(path) is not None:
            assert issuer is not None and issuer.text
            if any(signer.verify(holder, path, k) for k in key_names(issuer.text)):
                good.append(place)
            else:
                good.append("bad " + place)
    return good


def saml(cases: list) -> None:
    seen = set()
    codes = reason_codes()
    for case in cases:
        assert case["expect"] == "accepted" or case["expect"] in codes, case
        data = (SAML / case["file"]).read_bytes()
        second_reading(case, data)
        inside = opening(case, data)
        if case["expect"] != "accepted":
            continue
        good = signatures_hold(data, inside)
        assert good and not any(g.startswith("bad") for g in good), (case["file"], good)
        assertion = the_assertion(data, inside)
        index = (assertion.findtext(f"{{{NS_SAML}}}Issuer"), assertion.get("ID"))
        assert index not in seen, index
        seen.add(index)
        config = tomllib.loads((SAML / case["config"]).read_text())
        provider = next(p for p in config["provider"] if p["id"] == case["identity"]["provider"])
        assert provider["entity_id"] == index[0], case["file"]
        assert provider["signed"] in good or provider["signed"] == "either", case["file"]
        values = ["".join(v.itertext()) for v in assertion.iter(f"{{{NS_SAML}}}AttributeValue")]
        if "name" in case["identity"]:
            assert case["identity"]["name"] in [v.strip() for v in values], (case["file"], values)
        subject = "".join(assertion.find(f"{{{NS_SAML}}}Subject/{{{NS_SAML}}}NameID").itertext())
        assert subject == case["identity"]["subject"], (case["file"], subject)
    PROBLEMS[:] = [p for p in PROBLEMS if p.split(".xml")[0] not in STRICTER]
    assert not PROBLEMS, "\n" + "\n".join(PROBLEMS)


def opening(case: dict, data: bytes) -> bytes | None:
    """What is accepted opens; what must not be told apart does not, and nor does it for libxmlsec1."""
    try:
        sealed = signer.parse(data).find(SEALED) is not None
        inside = opened(data)
    except signer.etree.XMLSyntaxError:
        return None
    assert case["expect"] != "accepted" or (inside is not None) == sealed, case["file"]
    if case.get("opaque") and inside is not None:
        PROBLEMS.append(f"{case['file']}: libxmlsec1 opens it")
    return inside


PROBLEMS = []
# XML Signature allows these, and the verifier is stricter: the second reading has no reason of its own against them.
STRICTER = {"reject-shape-signed-comment", "reject-shape-digest-cdata"}
# XML Encryption 5.2.1 has at least one byte of padding; libxmlsec1 takes none.
STRICTER |= {"reject-enc-opaque-cbc-padding-0"}
# What the padding takes off the text leaves no document. We tell nothing of what AES-CBC opened to.
STRICTER |= {"reject-enc-cbc-padding-2", "reject-enc-cbc-padding-16"}
EARLY = {"not_a_response", "signature_misplaced", "signature_multiple", "id_duplicate", "assertion_multiple", "signature_missing",
         "signature_shape", "signature_reference", "signature_transform", "signature_algorithm", "signature_key_type",
         "signature_invalid", "digest_mismatch", "id_ambiguous", "id_malformed"}


def second_reading(case: dict, data: bytes) -> None:
    """Codes up to the digest must be those of `reference`; for every other code the signatures must hold."""
    if case["expect"].startswith("issuer_"):
        return
    named = case.get("provider")
    issuer = re.findall(rb"<(?:\w+:)?Issuer[^>]*>([^<]*)<", data)
    entity = issuer[-1].decode() if issuer else ""
    name = next((n for n, i in m.IDP.items() if i[2] == named or (named is None and i[0] == entity)), "rsa")
    got = reference.verdict(data, m.IDP[name][3], [k for k in key_names(m.IDP[name][0])])
    want = case["expect"]
    if want.startswith("xml_") and not want.startswith("xml_too_"):
        want = "xml"
    elif want not in EARLY:
        want = None
    if got != want:
        PROBLEMS.append(f"{case['file']}: expected {case['expect']}, the second reading says {got}")


def reason_codes() -> set:
    """The closed set of codes, from the source that declares it."""
    source = VECTORS.parent.parent / "src" / "verify" / "reject.rs"
    return set(re.findall(r'= "([a-z0-9_]+)",', source.read_text()))
