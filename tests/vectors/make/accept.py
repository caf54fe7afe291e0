"""Messages that must pass: every shape, algorithm and way of writing that an honest provider may use (checklist 7.4)."""

import keys
import message as m
import signer as s
from common import E, S
from message import build

FULL = {"personal_number": "195006262546", "name": "Åsa Öberg", "loa": E + "loa3"}
PKI = "urn:oasis:names:tc:SAML:2.0:ac:classes:SoftwarePKI"


def named(value: str, more=()) -> list:
    """The usual person with another display name, written as given."""
    return [(n, [value] if n == "displayName" else v) for n, v in m.PERSON] + list(more)


def add(out: list, name: str, about: str, idp: str = "rsa", identity=None, tests=(), case=None, make=build,
        **pieces) -> None:
    text = make(name, idp, **pieces)
    subject = pieces.get("expect_subject", f"pers-{name}")
    levels = {"urn": S + "uncertified-loa3", "uncertified": S + "uncertified-loa3", "broker": S + "uncertified-loa3"}
    expected = {"subject": subject, "provider": m.IDP[idp][2], **FULL, "loa": levels.get(idp, E + "loa3"), **(identity or {})}
    expected = {k: v for k, v in expected.items() if v is not None}
    out.append(("accept-" + name, text, {
        "in_response_to": "_req1", **(case or {}), "expect": "accepted", "tests": list(tests), "about": about,
        "identity": expected}))


def shapes(out: list) -> None:
    add(out, "response-signed", "The Response is signed, the Assertion is not: the federation's ordinary shape.")
    add(out, "both-signed", "The Assertion is signed in addition to the Response.", layout="both", tests=["54"])
    add(out, "assertion-signed", "Only the Assertion is signed, by a broker that does so.", "broker")
    add(out, "assertion-signed-either", "Only the Assertion is signed, at a provider that may sign either.", "p256",
        layout="assertion")
    add(out, "response-signed-either", "Only the Response is signed, at a provider that may sign either.", "p256")
    add(out, "both-different-algorithms", "Both are signed, each with an algorithm of its own.", layout="both",
        sig={"alg": s.RSA512, "digest": s.SHA512}, inner_sig={"alg": s.RSA256, "digest": s.SHA384})
    add(out, "both-different-keys", "Both are signed, the Assertion with the old key and the Response with the new.",
        layout="both", inner_key="idp-rsa-old", tests=["48"])
    add(out, "both-rsa-and-ec", "The Assertion is signed with EC, the Response with RSA, both keys of the issuer.", "mixed",
        layout="both", inner_key="idp-mixed-ec", inner_sig={"alg": s.EC256}, tests=["T25"])
    add(out, "old-key", "Signed with the first of two signing keys; its certificate expired in 2012.", key="idp-rsa-old",
        tests=["47", "48"])
    add(out, "key-without-use", "The key in metadata names no use; its certificate has expired.", "rsa3072",
        tests=["47", "48"])
    add(out, "urn-entity", "The provider's entityID is a URN.", "urn", tests=["52"])
    add(out, "weak-and-strong", "A provider with a 1024-bit key beside a good one: the good one counts.", "weak")
    add(out, "broker-no-response-fields", "An unsigned Response without Destination, InResponseTo and Issuer; the signed Assertion "
        "has all that counts.", "broker", destination="", response_in_response_to="", response_issuer="",
        case={"provider": "broker"})


def algorithms(out: list) -> None:
    plans = [("rsa-sha256", s.RSA256, "rsa"), ("rsa-sha384", s.RSA384, "rsa"), ("rsa-sha512", s.RSA512, "rsa"),
             ("rsa3072-sha256", s.RSA256, "rsa3072"), ("rsa3072-sha512", s.RSA512, "rsa3072"),
             ("pss-sha256", s.PSS256, "rsa"), ("pss-sha384", s.PSS384, "rsa"), ("pss-sha512", s.PSS512, "rsa"),
             ("rsa3072-pss-sha512", s.PSS512, "rsa3072")]
    for curve in ("p256", "p384", "p521"):
        for bits, alg in (("256", s.EC256), ("384", s.EC384), ("512", s.EC512)):
            plans.append((f"{curve}-sha{bits}", alg, curve))
    for name, alg, idp in plans:
        add(out, "alg-" + name, f"Signature algorithm {alg.split('/')[-1]}.", idp, sig={"alg": alg}, tests=["49"])
    for name, digest in (("sha256", s.SHA256), ("sha384", s.SHA384), ("sha512", s.SHA512)):
        add(out, "digest-" + name, f"Digest algorithm {name}.", sig={"digest": digest})
    add(out, "alg-mixed-ec", "A provider with an RSA and an EC key signs with the EC one.", "mixed", key="idp-mixed-ec",
        tests=["T25"])
    add(out, "alg-mixed-rsa", "A provider with an RSA and an EC key signs with the RSA one.", "mixed", tests=["T25"])


