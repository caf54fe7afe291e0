"""Signatures of the right provider, or nearly, that must be refused: shape, reference, transforms, algorithms, keys."""

import hashlib
import hmac

from cryptography.hazmat.primitives.asymmetric import utils

import keys
import message as m
import signer as s
from accept import info_x509
from common import KEYS, NS_DS, NS_SAML, NS_SAMLP, b64
from message import signature
from reject_rules import rej

DS_SIGNATURE = "</ds:Signature>"


def presence(out: list) -> None:
    rej(out, "unsigned", "signature_missing", "Nothing is signed.", layout="none", tests=["2"])
    rej(out, "unsigned-either", "signature_missing", "Nothing is signed, at a provider that may sign either.", "p256", layout="none", tests=["2"])
    rej(out, "unsigned-broker", "signature_missing", "Nothing is signed, at a provider that signs assertions.", "broker", layout="none", tests=["2"])
    rej(out, "only-assertion", "signature_missing", "The federation demands a signed Response.", layout="assertion", tests=["2"])
    rej(out, "only-response", "signature_missing", "The Assertion must be signed, and only the Response is.", "broker", layout="response",
        tests=["2"])
    for where, needle in (("r", "<samlp:Status>"), ("a", "<saml:Subject>")):
        idp = "rsa" if where == "r" else "broker"
        rej(out, f"two-signatures-{where}", "signature_multiple", "Two Signatures under one element.", idp,
            post=lambda t, n=needle: t.replace(n, first_signature(t) + n, 1))


def first_signature(text: str) -> str:
    return text[text.index("<ds:Signature "):text.index(DS_SIGNATURE) + len(DS_SIGNATURE)]


