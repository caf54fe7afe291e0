"""Encrypted messages that must be refused. What says something wrong of itself has its code; what does not open has one
code and one text, whatever the reason (T30): those cases are `opaque`. A message is spoilt before the Response is signed,
so that its signature holds, unless the case says otherwise."""

import keys
import signer as s
from common import NS_DS, SP, b64
from encrypt import CONTENT, MGF1P, OAEP11, RSA15, WRAPS, XENC, XENC11, To, Wrap, build
from reject_rules import rej

CBC, SHA256 = {"content": "cbc256"}, WRAPS["oaep-256"]
ADVICE = "<saml:Advice>%s</saml:Advice>"


def enc(out: list, name: str, code: str, about: str, idp: str = "rsa", **pieces) -> None:
    rej(out, "enc-" + name, code, about, idp, make=build, **pieces)


def shape(out: list, name: str, about: str, edit, code: str = "assertion_undecryptable", **pieces) -> None:
    def edited(text: str) -> str:
        after = edit(text)
        assert after != text, name
        return after
    enc(out, "shape-" + name, code, about, sealed_edit=edited, **pieces)


def opaque(out: list, name: str, about: str, idp: str = "rsa", **pieces) -> None:
    case = {**pieces.pop("case", {}), "opaque": True}
    enc(out, "opaque-" + name, "assertion_undecryptable", about, idp, case=case, tests=["T30"], **pieces)


def algorithms(out: list) -> None:
    code = "encryption_algorithm"
    for by in ("xmlsec", "plain"):
        enc(out, "rsa15-" + by, code, "The key is wrapped by RSA 1.5.", sealing={"to": (To(wrap=Wrap(RSA15)),), "by": by}, tests=["T30"])
        enc(out, "3des-" + by, code, "The content is encrypted by Triple DES.", sealing={"content": "3des", "by": by})
    enc(out, "rsa15-broker", code, "The same without a signature around it.", "broker", sealing={"to": (To(wrap=Wrap(RSA15)),)})
    enc(out, "rsa15-ours-of-two", code, "Ours by RSA 1.5, another service's by RSA-OAEP.",
        sealing={"to": (To(wrap=Wrap(RSA15), recipient=SP), To("stranger", recipient="https://other.example.se/sp"))})
    for name, uri in (("chacha", "http://www.w3.org/2021/04/xmldsig-more#chacha20-poly1305"), ("wrong-family", XENC + "aes256-gcm"),
                      ("case", XENC11 + "AES256-GCM"), ("space", XENC11 + "aes256-gcm "), ("empty", ""), ("rsa", MGF1P),
                      ("key-wrap", XENC + "kw-aes256")):
        enc(out, "content-" + name, code, "The content's algorithm is not one that is taken.", sealing={"uri": uri})
    for name, uri in (("kw-aes", XENC + "kw-aes256"), ("empty", ""), ("case", MGF1P.upper()), ("content", CONTENT["gcm256"][0]),
                      ("older-namespace", XENC + "rsa-oaep")):
        shape(out, "wrap-" + name, "The key is wrapped by no algorithm that is taken.",
              lambda t, uri=uri: t.replace(f'Algorithm="{MGF1P}"', f'Algorithm="{uri}"'), code)
    for name, old, new in (("sha224", "xmlenc#sha256", "xmldsig-more#sha224"), ("md5", "xmlenc#sha256", "xmldsig-more#md5"),
                           ("mgf-sha224", "mgf1sha256", "mgf1sha224"), ("mgf-uri", XENC11 + "mgf1sha256", MGF1P),
                           ("digest-none", f' Algorithm="{s.SHA256}"', ""), ("mgf-none", f' Algorithm="{XENC11}mgf1sha256"', "")):
        shape(out, "oaep-" + name, "RSA-OAEP with a hash that is not taken.", lambda t, old=old, new=new: t.replace(old, new), code,
              sealing={"to": (To(wrap=SHA256),)})
    for name, wrap in (("mgf1p-sha256", Wrap(digest="sha256")), ("mgf1p-sha512", Wrap(digest="sha512")),
                       ("no-mgf", Wrap(OAEP11, "sha256")), ("mgf-sha1", Wrap(OAEP11, "sha256", "sha1")),
                       ("digest-sha1", Wrap(OAEP11, "sha1", "sha256")), ("no-digest", Wrap(OAEP11, None, "sha256")),
                       ("two", Wrap(OAEP11, "sha512", "sha384"))):
        enc(out, "mixed-" + name, "encryption_oaep_hashes", "RSA-OAEP with one hash for the label and another for the mask.",
            sealing={"to": (To(wrap=wrap),)})
    enc(out, "mixed-xmlsec", "encryption_oaep_hashes", "The same, by libxmlsec1.",
        sealing={"to": (To(wrap=Wrap(digest="sha256")),), "by": "xmlsec"})
    for content in ("cbc128", "cbc192", "cbc256"):
        enc(out, "unsigned-" + content, code, "AES-CBC without a signature around it: it could be changed unnoticed.", "broker",
            sealing={"content": content}, tests=["T14", "T30"])
    enc(out, "unsigned-cbc-either", code, "The same at a provider that may sign either.", "p256", layout="assertion", sealing=CBC,
        tests=["T14"])
    enc(out, "unsigned-cbc-nothing", code, "The same, and nothing is signed at all.", "broker", layout="none", sealing=CBC, tests=["T14"])


