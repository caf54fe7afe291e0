"""Encrypts Assertions by two makers that share nothing, and opens them again by the first.

`by="xmlsec"` is libxmlsec1 with a template; `by="plain"` a few lines over OpenSSL's RSA and AES, which also makes what
libxmlsec1 refuses to. Both give values only: the text around them is written here, so that a case can have any shape.

Content keys and, by the plain maker, initialisation vectors are hashes of the case's name, and what RSA or libxmlsec1
make at random is kept in `randomised.json`: a second run gives the same files.
"""

import copy
import functools
import hashlib
import os
from dataclasses import dataclass, field

import xmlsec
from cryptography import x509
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from lxml import etree

import message as m
import signer as s
from common import KEYS, NS_DS, NS_SAML, b64

XENC, XENC11 = "http://www.w3.org/2001/04/xmlenc#", "http://www.w3.org/2009/xmlenc11#"
MGF1P, OAEP11, RSA15 = XENC + "rsa-oaep-mgf1p", XENC11 + "rsa-oaep", XENC + "rsa-1_5"
OWN = ("sp-decrypt", "sp-decrypt-old")
# How content is encrypted: its identifier and the bytes of its key.
CONTENT = {f"{mode}{bits}": ((XENC11 + f"aes{bits}-gcm") if mode == "gcm" else (XENC + f"aes{bits}-cbc"), bits // 8)
           for mode in ("gcm", "cbc") for bits in (128, 192, 256)} | {"3des": (XENC + "tripledes-cbc", 24)}
DIGEST = {"sha1": NS_DS + "sha1", "sha256": s.SHA256, "sha384": s.SHA384, "sha512": s.SHA512}
HASH = {"sha1": hashes.SHA1, "sha256": hashes.SHA256, "sha384": hashes.SHA384, "sha512": hashes.SHA512}


@dataclass(frozen=True)
class Wrap:
    """How a content key is wrapped. None leaves the element out, which means SHA-1."""

    method: str = MGF1P
    digest: str | None = None
    mask: str | None = None
    label: bytes = b""

    def inner(self) -> str:
        """What its EncryptionMethod holds."""
        label = f"<xenc:OAEPparams>{b64(self.label)}</xenc:OAEPparams>" if self.label else ""
        digest = f'<ds:DigestMethod xmlns:ds="{NS_DS}" Algorithm="{DIGEST[self.digest]}"/>' if self.digest else ""
        mask = f'<xenc11:MGF xmlns:xenc11="{XENC11}" Algorithm="{XENC11}mgf1{self.mask}"/>' if self.mask else ""
        return label + digest + mask

    def seal(self, public, key: bytes) -> bytes:
        if self.method == RSA15:
            return public.encrypt(key, padding.PKCS1v15())
        mask = padding.MGF1(HASH[self.mask or "sha1"]())
        return public.encrypt(key, padding.OAEP(mask, HASH[self.digest or "sha1"](), self.label or None))


SHA1 = Wrap()
# What a good message may say of its key, by name.
WRAPS = {"mgf1p": SHA1, "mgf1p-sha1": Wrap(digest="sha1")} | {
    f"oaep-{bits}": Wrap(OAEP11, f"sha{bits}", f"sha{bits}") for bits in (256, 384, 512)}


@dataclass(frozen=True)
class To:
    """One EncryptedKey. The last four make bad ones: how it is wrapped in truth, what is wrapped in place of the content's
    key, what becomes of the wrapped bytes, and what stands in place of the EncryptionMethod's content."""

    key: str = "sp-decrypt"
    wrap: Wrap = SHA1
    recipient: str | None = None
    info: str = ""
    truly: Wrap | None = None
    instead: bytes | None = None
    change: object = field(default=None, compare=False)
    inner: str | None = None

    def element(self, value: str, number: int) -> str:
        recipient = "" if self.recipient is None else f' Recipient="{self.recipient}"'
        info = self.info and f'<ds:KeyInfo xmlns:ds="{NS_DS}">{self.info}</ds:KeyInfo>'
        inner = self.wrap.inner() if self.inner is None else self.inner
        return (f'<xenc:EncryptedKey xmlns:xenc="{XENC}" Id="_key{number}"{recipient}><xenc:EncryptionMethod '
                f'Algorithm="{self.wrap.method}">{inner}</xenc:EncryptionMethod>{info}<xenc:CipherData><xenc:CipherValue>'
                f"{value}</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey>")


def stretch(label: str, name: str, size: int) -> bytes:
    return hashlib.shake_256(f"{label} {name}".encode()).digest(size)


def by_plain(plain: bytes, name: str, content: str, to: tuple, change) -> list:
    """Base64 of each wrapped key, and of the content last."""
    key = stretch("key", name, CONTENT[content][1])
    out = []
    for one in to:
        public = x509.load_pem_x509_certificate((KEYS / f"{one.key}.crt").read_bytes()).public_key()
        truly, what = one.truly or one.wrap, key if one.instead is None else one.instead
        index = [b"wrap", (KEYS / f"{one.key}.crt").read_bytes(), repr(truly).encode(), what]
        wrapped = s.kept(index, lambda: [truly.seal(public, what).hex()])[0]
        wrapped = bytes.fromhex(wrapped)
        out.append(b64(one.change(wrapped) if one.change else wrapped))
    if content.startswith("gcm"):
        nonce = stretch("nonce", name, 12)
        sealed = nonce + AESGCM(key).encrypt(nonce, plain, None)
    else:
        cipher = TripleDES(key) if content == "3des" else algorithms.AES(key)
        size = cipher.block_size // 8
        # ISO 10126: the last byte counts the padding, the others are anything (XML Encryption 5.2.1).
        more = size - len(plain) % size
        start, padded = stretch("iv", name, size), plain + stretch("padding", name, more - 1) + bytes([more])
        encryptor = Cipher(cipher, modes.CBC(start)).encryptor()
        sealed = start + encryptor.update(padded) + encryptor.finalize()
    return out + [b64(change(sealed) if change else sealed)]


def by_xmlsec(plain: bytes, name: str, content: str, to: tuple) -> list:
    """The same by libxmlsec1, its base64 with the line breaks that it makes."""
    keys = "".join(one.element("", n).replace("</xenc:EncryptionMethod>", "</xenc:EncryptionMethod><ds:KeyInfo><ds:KeyName>"
                                              f"{one.key}</ds:KeyName></ds:KeyInfo>") for n, one in enumerate(to))
    template = (f'<xenc:EncryptedData xmlns:xenc="{XENC}" xmlns:ds="{NS_DS}" Type="{XENC}Element"><xenc:EncryptionMethod '
                f'Algorithm="{CONTENT[content][0]}"/><ds:KeyInfo>{keys}</ds:KeyInfo><xenc:CipherData><xenc:CipherValue/>'
                "</xenc:CipherData></xenc:EncryptedData>")

    def make():
        manager = xmlsec.KeysManager()
        for name_ in {one.key for one in to}:
            public = xmlsec.Key.from_file(str(KEYS / f"{name_}.crt"), xmlsec.constants.KeyDataFormatCertPem)
            public.name = name_
            manager.add_key(public)
        context = xmlsec.EncryptionContext(manager)
        kind = xmlsec.constants.KeyDataDes if content == "3des" else xmlsec.constants.KeyDataAes
        context.key = xmlsec.Key.from_binary_data(kind, stretch("key", name, CONTENT[content][1]))
        around = etree.Element("around")
        around.append(s.parse(plain))
        data = context.encrypt_xml(etree.fromstring(template), around[0])
        values = [value.text.strip() for value in data.iter(f"{{{XENC}}}CipherValue")]
        assert len(values) == len(to) + 1
        return values

    certificates = [(KEYS / f"{one.key}.crt").read_bytes() for one in to]
    return s.kept([b"xmlsec", name.encode(), template.encode(), plain, *certificates], make)


def seal(plain, name: str, content: str = "gcm256", to=(To(),), by: str = "plain", place: str = "inside", change=None,
         method: str = "", uri: str | None = None, info: str | None = None, attributes: str | None = None) -> str:
    """The EncryptedAssertion of `plain`.

    place: the EncryptedKeys stand inside KeyInfo, "beside" the data, or beside with a RetrievalMethod for each of those
    whose numbers are given ("retrieval 0 2"). change: what becomes of the encrypted bytes. method: what the content's
    EncryptionMethod holds; uri: what it is called. info: all that KeyInfo holds; attributes: EncryptedData's.
    """
    plain = plain.encode() if isinstance(plain, str) else plain
    assert by == "plain" or change is None
    *wrapped, value = by_xmlsec(plain, name, content, to) if by == "xmlsec" else by_plain(plain, name, content, to, change)
    elements = "".join(one.element(value, n) for n, (one, value) in enumerate(zip(to, wrapped)))
    where, *numbers = place.split()
    if info is None:
        info = elements if where == "inside" else "".join(
            f'<ds:RetrievalMethod Type="{XENC}EncryptedKey" URI="#_key{n}"/>' for n in numbers)
    beside = "" if where == "inside" else elements
    info = info and f'<ds:KeyInfo xmlns:ds="{NS_DS}">{info}</ds:KeyInfo>'
    attributes = f' Type="{XENC}Element"' if attributes is None else attributes
    uri = CONTENT[content][0] if uri is None else uri
    return (f'<saml:EncryptedAssertion xmlns:saml="{NS_SAML}"><xenc:EncryptedData xmlns:xenc="{XENC}"{attributes}>'
            f'<xenc:EncryptionMethod Algorithm="{uri}">{method}</xenc:EncryptionMethod>{info}<xenc:CipherData>'
            f"<xenc:CipherValue>{value}</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>{beside}"
            "</saml:EncryptedAssertion>")


def assertion(name: str, idp: str = "rsa", signed: bool = False, key: str | None = None, sig: dict | None = None,
              inner_edit=None, inner_post=None, **pieces) -> str:
    """An Assertion as a document of its own, signed where that is asked. `inner_edit` changes it before it is signed,
    `inner_post` after."""
    one = m.Message(name, idp, **pieces)
    by = key or one.key
    if signed:
        default = {"alg": s.EC256} if by.split("-")[-1] in ("p256", "p384", "p521", "ec") else {}
        one.assertion_signature = m.signature("a", one.assertion_id, **{**default, **(sig or {})})
    text = one.assertion()
    text = inner_edit(text) if inner_edit else text
    text = s.sign(text, "a", by) if signed else text
    return inner_post(text) if inner_post else text


INNER = ("inner_edit", "inner_post")


def build(name: str, idp: str = "rsa", layout: str | None = None, sealing: dict | None = None, sealed_edit=None, plain=None,
          inner_key: str | None = None, edit=None, post=None, key: str | None = None, sealed: str | None = None,
          response: dict | None = None, **pieces) -> str:
    """A message whose Assertion is encrypted. The layouts are those of `message.build`; the Assertion of "assertion" and
    "both" is signed before it is encrypted. `plain` is encrypted in place of an Assertion; `sealed_edit` changes the
    EncryptedAssertion before the Response is signed; `response` are pieces of the Response alone."""
    layout = layout or {"assertion": "assertion"}.get(m.IDP[idp][3], "response")
    names = m.layouts(layout)
    if sealed is None:
        text = assertion(name, idp, "a" in names, inner_key, **pieces) if plain is None else plain
        sealed = seal(text, name, **(sealing or {}))
    sealed = sealed_edit(sealed) if sealed_edit else sealed
    pieces = {k: v for k, v in pieces.items() if k not in INNER} | {"assertions": sealed} | (response or {})
    return m.build(name, idp, "response" if "r" in names else "none", key, edit=edit, post=post, **pieces)


def opened(sealed) -> bytes | None:
    """What libxmlsec1 finds in an EncryptedAssertion with our keys; None when it does not open.

    It gets the parts one by one, its own ways of looking for keys aside: what is tested with it is the arithmetic.
    """
    return opened_text(etree.tostring(sealed, with_tail=False))


@functools.lru_cache(None)
def opened_text(text: bytes) -> bytes | None:
    sealed = s.parse(text)
    data = sealed.find(f"{{{XENC}}}EncryptedData")
    if data is None:
        return None
    for wrapped in sealed.iter(f"{{{XENC}}}EncryptedKey"):
        for own in OWN:
            context = xmlsec.EncryptionContext()
            context.key = xmlsec.Key.from_file(str(KEYS / f"{own}.pem"), xmlsec.constants.KeyDataFormatPem)
            try:
                key = quietly(context.decrypt, alone(wrapped))
                context = xmlsec.EncryptionContext()
                context.key = xmlsec.Key.from_binary_data(xmlsec.constants.KeyDataAes, key)
                lone = alone(data)
                # As bytes, whatever it is: what is no XML must be seen too.
                lone.attrib.pop("Type", None)
                return quietly(context.decrypt, lone)
            except (xmlsec.Error, ValueError, TypeError):
                continue
    return None


def alone(element):
    """A copy without KeyInfo, and of a key without KeySize: the key is given, and is not to be looked for."""
    element = copy.deepcopy(element)
    if element.tag.endswith("}EncryptedKey"):
        etree.strip_elements(element, f"{{{XENC}}}KeySize")
    for info in element.findall(f"{{{NS_DS}}}KeyInfo"):
        element.remove(info)
    element.tail = None
    return element


def quietly(function, *arguments):
    """libxmlsec1 writes what goes wrong to stderr; here it is expected to."""
    kept, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        return function(*arguments)
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(null)
