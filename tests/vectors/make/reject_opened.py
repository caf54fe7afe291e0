"""Encrypted messages that open, and must be refused for what was inside or for what stands round them."""

import message as m
import signer as s
from common import ACS, NS_SAML, NS_SAMLP
from encrypt import CONTENT, To, assertion, build, seal
from reject_encrypted import ADVICE, CBC, FIFTEEN, enc, padded
from reject_rules import again, status

END = "</saml:Assertion>"


def rules(out: list) -> None:
    other = "https://other.example.se/sp"
    issuer = f'<saml:Issuer xmlns:saml="{NS_SAML}">%s</saml:Issuer>'
    first, rest = m.PERSON[0][0], m.PERSON[1:]
    data = f'<saml:SubjectConfirmationData InResponseTo="_req2" NotOnOrAfter="2026-03-01T10:05:00Z" Recipient="{ACS}"/>'
    for idp in ("rsa", "broker"):
        for name, code, pieces in (
            ("audience", "audience_mismatch", {"audiences": [other]}),
            ("recipient", "recipient_mismatch", {"recipient": "https://other.example.se/acs"}),
            ("expired", "expired", {"not_on_or_after": "2026-03-01T10:00:30Z", "case": {"at": "2026-03-01T10:01:30Z"}}),
            ("confirmation", "expired", {"confirm_until": "2026-03-01T10:00:30Z", "case": {"at": "2026-03-01T10:01:30Z"}}),
            ("not-yet", "not_yet_valid", {"not_before": "2026-03-01T10:00:30Z", "case": {"at": "2026-03-01T09:59:29Z"},
                                          "authn_instant": "2026-03-01T09:59:20Z"}),
            ("request", "in_response_to_mismatch", {"confirmation_data": data}),
            ("issuer", "issuer_mismatch", {"assertion_issuer": issuer % "https://idp-p256.example.se/saml",
                                           "case": {"provider": m.IDP[idp][2]}}),
            ("loa", "loa_not_certified", {"loa": "urn:example:loa"}),
            ("version", "saml_version", {"assertion_version": "1.1"}),
            ("number", "personal_number_malformed", {"person": [(first, ["19500626254X"])] + rest}),
            ("attribute-twice", "attribute_duplicate", {"person": m.PERSON + [m.PERSON[0]]}),
        ):
            enc(out, f"inside-{name}-{idp}", code, "A rule broken inside what was encrypted: the code is that of clear text.", idp, **pieces)
    enc(out, "inside-encrypted-id", "encrypted_part", "An EncryptedID inside what was encrypted.", name_id_element=
        '<saml:EncryptedID><xenc:EncryptedData xmlns:xenc="http://www.w3.org/2001/04/xmlenc#"/></saml:EncryptedID>')
    enc(out, "status", "status_with_assertion", "An error status with an EncryptedAssertion.", status=status(m.STATUS + "Responder"))
    enc(out, "destination", "destination_mismatch", "The Response's own fields come before anything is opened.",
        destination="https://other.example.se/acs", sealing={"to": (To("stranger"),)})
    again(out, "accept-enc-both-required", "replayed", "The same message a second time.", ["18", "T16"],
          after="accept-enc-both-required.xml", config="grindvakt-encryption.toml")
    used = build("enc-broker-gcm256", "broker", response_id="_r-enc-again",
                 sealed=seal(assertion("enc-broker-gcm256", "broker", True), "again"))
    # The name of the accepted case is the Assertion's.
    case = {"in_response_to": "_req1", "expect": "replayed", "tests": ["18", "T16"]}
    out.append(("reject-enc-replayed", used, {**case, "after": "accept-enc-broker-gcm256.xml",
                                              "about": "A used Assertion, encrypted anew with another key."}))
    clear = build("assertion-signed", "broker", response_id="_r-enc-clear",
                  sealed=seal(assertion("assertion-signed", "broker", True), "clear"))
    out.append(("reject-enc-replayed-clear", clear, {**case, "after": "accept-assertion-signed.xml",
                                                     "about": "An Assertion that was used in clear, encrypted."}))


