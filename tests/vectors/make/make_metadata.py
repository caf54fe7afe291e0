"""Makes `metadata/`: signed feeds with the verdict that each must get. `python make_metadata.py`, after make_saml.py."""

import xmlsec
from lxml import etree

import feed
from common import KEYS, NS_DS, NS_MD, SAML, write_cases

OUT = SAML.parent / "metadata"
EXC = "http://www.w3.org/2001/10/xml-exc-c14n#"
ENVELOPED = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
PROLOG = '<?xml version="1.0" encoding="UTF-8"?>\n<!-- a licence -->\n'
HEAD = """Metadata feeds with the verdict that each must get. Made by make/make_metadata.py; signed by libxmlsec1.

file     beside this one
signer   certificates under keys/ that are pinned
at       the instant of verification
expect   "accepted" or the exact reason code
idps     for an accepted one: the entityIDs that must be listed, in order
refused  for an accepted one: entityIDs that are left out, with their codes
tests    T..: the incident it stands for; a number: the rule of the profile's checklist"""


def template(reference="#_feed", c14n=EXC, transform=EXC, method="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
             digest="http://www.w3.org/2001/04/xmlenc#sha256") -> str:
    return (f'<ds:Signature xmlns:ds="{NS_DS}"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm="{c14n}"/>'
            f'<ds:SignatureMethod Algorithm="{method}"/><ds:Reference URI="{reference}"><ds:Transforms>'
            f'<ds:Transform Algorithm="{ENVELOPED}"/><ds:Transform Algorithm="{transform}"/></ds:Transforms>'
            f'<ds:DigestMethod Algorithm="{digest}"/><ds:DigestValue/></ds:Reference></ds:SignedInfo><ds:SignatureValue/></ds:Signature>')


def signed(text: str, key: str = "feed-signer") -> str:
    """Signs the first Signature of the document element; what stands before it is kept."""
    prolog = text[:text.index("<md:Ent")]
    root = etree.fromstring(text.encode())
    node = next(child for child in root if child.tag == f"{{{NS_DS}}}Signature")
    xmlsec.tree.add_ids(root, ["ID"])
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_file(str(KEYS / f"{key}.pem"), xmlsec.constants.KeyDataFormatPem)
    context.sign(node)
    return prolog + etree.tostring(root, encoding="unicode") + "\n"


def entity(host: str, key="idp-rsa-new", use="signing", **kw) -> str:
    return feed.entity(f"https://{host}/saml", [(key, use)], [], display=host, **kw)


def whole(body: str, until="2026-03-10T00:00:00Z", **kw) -> str:
    return feed.entities(body, f' ID="_feed" validUntil="{until}" cacheDuration="PT5H"', signature=kw.pop("signature", template()),
                         prolog=kw.pop("prolog", PROLOG), **kw)


