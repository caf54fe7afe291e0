"""The rest of the known attacks: planted parts, carriers, tampering, namespaces, document types."""

import re

import message as m
import signer as s
from accept import add
from common import ACS, NS_DS, NS_MD, NS_SAML, NS_SAMLP, b64
from message import build, signature
from reject_rules import rej, status
from reject_signature import first_signature
from reject_xsw import SIGNATURE, Parts

CANCEL = status(m.STATUS + "Responder", "http://id.elegnamnden.se/status/1.0/cancel")


def put(out: list, name: str, code: str, about: str, text, tests=(), **case) -> None:
    out.append(("reject-" + name, text, {"in_response_to": "_req1", **case, "expect": code, "tests": list(tests), "about": about}))


def planted(out: list) -> None:
    """T1: a second Signature, SignedInfo or DigestValue where no rule of SAML puts one."""
    for idp, layout in (("rsa", "response"), ("broker", "assertion")):
        for name, where in (("extensions", lambda t, x: t.replace("<samlp:Status>", f"<samlp:Extensions>{x}</samlp:Extensions><samlp:Status>")),
                            ("status-detail", lambda t, x: t.replace("</samlp:Status>", f"<samlp:StatusDetail>{x}</samlp:StatusDetail></samlp:Status>"))):
            title = f"planted-%s-{name}-{layout}"
            rej(out, title % "signature", "signature_misplaced", "A copy of the Signature in a place for anything.", idp, tests=["T1"],
                post=lambda t, w=where: w(t, first_signature(t)))
            rej(out, title % "digest", "digest_mismatch", "Changed content, and its digest in a place for anything.", idp, tests=["T1"],
                post=lambda t, w=where: tamper(w(t, f'<ds:DigestValue xmlns:ds="{NS_DS}">AAAA</ds:DigestValue>')))
            rej(out, title % "signed-info", "digest_mismatch", "Changed content, and a SignedInfo in a place for anything.", idp, tests=["T1"],
                post=lambda t, w=where: tamper(w(t, signed_info(t))))
        rej(out, f"planted-signature-advice-{layout}", "signature_misplaced", "A Signature in Advice.", idp, tests=["T1"],
            post=lambda t: t.replace("</saml:Conditions>", "</saml:Conditions><saml:Advice>" + first_signature(t) + "</saml:Advice>"))
        rej(out, f"planted-signature-in-signature-{layout}", "signature_misplaced", "A Signature in an Object of the Signature.", idp,
            tests=["T1", "T5"], post=lambda t: t.replace("</ds:Signature>", "<ds:Object>" + first_signature(t) + "</ds:Object></ds:Signature>", 1))
        rej(out, f"planted-signature-in-key-info-{layout}", "signature_misplaced", "A Signature in KeyInfo.", idp, tests=["T1"],
            post=lambda t: t.replace("</ds:Signature>", "<ds:KeyInfo>" + first_signature(t) + "</ds:KeyInfo></ds:Signature>", 1))
        rej(out, f"planted-assertion-in-key-info-{layout}", "assertion_multiple", "An Assertion in KeyInfo.", idp, tests=["T1", "T6"],
            post=lambda t: t.replace("</ds:Signature>", "<ds:KeyInfo>" + Parts(t).evil + "</ds:KeyInfo></ds:Signature>", 1))
    rej(out, "signature-in-status", "signature_misplaced", "The Response's Signature stands in Status.", tests=["T1"],
        post=lambda t: t.replace(first_signature(t), "").replace("<samlp:Status>", "<samlp:Status>" + first_signature(t)))
    rej(out, "signature-in-subject", "signature_misplaced", "The Assertion's Signature stands in Subject.", "broker", tests=["T1"],
        post=lambda t: t.replace(first_signature(t), "").replace("<saml:Subject>", "<saml:Subject>" + first_signature(t)))


def tamper(text: str) -> str:
    return text.replace("195006262546", "195207306886")


def signed_info(text: str) -> str:
    info = re.search(r"<ds:SignedInfo>.*?</ds:SignedInfo>", text, re.S).group()
    return info.replace("<ds:SignedInfo>", f'<ds:SignedInfo xmlns:ds="{NS_DS}">')


