"""Encrypted messages that must pass: every algorithm by two makers, every place of the key, every way of signing."""

import keys as keyfiles
from accept import add
from common import SP
from encrypt import CONTENT, OAEP11, RSA15, WRAPS, XENC, To, Wrap, build

SHA256 = WRAPS["oaep-256"]


def enc(out: list, name: str, about: str, idp: str = "rsa", **pieces) -> None:
    add(out, "enc-" + name, about, idp, make=build, **pieces)


def algorithms(out: list) -> None:
    for content in CONTENT:
        for name, wrap in WRAPS.items():
            for by in ("xmlsec", "plain"):
                if content == "3des":
                    continue
                enc(out, f"{content}-{name}-{by}", f"Content by {content}, its key by {name}; made by {by}.", tests=["6"],
                    sealing={"content": content, "to": (To(wrap=wrap),), "by": by})
    labelled = Wrap(OAEP11, "sha256", "sha256", b"a label")
    for by in ("xmlsec", "plain"):
        enc(out, "label-" + by, "RSA-OAEP with a label (OAEPparams).", sealing={"to": (To(wrap=labelled),), "by": by})
    enc(out, "label-mgf1p", "A label with the older identifier, of bytes that are no text.",
        sealing={"to": (To(wrap=Wrap(label=bytes(range(200, 256)))),)})
    enc(out, "label-longest", "A label of 256 bytes.", sealing={"to": (To(wrap=Wrap(label=b"\0" * 256)),)})
    enc(out, "oaep11-defaults", "The newer identifier without DigestMethod and MGF: SHA-1 is the default of both.",
        sealing={"to": (To(wrap=Wrap(OAEP11)),)})
    enc(out, "oaep11-sha1", "The newer identifier with SHA-1 written out for both.",
        sealing={"to": (To(wrap=Wrap(OAEP11, "sha1", "sha1")),), "by": "xmlsec"})
    enc(out, "oaep11-mgf-only", "The newer identifier with SHA-1 written out for the mask only.",
        sealing={"to": (To(wrap=Wrap(OAEP11, mask="sha1")),)})
    for content, bits in (("gcm256", 256), ("cbc128", 128)):
        enc(out, "key-size-" + content, "KeySize names the size that the algorithm has.",
            sealing={"content": content, "method": f"<xenc:KeySize>{bits}</xenc:KeySize>"})
    enc(out, "key-size-wrapped", "KeySize in the EncryptionMethod of the EncryptedKey.",
        sealing={"to": (To(inner="<xenc:KeySize>3072</xenc:KeySize>"),)})
    # The padding of CBC has every length from 1 to 16: the name is as long as it takes.
    for more in range(16):
        enc(out, f"cbc-padding-{more:02}", "One of sixteen lengths, so that each length of the padding comes once.",
            sealing={"content": "cbc256"}, inner_edit=lambda t, more=more: t.replace("</saml:Issuer>", "</saml:Issuer>" + " " * more))