def shape(out: list) -> None:
    def case(name, about, tests=(), **kw):
        rej(out, "shape-" + name, "signature_shape", about, tests=list(tests), **kw)

    # XML would allow both, and readers have differed on them: nobody who means well writes so.
    case("signed-comment", "A comment in SignedInfo, canonicalised with comments, so that it is signed too.", ["T11"],
         sig={"c14n": s.EXC_COMMENTS}, edit=lambda t: t.replace("<ds:Reference ", "<!-- one --><ds:Reference "))
    case("digest-cdata", "DigestValue written as CDATA.", ["T11"],
         edit=lambda t: t.replace("{{DV:r}}", "<![CDATA[{{DV:r}}]]>"))
    case("empty", "An empty Signature.", post=lambda t: t.replace(first_signature(t), f'<ds:Signature xmlns:ds="{NS_DS}"/>'))
    case("no-value", "No SignatureValue.", post=lambda t: cut(t, "<ds:SignatureValue>", "</ds:SignatureValue>"))
    case("no-signed-info", "No SignedInfo.", post=lambda t: cut(t, "<ds:SignedInfo>", "</ds:SignedInfo>"))
    case("no-method", "No SignatureMethod.", ["T22"], post=lambda t: cut(t, "<ds:SignatureMethod", "/>"))
    case("no-digest-method", "No DigestMethod.", ["T22"], post=lambda t: cut(t, "<ds:DigestMethod", "/>"))
    case("no-digest", "No DigestValue.", post=lambda t: cut(t, "<ds:DigestValue>", "</ds:DigestValue>"))
    case("two-signed-infos", "Two SignedInfos, the forged one first.", ["T11"],
         post=lambda t: t.replace("<ds:SignedInfo>", part(t, "SignedInfo").replace("#_r-", "#_x-") + "<ds:SignedInfo>", 1))
    case("two-signed-infos-last", "Two SignedInfos, the forged one last.", ["T11"],
         post=lambda t: t.replace("</ds:SignedInfo>", "</ds:SignedInfo>" + part(t, "SignedInfo").replace("#_r-", "#_x-"), 1))
    case("two-values", "Two SignatureValues.",
         post=lambda t: t.replace("</ds:SignatureValue>", "</ds:SignatureValue><ds:SignatureValue>AAAA</ds:SignatureValue>", 1))
    case("two-digests", "A second DigestValue before the signed one.", ["T1"],
         post=lambda t: t.replace("<ds:DigestValue>", "<ds:DigestValue>AAAA</ds:DigestValue><ds:DigestValue>", 1))
    case("object", "An Object in the Signature.", ["T1"],
         post=lambda t: t.replace(DS_SIGNATURE, "<ds:Object>x</ds:Object>" + DS_SIGNATURE, 1))
    case("object-digest", "A DigestValue in an Object.", ["T1"],
         post=lambda t: t.replace(DS_SIGNATURE, "<ds:Object><ds:DigestValue>AAAA</ds:DigestValue></ds:Object>" + DS_SIGNATURE, 1))
    case("foreign-child", "A child of another namespace.",
         post=lambda t: t.replace(DS_SIGNATURE, '<x:y xmlns:x="urn:example:x"/>' + DS_SIGNATURE, 1))
    case("two-key-infos", "Two KeyInfos.",
         post=lambda t: t.replace(DS_SIGNATURE, "<ds:KeyInfo/><ds:KeyInfo/>" + DS_SIGNATURE, 1))
    case("order", "SignatureValue before SignedInfo.",
         post=lambda t: t.replace(first_signature(t), reorder(first_signature(t))))
    case("redeclared-prefix", "A Reference whose prefix means another namespace.", ["T4"],
         edit=lambda t: t.replace("<ds:Reference ", '<ds:Reference xmlns:ds="urn:example:ds" '), hand={"digest": "AAAA"})
    case("comment-in-digest", "A comment within DigestValue.", ["T11"],
         post=lambda t: t.replace("<ds:DigestValue>", "<ds:DigestValue>AAAA<!-- -->", 1))
    case("comment-in-digest-signed", "A comment within DigestValue that a lenient reader would join.", ["T11"],
         post=lambda t: inside(t, "<ds:DigestValue>", "<!-- -->"))
    case("comment-in-value", "A comment within SignatureValue.", ["T11"], post=lambda t: inside(t, "<ds:SignatureValue>", "<!-- -->"))
    case("element-in-digest", "An element within DigestValue.", post=lambda t: inside(t, "<ds:DigestValue>", "<x/>"))
    for name, doubled in (("first", True), ("last", False)):
        case("two-references-" + name, "Two References, one of them to something else.", ["T9"],
             edit=lambda t, d=doubled: two_references(t, d), hand={})
    case("no-reference", "No Reference.", ["T9"], edit=lambda t: cut(t, "<ds:Reference ", "</ds:Reference>"), hand={})


def cut(text: str, start: str, end: str) -> str:
    i = text.index(start)
    return text[:i] + text[text.index(end, i) + len(end):]


def part(text: str, name: str) -> str:
    i = text.index(f"<ds:{name}>")
    return text[i:text.index(f"</ds:{name}>") + len(f"</ds:{name}>")]


def inside(text: str, tag: str, what: str) -> str:
    i = text.index(tag) + len(tag) + 8
    return text[:i] + what + text[i:]


def reorder(sig: str) -> str:
    value = part(sig, "SignatureValue")
    return sig.replace(value, "").replace("<ds:SignedInfo>", value + "<ds:SignedInfo>", 1)


def two_references(text: str, first: bool) -> str:
    i, j = text.index("<ds:Reference "), text.index("</ds:Reference>") + len("</ds:Reference>")
    one = text[i:j]
    other = one.replace("#_r-", "#_a-").replace("{{DV:r}}", b64(hashlib.sha256(b"x").digest()))
    return text[:i] + (other + one if first else one + other) + text[j:]


