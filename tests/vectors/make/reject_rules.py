"""Messages with a good signature that break one rule each (checklist 7.1)."""

import encrypt
import message as m
from accept_rules import EIDAS_PERSON, MAPPED
from common import ACS, E, NS_SAML, S, SP
from message import build


def rej(out: list, name: str, code: str, about: str, idp: str = "rsa", tests=(), case=None, make=build,
        **pieces) -> None:
    text = make(name, idp, **pieces)
    out.append(("reject-" + name, text, {"in_response_to": "_req1", **(case or {}), "expect": code,
                                         "tests": list(tests), "about": about}))


def again(out: list, file: str, code: str, about: str, tests=(), **case) -> None:
    """A file that is there already, under other circumstances."""
    out.append(("", None, {"file": file + ".xml", "in_response_to": "_req1", **case, "expect": code, "tests": list(tests),
                           "about": about}))


def status(first: str, second: str = "", inner: str = "") -> str:
    second = f'<samlp:StatusCode Value="{second}"/>' if second else ""
    return f'<samlp:Status><samlp:StatusCode Value="{first}">{second}</samlp:StatusCode>{inner}</samlp:Status>'


def statuses(out: list) -> None:
    own = "http://id.elegnamnden.se/status/1.0/"
    for name, code, first, second in (
        ("cancel", "status_cancel", "Responder", own + "cancel"),
        ("fraud", "status_fraud", "Responder", own + "fraud"),
        ("possible-fraud", "status_possible_fraud", "Responder", own + "possibleFraud"),
        ("authn-failed", "status_authn_failed", "Responder", m.STATUS + "AuthnFailed"),
        ("no-authn-context", "status_no_authn_context", "Requester", m.STATUS + "NoAuthnContext"),
        ("unknown-principal", "status_error", "Responder", m.STATUS + "UnknownPrincipal"),
        ("no-second", "status_error", "Responder", ""),
        ("version-mismatch", "status_error", "VersionMismatch", ""),
    ):
        rej(out, "status-" + name, code, "A signed error status without an assertion.", tests=["60"],
            status=status(m.STATUS + first, second), assertions="")
    rej(out, "status-unsigned", "signature_missing", "An error status is believed only when it is signed.", layout="none",
        status=status(m.STATUS + "Responder", own + "cancel"), assertions="")
    rej(out, "status-unsigned-broker", "signature_missing", "The same at a provider that signs assertions.", "broker",
        layout="none", status=status(m.STATUS + "Responder", own + "fraud"), assertions="")
    rej(out, "status-with-assertion", "status_with_assertion", "An error status with an assertion.", tests=["21"],
        status=status(m.STATUS + "Responder", own + "cancel"))
    rej(out, "status-lower-case", "status_with_assertion", "The status is compared exactly: 'success' is none.", tests=["21"],
        status=status(m.STATUS + "success"))
    rej(out, "status-missing", "saml_schema", "No Status.", status="")
    rej(out, "status-twice", "saml_schema", "Two Statuses.", status=m.SUCCESS + m.SUCCESS)
    rej(out, "status-no-code", "saml_schema", "A Status without StatusCode.", status="<samlp:Status/>")
    rej(out, "success-without-assertion", "assertion_missing", "Success without an assertion.", tests=["21"], assertions="")