def unsigned(out: list) -> None:
    code = "signature_missing"
    enc(out, "unsigned-gcm", code, "AES-GCM keeps a secret and is nobody's word: nothing is signed.", "broker", layout="none", tests=["T14"])
    enc(out, "unsigned-gcm-either", code, "The same at a provider that may sign either.", "p256", layout="none", tests=["T14"])
    enc(out, "unsigned-response", code, "The same at a provider that signs Responses.", layout="none", tests=["T14"])
    enc(out, "unsigned-response-inner", code, "Signed inside, and the provider signs Responses.", layout="assertion", tests=["T14"])
    enc(out, "unsigned-response-required", code, "The same where encryption is required.", layout="none", tests=["T14"],
        case={"config": "grindvakt-encryption.toml"})
    enc(out, "unsigned-not-opened", code, "It would not open either: nothing is opened before the signature.", layout="none",
        sealing={"to": (To("stranger"),)}, tests=["T14"])
    for name, sealing in (("gcm", {}), ("cbc", CBC)):
        enc(out, f"around-only-{name}", code, "The Response is signed, the Assertion inside is not, and the provider signs those.",
            "broker", layout="response", sealing=sealing)
    enc(out, "around-wrong", "signature_invalid", "The Response is signed by an attacker.", key="attacker-rsa")
    enc(out, "around-wrong-both", "signature_invalid", "The same; signed well inside.", layout="both", key="attacker-rsa",
        inner_key="idp-rsa-new")
    enc(out, "around-wrong-broker", "signature_invalid", "A bad signature counts where a good one inside would do.", "broker",
        layout="both", key="attacker-rsa", inner_key="broker", sealing=CBC)
    for name, where in (("content", "</xenc:EncryptedKey>"), ("key", "<xenc:EncryptedKey")):
        def post(text: str, where=where) -> str:
            at = text.index("<xenc:CipherValue>", text.index(where)) + 60
            return text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1:]
        for kind, sealing in (("gcm", {}), ("cbc", CBC)):
            enc(out, f"after-{name}-{kind}", "digest_mismatch", "Changed after the Response was signed.", post=post, sealing=sealing,
                tests=["T14"])
    enc(out, "after-algorithm", "digest_mismatch", "The algorithm was changed after signing.", tests=["T14"],
        post=lambda t: t.replace("aes256-gcm", "aes256-cbc"))
    enc(out, "after-recipient", "digest_mismatch", "A Recipient was added after signing.",
        post=lambda t: t.replace("<xenc:EncryptedKey ", f'<xenc:EncryptedKey Recipient="{SP}" '))