def references(out: list) -> None:
    for name, uri in (("empty", ""), ("hash", "#"), ("assertion", "#_a-reference-assertion"), ("nobody", "#_nobody"),
                      ("http", "https://evil.example/x"), ("xpointer-root", "#xpointer(/)"),
                      ("xpointer-id", "#xpointer(id('_r-reference-xpointer-id'))"), ("escaped", "#%5Fr-reference-escaped"),
                      ("space", " #_r-reference-space"), ("no-hash", "_r-reference-no-hash"), ("file", "file:///etc/passwd")):
        rej(out, "reference-" + name, "signature_reference", "The Reference is not to the enclosing element.", tests=["3", "T9"],
            sig={"uri": uri}, hand={})
    rej(out, "reference-missing", "signature_reference", "A Reference without URI.", tests=["3", "T9"], hand={},
        edit=lambda t: t.replace(' URI="#_r-reference-missing"', ""))
    rej(out, "reference-response-signs-assertion", "signature_reference", "The Response's Signature refers to the Assertion, and the digest "
        "is the Assertion's.", tests=["T13"], sig={"uri": "#_a-reference-response-signs-assertion"},
        hand={"target": "_a-reference-response-signs-assertion"})
    rej(out, "reference-assertion-signs-response", "signature_reference", "The Assertion's Signature refers to the Response, and the digest "
        "is the Response's.", "broker", tests=["T13"], sig={"uri": "#_r-reference-assertion-signs-response"},
        hand={"target": "_r-reference-assertion-signs-response"})


def transforms(out: list) -> None:
    def t(*algorithms, inner=""):
        return "<ds:Transforms>" + "".join(f'<ds:Transform Algorithm="{a}">{inner}</ds:Transform>' for a in algorithms) + "</ds:Transforms>"

    xpath, xslt = "http://www.w3.org/TR/1999/REC-xpath-19991116", "http://www.w3.org/TR/1999/REC-xslt-19991116"
    for name, text in (
        ("three", t(s.ENVELOPED, s.EXC, s.EXC)), ("enveloped-twice", t(s.ENVELOPED, s.ENVELOPED)), ("only-c14n", t(s.EXC)),
        ("only-enveloped", t(s.ENVELOPED)), ("inclusive", t(s.ENVELOPED, s.C14N)),
        ("inclusive-11", t(s.ENVELOPED, "http://www.w3.org/2006/12/xml-c14n11")),
        ("base64", t(s.ENVELOPED, NS_DS + "base64")), ("unknown", t(s.ENVELOPED, "urn:example:transform")),
        ("xpath", t(s.ENVELOPED, xpath, inner="<ds:XPath>not(ancestor-or-self::ds:Signature)</ds:XPath>")),
        ("xpath-first", t(xpath, s.EXC, inner="<ds:XPath>false()</ds:XPath>")),
        ("xpath-filter2", t(s.ENVELOPED, "http://www.w3.org/2002/06/xmldsig-filter2")),
        ("xslt", t(s.ENVELOPED, xslt, inner='<xsl:stylesheet xmlns:xsl="http://www.w3.org/1999/XSL/Transform" version="1.0"/>')),
        ("swapped", t(s.EXC, s.ENVELOPED)), ("empty", "<ds:Transforms></ds:Transforms>"),
        ("many", t(s.ENVELOPED, *[s.EXC] * 50)), ("no-algorithm", "<ds:Transforms><ds:Transform/><ds:Transform/></ds:Transforms>"),
    ):
        rej(out, "transform-" + name, "signature_transform", "Anything but enveloped-signature and exclusive C14N.", tests=["3", "T19"],
            sig={"transforms": text}, hand={})
    for name, uri in (("inclusive", s.C14N), ("inclusive-comments", s.C14N + "#WithComments"), ("unknown", "urn:example:c14n"),
                      ("enveloped", s.ENVELOPED), ("empty", "")):
        rej(out, "c14n-" + name, "signature_transform", "A CanonicalizationMethod other than exclusive C14N.", tests=["3", "T19"],
            sig={"c14n": uri}, hand={})


