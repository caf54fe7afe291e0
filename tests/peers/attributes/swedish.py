"""Attributes of the Swedish profile by their names there (pysaml2's own maps do not know them)."""

_FRO = {
    "urn:oid:1.2.752.29.4.13": "personalIdentityNumber",
    "urn:oid:1.3.6.1.5.5.7.9.1": "dateOfBirth",
    "urn:oid:2.16.840.1.113730.3.1.241": "displayName",
    "urn:oid:2.5.4.4": "sn",
    "urn:oid:2.5.4.42": "givenName",
}

MAP = {
    "identifier": "urn:oasis:names:tc:SAML:2.0:attrname-format:uri",
    "fro": _FRO,
    "to": {name: oid for oid, name in _FRO.items()},
}