def signatures(out: list) -> None:
    enc(out, "inner-attacker", "signature_invalid", "Signed inside by an attacker.", "broker", inner_key="attacker-rsa")
    enc(out, "inner-other-provider", "signature_invalid", "Signed inside by another provider of the same feed.", "broker",
        inner_key="idp-rsa-new", tests=["T18"])
    enc(out, "inner-changed", "digest_mismatch", "Changed between signing and encrypting.", "broker",
        inner_post=lambda t: t.replace("195006262546", "195207306886"))
    enc(out, "inner-attacker-both", "signature_invalid", "A bad signature inside counts where the one around is good.", layout="both",
        inner_key="attacker-rsa", tests=["54"])
    enc(out, "inner-changed-both", "digest_mismatch", "The same: what the signature inside covers was changed.", layout="both",
        inner_post=lambda t: t.replace("195006262546", "195207306886"), tests=["54"])
    enc(out, "inner-key-type", "signature_key_type", "Signed inside with EC, and the issuer has RSA keys.", layout="both",
        inner_key="attacker-p256", tests=["T25"])
    enc(out, "inner-sha1", "signature_algorithm", "Signed inside with SHA-1.", layout="both", tests=["49"],
        inner_post=lambda t: t.replace(s.RSA256, s.NS_DS + "rsa-sha1"))
    enc(out, "inner-reference", "signature_reference", "The Reference inside is to the Response.", layout="both",
        inner_post=lambda t: t.replace('URI="#_a-', 'URI="#_r-'))
    for name, where in (("advice", "</saml:Conditions>"), ("subject", "<saml:Subject>")):
        def move(text: str, where=where) -> str:
            start, end = text.index("<ds:Signature "), text.index("</ds:Signature>") + len("</ds:Signature>")
            signature, text = text[start:end], text[:start] + text[end:]
            return text.replace(where, where + (ADVICE % signature if "Cond" in where else signature))
        enc(out, "inner-misplaced-" + name, "signature_misplaced", "The signature inside does not stand under the Assertion.", "broker",
            inner_post=move)
    enc(out, "inner-twice", "signature_multiple", "Two signatures inside.", "broker", inner_post=lambda t: t.replace(
        "</ds:Signature>", "</ds:Signature>" + t[t.index("<ds:Signature "):t.index("</ds:Signature>") + 15]))
    enc(out, "inner-id-twice", "id_duplicate", "Two elements inside have one ID.", "broker", inner_post=lambda t: t.replace(
        "<saml:AttributeStatement>", '<saml:AttributeStatement><x:y xmlns:x="urn:example:x" Id="%s"/>' % t.split(' ID="')[1].split('"')[0]))
    signature = '<ds:Signature xmlns:ds="%s"/>' % s.NS_DS
    enc(out, "signature-beside", "signature_misplaced", "A Signature beside the EncryptedData.",
        sealed_edit=lambda t: t.replace("</saml:EncryptedAssertion>", signature + "</saml:EncryptedAssertion>"))
    enc(out, "signature-key-info", "signature_misplaced", "A Signature in the KeyInfo of the data.",
        sealed_edit=lambda t: t.replace("</ds:KeyInfo>", signature + "</ds:KeyInfo>"))