def keys(out: list) -> None:
    for by in ("xmlsec", "plain"):
        enc(out, "beside-" + by, "The EncryptedKey stands beside the data, and nothing points at it.",
            sealing={"place": "beside", "by": by})
        enc(out, "retrieval-" + by, "The EncryptedKey stands beside the data, and a RetrievalMethod points at it.",
            sealing={"place": "retrieval 0", "by": by})
    enc(out, "retrieval-no-type", "A RetrievalMethod without Type.", sealing={"place": "retrieval 0"},
        sealed_edit=lambda t: t.replace(f'<ds:RetrievalMethod Type="{XENC}EncryptedKey"', "<ds:RetrievalMethod"))
    enc(out, "beside-key-name", "The EncryptedKey stands beside the data, and KeyInfo holds a name only.",
        sealing={"place": "beside", "info": "<ds:KeyName>sp</ds:KeyName>"})
    other = "https://other.example.se/sp"
    stranger = To("stranger")
    enc(out, "retrieval-second", "Two keys beside the data, and only the one that is pointed at counts: ours, the second.",
        sealing={"place": "retrieval 1", "to": (To("stranger", Wrap(RSA15)), To())})
    enc(out, "retrieval-both", "Two keys beside the data, and RetrievalMethods to both.",
        sealing={"place": "retrieval 0 1", "to": (stranger, To())})
    enc(out, "recipients-rsa15", "Two recipients by name: another service's key is wrapped by RSA 1.5, ours by RSA-OAEP.", tests=["T30"],
        sealing={"to": (To("attacker-rsa", Wrap(RSA15), other), To(recipient=SP)), "by": "xmlsec"})
    enc(out, "recipients-named-ours", "One recipient by name: us.", sealing={"to": (To(recipient=SP),)})
    enc(out, "recipients-named-empty", "An empty Recipient names nobody.", sealing={"to": (To(recipient=""),)})
    enc(out, "recipients-unnamed", "Two keys without Recipient, the second ours; the first is of the same size.",
        sealing={"to": (stranger, To()), "by": "xmlsec"})
    enc(out, "recipients-unnamed-smaller", "Two keys without Recipient, the second ours; the first is of another size.",
        sealing={"to": (To("attacker-rsa"), To())})
    enc(out, "recipients-first", "Two keys without Recipient, the first ours.", sealing={"to": (To(wrap=SHA256), stranger)})
    enc(out, "recipients-unknown-beside", "Two keys without Recipient: one by RSA 1.5, which is passed over, and ours.",
        sealing={"to": (To("stranger", Wrap(RSA15)), To())})
    enc(out, "recipients-beside", "Keys inside KeyInfo and beside the data; ours stands beside.", sealing={"to": (stranger, To())},
        sealed_edit=second_beside)
    enc(out, "recipients-four", "Four keys that may be for us, ours the last: as many as are tried.",
        sealing={"to": (stranger, To("attacker-rsa"), stranger, To())})
    enc(out, "recipients-many-named", "Ten keys for others by name do not count among those.",
        sealing={"to": (*(To("attacker-rsa", Wrap(RSA15), f"{other}/{n}") for n in range(10)), To(recipient=SP))})
    for by in ("xmlsec", "plain"):
        enc(out, "roll-over-" + by, "Encrypted to the older of our two keys.", sealing={"to": (To("sp-decrypt-old"),), "by": by})
    enc(out, "roll-over-both", "Encrypted to both of our keys, without Recipient.", sealing={"to": (To("sp-decrypt-old"), To())})
    enc(out, "roll-over-required", "Encrypted to the older key, where encryption is required.",
        sealing={"to": (To("sp-decrypt-old", SHA256),)}, case={"config": "grindvakt-encryption.toml"})
    certificate = (f"<ds:X509Data><ds:X509Certificate>{keyfiles.cert_base64('stranger')}</ds:X509Certificate></ds:X509Data>")
    enc(out, "key-info-other", "The EncryptedKey names somebody else's certificate; every key of ours is tried anyway.",
        sealing={"to": (To(info=certificate),)})


def second_beside(text: str) -> str:
    """The second EncryptedKey taken out of KeyInfo and put after the data."""
    start = text.index("<xenc:EncryptedKey", text.index("</xenc:EncryptedKey>"))
    end = text.index("</ds:KeyInfo>", start)
    moved, text = text[start:end], text[:start] + text[end:]
    return text.replace("</saml:EncryptedAssertion>", moved + "</saml:EncryptedAssertion>")


def signatures(out: list) -> None:
    for content in ("gcm256", "cbc256"):
        enc(out, "both-signed-" + content, "The Assertion was signed before it was encrypted, the Response after.", layout="both",
            sealing={"content": content, "by": "xmlsec"}, tests=["54"])
    enc(out, "both-required", "The same, where encryption is required.", layout="both", case={"config": "grindvakt-encryption.toml"})
    enc(out, "both-different-keys", "The Assertion inside is signed with the old key, the Response with the new.", layout="both",
        inner_key="idp-rsa-old", tests=["48"])
    for content in ("gcm128", "gcm192", "gcm256"):
        enc(out, f"broker-{content}", "Only the Assertion inside is signed; AES-GCM needs no signature around it.", "broker",
            sealing={"content": content, "by": "xmlsec"})
    enc(out, "broker-required", "The same, where encryption is required.", "broker", case={"config": "grindvakt-encryption.toml"})
    enc(out, "broker-no-response-fields", "An unsigned Response without Destination, InResponseTo and Issuer; the signed Assertion "
        "inside has all that counts.", "broker", response={"destination": "", "response_in_response_to": "", "response_issuer": ""},
        case={"provider": "broker"})
    for content in ("gcm256", "cbc128"):
        enc(out, f"broker-both-{content}", "At a provider that signs assertions: the Response is signed too.", "broker",
            layout="both", sealing={"content": content})
    enc(out, "either-inside", "Only the Assertion inside is signed, at a provider that may sign either.", "p256", layout="assertion")
    enc(out, "either-around", "Only the Response is signed, at a provider that may sign either.", "p256",
        sealing={"content": "cbc192"})
    enc(out, "either-both", "Both are signed, at a provider that may sign either.", "p256", layout="both")