def hmac_with(name: str):
    secret = keys.private("idp-rsa-new").public_key().public_bytes(
        keys.serialization.Encoding.PEM, keys.serialization.PublicFormat.SubjectPublicKeyInfo) if name == "pem" else (
            keys.private("idp-rsa-new").public_key().public_bytes(
                keys.serialization.Encoding.DER, keys.serialization.PublicFormat.SubjectPublicKeyInfo))
    return lambda data: hmac.new(secret, data, hashlib.sha256).digest()


def algorithms(out: list) -> None:
    def case(name, about, sig=None, **kw):
        kw.setdefault("hand", {})
        rej(out, "algorithm-" + name, "signature_algorithm", about, tests=["5", "T22", *kw.pop("more", [])], sig=sig, **kw)

    for name, uri in (("rsa-sha1", NS_DS + "rsa-sha1"), ("rsa-md5", s.MORE + "rsa-md5"), ("rsa-sha224", s.MORE + "rsa-sha224"),
                      ("rsa-ripemd160", s.MORE + "rsa-ripemd160"), ("dsa-sha1", NS_DS + "dsa-sha1"), ("unknown", "urn:example:rsa"),
                      ("empty", ""), ("digest-uri", s.SHA256), ("case", s.RSA256.upper()), ("pss-sha1", s.MORE07 + "sha1-rsa-MGF1"),
                      ("pss-parameters", s.MORE07 + "rsa-pss"), ("space", s.RSA256 + " ")):
        case(name, "A signature algorithm outside the allow-list.", {"alg": uri})
    case("ecdsa-sha1", "ECDSA with SHA-1.", {"alg": s.MORE + "ecdsa-sha1"}, idp="p256")
    case("missing", "A SignatureMethod without Algorithm.",
         edit=lambda t: t.replace(f'<ds:SignatureMethod Algorithm="{s.RSA256}"/>', "<ds:SignatureMethod/>"))
    for form in ("pem", "der"):
        case(f"hmac-{form}", "HMAC, keyed with the provider's public key.", {"alg": s.MORE + "hmac-sha256"}, more=["T23"],
             hand={"value": hmac_with(form)})
    case("hmac-sha1", "HMAC with SHA-1.", {"alg": NS_DS + "hmac-sha1"}, more=["T23"], hand={"value": hmac_with("pem")})
    for name, uri in (("sha1", NS_DS + "sha1"), ("md5", s.MORE + "md5"), ("sha224", s.MORE + "sha224"), ("unknown", "urn:example:digest"),
                      ("empty", ""), ("sha3", s.MORE07 + "sha3-256")):
        case("digest-" + name, "A digest algorithm outside the allow-list.", {"digest": uri})
    case("digest-missing", "A DigestMethod without Algorithm.",
         edit=lambda t: t.replace(f'<ds:DigestMethod Algorithm="{s.SHA256}"/>', "<ds:DigestMethod/>"))
    case("assertion-sha1", "SHA-1 on the Assertion, in a Response signed as it should be.", layout="both", hand=None,
         assertion_signature=s_hand_inner(s.NS_DS + "rsa-sha1"), edit=lambda t: s.hand_sign(t, "a", "idp-rsa-new"))


def s_hand_inner(alg: str) -> str:
    return signature("a", "_a-algorithm-assertion-sha1", alg=alg)


def key_types(out: list) -> None:
    rej(out, "key-type-ec-for-rsa", "signature_key_type", "An EC signature, and the issuer has RSA keys only.", key="attacker-p256", tests=["T25"])
    rej(out, "key-type-rsa-for-ec", "signature_key_type", "An RSA signature, and the issuer has an EC key only.", "p256", key="attacker-rsa",
        sig={"alg": s.RSA256}, tests=["T25"])
    rej(out, "key-type-named-ec", "signature_key_type", "The issuer's RSA signature under an ECDSA name.", sig={"alg": s.EC256}, hand={}, tests=["T25"])
    rej(out, "key-type-named-rsa", "signature_key_type", "The issuer's EC signature under an RSA name.", "p256", sig={"alg": s.RSA256}, hand={},
        tests=["T25"])
    for name, alg in (("pkcs1-named-pss", s.PSS256), ("sha256-named-sha512", s.RSA512)):
        rej(out, "named-" + name, "signature_invalid", "The issuer's RSA-SHA256 signature under another RSA name.", sig={"alg": alg},
            hand={"value": lambda d: s.raw_signature(keys.private("idp-rsa-new"), s.RSA256, d)}, tests=["T25"])


