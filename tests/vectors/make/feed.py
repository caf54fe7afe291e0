"""The IdP feed that the messages are held against, and the configuration that names its providers."""

import keys
import message as m
from common import E, NS_DS, NS_MD, S, SAML

MDATTR = "urn:oasis:names:tc:SAML:metadata:attribute"
CERTIFICATION = "urn:oasis:names:tc:SAML:attribute:assurance-certification"
REDIRECT = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
EIDAS = [E + f"eidas-{x}" for x in ("low", "sub", "high", "nf-low", "nf-sub", "nf-high")]
SWEDISH = [E + x for x in ("loa2", "loa3", "loa4")]

LEVELS = {
    "rsa": SWEDISH + [S + "loa3-nonresident", E + "eidas-nf-sub"],
    "rsa3072": SWEDISH, "p256": SWEDISH, "p384": SWEDISH, "p521": SWEDISH,
    "urn": [S + "uncertified-loa3"], "mixed": SWEDISH, "weak": SWEDISH, "connector": EIDAS,
    "uncertified": [S + "uncertified-loa3"], "sso": SWEDISH, "unsolicited": SWEDISH, "expired": SWEDISH,
    "broker": [],
}
# key name and its use ("" leaves the attribute out)
KEYS = {
    "rsa": [("idp-rsa-old", "signing"), ("idp-rsa-new", "signing"), ("idp-rsa-encryption", "encryption")],
    "rsa3072": [("idp-rsa3072", "")],
    "mixed": [("idp-mixed-rsa", "signing"), ("idp-mixed-ec", "signing")],
    "weak": [("idp-weak-rsa1024", "signing"), ("idp-weak-rsa2048", "signing")],
    "uncertified": [("idp-uncertified", "")],
}


def entity_attributes(levels: list) -> str:
    if not levels:
        return ""
    values = "".join(f"<saml:AttributeValue>{v}</saml:AttributeValue>" for v in levels)
    return (f'<mdattr:EntityAttributes xmlns:mdattr="{MDATTR}"><saml:Attribute xmlns:saml="{m.NS_SAML}" '
            f'Name="{CERTIFICATION}" NameFormat="{m.URI}">{values}</saml:Attribute></mdattr:EntityAttributes>')


def key_descriptor(name: str, use: str) -> str:
    use = f' use="{use}"' if use else ""
    return (f'<md:KeyDescriptor{use}><ds:KeyInfo xmlns:ds="{NS_DS}"><ds:X509Data><ds:X509Certificate>'
            f"{keys.cert_base64(name)}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>")


def scopes(values: list) -> str:
    return "".join(f'<shibmd:Scope xmlns:shibmd="urn:mace:shibboleth:metadata:1.0" regexp="false">{v}</shibmd:Scope>'
                   for v in values)


def entity(entity_id: str, key_list: list, levels: list, scope_list=(), attributes: str = "", endpoints=None,
           display: str = "", extra: str = "", idp_extra: str = "") -> str:
    """One EntityDescriptor. `attributes` go on it as text; `extra` and `idp_extra` into the two Extensions."""
    base = "https://login.example.se/" + "".join(c if c.isalnum() else "-" for c in entity_id)
    if endpoints is None:
        endpoints = [(REDIRECT, base + "/redirect"), (POST, base + "/post")]
    ui = ""
    if display:
        ui = (f'<mdui:UIInfo xmlns:mdui="urn:oasis:names:tc:SAML:metadata:ui"><mdui:DisplayName xml:lang="sv">{display}'
              f'</mdui:DisplayName><mdui:DisplayName xml:lang="en">{display} (en)</mdui:DisplayName></mdui:UIInfo>')
    inner = idp_extra + scopes(list(scope_list)) + ui
    inner = f"<md:Extensions>{inner}</md:Extensions>" if inner else ""
    outer = extra + entity_attributes(levels)
    outer = f"<md:Extensions>{outer}</md:Extensions>" if outer else ""
    sso = "".join(f'<md:SingleSignOnService Binding="{b}" Location="{u}"/>' for b, u in endpoints)
    return (f'<md:EntityDescriptor entityID="{entity_id}"{attributes}>{outer}'
            f'<md:IDPSSODescriptor WantAuthnRequestsSigned="true" protocolSupportEnumeration="{m.NS_SAMLP}">{inner}'
            f'{"".join(key_descriptor(n, u) for n, u in key_list)}'
            f"<md:NameIDFormat>{m.PERSISTENT}</md:NameIDFormat>{sso}</md:IDPSSODescriptor></md:EntityDescriptor>")