def carriers(out: list) -> None:
    """T5: genuine signed documents of the provider that carry what it never said."""
    def error(name):
        return build(name, "rsa", status=CANCEL, assertions="")

    def forged(name):
        return Parts(build(name, "rsa", layout="none")).evil

    t = error("carrier-second-signature")
    obj = f'<ds:Signature xmlns:ds="{NS_DS}"><ds:Object>{forged("x")}</ds:Object></ds:Signature>'
    put(out, "carrier-second-signature", "signature_multiple", "A signed error Response; the forged Assertion in a second Signature.",
        t.replace("<samlp:Status>", obj + "<samlp:Status>"), ["T5"])
    t = error("carrier-object")
    put(out, "carrier-object", "assertion_multiple", "A signed error Response; the forged Assertion in an Object of its Signature.",
        t.replace("</ds:Signature>", f'<ds:Object>{forged("x")}</ds:Object></ds:Signature>'), ["T5"])
    t = error("carrier-appended")
    put(out, "carrier-appended", "digest_mismatch", "A signed error Response with a forged Assertion and Success.",
        t.replace(CANCEL, m.SUCCESS).replace("</samlp:Response>", forged("x") + "</samlp:Response>"), ["T5"])
    t = error("carrier-extensions")
    shell = build("carrier-shell", "rsa", layout="none")
    put(out, "carrier-extensions", "signature_misplaced", "A forged Response with a signed error Response in Extensions.",
        shell.replace("<samlp:Status>", f"<samlp:Extensions>{t}</samlp:Extensions><samlp:Status>"), ["T5"])

    issuer = f'<saml:Issuer xmlns:saml="{NS_SAML}">{m.IDP["rsa"][0]}</saml:Issuer>'
    logout = (f'<samlp:LogoutRequest xmlns:samlp="{NS_SAMLP}" ID="_lr1" Version="2.0" IssueInstant="2026-03-01T10:00:00Z" '
              f'Destination="{ACS}">{issuer}{signature("r", "_lr1")}<saml:NameID xmlns:saml="{NS_SAML}">pers</saml:NameID>'
              "</samlp:LogoutRequest>")
    logout = s.sign(logout, "r", "idp-rsa-new")
    put(out, "carrier-logout", "not_a_response", "A signed LogoutRequest.", logout, ["T5", "T21"])
    import feed
    entity = (f'<md:EntityDescriptor xmlns:md="{NS_MD}" ID="_md1" entityID="{m.IDP["rsa"][0]}">{signature("r", "_md1")}'
              + feed.idp_entity("rsa").split(">", 1)[1])
    put(out, "carrier-metadata", "not_a_response", "Signed metadata.", s.sign(entity, "r", "idp-rsa-new"), ["T5"])
    shell = build("carrier-logout-shell", "rsa", layout="none")
    sig = first_signature(logout)
    bare = logout.replace(sig, "")
    placed = shell.replace("</saml:Issuer>", "</saml:Issuer>@@", 1)
    put(out, "carrier-logout-object", "signature_shape", "A forged Response with a LogoutRequest's Signature, the LogoutRequest in its Object.",
        placed.replace("@@", sig.replace("</ds:Signature>", f"<ds:Object>{bare}</ds:Object></ds:Signature>")), ["T5", "T21"])
    put(out, "carrier-logout-extensions", "signature_reference", "A forged Response with a LogoutRequest's Signature, the LogoutRequest in "
        "Extensions.", placed.replace("@@", sig + f"<samlp:Extensions>{bare}</samlp:Extensions>"), ["T5", "T21"])
    put(out, "carrier-logout-within", "signature_misplaced", "A forged Response with a signed LogoutRequest in Extensions.",
        placed.replace("@@", f"<samlp:Extensions>{logout}</samlp:Extensions>"), ["T5", "T21"])
    put(out, "carrier-same-id", "digest_mismatch", "A forged Response with the Signature and the ID of a signed LogoutRequest.",
        placed.replace("@@", sig).replace('ID="_r-carrier-logout-shell"', 'ID="_lr1"'), ["T5", "T21"])


