"""Signs texts with libxmlsec1 and leaves every other byte alone.

A text carries `{{DV:x}}` and `{{SV:x}}` where DigestValue and SignatureValue of the signature named x belong. xmlsec signs
a parsed copy; only the two values go back into the text, so that CDATA, character references, line ends and the order of
attributes stay as written.

`hand_sign` is for hostile messages that xmlsec rightly refuses to make (a digest of nothing, MD5, HMAC keyed with a public
key): the canonical form is libxml2's, the arithmetic OpenSSL's.
"""

import hashlib
import json

import xmlsec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from lxml import etree

import keys
from common import HERE, KEYS, NS_DS, b64

XMLENC = "http://www.w3.org/2001/04/xmlenc#"
MORE = "http://www.w3.org/2001/04/xmldsig-more#"
MORE07 = "http://www.w3.org/2007/05/xmldsig-more#"
EXC = "http://www.w3.org/2001/10/xml-exc-c14n#"
EXC_COMMENTS = EXC + "WithComments"
C14N = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
ENVELOPED = NS_DS + "enveloped-signature"
SHA256, SHA384, SHA512 = XMLENC + "sha256", MORE + "sha384", XMLENC + "sha512"
RSA256, RSA384, RSA512 = (MORE + f"rsa-sha{n}" for n in (256, 384, 512))
PSS256, PSS384, PSS512 = (MORE07 + f"sha{n}-rsa-MGF1" for n in (256, 384, 512))
EC256, EC384, EC512 = (MORE + f"ecdsa-sha{n}" for n in (256, 384, 512))
RANDOMISED = {PSS256, PSS384, PSS512, EC256, EC384, EC512}
RANDOMISED |= {MORE + "ecdsa-sha1", MORE07 + "sha1-rsa-MGF1"}

# Values of randomised algorithms from earlier runs, so that a new run gives the same files. Safe to delete.
CACHE_FILE = HERE / "randomised.json"
_cache = json.loads(CACHE_FILE.read_text()) if CACHE_FILE.exists() else {}
_used = {}


def save_cache() -> None:
    CACHE_FILE.write_text(json.dumps(_used, indent=0, sort_keys=True) + "\n")


def parse(text) -> etree._Element:
    data = text.encode() if isinstance(text, str) else text
    parser = etree.XMLParser(resolve_entities=False, strip_cdata=False, no_network=True, huge_tree=True)
    return etree.fromstring(data, parser)


def find_template(root, name: str):
    for value in root.iter(f"{{{NS_DS}}}SignatureValue"):
        if value.text == "{{SV:%s}}" % name:
            return value.getparent()
    raise LookupError(name)


def fill(text: str, name: str, digest: str, value: str) -> str:
    return text.replace("{{DV:%s}}" % name, digest).replace("{{SV:%s}}" % name, value)


def cached(text: str, name: str, key_name: str, algorithm: str, make):
    """Runs `make` unless an earlier run signed these very bytes with this key."""
    if algorithm not in RANDOMISED and isinstance(keys.NAMES[key_name][0], int):
        return make()
    return kept([text.encode(), name.encode(), (KEYS / f"{key_name}.crt").read_bytes()], make)


def kept(what: list, make):
    """What an earlier run made of the bytes in `what`, or else what `make` makes of them now: a list of texts."""
    index = hashlib.sha256(b"\0".join(what)).hexdigest()
    if index not in _cache:
        _cache[index] = list(make())
    _used[index] = _cache[index]
    return _used[index]


def sign(text: str, name: str, key_name: str) -> str:
    """`text` with the signature `name` made by xmlsec."""

    def make():
        root = parse(text)
        node = find_template(root, name)
        ds = f"{{{NS_DS}}}"
        for value in node.iter(ds + "SignatureValue"):
            value.text = None
        for value in node.find(ds + "SignedInfo").iter(ds + "DigestValue"):
            if value.text == "{{DV:%s}}" % name:
                value.text = None
        # xmlsec fills in KeyInfo templates; ours are literal, and outside what the signature covers.
        for info in node.findall(ds + "KeyInfo"):
            node.remove(info)
        xmlsec.tree.add_ids(root, ["ID"])
        context = xmlsec.SignatureContext()
        context.key = xmlsec.Key.from_file(str(KEYS / f"{key_name}.pem"), xmlsec.constants.KeyDataFormatPem)
        context.sign(node)
        digest = next(node.iter(ds + "DigestValue")).text
        return digest, node.find(ds + "SignatureValue").text.strip()

    method = find_template(parse(text), name).find(f"{{{NS_DS}}}SignedInfo/{{{NS_DS}}}SignatureMethod")
    return fill(text, name, *cached(text, name, key_name, method.get("Algorithm"), make))