def main() -> None:
    OUT.mkdir(exist_ok=True)
    cases = []
    a, b = entity("a.example.se"), entity("b.example.se", "idp-p256", "")
    both = ["https://a.example.se/saml", "https://b.example.se/saml"]

    def case(name, text, expect="accepted", about="", at="2026-03-01T10:00:00Z", signer=("feed-signer",), idps=None, **more):
        (OUT / f"{name}.xml").write_text(text, newline="")
        entry = {"file": f"{name}.xml", "signer": list(signer), "at": at, "expect": expect, "about": about, **more}
        if expect == "accepted":
            entry["idps"] = both if idps is None else idps
        cases.append(entry)

    good = signed(whole(a + "\n" + b))
    case("good", good, about="Two IdPs, signed, fresh.")
    case("with-comments", signed(whole("<!-- one -->" + a + b, signature=template(transform=EXC + "WithComments"))), tests=["51"],
         about="The transform that the production feed names, with a comment before the root and one within.")
    next_key = template(method="http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256")
    case("rolled-over", signed(whole(a + b, signature=next_key), "feed-signer-next"), signer=["feed-signer", "feed-signer-next"], about="Signed by the second pinned key.")
    case("instruction-before", good.replace("<!-- a licence -->", '<?xml-stylesheet href="x"?>'), about="An instruction before the root is skipped.")
    case("at-the-end", good, "metadata_expired", "At validUntil it is over.", at="2026-03-10T00:00:00Z", tests=["31"])
    case("just-before-the-end", good, about="A second before validUntil.", at="2026-03-09T23:59:59Z")
    alone = a.replace("<md:EntityDescriptor ", f'<md:EntityDescriptor xmlns:md="{NS_MD}" ID="_feed" ', 1)
    end = alone.index(">") + 1
    case("one-entity", signed(alone[:end] + template() + alone[end:]), idps=both[:1], about="A signed EntityDescriptor by itself.")
    case("wrong-key", signed(whole(a + b), "attacker-rsa"), "signature_invalid", "Signed by a key that is not pinned.", tests=["30", "T24"])
    case("other-key-type", signed(whole(a + b, signature=template(method="http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256")), "attacker-p256"),
         "signature_key_type", "Signed with another type of key than is pinned.", tests=["T25"])
    case("unsigned", whole(a + b, signature=""), "signature_missing", "Not signed.", tests=["30"])
    case("changed", good.replace("https://b.example.se/saml", "https://c.example.se/saml", 1), "digest_mismatch", "An entityID changed after signing.", tests=["30"])
    case("added", good.replace("</md:EntitiesDescriptor>", entity("evil.example") + "</md:EntitiesDescriptor>"), "digest_mismatch",
         "An entity added after signing.", tests=["T6"])
    case("extended", good.replace("2026-03-10", "2036-03-10"), "digest_mismatch", "validUntil moved after signing.", tests=["31"])
    case("uri-empty", signed(whole(a + b, signature=template(reference=""))), "signature_reference", "The Reference is to the whole document.")
    case("inner-signature", good.replace("<md:SingleSignOnService", template() + "<md:SingleSignOnService", 1), "digest_mismatch",
         "A Signature planted in a role.", tests=["T1"])
    case("signature-in-extensions", good.replace("</md:Extensions>", template() + "</md:Extensions>", 1), "signature_misplaced",
         "A Signature planted in Extensions.", tests=["T1"])
    case("wrapped", whole(good[good.index("<md:Ent"):].strip().replace(' ID="_feed"', ' ID="_inner"', 1) + entity("evil.example"), signature=""), "signature_missing",
         "The signed feed within one that nobody signed.", tests=["T6"])
    case("wrapped-same-id", whole(good[good.index("<md:Ent"):].strip(), signature=template()), "id_duplicate",
         "The signed feed within a forged one of the same ID.", tests=["T6"])
    case("sha1", good.replace("xmldsig-more#rsa-sha256", "x").replace("http://www.w3.org/2001/04/x", "http://www.w3.org/2000/09/xmldsig#rsa-sha1"),
         "signature_algorithm", "RSA with SHA-1.", tests=["5"])
    case("doctype", good.replace("<md:EntitiesDescriptor", "<!DOCTYPE md:EntitiesDescriptor>\n<md:EntitiesDescriptor", 1), "xml_doctype", "A DOCTYPE.", tests=["T26"])
    case("entity-twice", signed(whole(a + a)), "entity_duplicate", "One entityID twice.")
    case("no-metadata", "<a/>\n", "not_metadata", "Another document.")
    only_encryption = entity("e.example.se", "idp-rsa-encryption", "encryption")
    weak = entity("w.example.se", "idp-weak-rsa1024")
    expired = entity("old.example.se", attributes=' validUntil="2026-02-01T00:00:00Z"')
    case("left-out", signed(whole(b + only_encryption + weak + expired)), idps=both[1:], tests=["T15", "31", "33"],
         refused={"https://e.example.se/saml": "entity_without_key", "https://w.example.se/saml": "entity_without_key",
                  "https://old.example.se/saml": "metadata_expired"}, about="Entities that cannot be used are named and left out.")
    script = entity("a.example.se", endpoints=[(feed.REDIRECT, "javascript:alert(1)")])
    case("script", signed(whole(script + b)), idps=both[1:], refused={both[0]: "endpoint_malformed"}, tests=["T33"],
         about="An entity whose sign-on address is a script is left out.")
    write_cases(OUT / "cases.toml", HEAD, cases)
    print(len(cases), "feeds")


if __name__ == "__main__":
    main()