def roots(out: list) -> None:
    def put_root(name, about, text, tests=()):
        put(out, "root-" + name, "not_a_response", about, text, tests, provider="idp-rsa")

    t = build("roots", "rsa")
    put_root("assertion", "An Assertion on its own.", Parts(build("root-assertion", "broker")).assertion)
    put_root("other-namespace", "A Response of another namespace.", t.replace(NS_SAMLP, NS_SAMLP + "/"), ["T4"])
    put_root("saml1", "A Response of SAML 1.1.", t.replace(NS_SAMLP, "urn:oasis:names:tc:SAML:1.0:protocol"), ["T4"])
    put_root("no-namespace", "A Response of no namespace.", t.replace("<samlp:", "<").replace("</samlp:", "</"), ["T4"])
    put_root("lower-case", "A response in lower case.", t.replace("samlp:Response", "samlp:response"), ["T4"])
    put_root("wrapped", "A Response within another document.", f"<x>{t}</x>", ["T6"])
    put_root("soap", "A Response in a SOAP envelope.", '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>'
             f"{t}</e:Body></e:Envelope>")
    put_root("artifact", "A Response in an ArtifactResponse.", t.replace("samlp:Response", "samlp:ArtifactResponse"))
    put_root("html", "A page.", "<html><body>Sorry</body></html>")
    rej(out, "fake-ds", "signature_missing", "The Signature's namespace lacks its last character: it is none.", tests=["T4"],
        post=lambda t: t.replace(f'xmlns:ds="{NS_DS}"', f'xmlns:ds="{NS_DS[:-1]}"'))
    rej(out, "fake-ds-assertion", "signature_missing", "A Signature element of the assertion namespace is none.", "broker", tests=["T4"],
        post=lambda t: t.replace("<ds:Signature ", "<saml:Signature ").replace("</ds:Signature>", "</saml:Signature>"))


def tampering(out: list) -> None:
    for idp, layout in (("rsa", "response"), ("broker", "assertion")):
        for name, old, new in (
            ("number", "195006262546", "195207306886"), ("name-id", ">pers-tampered", ">Pers-tampered"), ("audience", "sp.example.se/sp<", "sp.example.se/ap<"),
            ("loa", "loa3</saml:AuthnContextClassRef", "loa4</saml:AuthnContextClassRef"), ("white-space", "<saml:Subject>", "<saml:Subject> "),
            ("attribute", 'SessionIndex="_s1"', 'SessionIndex="_s2"'), ("new-attribute", "<saml:Subject>", '<saml:Subject x="y">'),
            ("removed", ' FriendlyName="sn"', ""), ("namespace", "<saml:Subject>", '<saml:Subject xmlns:saml="urn:example:other">'),
            ("cdata", "Öberg</", "<![CDATA[Öberg ]]></"), ("reference", "Öberg</", "&#xF6;berg</"),
        ):
            if name == "loa" and idp == "broker":
                old, new = old, new.replace("loa4", "loa2")
            code = "digest_mismatch"
            post = lambda t, o=old, n=new: change(t, o, n)
            if name == "namespace":
                post = lambda t: t.replace("<saml:Conditions", '<x:Conditions xmlns:x="' + NS_SAML + '"').replace("</saml:Conditions", "</x:Conditions")
            rej(out, f"tampered-{name}-{layout}", code, "Changed after it was signed.", idp, tests=["2", "T10"], post=post)
    rej(out, "tampered-both-inner", "digest_mismatch", "Both are signed; the Assertion was changed.", layout="both", post=tamper)
    rej(out, "tampered-response-field", "digest_mismatch", "The signed Response's InResponseTo was changed to our request.",
        in_response_to="_req2", post=lambda t: t.replace('InResponseTo="_req2"', 'InResponseTo="_req1"'))
    rej(out, "statement-outside", "saml_schema", "An AttributeStatement beside the signed Assertion.", "broker", tests=["T7"],
        post=lambda t: t.replace("</samlp:Response>", m.attributes([("personalIdentityNumber", ["195207306886"])]).replace(
            "<saml:AttributeStatement>", f'<saml:AttributeStatement xmlns:saml="{NS_SAML}">') + "</samlp:Response>"))
    two = Parts(build("two-assertions", "broker"))
    put(out, "two-assertions-forged-first", "assertion_multiple", "A forged Assertion before the signed one.",
        two.head + two.evil + two.assertion + two.tail, ["T8"])
    put(out, "two-assertions-forged-last", "assertion_multiple", "A forged Assertion after the signed one.",
        two.head + two.assertion + two.evil + two.tail, ["T8"])
    a, b = (Parts(build(f"two-good-{n}", "broker")) for n in "ab")
    put(out, "two-assertions-good", "assertion_multiple", "Two Assertions, both signed.", a.head + a.assertion + b.assertion + a.tail, ["T8"])
    rej(out, "assertion-in-advice", "assertion_multiple", "An Assertion in the Advice of a signed one.", tests=["T6", "T7"],
        edit=lambda t: t.replace("</saml:Conditions>", "</saml:Conditions><saml:Advice>" + Parts(build("x", "rsa", layout="none")).evil + "</saml:Advice>"))
    rej(out, "assertion-in-value", "assertion_multiple", "An Assertion in an attribute's value.", tests=["T6", "T7"],
        edit=lambda t: t.replace("195006262546", Parts(build("x", "rsa", layout="none")).evil))