def fields(out: list) -> None:
    rej(out, "version-1", "saml_version", "A Response of version 1.1.", version="1.1")
    rej(out, "version-21", "saml_version", "A Response of version 2.1.", version="2.1")
    rej(out, "assertion-version", "saml_version", "An Assertion of version 1.1.", assertion_version="1.1")
    rej(out, "no-issue-instant", "saml_schema", "A Response without IssueInstant.",
        edit=lambda t: t.replace(' IssueInstant="2026-03-01T10:00:00Z"', "", 1))
    rej(out, "no-id-unsigned", "saml_schema", "An unsigned Response without ID.", "broker", response_id="")
    rej(out, "assertion-no-id", "saml_schema", "An Assertion without ID in a signed Response.", assertion_id="")
    rej(out, "assertion-no-issue-instant", "saml_schema", "An Assertion without IssueInstant.", assertion_issued="")
    for name, instant in (("offset", "2026-03-01T11:00:00+01:00"), ("no-zone", "2026-03-01T10:00:00"), ("word", "now"),
                          ("date", "2026-02-30T10:00:00Z"), ("epoch", "1772359200")):
        rej(out, "instant-" + name, "time_malformed", "An IssueInstant that is no UTC xs:dateTime.", issued=instant)
    rej(out, "instant-conditions", "time_malformed", "A NotOnOrAfter in Conditions that is no instant.", not_on_or_after="later")
    rej(out, "instant-confirmation", "time_malformed", "A NotOnOrAfter in the confirmation with an offset.",
        confirm_until="2026-03-01T11:05:00+01:00")
    rej(out, "instant-authn", "time_malformed", "An AuthnInstant with an offset.", authn_instant="2026-03-01T10:59:55+01:00")

    other = f'<saml:Issuer xmlns:saml="{NS_SAML}">%s</saml:Issuer>'
    rej(out, "issuer-missing", "issuer_missing", "A signed Response without Issuer.", response_issuer="",
        case={"provider": "idp-rsa"})
    rej(out, "issuer-missing-assertion", "issuer_missing", "An Assertion without Issuer.", assertion_issuer="", tests=["7"])
    rej(out, "issuer-unknown", "issuer_unknown", "An issuer that nobody configured.", tests=["7"], key="attacker-rsa",
        response_issuer=other % "https://idp.example.net/saml", assertion_issuer=other % "https://idp.example.net/saml")
    rej(out, "issuer-case", "issuer_unknown", "An entityID is compared exactly: case counts.", tests=["7", "52"],
        response_issuer=other % "https://IDP-RSA.example.se/saml", assertion_issuer=other % "https://IDP-RSA.example.se/saml")
    rej(out, "issuer-slash", "issuer_unknown", "An entityID is compared exactly: so does a slash.", tests=["7", "52"],
        response_issuer=other % "https://idp-rsa.example.se/saml/", assertion_issuer=other % "https://idp-rsa.example.se/saml/")
    rej(out, "issuer-differs", "issuer_mismatch", "Another issuer in the Assertion than in the Response.", tests=["7"],
        assertion_issuer=other % "https://idp-p256.example.se/saml")
    rej(out, "issuer-other-asked", "issuer_mismatch", "Provider B's own good answer to a request that went to provider A.",
        tests=["7", "T17"], case={"provider": "idp-rsa3072"})
    rej(out, "issuer-unsigned-other", "issuer_mismatch", "The unsigned Response names another issuer than the signed Assertion.",
        "broker", tests=["T10"], response_issuer=other % "https://idp-p256.example.se/saml", case={"provider": "broker"})
    rej(out, "provider-expired", "provider_without_keys", "The provider's entry in the metadata has expired.", "expired")

    rej(out, "destination-missing", "destination_missing", "A signed Response without Destination.", destination="", tests=["9"])
    for name, url in (("other", "https://other.example.se/eid/saml/acs"), ("slash", ACS + "/"), ("query", ACS + "?x=1"),
                      ("http", ACS.replace("https", "http")), ("upper", ACS.replace("acs", "ACS")), ("port", ACS.replace(".se/", ".se:443/"))):
        rej(out, "destination-" + name, "destination_mismatch", "A Destination other than our address.", destination=url, tests=["9"])
    rej(out, "destination-unsigned", "destination_mismatch", "A Destination other than our address on an unsigned Response.",
        "broker", destination="https://other.example.se/acs")
    rej(out, "recipient-missing", "recipient_missing", "No Recipient.", recipient="", tests=["9"])
    rej(out, "recipient-other", "recipient_mismatch", "A Recipient other than our address.",
        recipient="https://other.example.se/eid/saml/acs", tests=["9"])

    rej(out, "request-missing", "in_response_to_missing", "No InResponseTo, and a request was sent.", in_response_to="", tests=["10"])
    rej(out, "request-missing-response", "in_response_to_missing", "No InResponseTo on the signed Response.",
        response_in_response_to="", tests=["10"])
    rej(out, "request-missing-confirmation", "in_response_to_missing", "InResponseTo only on the unsigned Response.", "broker",
        confirmation_data=f'<saml:SubjectConfirmationData NotOnOrAfter="2026-03-01T10:05:00Z" Recipient="{ACS}"/>', tests=["T17"])
    rej(out, "request-other", "in_response_to_mismatch", "An answer to another request.", in_response_to="_req2", tests=["10"])
    rej(out, "request-other-response", "in_response_to_mismatch", "The signed Response answers another request than its Assertion.",
        response_in_response_to="_req2", tests=["10"])
    rej(out, "request-other-confirmation", "in_response_to_mismatch",
        "The unsigned Response answers our request, the signed Assertion another.", "broker",
        confirmation_data=f'<saml:SubjectConfirmationData InResponseTo="_req2" NotOnOrAfter="2026-03-01T10:05:00Z" Recipient="{ACS}"/>',
        tests=["T17"])
    rej(out, "unsolicited", "unsolicited", "No request, and a provider that may not answer unasked.", in_response_to="",
        case={"in_response_to": None}, tests=["10"])
    rej(out, "unsolicited-answer", "in_response_to_mismatch", "No request, an answer to one, from a provider that may answer unasked.",
        "unsolicited", case={"in_response_to": None}, tests=["10"])


