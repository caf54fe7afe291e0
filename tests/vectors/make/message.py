"""Texts of Responses and Assertions, in pieces that a case can replace one by one."""

import signer as s
from common import ACS, E, NS_DS, NS_SAML, NS_SAMLP, S, SP

OID = {
    "personalIdentityNumber": "urn:oid:1.2.752.29.4.13",
    "sn": "urn:oid:2.5.4.4",
    "givenName": "urn:oid:2.5.4.42",
    "displayName": "urn:oid:2.16.840.1.113730.3.1.241",
    "dateOfBirth": "urn:oid:1.3.6.1.5.5.7.9.1",
    "orgAffiliation": "urn:oid:1.2.752.201.3.1",
    "prid": "urn:oid:1.2.752.201.3.4",
    "pridPersistence": "urn:oid:1.2.752.201.3.5",
    "eidasPersonIdentifier": "urn:oid:1.2.752.201.3.7",
    "personalIdentityNumberBinding": "urn:oid:1.2.752.201.3.6",
    "mappedPersonalIdentityNumber": "urn:oid:1.2.752.201.3.16",
    "transactionIdentifier": "urn:oid:1.2.752.201.3.2",
    "c": "urn:oid:2.5.4.6",
    "countryOfCitizenship": "urn:oid:1.3.6.1.5.5.7.9.4",
}
URI = "urn:oasis:names:tc:SAML:2.0:attrname-format:uri"
STATUS = "urn:oasis:names:tc:SAML:2.0:status:"
SUCCESS = f'<samlp:Status><samlp:StatusCode Value="{STATUS}Success"/></samlp:Status>'
PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"

# entityID, key that signs by default, provider id in grindvakt.toml, which element the provider signs
IDP = {
    "rsa": ("https://idp-rsa.example.se/saml", "idp-rsa-new", "idp-rsa", "response"),
    "rsa3072": ("https://idp-rsa3072.example.se:8443/saml/", "idp-rsa3072", "idp-rsa3072", "response"),
    "p256": ("https://idp-p256.example.se/saml", "idp-p256", "idp-p256", "either"),
    "p384": ("https://idp-p384.example.se/saml", "idp-p384", "idp-p384", "either"),
    "p521": ("https://idp-p521.example.se/saml", "idp-p521", "idp-p521", "either"),
    "urn": ("urn:example:idp.kommun.example:saml20.bankid-mobile", "idp-urn", "idp-urn", "response"),
    "mixed": ("https://idp-mixed.example.se/saml", "idp-mixed-rsa", "idp-mixed", "either"),
    "weak": ("https://idp-weak.example.se/saml", "idp-weak-rsa2048", "idp-weak", "response"),
    "connector": ("https://connector.example.se/eidas", "connector", "connector", "response"),
    "uncertified": ("https://idp-uncertified.example.se/", "idp-uncertified", "idp-uncertified", "response"),
    "sso": ("https://idp-sso.example.se/saml", "idp-sso", "idp-sso", "response"),
    "unsolicited": ("https://idp-unsolicited.example.se/saml", "idp-unsolicited", "idp-unsolicited", "response"),
    "expired": ("https://idp-expired.example.se/saml", "idp-expired", "idp-expired", "response"),
    "broker": ("http://broker.example.se/samlv2/idp/metadata/0/22", "broker", "broker", "assertion"),
}

PERSON = [
    ("personalIdentityNumber", ["195006262546"]),
    ("displayName", ["Åsa Öberg"]),
    ("givenName", ["Åsa"]),
    ("sn", ["Öberg"]),
    ("dateOfBirth", ["1950-06-26"]),
]


def attribute(name: str, values: list, extra: str = "") -> str:
    friendly = f' FriendlyName="{name}"' if name in OID else ""
    inner = "".join(f"<saml:AttributeValue>{v}</saml:AttributeValue>" for v in values)
    return f'<saml:Attribute Name="{OID.get(name, name)}" NameFormat="{URI}"{friendly}{extra}>{inner}</saml:Attribute>'


def attributes(items: list) -> str:
    return "<saml:AttributeStatement>" + "".join(attribute(n, v) for n, v in items) + "</saml:AttributeStatement>"