def change(text: str, old: str, new: str) -> str:
    assert old in text, old
    return text.replace(old, new)


def harmless(out: list) -> None:
    """Changes outside what is signed, or that canonical form does not see: accepted, with the identity as it was."""
    add(out, "changed-comment", "A comment put into the NameID after signing: the whole text still counts.", tests=["T12"],
        name_id="admin@kommun.example.evil", post=lambda t: t.replace("admin@kommun.example", "admin@kommun.example<!-- -->"),
        identity={"subject": "admin@kommun.example.evil"})
    add(out, "changed-comment-assertion", "The same where the Assertion is signed.", "broker", tests=["T12"], name_id="admin@kommun.example.evil",
        post=lambda t: t.replace("admin@kommun.example", "<!-- -->admin@kommun.example<!-- -->"), identity={"subject": "admin@kommun.example.evil"})
    add(out, "changed-cdata", "Text turned into CDATA after signing: the same text.", tests=["T10", "T11"],
        post=lambda t: t.replace("195006262546", "<![CDATA[195006]]>262546"))
    add(out, "changed-quotes", "Other quotes, spaces in tags and an unused declaration after signing.", tests=["T10"],
        post=lambda t: t.replace("<saml:Subject>", "<saml:Subject xmlns:u='urn:example:unused'  >").replace('SessionIndex="_s1"', "SessionIndex = '_s1'"))
    add(out, "changed-extensions", "A forged AttributeStatement in the Extensions of the unsigned Response is not read.", "broker", tests=["T7", "T10"],
        post=lambda t: t.replace("<samlp:Status>", "<samlp:Extensions>" + m.attributes([("personalIdentityNumber", ["195207306886"])]).replace(
            "<saml:AttributeStatement>", f'<saml:AttributeStatement xmlns:saml="{NS_SAML}">') + "</samlp:Extensions><samlp:Status>"))
    add(out, "changed-response-id", "The unsigned Response got another ID.", "broker", tests=["T10"],
        post=lambda t: t.replace('ID="_r-changed-response-id"', 'ID="_something"'))
    add(out, "signature-id", "The Signature has an Id of its own, as its schema allows.",
        edit=lambda t: t.replace("<ds:Signature ", '<ds:Signature Id="_sig" '))
    add(out, "id-letters", "IDs with letters outside ASCII.", layout="both", response_id="_r-åäö", assertion_id="ö.-·a")