def entities(body: str, attributes: str = "", signature: str = "", prolog: str = "", extensions: str = "") -> str:
    return (f'{prolog}<md:EntitiesDescriptor xmlns:md="{NS_MD}" Name="https://md.example.se/test"{attributes}>'
            f"{signature}{extensions}{body}</md:EntitiesDescriptor>\n")


def idp_entity(name: str) -> str:
    entity_id, key, _, _ = m.IDP[name]
    attributes = ' validUntil="2026-02-01T00:00:00Z"' if name == "expired" else ""
    return entity(entity_id, KEYS.get(name, [(key, "signing")]), LEVELS[name],
                  ["5562265719", "kommun.example.se"] if name == "rsa" else (), attributes, display=f"Test {name}")


def main_feed() -> str:
    body = "\n".join(idp_entity(name) for name in m.IDP)
    return entities("\n" + body + "\n", ' ID="_feed" validUntil="2046-01-01T00:00:00Z" cacheDuration="PT5H"',
                    prolog='<?xml version="1.0" encoding="UTF-8"?>\n<!-- Test vectors: no real provider. -->\n')


BROAD = (SWEDISH + [S + x for x in ("loa2-nonresident", "loa3-nonresident", "loa4-nonresident", "uncertified-loa2",
                                    "uncertified-loa3")] + EIDAS)


def provider(name: str) -> str:
    entity_id, _, provider_id, signed = m.IDP[name]
    core = name in ("p256", "p384", "p521", "mixed", "broker")
    lines = ["[[provider]]", f'id = "{provider_id}"', f'eid = "{provider_id}"', f'label = "{provider_id}"', 'protocol = "saml"',
             f'profile = "{"saml-core" if core else "federation"}"', f'entity_id = "{entity_id}"', 'metadata = "idps"',
             f'signed = "{signed}"', 'encryption = "optional"']
    if name == "unsolicited":
        lines.append("allow_unsolicited = true")
    if name == "connector":
        lines.append("eidas_connector = true")
    if name == "sso":
        lines.append("force_authn = false")
    if name == "broker":
        lines.append(f'loa = ["{S}uncertified-loa2", "{S}uncertified-loa3"]')
        lines.append('loa_map = { "urn:oasis:names:tc:SAML:2.0:ac:classes:SoftwarePKI" = "uncertified-loa3" }')
    return "\n".join(lines) + "\n"


def configuration(coordination: bool = False, encrypted: bool = False, opening: bool = True) -> str:
    head = f"""# Made by make/make_saml.py. The cases name the configuration that they are held against.
environment = "test"

[service]
id = "vectors"
entity_id = "https://sp.example.se/sp"
base_url = "https://sp.example.se"
upstream = "http://127.0.0.1:8000"
accept_coordination_number = {str(coordination).lower()}
"""
    if opening:
        head += '\n[keys]\ndecryption = ["../keys/sp-decrypt.pem", "../keys/sp-decrypt-old.pem"]\n'
    head += '\n[[metadata]]\nid = "idps"\nfile = "metadata.xml"\n'
    providers = "\n".join(provider(name) for name in m.IDP)
    if encrypted:
        providers = providers.replace('encryption = "optional"', 'encryption = "required"')
    broad = ",\n".join(f'    "{x}"' for x in BROAD)
    routes = f"""[[route]]
path = "/*"
loa = [
{broad},
]

[[route]]
path = "/nummer/*"
loa = ["{E}loa3", "{S}uncertified-loa3"]
require = ["personal_number"]

[[route]]
path = "/loa4/*"
loa = ["{E}loa4"]

[[route]]
path = "/bara-urn/*"
loa = ["{S}uncertified-loa3", "{E}loa3"]
eid = ["idp-urn"]

[[route]]
path = "/eidas/*"
loa = ["{E}eidas-sub", "{E}eidas-nf-sub"]
"""
    return head + "\n" + providers + "\n" + routes


# Who may have authenticated, for the provider that passes others' logins on.
AUTHORITIES = ["https://issuer-a.example", "https://issuer-b.example"]


def listed() -> str:
    rsa = f'entity_id = "{m.IDP["rsa"][0]}"\n'
    listed = ", ".join(f'"{name}"' for name in AUTHORITIES)
    return configuration().replace(rsa, rsa + f"authenticating_authorities = [{listed}]\n", 1)


def write() -> None:
    (SAML / "metadata.xml").write_bytes(main_feed().encode())
    (SAML / "grindvakt.toml").write_bytes(configuration().encode())
    (SAML / "grindvakt-coordination.toml").write_bytes(configuration(coordination=True).encode())
    (SAML / "grindvakt-authorities.toml").write_bytes(listed().encode())
    (SAML / "grindvakt-no-keys.toml").write_bytes(configuration(opening=False).encode())
    (SAML / "grindvakt-encryption.toml").write_bytes(configuration(encrypted=True).encode())