def signature(name: str, reference: str, alg: str = s.RSA256, digest: str = s.SHA256, c14n: str = s.EXC,
              transforms: str | None = None, key_info: str = "", prefix: str = "ds", c14n_inner: str = "",
              transform_inner: str = "", uri: str | None = None, transform_c14n: str | None = None,
              signed_info: str | None = None, before: str = "", after: str = "") -> str:
    """A Signature whose two values are placeholders that `signer` fills in."""
    p = prefix + ":" if prefix else ""
    declare = f"xmlns:{prefix}" if prefix else "xmlns"
    if transforms is None:
        transforms = (f'<{p}Transforms><{p}Transform Algorithm="{s.ENVELOPED}"/>'
                      f'<{p}Transform Algorithm="{transform_c14n or s.EXC}">{transform_inner}</{p}Transform></{p}Transforms>')
    uri = f"#{reference}" if uri is None else uri
    if signed_info is None:
        signed_info = (
            f'<{p}SignedInfo><{p}CanonicalizationMethod Algorithm="{c14n}">{c14n_inner}</{p}CanonicalizationMethod>'
            f'<{p}SignatureMethod Algorithm="{alg}"/><{p}Reference URI="{uri}">{transforms}'
            f'<{p}DigestMethod Algorithm="{digest}"/><{p}DigestValue>{{{{DV:{name}}}}}</{p}DigestValue>'
            f"</{p}Reference></{p}SignedInfo>"
        )
    return (f'<{p}Signature {declare}="{NS_DS}">{before}{signed_info}<{p}SignatureValue>{{{{SV:{name}}}}}</{p}SignatureValue>'
            f"{key_info}{after}</{p}Signature>")


def authorities(*names: str) -> str:
    return "".join(f"<saml:AuthenticatingAuthority>https://issuer-{n}.example</saml:AuthenticatingAuthority>" for n in names)


def bearer(until: str, recipient: str = ACS) -> str:
    return (f'<saml:SubjectConfirmation Method="{BEARER}"><saml:SubjectConfirmationData InResponseTo="_req1" '
            f'NotOnOrAfter="{until}" Recipient="{recipient}"/></saml:SubjectConfirmation>')


