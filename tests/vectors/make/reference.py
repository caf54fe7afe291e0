"""A second, slow reading of the verifier's order up to the digest, to hold the expected codes against.

It shares no code with the verifier and is no model for one: no limits, no time, one library after the other.
"""

import base64
import hashlib
import re

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from lxml import etree

import encrypt
import keys
import signer as s
from common import NS_DS, NS_SAML, NS_SAMLP

DS, SAML, SAMLP = f"{{{NS_DS}}}", f"{{{NS_SAML}}}", f"{{{NS_SAMLP}}}"
XML = ("xml_doctype", "xml_processing_instruction", "xml_malformed", "xml_not_utf8", "xml_unknown_entity",
       "xml_duplicate_attribute", "xml_bad_namespace", "xml_relative_namespace")
DIGEST = {s.SHA256: "sha256", s.SHA384: "sha384", s.SHA512: "sha512"}
METHOD = {s.RSA256: ("rsa", "sha256"), s.RSA384: ("rsa", "sha384"), s.RSA512: ("rsa", "sha512"),
          s.PSS256: ("pss", "sha256"), s.PSS384: ("pss", "sha384"), s.PSS512: ("pss", "sha512"),
          s.EC256: ("ec", "sha256"), s.EC384: ("ec", "sha384"), s.EC512: ("ec", "sha512")}


def verdict(data: bytes, required: str, key_names: list) -> str | None:
    """The first code up to the digest, None when nothing was found. `required`: response, assertion or either."""
    root = document(data)
    if isinstance(root, str):
        return root
    if root.tag != SAMLP + "Response":
        return "not_a_response"
    return structure(root) or signatures(root, required, key_names)