def shapes(out: list) -> None:
    value = "<xenc:CipherValue>"
    first, last = "<xenc:EncryptedData ", "</xenc:EncryptedData>"
    content = f'<xenc:EncryptionMethod Algorithm="{CONTENT["gcm256"][0]}">'
    wrap = f'<xenc:EncryptionMethod Algorithm="{MGF1P}">'
    for name, about, edit in (
        ("no-data", "No EncryptedData.", lambda t: t[:t.index(first)] + t[t.index(last) + len(last):]),
        ("two-data", "Two EncryptedData.", lambda t: t.replace(
            last, last + t[t.index(first):t.index(last)].replace("_key0", "_key1") + last)),
        ("stranger-beside", "Something else beside the data.", lambda t: t.replace(last, last + '<x:y xmlns:x="urn:example:x"/>')),
        ("assertion-data", "EncryptedData in a namespace of its own.", lambda t: t.replace(first, '<x:EncryptedData xmlns:x="urn:example:x" ')
         .replace(last, "</x:EncryptedData>")),
        ("type-content", "The content of an element, not an element.", lambda t: t.replace("xmlenc#Element", "xmlenc#Content")),
        ("type-key", "EncryptedData of the type of an EncryptedKey.", lambda t: t.replace("xmlenc#Element", "xmlenc#EncryptedKey")),
        ("type-empty", "An empty Type.", lambda t: t.replace(f'Type="{XENC}Element"', 'Type=""')),
        ("no-method", "EncryptedData without EncryptionMethod.", lambda t: t.replace(content + "</xenc:EncryptionMethod>", "")),
        ("no-method-key", "EncryptedKey without EncryptionMethod.", lambda t: t.replace(wrap + "</xenc:EncryptionMethod>", "")),
        ("no-algorithm", "An EncryptionMethod without Algorithm.", lambda t: t.replace(content, "<xenc:EncryptionMethod>")),
        ("no-algorithm-key", "The key's EncryptionMethod without Algorithm.", lambda t: t.replace(wrap, "<xenc:EncryptionMethod>")),
        ("two-methods", "Two EncryptionMethods.", lambda t: t.replace(content, content.replace("256", "128") + "</xenc:EncryptionMethod>" + content)),
        ("method-part", "An unknown part in the content's EncryptionMethod.", lambda t: t.replace(content, content + '<x:y xmlns:x="urn:x"/>')),
        ("key-size-other", "KeySize is not the algorithm's.", lambda t: t.replace(content, content + "<xenc:KeySize>128</xenc:KeySize>")),
        ("key-size-word", "KeySize is no number.", lambda t: t.replace(content, content + "<xenc:KeySize>x</xenc:KeySize>")),
        ("method-part-key", "An unknown part in the key's EncryptionMethod.", lambda t: t.replace(wrap, wrap + '<x:y xmlns:x="urn:x"/>')),
        ("mgf-older", "The older identifier with an MGF.", lambda t: t.replace(wrap, wrap + Wrap(OAEP11, mask="sha1").inner())),
        ("digest-twice", "Two DigestMethods.", lambda t: t.replace(wrap, wrap + Wrap(digest="sha1").inner() * 2)),
        ("label-base64", "OAEPparams that is no base64.", lambda t: t.replace(wrap, wrap + "<xenc:OAEPparams>?</xenc:OAEPparams>")),
        ("label-empty", "An empty OAEPparams.", lambda t: t.replace(wrap, wrap + "<xenc:OAEPparams/>")),
        ("label-long", "A label of 257 bytes.", lambda t: t.replace(wrap, wrap + Wrap(label=b"x" * 257).inner())),
        ("label-twice", "Two labels.", lambda t: t.replace(wrap, wrap + Wrap(label=b"x").inner() + Wrap(label=b"y").inner())),
        ("no-key-info", "No EncryptedKey: no KeyInfo.", lambda t: t[:t.index("<ds:KeyInfo")] + t[t.index("</ds:KeyInfo>") + 13:]),
        ("key-name-only", "No EncryptedKey: a name only.", lambda t: t[:t.index("<xenc:EncryptedKey")] + "<ds:KeyName>sp</ds:KeyName>" +
         t[t.index("</ds:KeyInfo>"):]),
        ("no-cipher-data", "No CipherData.", lambda t: t[:t.rindex("<xenc:CipherData>")] + t[t.rindex("</xenc:EncryptedData>"):]),
        ("no-cipher-value", "An empty CipherData.", lambda t: t[:t.rindex(value)] + t[t.rindex("</xenc:CipherData>"):]),
        ("two-values", "Two CipherValues.", lambda t: t.replace("</xenc:CipherData>", value + "AAAA</xenc:CipherValue></xenc:CipherData>")),
        ("empty-value", "An empty CipherValue.", lambda t: t[:t.rindex(value) + 18] + t[t.rindex("</xenc:CipherValue>"):]),
        ("value-base64", "A CipherValue that is no base64.", lambda t: t[:t.rindex(value) + 18] + "-" + t[t.rindex(value) + 19:]),
        ("value-half", "A CipherValue of half a group.", lambda t: t.replace("</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>",
                                                                            "A</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>")),
        ("value-comment", "A comment in the CipherValue.", lambda t: t[:t.rindex(value) + 22] + "<!-- -->" + t[t.rindex(value) + 22:]),
        ("value-cdata", "A CDATA section in the CipherValue.", lambda t: t[:t.rindex(value) + 18] + "<![CDATA[" + t[t.rindex(value) + 18:]
         .replace("</xenc:CipherValue>", "]]></xenc:CipherValue>", 1)),
        ("value-element", "An element in the CipherValue.", lambda t: t[:t.rindex(value) + 22] + "<x xmlns=''/>" + t[t.rindex(value) + 22:]),
        ("text", "Text beside the data.", lambda t: t.replace(last, last + "text")),
        ("comment", "A comment beside the data.", lambda t: t.replace(last, last + "<!-- -->")),
        ("order", "KeyInfo before EncryptionMethod.", lambda t: t.replace(content + "</xenc:EncryptionMethod>", "").replace(
            "<xenc:CipherData>", content + "</xenc:EncryptionMethod><xenc:CipherData>")),
        ("key-long", "A wrapped key of 1,025 bytes.", lambda t: t[:t.index(value) + 18] + b64(b"x" * 1025) + t[t.index("</xenc:CipherValue>"):]),
    ):
        shape(out, name, about, edit)
    for name, where in (("content", str.rindex), ("key", str.index)):
        shape(out, "reference-" + name, "A CipherReference: it would have to be fetched.",
              lambda t, where=where: t[:where(t, value)] + '<xenc:CipherReference URI="https://example.net/x"/>' +
              t[where(t, "</xenc:CipherValue>") + 19:])
    shape(out, "key-first", "The EncryptedKey before the data.", lambda t: t[:t.index(first)] + t[t.index(last) + len(last):].replace(
        "</saml:EncryptedAssertion>", "") + t[t.index(first):t.index(last) + len(last)] + "</saml:EncryptedAssertion>",
        sealing={"place": "beside"})
    point = '<ds:RetrievalMethod Type="%s" URI="%s">%s</ds:RetrievalMethod>'
    kind, transforms = XENC + "EncryptedKey", '<ds:Transforms><ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116"/></ds:Transforms>'
    for name, piece in (("away", (kind, "https://example.net/key", "")), ("unknown", (kind, "#_key9", "")), ("empty", (kind, "", "")),
                        ("no-hash", (kind, "_key0", "")), ("transforms", (kind, "#_key0", transforms)), ("data", (kind, "#_data", "")),
                        ("type", (NS_DS + "X509Data", "#_key0", "")), ("pointer", (kind, "#xpointer(id('_key0'))", ""))):
        enc(out, "retrieval-" + name, "assertion_undecryptable", "A RetrievalMethod that does not point at the EncryptedKey beside the data.",
            sealing={"place": "beside", "info": point % piece, "attributes": f' Id="_data" Type="{XENC}Element"'})
    lone = To().element("AAAA", 5)
    enc(out, "retrieval-extensions", "assertion_undecryptable", "The EncryptedKey that is pointed at stands elsewhere in the Response.",
        sealing={"place": "beside", "info": point % (kind, "#_key5", "")}, extensions=f"<samlp:Extensions>{lone}</samlp:Extensions>")
    many = "".join(To().element("AAAA", n) for n in range(1, 250))
    enc(out, "retrieval-many", "assertion_undecryptable", "250 keys beside the data, and 250 times the last one is pointed at.", "broker", tests=["T29"],
        sealing={"place": "beside", "info": point % (kind, "#_key249", "") * 250},
        sealed_edit=lambda t: t.replace("</saml:EncryptedAssertion>", many + "</saml:EncryptedAssertion>"))
    other = "https://other.example.se/sp"
    enc(out, "recipient-other", "assertion_undecryptable", "Every EncryptedKey names another recipient, though ours would open it.",
        sealing={"to": (To(recipient=other), To(recipient=SP + "/"), To(recipient=SP.upper()))})
    enc(out, "recipients-five", "assertion_undecryptable", "Five keys that may be for us: one more than are tried.", tests=["T29"],
        sealing={"to": (To("stranger"),) * 4 + (To(),)})


