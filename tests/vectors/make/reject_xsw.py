"""Signature wrapping: the eight known forms in all three signing layouts, the forged parts with IDs of their own and with copies."""

import re

from message import build

SIGNATURE = re.compile(r"<ds:Signature .*?</ds:Signature>", re.S)
END = "</ds:Signature>"


class Parts:
    """A signed message taken apart, and its forged twin."""

    def __init__(self, text: str, same_ids: bool = False):
        self.text = text
        i = text.index("<saml:Assertion ")
        j = text.index("</saml:Assertion>") + len("</saml:Assertion>")
        self.head, self.assertion, self.tail = text[:i], text[i:j], text[j:]
        found = SIGNATURE.search(self.head)
        self.response_signature = found.group() if found else ""
        found = SIGNATURE.search(self.assertion)
        self.assertion_signature = found.group() if found else ""
        # Which signature an attacker has to work with: the Response's for the first two forms, the Assertion's for the rest.
        self.outer = self.response_signature or self.assertion_signature
        self.inner = self.assertion_signature or self.response_signature
        self.original_response = text.replace(self.outer, "", 1)
        self.plain_assertion = self.assertion.replace(self.assertion_signature, "")
        swap = (lambda x: x) if same_ids else (lambda x: x.replace(' ID="_', ' ID="_evil', 1))
        forged = self.plain_assertion.replace("195006262546", "195207306886").replace("Åsa", "Eva")
        forged = re.sub(r"(<saml:NameID[^>]*>)[^<]*", r"\1pers-evil", forged)
        self.evil = swap(forged)
        self.evil_head = swap(self.head.replace(self.response_signature, ""))

    def evil_response(self, inside: str) -> str:
        i = self.evil_head.index("</saml:Issuer>") + len("</saml:Issuer>")
        return self.evil_head[:i] + inside + self.evil_head[i:] + self.evil + self.tail

    def signed_evil(self, signature: str) -> str:
        i = self.evil.index("</saml:Issuer>") + len("</saml:Issuer>")
        return self.evil[:i] + signature + self.evil[i:]

    def rest(self, assertions: str) -> str:
        head = self.head
        if not self.assertion_signature:
            head = head.replace(self.response_signature, "")
        return head + assertions + self.tail


def wrap(n: int, p: Parts) -> str:
    if n == 1:
        return p.evil_response(p.outer[:-len(END)] + p.original_response + END)
    if n == 2:
        return p.evil_response(p.original_response + p.outer)
    if n == 3:
        return p.head + p.evil + p.assertion + p.tail
    if n == 4:
        return p.head + p.evil.replace("</saml:Assertion>", p.assertion + "</saml:Assertion>") + p.tail
    if n == 5:
        return p.rest(p.signed_evil(p.inner) + p.plain_assertion)
    if n == 6:
        return p.rest(p.signed_evil(p.inner[:-len(END)] + p.plain_assertion + END))
    if n == 7:
        return p.head.replace("<samlp:Status>", "<samlp:Extensions>" + p.evil + "</samlp:Extensions><samlp:Status>") + p.assertion + p.tail
    return p.rest(p.signed_evil(p.inner[:-len(END)] + "<ds:Object>" + p.plain_assertion + "</ds:Object>" + END))


ABOUT = {
    1: "a forged Response whose Signature holds the original Response",
    2: "a forged Response with the original Response beside its Signature",
    3: "a forged Assertion before the original",
    4: "the original Assertion within the forged one",
    5: "the Signature moved into a forged Assertion, the original at the end",
    6: "the original Assertion within the Signature of the forged one",
    7: "a forged Assertion in Extensions",
    8: "the original Assertion in an Object of the forged one's Signature",
}
LAYOUT_IDP = {"response": "rsa", "assertion": "broker", "both": "rsa"}


def expected(n: int, layout: str, same_ids: bool) -> str:
    """By the verifier's order: placement of Signatures, then equal IDs, then the number and place of Assertions."""
    if n in (1, 2) and layout == "both":
        return "signature_misplaced"
    if n == 4 and layout != "response":
        return "signature_misplaced"
    return "id_duplicate" if same_ids else "assertion_multiple"


def parts(out: list) -> None:
    for layout, idp in LAYOUT_IDP.items():
        for n, about in ABOUT.items():
            for same_ids in (False, True):
                name = f"xsw{n}-{layout}" + ("-same-ids" if same_ids else "")
                text = wrap(n, Parts(build(name, idp, layout=layout), same_ids))
                out.append((name, text, {"in_response_to": "_req1", "expect": expected(n, layout, same_ids), "tests": ["T6"],
                                         "about": f"Wrapping {n}, {layout} signed: {about}."}))
                # The same where either element may be signed: the laxest provider there is.
                if layout == "assertion" and not same_ids:
                    text = wrap(n, Parts(build(name + "-either", "mixed", layout=layout)))
                    out.append((name + "-either", text, {
                        "in_response_to": "_req1", "expect": expected(n, layout, False), "tests": ["T6"],
                        "about": f"Wrapping {n} at a provider that may sign either: {about}."}))