def document(data: bytes):
    """The document element, or the code "xml"."""
    try:
        data.decode()
        root = s.parse(data)
    except (etree.XMLSyntaxError, UnicodeDecodeError):
        return "xml"
    if root.getroottree().docinfo.doctype or re.search(rb"<\?(?!xml )", data):
        return "xml"
    for element in root.iter(etree.Element):
        if any(uri and not re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", uri) for uri in element.nsmap.values()):
            return "xml"
    return root


def structure(root) -> str | None:
    signatures_ = list(root.iter(DS + "Signature"))
    for node in signatures_:
        parent = node.getparent()
        if parent is not root and not (parent.tag == SAML + "Assertion" and parent.getparent() is root):
            return "signature_misplaced"
    parents = [n.getparent() for n in signatures_]
    if len(set(map(id, parents))) != len(parents):
        return "signature_multiple"
    ids = [n.get("ID") for n in root.iter(etree.Element) if n.get("ID") is not None]
    if len(ids) != len(set(ids)):
        return "id_duplicate"
    assertions = list(root.iter(SAML + "Assertion")) + list(root.iter(SAML + "EncryptedAssertion"))
    if len(assertions) > 1 or any(a.getparent() is not root for a in assertions):
        return "assertion_multiple"
    return None


def around(root, required: str, key_names: list) -> str | None:
    """A Response with an EncryptedAssertion: the signature around it, and then the document inside."""
    outer = root.find(DS + "Signature") is not None
    if not outer and required == "response":
        return "signature_missing"
    code = one(root, key_names) if outer else None
    if code:
        return code
    method = root.find(f"{SAML}EncryptedAssertion/{{{encrypt.XENC}}}EncryptedData/{{{encrypt.XENC}}}EncryptionMethod")
    if method is not None and not outer and "gcm" not in method.get("Algorithm", ""):
        return None
    text = encrypt.opened(root.find(SAML + "EncryptedAssertion"))
    if text is None:
        return None
    inside = document(text)
    if isinstance(inside, str):
        return inside
    if inside.tag != SAML + "Assertion":
        return None
    inner = list(inside.iter(DS + "Signature"))
    for node in inside.iterdescendants(DS + "Signature", SAML + "Assertion", SAML + "EncryptedAssertion"):
        if node.tag != DS + "Signature":
            return "assertion_multiple"
        if node.getparent() is not inside:
            return "signature_misplaced"
    ids = [v for n in inside.iter(etree.Element) for k, v in n.attrib.items() if k.lower() == "id"]
    if len(ids) != len(set(ids)):
        return "id_duplicate"
    if len(inner) > 1:
        return "signature_multiple"
    code = one(inside, key_names) if inner else None
    if code is None and not {"response": outer, "assertion": bool(inner), "either": outer or bool(inner)}[required]:
        return "signature_missing"
    return code


def signatures(root, required: str, key_names: list) -> str | None:
    if root.find(SAML + "EncryptedAssertion") is not None:
        return around(root, required, key_names)
    assertion = root.find(SAML + "Assertion")
    outer = root.find(DS + "Signature") is not None
    inner = assertion is not None and assertion.find(DS + "Signature") is not None
    error = root.find(f"{SAMLP}Status/{SAMLP}StatusCode") is not None and assertion is None
    if not {"response": outer, "assertion": inner or (error and outer), "either": outer or inner}[required]:
        return "signature_missing"
    for element in ([root] if outer else []) + ([assertion] if inner else []):
        code = one(element, key_names)
        if code:
            return code
    return None


def children(node, *names) -> bool:
    """Whether the elements within are these, in this order; a name that ends in ? may be missing."""
    have = [c.tag for c in node.iterchildren(etree.Element)]
    for name in names:
        optional = name.endswith("?")
        if have and have[0] == DS + name.rstrip("?"):
            have.pop(0)
        elif not optional:
            return False
    return not have


def one(element, key_names: list) -> str | None:
    node = element.find(DS + "Signature")
    if not children(node, "SignedInfo", "SignatureValue", "KeyInfo?"):
        return "signature_shape"
    info = node.find(DS + "SignedInfo")
    if not children(info, "CanonicalizationMethod", "SignatureMethod", "Reference"):
        return "signature_shape"
    reference = info.find(DS + "Reference")
    if not children(reference, "Transforms?", "DigestMethod", "DigestValue"):
        return "signature_shape"
    if len(reference.find(DS + "DigestValue")) or len(node.find(DS + "SignatureValue")):
        return "signature_shape"
    others = [k for k in element.attrib if k.rpartition("}")[2].lower() == "id" and k != "ID"]
    if others:
        return "id_ambiguous"
    if not re.fullmatch(r"[^\W\d][\w.\-·]*", element.get("ID", "")):
        return "id_malformed"
    if reference.get("URI") != "#" + element.get("ID"):
        return "signature_reference"
    transforms = [t.get("Algorithm") for t in reference.iterfind(f"{DS}Transforms/{DS}Transform")]
    if len(transforms) != 2 or transforms[0] != s.ENVELOPED or transforms[1] not in (s.EXC, s.EXC_COMMENTS):
        return "signature_transform"
    method = info.find(DS + "CanonicalizationMethod")
    if method.get("Algorithm") not in (s.EXC, s.EXC_COMMENTS):
        return "signature_transform"
    algorithm = METHOD.get(info.find(DS + "SignatureMethod").get("Algorithm"))
    digest = DIGEST.get(reference.find(DS + "DigestMethod").get("Algorithm"))
    if algorithm is None or digest is None:
        return "signature_algorithm"
    return arithmetic(element, node, algorithm, digest, key_names)


def prefixes(parent) -> list | None:
    inclusive = parent.find(f"{{{s.EXC}}}InclusiveNamespaces")
    if inclusive is None:
        return None
    return inclusive.get("PrefixList").split()


def canonical(node, comments: bool, names) -> bytes:
    return s.exclusive(node, comments, names)


def arithmetic(element, node, algorithm, digest: str, key_names: list) -> str | None:
    info = node.find(DS + "SignedInfo")
    method = info.find(DS + "CanonicalizationMethod")
    data = canonical(info, method.get("Algorithm") == s.EXC_COMMENTS, prefixes(method))
    kind = rsa.RSAPublicKey if algorithm[0] in ("rsa", "pss") else ec.EllipticCurvePublicKey
    publics = [keys.private(k).public_key() for k in key_names]
    publics = [k for k in publics if isinstance(k, kind) and k.key_size not in (1024,)]
    if not publics:
        return "signature_key_type"
    value = base64.b64decode(node.find(DS + "SignatureValue").text)
    if not any(holds(k, algorithm, value, data) for k in publics):
        return "signature_invalid"
    # Canonical form of the element without its Signature: the text round it stays.
    transform = node.findall(f".//{DS}Transform")[1]
    names = prefixes(transform)
    previous, parent = node.getprevious(), node.getparent()
    if node.tail:
        if previous is not None:
            previous.tail = (previous.tail or "") + node.tail
        else:
            parent.text = (parent.text or "") + node.tail
    position = parent.index(node)
    tail, node.tail = node.tail, None
    parent.remove(node)
    found = hashlib.new(digest, canonical(element, False, names)).digest()
    parent.insert(position, node)
    if tail:
        holder = node.getprevious()
        if holder is not None:
            holder.tail = holder.tail[:len(holder.tail) - len(tail)] or None
        else:
            parent.text = parent.text[:len(parent.text) - len(tail)] or None
        node.tail = tail
    return None if found == base64.b64decode(node.findtext(f".//{DS}DigestValue")) else "digest_mismatch"


def holds(key, algorithm, value: bytes, data: bytes) -> bool:
    digest = {"sha256": hashes.SHA256, "sha384": hashes.SHA384, "sha512": hashes.SHA512}[algorithm[1]]()
    try:
        if algorithm[0] == "rsa":
            key.verify(value, data, padding.PKCS1v15(), digest)
        elif algorithm[0] == "pss":
            key.verify(value, data, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
        else:
            size = (key.key_size + 7) // 8
            if len(value) != 2 * size:
                return False
            r, t = (int.from_bytes(value[i:i + size], "big") for i in (0, size))
            key.verify(utils.encode_dss_signature(r, t), data, ec.ECDSA(digest))
        return True
    except (InvalidSignature, ValueError):
        return False