def conditions(out: list) -> None:
    rej(out, "audience-missing", "audience_missing", "Conditions without AudienceRestriction.", audience_element="", tests=["11", "13"])
    rej(out, "audience-other", "audience_mismatch", "An audience without us.", audiences=["https://other.example.se/sp"], tests=["11"])
    rej(out, "audience-slash", "audience_mismatch", "An audience is compared exactly.", audiences=[SP + "/"], tests=["11"])
    rej(out, "audience-two-restrictions", "audience_mismatch", "Two AudienceRestrictions: both must hold (SAML Core 2.5.1.4).",
        audience_element="".join(f"<saml:AudienceRestriction><saml:Audience>{a}</saml:Audience></saml:AudienceRestriction>"
                                 for a in (SP, "https://other.example.se/sp")), tests=["11"])
    rej(out, "conditions-missing", "conditions_missing", "No Conditions.", conditions_element="", tests=["13"])
    rej(out, "conditions-missing-core", "conditions_missing", "No Conditions, at a saml-core provider.", "p256", conditions_element="",
        tests=["13"])
    rej(out, "conditions-no-not-before", "conditions_missing", "The federation demands NotBefore.", not_before="", tests=["13"])
    rej(out, "conditions-no-not-on-or-after", "conditions_missing", "The federation demands NotOnOrAfter.", not_on_or_after="",
        tests=["13"])
    rej(out, "conditions-twice", "saml_schema", "Two Conditions, the second without limits.",
        edit=lambda t: t.replace("</saml:Conditions>", "</saml:Conditions><saml:Conditions/>"))
    rej(out, "condition-unknown", "condition_unknown", "A condition of an unknown type cannot be met (SAML Core 2.5.1.1).",
        more_conditions='<saml:Condition xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:x="urn:example:x" '
                        'xsi:type="x:Moon"/>')

    short = {"not_on_or_after": "2026-03-01T10:00:30Z"}
    confirm = {"confirm_until": "2026-03-01T10:00:30Z"}
    late = {"not_before": "2026-03-01T10:00:30Z", "authn_instant": "2026-03-01T09:59:20Z"}
    end = {"at": "2026-03-01T10:01:30Z"}
    rej(out, "expired-conditions", "expired", "NotOnOrAfter of Conditions plus the skew is now: it is exclusive.", case=end, tests=["12"], **short)
    rej(out, "expired-confirmation", "expired", "NotOnOrAfter of the confirmation plus the skew is now.", case=end, tests=["12"], **confirm)
    rej(out, "not-yet", "not_yet_valid", "NotBefore is one second further ahead than clocks may differ.",
        case={"at": "2026-03-01T09:59:29Z"}, tests=["12"], **late)
    rej(out, "old", "issued_too_long_ago", "An hour old, though its Conditions still hold.", issued="2026-03-01T09:00:00Z",
        not_before="2026-03-01T08:59:00Z", authn_instant="2026-03-01T08:59:55Z", tests=["19"])
    rej(out, "future", "issued_in_future", "IssueInstant is one second further ahead than clocks may differ.",
        case={"at": "2026-03-01T09:58:59Z"}, not_before="2026-03-01T09:57:00Z", authn_instant="2026-03-01T09:58:00Z", tests=["19"])
    rej(out, "future-assertion", "issued_in_future", "The Assertion is issued in the future.",
        assertion_issued="2026-03-01T10:04:00Z", tests=["19"])
    rej(out, "future-authn", "issued_in_future", "The login lies in the future.", authn_instant="2026-03-01T10:04:00Z", tests=["19"])