def values(out: list) -> None:
    def case(name, about, idp="rsa", tests=(), code="signature_invalid", **kw):
        rej(out, "value-" + name, code, about, idp, tests=list(tests), **kw)

    wrong = lambda **kw: {"key_info": kw.pop("info"), **kw}
    case("other-key", "Signed by a key of nobody.", key="attacker-rsa", tests=["2"])
    case("other-idp", "Signed by another provider of the same feed.", key="idp-rsa3072", tests=["T18"])
    case("encryption-key", "Signed by the key that metadata gives for encryption.", key="idp-rsa-encryption", tests=["33"])
    case("weak-key", "Signed by a listed key of 1024 bits, which was refused at load.", "weak", key="idp-weak-rsa1024", tests=["5"])
    case("other-curve", "Signed by a P-384 key, and the issuer's is P-256.", "p256", key="attacker-p384", sig={"alg": s.EC256})
    case("key-info-x509", "Signed by the attacker, whose certificate is in KeyInfo.", key="attacker-rsa",
         sig=wrong(info=info_x509("attacker-rsa")), tests=["T24"])
    case("key-info-x509-both", "KeyInfo holds the provider's certificate first, then the attacker's.", key="attacker-rsa", tests=["T24"],
         sig=wrong(info=info_x509("idp-rsa-new").replace("</ds:X509Data>", "<ds:X509Certificate>" + keys.cert_base64("attacker-rsa")
                                                         + "</ds:X509Certificate></ds:X509Data>")))
    number = keys.private("attacker-rsa").public_key().public_numbers().n
    case("key-info-value", "Signed by the attacker, whose key is a KeyValue in KeyInfo.", key="attacker-rsa", tests=["T24"],
         sig=wrong(info=f"<ds:KeyInfo><ds:KeyValue><ds:RSAKeyValue><ds:Modulus>{b64(number.to_bytes(256, 'big'))}</ds:Modulus>"
                   "<ds:Exponent>AQAB</ds:Exponent></ds:RSAKeyValue></ds:KeyValue></ds:KeyInfo>"))
    case("key-info-retrieval", "Signed by the attacker, whose key KeyInfo says where to fetch.", key="attacker-rsa", tests=["T24"],
         sig=wrong(info='<ds:KeyInfo><ds:RetrievalMethod URI="https://evil.example/key" '
                   f'Type="{NS_DS}rawX509Certificate"/></ds:KeyInfo>'))
    case("key-info-name", "Signed by the attacker, KeyInfo names the provider's key.", key="attacker-rsa", tests=["T24"],
         sig=wrong(info="<ds:KeyInfo><ds:KeyName>idp-rsa-new</ds:KeyName></ds:KeyInfo>"))
    case("assertion-by-attacker", "The Response is signed as it should be, its Assertion's own Signature is the attacker's.", layout="both",
         inner_key="attacker-rsa", tests=["54"])
    case("response-by-attacker", "The Assertion is signed as it should be, the Response by the attacker.", "mixed", layout="both",
         key="attacker-rsa", inner_key="idp-mixed-rsa")
    case("truncated", "A SignatureValue one byte short.", hand={"value": lambda d: right(d)[:-1]})
    case("long", "A SignatureValue with a leading zero byte too many.", hand={"value": lambda d: b"\0" + right(d)})
    case("zero", "A SignatureValue of zeros.", hand={"value": lambda d: bytes(256)})
    case("one", "A SignatureValue of one.", hand={"value": lambda d: bytes(255) + b"\1"})
    case("ec-zero", "ECDSA with r and s zero.", "p256", hand={"value": lambda d: bytes(64)})
    case("ec-order", "ECDSA with r and s the curve's order.", "p256", hand={"value": lambda d: bytes.fromhex(ORDER) * 2})
    case("ec-der", "ECDSA in DER: XMLDSig wants r and s side by side.", "p256", hand={"value": der})
    case("ec-odd", "ECDSA with an odd number of bytes.", "p256", hand={"value": lambda d: ec_raw(d) + b"\0"})
    case("ec-short", "ECDSA with a byte missing.", "p256", hand={"value": lambda d: ec_raw(d)[:-1]})
    case("ec-padded", "ECDSA with r and s padded to the size of another curve.", "p256",
         hand={"value": lambda d: bytes(16) + ec_raw(d)[:32] + bytes(16) + ec_raw(d)[32:]})
    case("signed-info-changed", "DigestValue was changed together with the content.", tests=["2"],
         post=lambda t: redigest(t.replace("195006262546", "195207306886")))
    case("over-nothing", "The provider's signature over nothing at all.", hand={"over": b""}, tests=["T3"])
    for idp, name in (("rsa", "response"), ("broker", "assertion")):
        case("digest-of-nothing-" + name, "The provider signed the digest of an empty text.", idp, code="digest_mismatch", tests=["T3"],
             hand={"digest": b64(hashlib.sha256(b"").digest())})