def not_opening(out: list) -> None:
    def flip(at: int, bit: int = 1):
        return lambda b: b[:at % len(b)] + bytes([b[at % len(b)] ^ bit]) + b[at % len(b) + 1:]
    modulus = keys.private("sp-decrypt").public_key().public_numbers().n.to_bytes(384, "big")
    for name, about, to in (
        ("stranger", "Wrapped to somebody else's key of our size.", To("stranger")),
        ("smaller", "Wrapped to somebody else's key of another size.", To("attacker-rsa")),
        ("first-byte", "The wrapped key changed in its first byte.", To(change=flip(0))),
        ("last-byte", "The wrapped key changed in its last byte.", To(change=flip(-1))),
        ("zeros", "A wrapped key of zeros.", To(change=lambda b: bytes(384))),
        ("one", "A wrapped key of 1: its root is itself.", To(change=lambda b: bytes(383) + b"\1")),
        ("modulus", "A wrapped key as large as the modulus.", To(change=lambda b: modulus)),
        ("above", "A wrapped key larger than the modulus.", To(change=lambda b: b"\xff" * 384)),
        ("short", "A wrapped key one byte short.", To(change=lambda b: b[1:])),
        ("long", "A wrapped key one byte long.", To(change=lambda b: b"\0" + b)),
        ("rsa15-named-oaep", "Wrapped by RSA 1.5, and said to be by RSA-OAEP.", To(truly=Wrap(RSA15))),
        ("sha256-named-sha1", "Wrapped with SHA-256, and said to be with SHA-1.", To(truly=SHA256)),
        ("mask-other", "Wrapped with another mask than it says.", To(wrap=SHA256, truly=Wrap(OAEP11, "sha256", "sha1"))),
        ("label-unsaid", "Wrapped with a label that is not said.", To(truly=Wrap(label=b"label"))),
        ("label-said", "Wrapped without the label that is said.", To(wrap=Wrap(label=b"label"), truly=Wrap())),
        ("label-other", "Wrapped with another label.", To(wrap=Wrap(label=b"label"), truly=Wrap(label=b"lapel"))),
        ("key-other", "A content key of the right size, and another one.", To(instead=b"k" * 32)),
        ("key-zeros", "A content key of zeros, and another one: what is worked with where none unwraps.", To(instead=bytes(32))),
        ("key-empty", "A content key of no bytes.", To(instead=b"")),
        ("key-16", "A content key of 16 bytes for AES-256.", To(instead=b"k" * 16)),
        ("key-31", "A content key of 31 bytes.", To(instead=b"k" * 31)),
        ("key-33", "A content key of 33 bytes.", To(instead=b"k" * 33)),
        ("key-64", "A content key of 64 bytes.", To(instead=b"k" * 64)),
    ):
        opaque(out, "wrap-" + name, about, sealing={"to": (to,)})
    for name, to in (("stranger", To("stranger")), ("key-16", To(instead=b"k" * 16)), ("key-other", To(instead=b"k" * 32))):
        opaque(out, "broker-" + name, "The same without a signature around it.", "broker", sealing={"to": (to,)})
    opaque(out, "broker-tag", "AES-GCM changed, without a signature around it.", "broker", sealing={"change": flip(-1)})
    opaque(out, "cbc-stranger", "AES-CBC, wrapped to somebody else's key.", sealing={**CBC, "to": (To("stranger"),)})
    opaque(out, "cbc-key-16", "AES-CBC with a content key of the wrong size.", sealing={**CBC, "to": (To(instead=b"k" * 16),)})
    for name, about, change in (
        ("nonce", "The nonce changed.", flip(0)), ("content", "The first byte of the content changed.", flip(12)),
        ("middle", "A byte in the middle changed.", flip(600)), ("tag", "The last byte of the tag changed.", flip(-1)),
        ("tag-first", "The first byte of the tag changed.", flip(-16)), ("tag-short", "A tag of 15 bytes.", lambda b: b[:-1]),
        ("tag-none", "No tag.", lambda b: b[:-16]), ("longer", "A byte more after the tag.", lambda b: b + b"\0"),
        ("nonce-only", "The nonce and nothing else.", lambda b: b[:12]), ("tag-only", "A nonce and a tag that is not right.", lambda b: b[:28]),
        ("one-byte", "One byte.", lambda b: b[:1]), ("swapped", "Two blocks swapped.", lambda b: b[:12] + b[28:44] + b[12:28] + b[44:]),
    ):
        opaque(out, "gcm-" + name, about, sealing={"change": change})
    opaque(out, "gcm-cbc", "AES-CBC that is said to be AES-GCM.", sealing={**CBC, "uri": CONTENT["gcm256"][0]})
    for name, about, change in (
        ("iv-only", "The initialisation vector and nothing else.", lambda b: b[:16]), ("iv-short", "15 bytes.", lambda b: b[:15]),
        ("no-block", "Not whole blocks.", lambda b: b[:-1]), ("one-more", "A byte after the last block.", lambda b: b + b"\0"),
    ):
        opaque(out, "cbc-" + name, about, sealing={**CBC, "change": change})
    # In one block and its initialisation vector the padding's length is turned, and nothing else.
    for length in (0, 17, 32, 255):
        opaque(out, f"cbc-padding-{length}", f"The last byte says that {length} are padding.", sealing={**CBC, "change": padded(length)},
               plain=FIFTEEN)
    # An honest sender of a message that does not open says no more by it than a hostile one.
    opaque(out, "cbc-last-block", "The last block changed.", sealing={**CBC, "change": flip(-1)})


# One byte short of a block: the padding is one byte, its own length.
FIFTEEN = "<a>" + "x" * 8 + "</a>"


def padded(length: int):
    """Of content whose padding is one byte, the byte turned into `length`."""
    return lambda b: b[:-17] + bytes([b[-17] ^ 1 ^ length]) + b[-16:]


def parts(out: list) -> None:
    for part in (algorithms, unsigned, shapes, not_opening):
        part(out)