def subject(out: list) -> None:
    data = f'<saml:SubjectConfirmationData InResponseTo="_req1" NotOnOrAfter="2026-03-01T10:05:00Z" Recipient="{ACS}"/>'
    rej(out, "subject-missing", "subject_missing", "No Subject.", subject_element="", tests=["13"])
    rej(out, "subject-twice", "saml_schema", "Two Subjects.",
        edit=lambda t: t.replace("</saml:Subject>", "</saml:Subject><saml:Subject><saml:NameID>other</saml:NameID></saml:Subject>"))
    rej(out, "name-id-missing", "name_id_missing", "A Subject without NameID.", name_id_element="", tests=["13"])
    rej(out, "name-id-twice", "saml_schema", "Two NameIDs.",
        edit=lambda t: t.replace("</saml:NameID>", "</saml:NameID><saml:NameID>other</saml:NameID>"))
    rej(out, "encrypted-id", "encrypted_part", "An EncryptedID.", tests=["6"],
        name_id_element='<saml:EncryptedID><xenc:EncryptedData xmlns:xenc="http://www.w3.org/2001/04/xmlenc#"/></saml:EncryptedID>')
    rej(out, "encrypted-attribute", "encrypted_part", "An EncryptedAttribute.", tests=["6"],
        edit=lambda t: t.replace("</saml:AttributeStatement>", '<saml:EncryptedAttribute><xenc:EncryptedData '
                                 'xmlns:xenc="http://www.w3.org/2001/04/xmlenc#"/></saml:EncryptedAttribute></saml:AttributeStatement>'))
    rej(out, "confirmation-missing", "confirmation_missing", "No SubjectConfirmation.", confirmation="", tests=["13"])
    for name, method in (("holder-of-key", "holder-of-key"), ("sender-vouches", "sender-vouches")):
        rej(out, "confirmation-" + name, "confirmation_missing", f"Only a {method} confirmation.", tests=["13", "27"],
            confirmation=f'<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:{method}">{data}</saml:SubjectConfirmation>')
    rej(out, "confirmation-no-data", "confirmation_missing", "A bearer confirmation without data.", tests=["13"], confirmation_data="")
    rej(out, "confirmation-no-end", "confirmation_missing", "A bearer confirmation without NotOnOrAfter.", tests=["13"], confirm_until="")


def authn(out: list) -> None:
    rej(out, "authn-none", "authn_statement_count", "No AuthnStatement.", authn_element="", tests=["14"])
    twice = ('<saml:AuthnStatement AuthnInstant="2026-03-01T09:59:55Z"><saml:AuthnContext><saml:AuthnContextClassRef>%s'
             "</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>")
    rej(out, "authn-two", "authn_statement_count", "Two AuthnStatements with different levels.", tests=["14"],
        authn_element=twice % (E + "loa2") + twice % (E + "loa4"))
    rej(out, "attributes-none", "attribute_statement_count", "The federation demands an AttributeStatement.", attributes_element="",
        tests=["14"])
    rej(out, "attributes-two", "attribute_statement_count", "Two AttributeStatements.", tests=["14", "T7"],
        attributes_element=m.attributes(m.PERSON[:1]) + m.attributes(m.PERSON[1:]))
    rej(out, "context-missing", "authn_context_missing", "An AuthnContext without class reference.", tests=["15"],
        context_element="<saml:AuthnContext><saml:AuthnContextDeclRef>urn:x</saml:AuthnContextDeclRef></saml:AuthnContext>")
    rej(out, "context-twice", "saml_schema", "Two class references.",
        edit=lambda t: t.replace("</saml:AuthnContextClassRef>", f"</saml:AuthnContextClassRef><saml:AuthnContextClassRef>{E}loa4"
                                 "</saml:AuthnContextClassRef>"))
    for name, idp, loa in (("uncertified-loa3", "uncertified", E + "loa3"), ("unknown", "rsa", "urn:example:loa"),
                           ("loa1", "rsa", E + "loa1"), ("case", "rsa", E + "LOA3"), ("connector-loa3", "connector", E + "loa3"),
                           ("broker-loa3", "broker", E + "loa3"), ("relayed-eidas", "rsa", S + "uncertified-eidas-sub"),
                           ("unmapped", "broker", "urn:oasis:names:tc:SAML:2.0:ac:classes:SmartcardPKI")):
        rej(out, "loa-" + name, "loa_not_certified", "A level that the provider may not assert.", idp, loa=loa, tests=["15", "16"])
    rej(out, "loa-eidas", "loa_eidas_not_connector", "An eIDAS level from a provider that declares it but is not the connector.",
        loa=E + "eidas-nf-sub", tests=["16"])
    rej(out, "loa-route", "loa_not_allowed", "A level below the route's.", case={"route": "/loa4/x"}, tests=["15"])
    rej(out, "eid-route", "eid_not_allowed", "An e-ID that the route does not take.", case={"route": "/bara-urn/x"})
    listed = {"config": "grindvakt-authorities.toml"}
    empty = "<saml:AuthenticatingAuthority/>"
    for name, about, chain in (
        ("none", "A provider that must say who authenticated, and does not.", ""),
        ("other", "Authenticated by somebody who is not listed.", m.authorities("c")),
        ("chain-first", "A chain whose first link is not listed.", m.authorities("c", "a")),
        ("chain-last", "A chain whose last link is not listed.", m.authorities("a", "c")),
        ("case", "A name that differs in case.", m.authorities("A")),
        ("slash", "A name that differs by a slash.", m.authorities("a").replace(".example", ".example/")),
        ("empty", "An empty name.", empty),
        ("chain-empty", "A chain with an empty link.", m.authorities("a") + empty),
        ("chain-blank", "A chain with a link of white space.", m.authorities("a") + empty.replace("/>", "> </saml:AuthenticatingAuthority>")),
        ("chain-element", "A chain with a link that is no text.", m.authorities("a") + empty.replace(
            "/>", "><x xmlns='urn:example:x'/></saml:AuthenticatingAuthority>")),
    ):
        rej(out, "authorities-" + name, "authenticating_authority", about, authority=chain, case=listed)
    rej(out, "authn-old", "authn_too_old", "A fresh login was asked for, and this one is of yesterday.",
        authn_instant="2026-02-28T10:00:00Z", tests=["20"])
    rej(out, "session-ended", "session_ended", "The provider's session has ended.", session=' SessionNotOnOrAfter="2026-03-01T09:58:00Z"')