ORDER = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"


def right(data: bytes) -> bytes:
    return s.raw_signature(keys.private("idp-rsa-new"), s.RSA256, data)


def ec_raw(data: bytes) -> bytes:
    return s.raw_signature(keys.private("idp-p256"), s.EC256, data)


def der(data: bytes) -> bytes:
    raw = ec_raw(data)
    return utils.encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))


def redigest(text: str) -> str:
    """The digest that fits what the text says now; the signature over it is then another's."""
    root = s.parse(text)
    sig = root.find(f"{{{NS_DS}}}Signature")
    old = sig.findtext(f".//{{{NS_DS}}}DigestValue")
    root.remove(sig)
    return text.replace(old, b64(hashlib.sha256(s.exclusive(root)).digest()))


def identifiers(out: list) -> None:
    extra = (("Id", ' Id="_x"'), ("id", ' id="_x"'), ("xml-id", ' xml:id="_x"'), ("ns-ID", ' x:ID="_x" xmlns:x="urn:example:x"'),
             ("ns-saml-ID", f' x:ID="_x" xmlns:x="{NS_SAML}"'))
    for name, attribute in extra:
        rej(out, "id-ambiguous-" + name, "id_ambiguous", "The signed Response has another attribute that might be its ID.", tests=["T4"],
            response_attributes=attribute, hand={})
        rej(out, "id-ambiguous-assertion-" + name, "id_ambiguous", "The signed Assertion has another attribute that might be its ID.", "broker",
            tests=["T4"], assertion_attributes=attribute, hand={})
    for name, value in (("digit", "1abc"), ("colon", "a:b"), ("space", "a b"), ("dot", ".a"), ("slash", "a/b")):
        rej(out, "id-malformed-" + name, "id_malformed", "An ID that is no NCName.", response_id=value, hand={})
    rej(out, "id-same", "id_duplicate", "Response and Assertion have one ID.", response_id="_same", assertion_id="_same", hand={}, tests=["3"])
    rej(out, "id-same-broker", "id_duplicate", "Response and signed Assertion have one ID.", "broker", response_id="_same2",
        assertion_id="_same2", hand={}, tests=["3"])


def parts(out: list) -> None:
    for part_ in (presence, shape, references, transforms, algorithms, key_types, values, identifiers):
        part_(out)