def documents(out: list) -> None:
    def doc(name, code, about, post, tests=("1",), **kw):
        rej(out, name, code, about, tests=list(tests), post=post, **kw)

    for name, dtd in (("plain", "<!DOCTYPE Response>"), ("external", '<!DOCTYPE r SYSTEM "https://evil.example/x.dtd">'),
                      ("public", '<!DOCTYPE r PUBLIC "-//x" "x.dtd">'), ("entity", '<!DOCTYPE r [<!ENTITY e "195207306886">]>'),
                      ("lol", '<!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'),
                      ("xxe", '<!DOCTYPE r [<!ENTITY e SYSTEM "file:///etc/passwd">]>'),
                      ("attlist", '<!DOCTYPE r [<!ATTLIST samlp:Response ID CDATA "_evil">]>'), ("unfinished", "<!DOCTYPE r [")):
        doc("doctype-" + name, "xml_doctype", "A DOCTYPE, whatever is in it.", lambda t, d=dtd: d + t, ["1", "T26"])
    doc("doctype-used", "xml_doctype", "The NameID is built from an entity of the DOCTYPE.", lambda t: '<!DOCTYPE r [<!ENTITY e "evil">]>'
        + t.replace(">pers-", ">&e;pers-"), ["T26"])
    doc("entity-undeclared", "xml_unknown_entity", "An entity that nobody declared.", lambda t: t.replace("195006262546", "&number;"), ["T26"])
    doc("pi-before", "xml_processing_instruction", "A processing instruction before the root.", lambda t: "<?x y?>" + t, ["T26"])
    doc("pi-within", "xml_processing_instruction", "A processing instruction in the NameID.", lambda t: t.replace(">pers-", ">pe<?x?>rs-"), ["T26"])
    doc("pi-in-digest", "xml_processing_instruction", "A processing instruction in DigestValue.",
        lambda t: t.replace("<ds:DigestValue>", "<ds:DigestValue><?x?>"), ["T11", "T26"])
    doc("pi-after", "xml_processing_instruction", "A processing instruction after the root.", lambda t: t + "<?x y?>", ["T26"])
    for n, uri in enumerate(("relative", "../up", "//host/path", "?query", "#fragment", "1:x", "a b", "/abs", ".", "é:x")):
        about = f"A namespace name that is no absolute URI: {uri}"
        doc(f"relative-{n}", "xml_relative_namespace", about, lambda t, u=uri: t.replace("<saml:Subject>", f'<saml:Subject xmlns:r="{u}">'), ["T3"])
    doc("relative-used", "xml_relative_namespace", "An element in a relative namespace, within what is signed.",
        lambda t: t.replace("<saml:Subject>", '<saml:Subject><r:x xmlns:r="relative"/>'), ["T3"])
    doc("relative-default", "xml_relative_namespace", "A relative default namespace.", lambda t: t.replace("<saml:Subject>", '<saml:Subject xmlns="x">'), ["T3"])
    doc("relative-signed-info", "xml_relative_namespace", "A relative namespace in SignedInfo, whose signature is over nothing.",
        lambda t: t.replace("<ds:SignedInfo>", '<ds:SignedInfo xmlns:r="r">'), ["T3"], hand={"over": b""})
    doc("prefix-undeclared", "xml_bad_namespace", "A prefix that nobody declared.", lambda t: t.replace("<saml:Subject>", "<saml:Subject><evil:x/>"), ["T4"])
    doc("prefix-emptied", "xml_bad_namespace", "A prefix bound to nothing.", lambda t: t.replace("<saml:Subject>", '<saml:Subject xmlns:saml="">'), ["T4"])
    doc("attribute-twice", "xml_duplicate_attribute", "The ID twice on the Response.", lambda t: t.replace("<samlp:Response ", '<samlp:Response ID="_evil" '), ["T4"])
    doc("attribute-twice-expanded", "xml_duplicate_attribute", "One attribute under two prefixes of one namespace.",
        lambda t: t.replace("<saml:Subject>", '<saml:Subject xmlns:a="urn:x" xmlns:b="urn:x" a:i="1" b:i="2">'), ["T4"])
    doc("truncated", "xml_malformed", "Cut off in the middle.", lambda t: t[:len(t) // 2].rsplit("<", 1)[0])
    doc("two-roots", "xml_malformed", "Two Responses, one after the other.", lambda t: t + t)
    doc("utf-16", "xml_not_utf8", "The same in UTF-16.", lambda t: t.encode("utf-16"))
    doc("latin-1", "xml_not_utf8", "The same in ISO 8859-1, and it says so.",
        lambda t: ('<?xml version="1.0" encoding="ISO-8859-1"?>' + t).encode("latin-1"))


def parts(out: list) -> None:
    for part in (planted, carriers, roots, tampering, harmless, documents):
        part(out)