def person(out: list) -> None:
    first = m.PERSON[0][0]
    rest = m.PERSON[1:]
    for name, number in (("11", "19500626254"), ("10", "5006262546"), ("13", "1950062625460"), ("hyphen", "19500626-2546"),
                         ("letters", "19500626254X"), ("arabic-digits", "١٩٥٠٠٦٢٦٢٥٤٦"), ("inner-space", "19500626 2546")):
        rej(out, "number-" + name, "personal_number_malformed", "No twelve ASCII digits.", person=[(first, [number])] + rest, tests=["23"])
    rej(out, "coordination-number", "coordination_number_not_accepted", "A coordination number for a service that takes none.",
        person=[(first, ["197010632391"])] + rest, tests=["23"])
    rej(out, "nonresident-with-number", "nonresident_with_number", "A non-resident level together with a Swedish number.",
        loa=S + "loa3-nonresident", tests=["17"])
    rej(out, "number-twice", "attribute_duplicate", "The number's attribute twice with different values.", tests=["22", "T7"],
        person=m.PERSON + [(first, ["195207306886"])])
    rej(out, "number-twice-same", "attribute_duplicate", "The number's attribute twice with the same value.", tests=["22"],
        person=m.PERSON + [m.PERSON[0]])
    rej(out, "name-twice", "attribute_duplicate", "The display name's attribute twice.", tests=["22", "T7"],
        person=m.PERSON + [("displayName", ["Eva Alm"])])
    rej(out, "number-values", "attribute_values", "Two numbers in one attribute.", person=[(first, ["195006262546", "195207306886"])] + rest,
        tests=["22"])
    rej(out, "number-no-value", "attribute_values", "The number's attribute without a value.", person=[(first, [])] + rest, tests=["22"])
    rej(out, "name-values", "attribute_values", "Two values of the display name.", tests=["22"],
        person=m.PERSON[:1] + [("displayName", ["Åsa Öberg", "Eva Alm"])])
    rej(out, "number-element", "attribute_values", "A value with an element in it.",
        person=[(first, ['195006262546<x xmlns="urn:example:x"/>'])] + rest, tests=["22"])
    rej(out, "birth-date", "attribute_malformed", "A date of birth that is no date.", person=m.PERSON[:4] + [("dateOfBirth", ["26/6 1950"])])
    rej(out, "attribute-without-name", "saml_schema", "An Attribute without Name.",
        edit=lambda t: t.replace('Name="urn:oid:2.5.4.4" ', ""))
    for name, idp, value in (("other", "rsa", "a@2021006883"), ("last-at", "rsa", "a@5562265719@2021006883"), ("none", "rsa3072", "a@5562265719")):
        rej(out, "scope-" + name, "scope_not_registered", "A scope that the provider does not have in its metadata.", idp,
            person=m.PERSON + [("orgAffiliation", [value])], tests=["24", "T51"])
    rej(out, "required-missing", "required_attribute_missing", "The route requires a number, and there is none.",
        person=[("displayName", ["Åsa Öberg"])], case={"route": "/nummer/x"}, tests=["22"])

    rej(out, "mapped-no-binding", "mapped_number_binding", "A mapped number without its binding.", "connector",
        person=EIDAS_PERSON + [(MAPPED, ["195207306886"])], tests=["25"])
    rej(out, "mapped-other-binding", "mapped_number_binding", "A mapped number with a binding that nobody knows.", "connector",
        person=EIDAS_PERSON + [(MAPPED, ["195207306886"]), ("personalIdentityNumberBinding", ["urn:example:guess"])], tests=["25"])
    for name, value in (("short", "DE:abc"), ("lower", "de:3b7184c0ceaf76a9607a31e4e1f87f"), ("hyphen-end", "DE:3b7184c0ceaf76a9-"),
                        ("long", "DE:" + "a" * 31), ("no-country", "3b7184c0ceaf76a9607a31e4e1f87f"), ("hyphens", "DE:a--------b")):
        rej(out, "prid-" + name, "prid_malformed", "A prid that is none.", "connector", person=[("prid", [value])] + EIDAS_PERSON[1:],
            tests=["26"])
    rej(out, "prid-country", "prid_country_mismatch", "A prid of Germany, and France authenticated.", "connector",
        person=[(n, ["FR"] if n == "c" else v) for n, v in EIDAS_PERSON], tests=["26"])