def forms(out: list) -> None:
    def broken(separator: str):
        """CipherValues in lines of 76, and white space around them."""
        def edit(text: str) -> str:
            parts = text.split("<xenc:CipherValue>")
            for i, part in enumerate(parts[1:], 1):
                value, rest = part.split("<", 1)
                lines = separator.join(value[j:j + 76] for j in range(0, len(value), 76))
                parts[i] = separator + lines + separator + "<" + rest
            return "<xenc:CipherValue>".join(parts)
        return edit
    for name, separator in (("lf", "\n"), ("crlf", "\r\n"), ("cr", "\r"), ("tab", "\t"), ("indent", "\n      ")):
        enc(out, "lines-" + name, "CipherValues broken into lines.", sealed_edit=broken(separator))
    enc(out, "laid-out", "White space between all elements of the EncryptedAssertion.",
        sealed_edit=lambda t: t.replace("><", ">\n  <"))
    enc(out, "no-type", "EncryptedData without Type, which is optional.", sealing={"attributes": ""})
    enc(out, "attributes", "EncryptedData with Id, MimeType and Encoding.", sealing={
        "attributes": f' Id="_data" Type="{XENC}Element" MimeType="text/xml" Encoding="urn:example:ignored"'})
    enc(out, "more-parts", "CarriedKeyName, ReferenceList and EncryptionProperties, which say nothing of use.", sealed_edit=lambda t: t
        .replace("</xenc:EncryptedKey>", '<xenc:ReferenceList><xenc:DataReference URI="#_data"/></xenc:ReferenceList>'
                 "<xenc:CarriedKeyName>sp</xenc:CarriedKeyName></xenc:EncryptedKey>")
        .replace("</xenc:EncryptedData>", "<xenc:EncryptionProperties><xenc:EncryptionProperty/></xenc:EncryptionProperties>"
                 "</xenc:EncryptedData>"))
    enc(out, "default-namespace", "XML Encryption as the default namespace.",
        sealed_edit=lambda t: t.replace("xmlns:xenc=", "xmlns=").replace("<xenc:", "<").replace("</xenc:", "</"))
    enc(out, "recipient-reference", "The Recipient with a character reference.", sealing={"to": (To(recipient=SP.replace(":", "&#58;")),)})
    enc(out, "inner-layout", "The Assertion was signed and encrypted as laid out, with comments, CDATA and both line ends.", "broker",
        inner_edit=lambda t: t.replace("><saml:", ">\r\n\t<!-- a remark --><saml:").replace("Åsa Öberg", "<![CDATA[Åsa]]> Öberg"))
    enc(out, "inner-default-namespace", "The Assertion inside has SAML as its default namespace.", "broker",
        inner_edit=lambda t: t.replace("xmlns:saml=", "xmlns=").replace("<saml:", "<").replace("</saml:", "</"))
    enc(out, "inner-same-prefix", "A prefix that the Response declares otherwise: what is opened is a document of its own.",
        declarations=' xmlns:x="urn:example:outer"',
        inner_edit=lambda t: t.replace("<saml:Assertion ", '<saml:Assertion xmlns:x="urn:example:inner" '))
    enc(out, "as-in-clear", "Encrypted content that says what every ordinary case says, in a message that was written on one line.",
        sealed_edit=lambda t: t.replace("\n", ""), sealing={"by": "xmlsec"})
