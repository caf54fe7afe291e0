"""Makes `xml/cases.toml`: what the strict reader must refuse, with which code, and what it must take."""

import base64
import xml.parsers.expat

from lxml import etree

import signer
import xml_bad
import xml_good
from common import XML, b64, write_cases

HEAD = """Documents for the XML reader with the verdict that each must get. Made by make/make_xml.py.

name      unique
text, base64 or pieces: the document. pieces is a list of [text, count] that are written one after the other, each count
          times; "{n}" in a text is the number of the repetition, from 0
limits    "message" or "feed": which limits hold
expect    "accepted" or the exact reason code
c14n      for an accepted one: its document element in exclusive canonical form without comments, as libxml2 writes it
c14n_with_comments
          the same with comments, where that differs"""

# Refused by us and accepted by both libxml2 and expat: for reasons of SAML or of limits, not of XML.
OURS = {"xml_doctype", "xml_processing_instruction", "xml_too_deep", "xml_too_many_nodes", "xml_too_many_attributes",
        "xml_too_many_namespaces", "message_too_large", "xml_relative_namespace"}


def content(case: dict) -> bytes:
    if "text" in case:
        return case["text"].encode()
    if "base64" in case:
        return base64.b64decode(case["base64"])
    return "".join(text.replace("{n}", str(n)) for text, count in case["pieces"] for n in range(count)).encode()


def libxml2(data: bytes):
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
    try:
        root = etree.fromstring(data, parser)
        # An entity that nobody declared is an error, except to a reader that may not look at declarations.
        return None if any(n.tag is etree.Entity for n in root.iter()) else root
    except (etree.XMLSyntaxError, ValueError):
        return None


def expat(data: bytes) -> bool:
    try:
        xml.parsers.expat.ParserCreate(namespace_separator=" ").Parse(data, True)
        return True
    except (xml.parsers.expat.ExpatError, ValueError, LookupError):
        return False


def main() -> None:
    XML.mkdir(exist_ok=True)
    cases, names, doubtful = [], set(), []
    for name, document, expect, about, limits in xml_bad.cases() + xml_good.cases():
        assert name not in names, name
        names.add(name)
        case = {"name": name}
        if isinstance(document, bytes):
            case["base64"] = b64(document)
        elif isinstance(document, list):
            case["pieces"] = document
        else:
            case["text"] = document
        case |= {"limits": limits, "expect": expect, "about": about}
        data = content(case)
        root, second = libxml2(data), expat(data)
        if expect == "accepted":
            if not second:
                doubtful.append(f"{name}: accepted, but expat refuses")
            if root is None:
                doubtful.append(f"{name}: accepted, but libxml2 refuses")
            elif len(data) < 5000:
                case["c14n"] = signer.exclusive(root).decode()
                full = signer.exclusive(root, comments=True).decode()
                if full != case["c14n"]:
                    case["c14n_with_comments"] = full
        elif expect not in OURS and root is not None and second:
            doubtful.append(f"{name}: {expect}, but libxml2 and expat accept")
        cases.append(case)
    write_cases(XML / "cases.toml", HEAD, cases)
    known = xml_bad.LENIENT | xml_good.LENIENT
    for line in doubtful:
        assert line.split(":")[0] in known, line
    print(len(cases), "cases,", sum(c["expect"] == "accepted" for c in cases), "accepted;", len(doubtful), "where other readers differ, as known")


if __name__ == "__main__":
    main()