class Message:
    """A Response with one Assertion, right in every respect. Any piece can be given as text; "" leaves it out."""

    def __init__(self, name: str, idp: str = "rsa", **pieces):
        self.idp = idp
        self.entity, self.key, self.provider, self.signed = IDP[idp]
        self.name = name
        values = {
            "response_id": f"_r-{name}", "assertion_id": f"_a-{name}",
            "in_response_to": "_req1", "destination": ACS, "recipient": ACS,
            "issued": "2026-03-01T10:00:00Z", "not_before": "2026-03-01T09:59:50Z",
            "not_on_or_after": "2026-03-01T10:05:00Z", "confirm_until": "2026-03-01T10:05:00Z",
            "authn_instant": "2026-03-01T09:59:55Z", "audiences": [SP],
            "loa": {"uncertified": S + "uncertified-loa3", "urn": S + "uncertified-loa3",
                    "broker": S + "uncertified-loa3", "connector": E + "eidas-nf-sub"}.get(idp, E + "loa3"),
            "person": PERSON, "name_id": f"pers-{name}", "name_id_format": PERSISTENT, "authority": "",
            "session": ' SessionIndex="_s1"', "status": SUCCESS, "extensions": "",
            "response_signature": "", "assertion_signature": "", "assertions": None, "tail": "",
        }
        for key, value in pieces.items():
            values[key] = value
        self.__dict__.update(values)
        self.over = pieces

    def piece(self, key: str, default: str) -> str:
        return self.over.get(key, default)

    def attr(self, key: str, value: str) -> str:
        return f' {key}="{value}"' if value else ""

    def issuer(self) -> str:
        return f'<saml:Issuer xmlns:saml="{NS_SAML}">{self.entity}</saml:Issuer>'

    def subject(self) -> str:
        data = self.piece("confirmation_data", (
            f"<saml:SubjectConfirmationData{self.attr('InResponseTo', self.in_response_to)}"
            f"{self.attr('NotOnOrAfter', self.confirm_until)}{self.attr('Recipient', self.recipient)}"
            ' Address="203.0.113.7"/>'))
        confirmation = self.piece("confirmation", (
            f'<saml:SubjectConfirmation Method="{BEARER}">{data}</saml:SubjectConfirmation>'))
        name_id = self.piece("name_id_element", (
            f"<saml:NameID{self.attr('Format', self.name_id_format)}>{self.name_id}</saml:NameID>"))
        return self.piece("subject_element", f"<saml:Subject>{name_id}{confirmation}</saml:Subject>")

    def conditions(self) -> str:
        inner = "".join(f"<saml:Audience>{a}</saml:Audience>" for a in self.audiences)
        audience = self.piece("audience_element", f"<saml:AudienceRestriction>{inner}</saml:AudienceRestriction>")
        return self.piece("conditions_element", (
            f"<saml:Conditions{self.attr('NotBefore', self.not_before)}"
            f"{self.attr('NotOnOrAfter', self.not_on_or_after)}>{audience}{self.piece('more_conditions', '')}"
            "</saml:Conditions>"))

    def authn(self) -> str:
        context = self.piece("context_element", (
            f"<saml:AuthnContext><saml:AuthnContextClassRef>{self.loa}</saml:AuthnContextClassRef>{self.authority}"
            "</saml:AuthnContext>"))
        return self.piece("authn_element", (
            f'<saml:AuthnStatement AuthnInstant="{self.authn_instant}"{self.session}>{context}</saml:AuthnStatement>'))

    def statement(self) -> str:
        return self.piece("attributes_element", attributes(self.person))

    def assertion(self) -> str:
        return (
            f'<saml:Assertion xmlns:saml="{NS_SAML}"{self.piece("assertion_declarations", "")}'
            f"{self.attr('ID', self.assertion_id)}{self.attr('IssueInstant', self.piece('assertion_issued', self.issued))}"
            f"{self.attr('Version', self.piece('assertion_version', '2.0'))}{self.piece('assertion_attributes', '')}>"
            f"{self.piece('assertion_issuer', self.issuer())}{self.assertion_signature}{self.subject()}"
            f"{self.conditions()}{self.piece('advice', '')}{self.authn()}{self.statement()}</saml:Assertion>")

    def response(self) -> str:
        inner = self.assertion() if self.assertions is None else self.assertions
        return (
            f'{self.piece("prolog", "")}<samlp:Response xmlns:samlp="{NS_SAMLP}"{self.piece("declarations", "")}'
            f"{self.attr('ID', self.response_id)}"
            f"{self.attr('InResponseTo', self.piece('response_in_response_to', self.in_response_to))}"
            f"{self.attr('Version', self.piece('version', '2.0'))}{self.attr('IssueInstant', self.issued)}"
            f"{self.attr('Destination', self.destination)}{self.piece('response_attributes', '')}>"
            f"{self.piece('response_issuer', self.issuer())}{self.response_signature}{self.extensions}{self.status}"
            f"{inner}{self.tail}</samlp:Response>")


def layouts(signed: str) -> list:
    return {"response": ["r"], "assertion": ["a"], "both": ["a", "r"], "none": []}[signed]


def build(name: str, idp: str = "rsa", layout: str | None = None, key: str | None = None, sig: dict | None = None,
          inner_sig: dict | None = None, inner_key: str | None = None, edit=None, post=None, hand: dict | None = None,
          **pieces) -> str:
    """A signed message. `edit` changes the text before it is signed, `post` after; `sig` goes to `signature`.

    `hand`, also when empty, has the outermost signature made by `hand_sign`, with these arguments.
    """
    m = Message(name, idp, **pieces)
    layout = layout or {"assertion": "assertion"}.get(m.signed, "response")
    names = layouts(layout)
    default = {"alg": s.EC256} if (key or m.key).split("-")[-1] in ("p256", "p384", "p521", "ec") else {}
    outer = {**default, **(sig or {})}
    inner = {**default, **(inner_sig if inner_sig is not None else ({} if layout == "both" else (sig or {})))}
    if "a" in names and "assertion_signature" not in pieces:
        m.assertion_signature = signature("a", m.assertion_id, **inner)
    if "r" in names and "response_signature" not in pieces:
        m.response_signature = signature("r", m.response_id, **outer)
    text = m.response()
    if edit:
        text = edit(text)
    for which in names:
        by = key or m.key
        if which == "a" and inner_key:
            by = inner_key
        if "{{SV:%s}}" % which not in text:
            continue
        if hand is not None and which == names[-1]:
            text = s.hand_sign(text, which, by, **hand)
        else:
            text = s.sign(text, which, by)
    return post(text) if post else text