def signatures(out: list) -> None:
    prefix = '<ec:InclusiveNamespaces xmlns:ec="%s" PrefixList="%s"/>'
    declared = ' xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:unused="urn:example:unused"'
    add(out, "c14n-comments", "Transform and CanonicalizationMethod are exclusive C14N with comments.",
        sig={"c14n": s.EXC_COMMENTS, "transform_c14n": s.EXC_COMMENTS}, tests=["51"])
    add(out, "transform-comments-with-comment", "The WithComments transform, and a comment inside what is signed: a reference by "
        "ID leaves comments out (XMLDSig 4.4.3.3).", sig={"transform_c14n": s.EXC_COMMENTS},
        edit=lambda t: t.replace("<samlp:Status>", "<!-- a remark --><samlp:Status>"), tests=["51"])
    add(out, "prefix-list-transform", "InclusiveNamespaces in the transform names a prefix that only a value uses.",
        declarations=declared, sig={"transform_inner": prefix % (s.EXC, "xs")})
    add(out, "prefix-list-default", "InclusiveNamespaces names the default namespace, a declared, an unused and an undeclared prefix.",
        declarations=declared + ' xmlns="urn:example:default"',
        sig={"transform_inner": prefix % (s.EXC, "#default xs unused nowhere")})
    add(out, "prefix-list-signedinfo", "InclusiveNamespaces in the CanonicalizationMethod.", declarations=declared,
        sig={"c14n_inner": prefix % (s.EXC, "xs samlp #default")})
    add(out, "prefix-list-assertion", "The Assertion is signed, and its InclusiveNamespaces names a prefix declared on the Response.",
        "broker", declarations=declared, sig={"transform_inner": prefix % (s.EXC, "xs samlp")})
    add(out, "signature-prefix-other", "The Signature's prefix is dsig.", sig={"prefix": "dsig"})
    add(out, "signature-default-namespace", "The Signature declares its namespace as the default one.", sig={"prefix": ""})
    add(out, "key-info-certificate", "KeyInfo holds the right certificate.", sig={"key_info": info_x509("idp-rsa-new")})
    add(out, "key-info-of-attacker", "KeyInfo holds somebody else's certificate; it is never read.",
        sig={"key_info": info_x509("attacker-rsa")}, tests=["T24"])
    for name, inner in (
        ("empty-certificate", "<ds:X509Data><ds:X509Certificate/></ds:X509Data>"),
        ("garbage", "<ds:X509Data><ds:X509Certificate>%%%</ds:X509Certificate></ds:X509Data><ds:KeyValue/><ds:KeyName/>"),
        ("foreign", '<x:y xmlns:x="urn:example:x"><x:z/></x:y>'),
    ):
        add(out, "key-info-" + name, "A KeyInfo that makes no sense does no harm: it is never read.",
            sig={"key_info": f"<ds:KeyInfo>{inner}</ds:KeyInfo>"}, tests=["T31"])
    add(out, "whitespace-in-signature", "The Signature is laid out over many lines.", sig={"prefix": "ds"},
        edit=lambda t: t.replace("<ds:", "\n    <ds:").replace("</ds:SignedInfo", "\n  </ds:SignedInfo")
        .replace("</ds:Signature>", "\n</ds:Signature>"))


def info_x509(key: str) -> str:
    return ("<ds:KeyInfo><ds:X509Data><ds:X509Certificate>" + keys.cert_base64(key) +
            "</ds:X509Certificate></ds:X509Data></ds:KeyInfo>")