def replays(out: list) -> None:
    again(out, "accept-response-signed", "replayed", "The same message a second time.", ["18", "T16"], after="accept-response-signed.xml")
    again(out, "accept-one-time-use", "replayed", "The same message a second time, with OneTimeUse.", ["18", "T16"],
          after="accept-one-time-use.xml")
    for name in ("first", "last"):
        again(out, "accept-confirmations-short-" + name, "replayed", "The earlier of two confirmations is over, the other holds: "
              "an assertion is remembered until the last of them has ended.", ["18", "T16"], at="2026-03-01T10:02:45Z",
              after=f"accept-confirmations-short-{name}.xml")
    again(out, "accept-confirmations-short-first", "expired", "Both are over.", ["12"], at="2026-03-01T10:03:30Z")
    used = build("assertion-signed", "broker", response_id="_r-another", post=lambda t: t.replace("</samlp:Response>", "\n</samlp:Response>"))
    out.append(("reject-replayed-assertion", used, {
        "in_response_to": "_req1", "expect": "replayed", "tests": ["18", "T16"], "after": "accept-assertion-signed.xml",
        "about": "A used Assertion in a Response with another ID."}))


def encryption(out: list) -> None:
    rej(out, "not-encrypted", "assertion_not_encrypted", "In clear, where encryption is required.", tests=["6"],
        case={"config": "grindvakt-encryption.toml"})
    junk = ('<saml:EncryptedAssertion xmlns:saml="%s"><xenc:EncryptedData xmlns:xenc="http://www.w3.org/2001/04/xmlenc#" '
            'Type="http://www.w3.org/2001/04/xmlenc#Element"><xenc:CipherData><xenc:CipherValue>AAAA</xenc:CipherValue></xenc:CipherData>'
            "</xenc:EncryptedData></saml:EncryptedAssertion>") % NS_SAML
    rej(out, "encrypted-no-key", "assertion_undecryptable", "A good EncryptedAssertion, and no key to open it with.",
        make=encrypt.build, case={"config": "grindvakt-no-keys.toml"})
    rej(out, "encrypted-unsigned", "signature_missing", "An EncryptedAssertion in an unsigned Response.", layout="none", assertions=junk,
        tests=["T14"])
    rej(out, "encrypted-and-plain", "assertion_multiple", "An EncryptedAssertion beside a plain one.", tail=junk, tests=["T8"])


def parts(out: list) -> None:
    for part in (statuses, fields, conditions, subject, authn, person, replays, encryption):
        part(out)
