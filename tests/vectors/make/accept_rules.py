"""Messages that must pass: relaxations of the profile, and rules at their edges."""

import re

import message as m
from accept import PKI, add
from common import E, S, SP

MAPPED = "mappedPersonalIdentityNumber"
BINDING = "http://id.swedenconnect.se/id-binding/process/populationregister"
EIDAS_PERSON = [("prid", ["DE:3b7184c0ceaf76a9607a31e4e1f87f"]), ("pridPersistence", ["B"]),
                ("eidasPersonIdentifier", ["DE/SE/1234567890123456789012345678901"]), ("dateOfBirth", ["1971-04-30"]),
                ("sn", ["Müller"]), ("givenName", ["Jürgen"]), ("c", ["DE"]), ("transactionIdentifier", ["_ms-1"])]


def rules(out: list) -> None:
    add(out, "name-id-transient", "A transient NameID.", name_id_format="urn:oasis:names:tc:SAML:2.0:nameid-format:transient",
        tests=["56"])
    add(out, "name-id-no-format", "A NameID without Format.", name_id_format="", tests=["56"])
    add(out, "audiences", "Three audiences, ours is the second.", audiences=["https://a.example", SP, "urn:b"], tests=["55"])
    add(out, "one-time-use", "OneTimeUse and ProxyRestriction are conditions that we know.",
        more_conditions='<saml:OneTimeUse/><saml:ProxyRestriction Count="0"/>')
    add(out, "unknown-attributes", "Attributes that nobody knows, one of them with structure, one without a NameFormat.",
        attributes_element=m.attributes(m.PERSON + [("urn:example:unknown", ["a", "b"]), ("urn:example:tree", ["<x><y/>t</x>"])])
        .replace("</saml:AttributeStatement>", '<saml:Attribute Name="SecurityLevel"><saml:AttributeValue>3</saml:AttributeValue>'
                 "</saml:Attribute></saml:AttributeStatement>"), tests=["53"])
    add(out, "no-friendly-names", "Attributes without FriendlyName.", attributes_element=re.sub(
        r' FriendlyName="[^"]*"', "", m.attributes(m.PERSON)), tests=["53"])
    add(out, "misleading-friendly-names", "FriendlyNames that say something else: only Name counts.",
        attributes_element=m.attributes(m.PERSON).replace('FriendlyName="displayName"', 'FriendlyName="personalIdentityNumber"'))
    add(out, "no-address", "SubjectConfirmationData without Address.", edit=lambda t: t.replace(' Address="203.0.113.7"', ""))
    add(out, "multi-value", "Two values of an attribute that may have several.",
        person=m.PERSON + [("countryOfCitizenship", ["SE", "FI"])])
    add(out, "scoped", "A scoped attribute whose scope the provider has in its metadata.",
        person=m.PERSON + [("orgAffiliation", ["anna.andersson@5562265719"])])
    add(out, "scoped-two-ats", "A scope is what follows the last @ (ATTR 3.1.3).",
        person=m.PERSON + [("orgAffiliation", ["a@b.example@5562265719"])], tests=["T51"])
    add(out, "fractions", "Instants with fractions of a second.", edit=lambda t: t.replace(":00:00Z", ":00:00.123456789Z"))
    add(out, "authority", "An AuthenticatingAuthority, and no allow-list.",
        authority="<saml:AuthenticatingAuthority>https://issuer.example</saml:AuthenticatingAuthority>")
    listed = {"config": "grindvakt-authorities.toml"}
    for name, about, chain in (("one", "An AuthenticatingAuthority that is listed.", ("a",)),
                               ("chain", "Two of them, both listed.", ("b", "a"))):
        add(out, "authorities-" + name, about, authority=m.authorities(*chain), case=listed)
    for name, ends in (("first", ("10:01:00", "10:02:30")), ("last", ("10:02:30", "10:01:00"))):
        add(out, "confirmations-short-" + name, "Two bearer confirmations, of which one ends earlier.",
            confirmation="".join(m.bearer(f"2026-03-01T{end}Z") for end in ends), tests=["T16"])
    add(out, "confirmations-ended", "Of three confirmations one holds: one is over, one is for somebody else.",
        confirmation=m.bearer("2026-03-01T09:58:00Z") + m.bearer("2026-03-01T10:02:30Z", "https://other.example.se/acs")
        + m.bearer("2026-03-01T10:01:00Z"))
    add(out, "extensions", "Extensions and Consent on the Response, Advice in the Assertion, none of them read.", layout="both",
        extensions='<samlp:Extensions><x:y xmlns:x="urn:example:x">text</x:y></samlp:Extensions>',
        response_attributes=' Consent="urn:oasis:names:tc:SAML:2.0:consent:unspecified"',
        advice="<saml:Advice><saml:AssertionIDRef>_other</saml:AssertionIDRef></saml:Advice>")
    add(out, "session-running", "SessionNotOnOrAfter lies ahead.", session=' SessionNotOnOrAfter="2026-03-01T18:00:00Z"')
    add(out, "no-person", "Only a NameID and a display name: the provider's rules ask for no number.",
        person=[("displayName", ["Åsa Öberg"])], identity={"personal_number": None})
    add(out, "nonresident", "A non-resident level without a Swedish number.", loa=S + "loa3-nonresident",
        person=[("displayName", ["Åsa Öberg"])], identity={"personal_number": None, "loa": S + "loa3-nonresident"})
    add(out, "loa2", "Another level that the provider is certified for.", loa=E + "loa2", identity={"loa": E + "loa2"})
    add(out, "route", "A route whose level, e-ID and required attributes are all met.", case={"route": "/nummer/nytt"})
    add(out, "route-eid", "A route that takes this e-ID only.", "urn", case={"route": "/bara-urn/nytt"})


