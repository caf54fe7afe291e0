"""Folders, names and the small TOML writer that the generators share."""

import base64
import pathlib

HERE = pathlib.Path(__file__).resolve().parent
VECTORS = HERE.parent
KEYS = VECTORS / "keys"
SAML = VECTORS / "saml"
XML = VECTORS / "xml"

SP = "https://sp.example.se/sp"
ACS = "https://sp.example.se/eid/saml/acs"

NS_DS = "http://www.w3.org/2000/09/xmldsig#"
NS_EXC = "http://www.w3.org/2001/10/xml-exc-c14n#"
NS_MD = "urn:oasis:names:tc:SAML:2.0:metadata"
NS_SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
NS_SAMLP = "urn:oasis:names:tc:SAML:2.0:protocol"

# Levels of assurance: exact strings (registry 3.1.1).
E = "http://id.elegnamnden.se/loa/1.0/"
S = "http://id.swedenconnect.se/loa/1.0/"


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def toml_string(text: str) -> str:
    """A basic string: every control character escaped, everything else as it is."""
    out = []
    for c in text:
        if c == "\\":
            out.append("\\\\")
        elif c == '"':
            out.append('\\"')
        elif c == "\n":
            out.append("\\n")
        elif c == "\r":
            out.append("\\r")
        elif c == "\t":
            out.append("\\t")
        elif ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 or c in "\u2028\u2029\ufeff\ufffe\uffff":
            out.append(f"\\u{ord(c):04X}")
        else:
            out.append(c)
    return '"' + "".join(out) + '"'


def toml_value(value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return toml_string(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(toml_value(v) for v in value) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{toml_key(k)} = {toml_value(v)}" for k, v in value.items()) + " }"
    raise TypeError(type(value))


def toml_key(key: str) -> str:
    plain = key and all(c.isascii() and (c.isalnum() or c in "-_") for c in key)
    return key if plain else toml_string(key)


def write_cases(path: pathlib.Path, head: str, cases: list) -> None:
    """One `[[case]]` a dict; a dict within it becomes a table of its own, after the plain keys."""
    lines = [f"# {line}".rstrip() for line in head.strip().splitlines()]
    for case in cases:
        lines += ["", "[[case]]"]
        tables = []
        for key, value in case.items():
            if isinstance(value, dict):
                tables.append((key, value))
            else:
                lines.append(f"{toml_key(key)} = {toml_value(value)}")
        for name, table in tables:
            lines.append(f"[case.{name}]")
            lines += [f"{toml_key(k)} = {toml_value(v)}" for k, v in table.items()]
    path.write_bytes(("\n".join(lines) + "\n").encode())