def texts(out: list) -> None:
    missing, several = "assertion_missing", "assertion_multiple"
    good = assertion("enc-plain")
    twice = seal(good, "enc-twice").replace("_key0", "_key1")
    data = twice[twice.index("<xenc:EncryptedData"):twice.index("</saml:EncryptedAssertion>")]
    for name, code, about, plain in (
        ("response", missing, "A Response.", m.build("enc-inner-response")),
        ("advice", missing, "An Advice with an Assertion.", f'<saml:Advice xmlns:saml="{NS_SAML}">{good}</saml:Advice>'),
        ("name-id", missing, "A NameID.", f'<saml:NameID xmlns:saml="{NS_SAML}">pers</saml:NameID>'),
        ("saml1", missing, "An Assertion of SAML 1.1.", '<Assertion xmlns="urn:oasis:names:tc:SAML:1.0:assertion" MajorVersion="1"/>'),
        ("no-namespace", missing, "An Assertion in no namespace.", good.replace("<saml:Assertion ", "<Assertion ").replace(END, "</Assertion>")),
        ("other-namespace", missing, "An Assertion in the protocol's namespace.",
         good.replace("<saml:Assertion ", f'<samlp:Assertion xmlns:samlp="{NS_SAMLP}" ').replace(END, "</samlp:Assertion>")),
        ("encrypted-twice", missing, "An EncryptedAssertion: encrypted twice.", twice),
        ("data-twice", missing, "EncryptedData: encrypted twice.", data),
        ("siblings", "xml_malformed", "Two Assertions one after the other.", good + good.replace("_a-enc-plain", "_a-enc-second")),
        ("nested", several, "An Assertion in the Advice of another.",
         assertion("enc-nested", advice=ADVICE % assertion("enc-nested-inner"))),
        ("nested-value", several, "An Assertion in an attribute's value.",
         assertion("enc-nested", person=m.PERSON[1:] + [("prid", [assertion("enc-nested-inner")])])),
        ("nested-encrypted", several, "An EncryptedAssertion in the Advice of the Assertion.", assertion("enc-nested", advice=ADVICE % twice)),
        ("text", "xml_malformed", "Text only.", "no element"),
        ("empty", "xml_malformed", "Nothing.", ""),
        ("spaces", "xml_malformed", "White space only.", "  \n"),
        ("text-after", "xml_malformed", "Text after the Assertion.", good + "text"),
        ("cut", "xml_malformed", "The Assertion cut off.", good[:-1]),
        ("content", "xml_malformed", "The content of an Assertion without its tags.", good[good.index(">") + 1:-len(END)]),
        ("namespace", "xml_bad_namespace", "A prefix that is declared nowhere.", good.replace("<saml:Subject>", "<saml:Subject><x:y/>")),
        ("namespace-response", "xml_bad_namespace", "A prefix that only the Response declares: what is opened stands alone.",
         good.replace(f' xmlns:saml="{NS_SAML}"', "")),
        ("namespace-samlp", "xml_bad_namespace", "The protocol's prefix, declared on the Response.",
         good.replace("</saml:NameID>", "</saml:NameID><samlp:x/>")),
        ("namespace-relative", "xml_relative_namespace", "A relative namespace name.", good.replace("ID=", 'xmlns:x="x" ID=', 1)),
        ("doctype", "xml_doctype", "A DOCTYPE.", "<!DOCTYPE x>" + good),
        ("doctype-entity", "xml_doctype", "A DOCTYPE with an entity that names a file.",
         '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + good.replace("195006262546", "&e;")),
        ("entity", "xml_unknown_entity", "An entity that nobody declared.", good.replace("195006262546", "&e;")),
        ("instruction", "xml_processing_instruction", "A processing instruction.", good.replace("<saml:Subject>", "<?x y?><saml:Subject>")),
        ("attribute-twice", "xml_duplicate_attribute", "An attribute twice.", good.replace("Version=", 'ID="_x" Version=', 1)),
        ("latin", "xml_not_utf8", "Latin-1.", good.encode("latin-1")),
        ("utf16", "xml_not_utf8", "UTF-16.", good.encode("utf-16")),
        ("null", "xml_bad_character", "A zero byte.", good.replace("pers-", "pers-\0")),
        ("deep", "xml_too_deep", "The limits of a message hold inside too: 100 elements within each other.",
         good.replace("</saml:Subject>", "<a>" * 100 + "</a>" * 100 + "</saml:Subject>").replace("<a>", '<a xmlns="urn:x:y">', 1)),
        ("attributes", "xml_too_many_attributes", "65 attributes on one element.",
         good.replace("<saml:Subject>", "<saml:Subject %s>" % " ".join(f'a{i}=""' for i in range(65)))),
    ):
        enc(out, "plain-" + name, code, "What was encrypted is no Assertion as it must be. " + about, plain=plain)
    enc(out, "plain-missing-broker", missing, "A NameID, without a signature around it.", "broker", layout="none",
        plain=f'<saml:NameID xmlns:saml="{NS_SAML}">pers</saml:NameID>')
    enc(out, "plain-nested-broker", several, "A good signed Assertion in the Advice of a forged one.", "broker", layout="none",
        plain=assertion("enc-forged", "broker", advice=ADVICE % assertion("enc-stolen", "broker", True)))

    # What stands beside the EncryptedAssertion.
    clear = assertion("enc-clear")
    for name, text in (("plain-after", lambda t: t + clear), ("plain-before", lambda t: clear + t), ("two", lambda t: t + twice)):
        enc(out, "beside-" + name, several, "An assertion beside the EncryptedAssertion.", sealed_edit=text, tests=["T8", "T14"])
    enc(out, "beside-signed-broker", several, "A forged Assertion, encrypted, beside a good signed one in clear.", "broker", tests=["T14"],
        layout="none", sealed_edit=lambda t: t + assertion("enc-stolen", "broker", True))
    enc(out, "beside-extensions", several, "The EncryptedAssertion stands in the Extensions.", tests=["T8"], sealed_edit=lambda t: "",
        extensions=f"<samlp:Extensions>{twice}</samlp:Extensions>")
    enc(out, "within-clear", several, "The EncryptedAssertion stands in the Advice of an Assertion in clear.", tests=["T8"],
        sealed_edit=lambda t: assertion("enc-within", advice=ADVICE % t))
    enc(out, "within-encrypted", several, "An EncryptedAssertion stands in the other one in clear.", tests=["T8"],
        sealed_edit=lambda t: t.replace("</saml:EncryptedAssertion>", twice + "</saml:EncryptedAssertion>"))


def malleable(out: list) -> None:
    """AES-CBC changed before the Response was signed, so that it opens. What it opens to must not show: whoever may sign
    a Response could otherwise learn what stands in the assertion of another provider."""
    def turn(at: int, old: bytes, new: bytes):
        return lambda b: b[:at] + bytes(x ^ y ^ z for x, y, z in zip(b[at:], old, new)) + b[at + len(old):]
    for name, code, about, change in (
        ("iv", "assertion_undecryptable", "The first character is another.", turn(0, b"<", b"x")),
        ("iv-bits", "assertion_undecryptable", "The first byte is no UTF-8.", turn(0, b"<", b"\xff")),
        ("name", "assertion_undecryptable", "The name in the start tag is another.", turn(0, b"<saml:A", b"<saml:B")),
        ("middle", "assertion_undecryptable", "A block in the middle is noise.", turn(160, b"a", b"b")),
    ):
        enc(out, "cbc-" + name, code, "AES-CBC opens to something else. " + about, sealing={**CBC, "change": change})
    for length in (2, 16):
        enc(out, f"cbc-padding-{length}", "assertion_undecryptable", f"The padding is said to be {length} bytes, and the end of the text with it.",
            sealing={**CBC, "change": padded(length)}, plain=FIFTEEN)
    enc(out, "cbc-named-cbc128", "assertion_undecryptable", "AES-256 that is said to be AES-128: the key is too long.",
        sealing={**CBC, "uri": CONTENT["cbc128"][0]}, case={"opaque": True}, tests=["T30"])


def parts(out: list) -> None:
    for part in (rules, signatures, texts, malleable):
        part(out)