def verify(data: bytes, node_path: str, key_name: str) -> bool:
    """Whether xmlsec accepts the signature at `node_path` with this key and no other."""
    root = parse(data)
    xmlsec.tree.add_ids(root, ["ID"])
    node = root.find(node_path)
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_file(str(KEYS / f"{key_name}.crt"), xmlsec.constants.KeyDataFormatCertPem)
    try:
        context.verify(node)
        return True
    except xmlsec.Error:
        return False


# lxml leaves out prefixes that its dictionary of names has never seen, "#default" among them. No XML name holds a "#", but
# an attribute of HTML may.
etree.HTML('<p #default="x">')


def exclusive(node, comments=False, prefixes=None) -> bytes:
    return etree.tostring(
        node, method="c14n", exclusive=True, with_comments=comments, inclusive_ns_prefixes=prefixes, with_tail=False
    )


def raw_signature(key, algorithm: str, data: bytes) -> bytes:
    """The bytes of a SignatureValue, for any algorithm that OpenSSL still makes."""
    bits = next((n for n in ("sha1", "md5", "sha224", "sha256", "sha384", "sha512") if n in algorithm), "sha256")
    digest = {"sha1": hashes.SHA1, "md5": hashes.MD5, "sha224": hashes.SHA224, "sha256": hashes.SHA256,
              "sha384": hashes.SHA384, "sha512": hashes.SHA512}[bits]()
    if isinstance(key, rsa.RSAPrivateKey):
        if "MGF1" in algorithm:
            return key.sign(data, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
        return key.sign(data, padding.PKCS1v15(), digest)
    r, s = utils.decode_dss_signature(key.sign(data, ec.ECDSA(digest)))
    size = (key.curve.key_size + 7) // 8
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def hand_sign(text: str, name: str, key_name: str, digest: str | None = None, value=None, target: str | None = None,
              over: bytes | None = None) -> str:
    """`text` with the signature `name` made here.

    digest: used in place of the right one. value: a function of the SignedInfo's canonical form. target: the ID whose
    content is digested, without the Signature in it. over: what is signed in place of SignedInfo.
    """
    ds = f"{{{NS_DS}}}"

    def make():
        nonlocal digest
        root = parse(text)
        node = find_template(root, name)
        if digest is None:
            element = node.getparent() if target is None else root.xpath(f"//*[@ID='{target}']")[0]
            copy = parse(text)
            again = find_template(copy, name)
            element = copy if element is root else copy.xpath(f"//*[@ID='{element.get('ID')}']")[0]
            parent = again.getparent()
            if again.tail:
                previous = again.getprevious()
                if previous is not None:
                    previous.tail = (previous.tail or "") + again.tail
                else:
                    parent.text = (parent.text or "") + again.tail
            parent.remove(again)
            method = node.find(f"{ds}SignedInfo/{ds}Reference/{ds}DigestMethod")
            uri = method.get("Algorithm", "") if method is not None else ""
            kind = next((n for n in ("sha1", "md5", "sha224", "sha384", "sha512") if uri.endswith(n)), "sha256")
            digest = b64(hashlib.new(kind, exclusive(element)).digest())
        signed = parse(text.replace("{{DV:%s}}" % name, digest))
        info = find_template(signed, name).find(ds + "SignedInfo")
        method = info.find(ds + "SignatureMethod")
        algorithm = method.get("Algorithm", "") if method is not None else ""
        data = exclusive(info) if over is None else over
        made = value(data) if value else raw_signature(keys.private(key_name), algorithm, data)
        return digest, b64(made)

    template = find_template(parse(text), name)
    method = template.find(f"{ds}SignedInfo/{ds}SignatureMethod")
    algorithm = method.get("Algorithm", "") if method is not None else ""
    note = text if over is None else text + over.decode()
    return fill(text, name, *cached(note, "hand-" + name, key_name, algorithm, make))