def relaxed(out: list) -> None:
    add(out, "core-no-not-before", "saml-core: Conditions without NotBefore.", "p256", not_before="")
    add(out, "core-no-attributes", "saml-core: no AttributeStatement.", "p256", attributes_element="",
        identity={"personal_number": None, "name": None})
    add(out, "core-two-attribute-statements", "saml-core: two AttributeStatements.", "p256",
        attributes_element=m.attributes(m.PERSON[:2]) + m.attributes(m.PERSON[2:]))
    add(out, "core-loa-map", "A class reference that the configuration maps to a level.", "broker", loa=PKI,
        identity={"loa": S + "uncertified-loa3"})
    add(out, "core-local-loa", "A level that only the configuration declares.", "broker", loa=S + "uncertified-loa2",
        identity={"loa": S + "uncertified-loa2"})
    add(out, "sso-old-authn", "Single sign-on is allowed: the login is 50 minutes old.", "sso",
        authn_instant="2026-03-01T09:10:00Z", tests=["59"])
    none = {"in_response_to": None}
    add(out, "unsolicited", "No InResponseTo anywhere, from a provider that may do so.", "unsolicited", in_response_to="", case=none)
    add(out, "any-request", "A captured message: the binding to a request is left out.", in_response_to="_req-of-yesterday",
        case={"in_response_to": "*"})
    add(out, "coordination-number", "A coordination number, and a service that takes them.",
        person=[("personalIdentityNumber", ["197010632391"])] + m.PERSON[1:4],
        identity={"personal_number": None, "coordination_number": "197010632391"},
        case={"config": "grindvakt-coordination.toml"})
    foreign = {"personal_number": None, "name": None, "loa": E + "eidas-nf-sub", "prid": "DE:3b7184c0ceaf76a9607a31e4e1f87f"}
    add(out, "eidas", "The eIDAS connector with a prid.", "connector", person=EIDAS_PERSON, identity=foreign)
    add(out, "eidas-plain", "The same level of a scheme that is not notified.", "connector", person=EIDAS_PERSON,
        loa=E + "eidas-sub", identity={**foreign, "loa": E + "eidas-sub"}, case={"route": "/eidas/x"}, tests=["57"])
    add(out, "eidas-notified", "A route that lists eidas-sub and eidas-nf-sub.", "connector", person=EIDAS_PERSON,
        identity=foreign, case={"route": "/eidas/x"}, tests=["57"])
    add(out, "eidas-mapped", "A mapped number with its binding.", "connector", person=EIDAS_PERSON + [
        (MAPPED, ["195207306886"]), ("personalIdentityNumberBinding", [BINDING])],
        identity={k: v for k, v in foreign.items() if k != "personal_number"} | {"personal_number": None})
    add(out, "eidas-mapped-coordination", "A mapped coordination number passes without the service's opt-in.", "connector",
        person=EIDAS_PERSON + [(MAPPED, ["197010632391"]), ("personalIdentityNumberBinding", [BINDING])],
        identity=foreign, tests=["58"])


def edges(out: list) -> None:
    short = {"not_on_or_after": "2026-03-01T10:00:30Z", "confirm_until": "2026-03-01T10:00:30Z"}
    late = {"not_before": "2026-03-01T10:00:30Z", "authn_instant": "2026-03-01T09:59:20Z"}
    add(out, "edge-not-on-or-after", "One second before NotOnOrAfter and the clock skew have passed.",
        case={"at": "2026-03-01T10:01:29Z"}, **short)
    add(out, "edge-not-before", "NotBefore is as far ahead as clocks may differ.", case={"at": "2026-03-01T09:59:30Z"}, **late)
    add(out, "edge-issued", "IssueInstant is as far ahead as clocks may differ.", case={"at": "2026-03-01T09:59:00Z"},
        not_before="2026-03-01T09:58:00Z", authn_instant="2026-03-01T09:58:55Z")
