"""Messages that must pass: odd but honest ways to write XML, and the relaxations of the profile."""

import signer as s
from accept import add, named
from common import ACS, NS_DS, NS_SAML


def pretty(text: str) -> str:
    """Indents elements whose content is elements; texts stay."""
    from lxml import etree
    root = s.parse(text)
    etree.indent(root, space="  ")
    return etree.tostring(root, encoding="unicode")


def xml_forms(out: list) -> None:
    add(out, "xml-declaration", "An XML declaration and a line break before the root.",
        prolog='<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n')
    add(out, "xml-declaration-single", "An XML declaration in single quotes, the encoding in lower case.",
        prolog="<?xml version='1.0' encoding='utf-8'?>")
    add(out, "xml-bom", "A UTF-8 byte order mark.", prolog="\ufeff")
    add(out, "xml-comments-outside", "Comments before and after the root.", prolog="<!-- before -->\n",
        edit=lambda t: t + "\n<!-- after -->\n")
    add(out, "pretty", "Pretty-printed, with text nodes of white space everywhere.", edit=pretty, layout="both")
    add(out, "pretty-crlf", "Pretty-printed with CRLF line ends.", edit=lambda t: pretty(t).replace("\n", "\r\n"))
    add(out, "pretty-cr", "Pretty-printed with lone CR line ends.", edit=lambda t: pretty(t).replace("\n", "\r"))
    add(out, "single-quotes", "Attributes in single quotes.", edit=lambda t: t.replace('"', "'"))
    add(out, "tag-whitespace", "White space and line breaks inside tags.",
        edit=lambda t: t.replace('" ', '"\n\t ').replace("<saml:Subject>", "<saml:Subject\n>").replace("/>", " />"))
    add(out, "attribute-order", "Attributes in another order than canonical.",
        edit=lambda t: t.replace(' Version="2.0" IssueInstant="2026-03-01T10:00:00Z"',
                                 ' IssueInstant="2026-03-01T10:00:00Z" Version="2.0"'))
    add(out, "empty-element-forms", "An empty element written with two tags.",
        edit=lambda t: t.replace('Success"/>', 'Success"></samlp:StatusCode>'))


def texts(out: list) -> None:
    for name, written, read, about in (
        ("text-astral", "Åsa 𝒳 Öberg", "Åsa 𝒳 Öberg", "A character outside the basic plane."),
        ("text-decomposed", "A\u030asa O\u0308berg", "A\u030asa O\u0308berg", "Decomposed letters stay decomposed."),
        ("text-references", "&#xC5;sa &#214;berg &#x1D4B3;", "Åsa Öberg 𝒳", "Character references, hexadecimal and decimal."),
        ("text-entities", "Å &amp; Ö &lt;AB&gt; &quot;&apos;", "Å & Ö <AB> \"'", "The five entities that XML declares."),
        ("text-cdata", "<![CDATA[Åsa <Öberg> & co]]>", "Åsa <Öberg> & co", "A CDATA section."),
        ("text-cdata-mixed", "Åsa<![CDATA[ & ]]>Ö<![CDATA[]]>berg", "Åsa & Öberg", "CDATA sections within text, one of them empty."),
        ("text-cdata-brackets", "a]]<![CDATA[>]]>b", "a]]>b", "CDATA splits what text may not hold."),
        ("text-comment", "Åsa<!-- x --> Öberg", "Åsa Öberg", "A comment within a value."),
        ("text-crlf", "Åsa\r\nÖberg", "Åsa\nÖberg", "CRLF in a value is one line feed (XML 1.0, 2.11)."),
        ("text-cr-reference", "Åsa&#13;Öberg", "Åsa\rÖberg", "A carriage return by reference stays (C14N writes &#xD;)."),
        ("text-around", " \n\t Åsa Öberg \n ", "Åsa Öberg", "White space round a value does not count (ATTR 3.1.1)."),
        ("text-gt", "Åsa > Öberg", "Åsa > Öberg", "A greater-than sign may stand in text."),
        ("text-tab", "Åsa\tÖberg", "Åsa\tÖberg", "A tab within a value."),
        ("text-emoji", "Åsa 👩‍⚕️", "Åsa 👩‍⚕️", "Joined emoji."),
        ("text-long", "Å" * 3000, "Å" * 3000, "A long value."),
        ("text-nel", "a\u0085b\u2028c", "a\u0085b\u2028c", "XML 1.0 does not turn NEL and LS into line feeds."),
    ):
        add(out, name, about, person=named(written), identity={"name": read})
        if name in ("text-comment", "text-cdata", "text-crlf", "text-references"):
            add(out, name + "-assertion", about + " The Assertion is signed.", "broker", person=named(written),
                identity={"name": read})
    add(out, "name-id-comment", "A comment splits the NameID: the whole text counts.", name_id="admin@kommun<!-- -->.example.evil",
        identity={"subject": "admin@kommun.example.evil"}, tests=["T12"])
    add(out, "name-id-comment-first", "A comment at the start of the NameID.", name_id="<!--x-->a<!--y-->b<!--z-->",
        identity={"subject": "ab"}, tests=["T12"])
    add(out, "name-id-cdata", "CDATA within the NameID.", name_id="<![CDATA[user]]>1<![CDATA[&]]>", identity={"subject": "user1&"},
        tests=["T11"])
    add(out, "attribute-references", "Character references and white space within attribute values.",
        edit=lambda t: t.replace('SessionIndex="_s1"', 'SessionIndex="a&#9;b&#10;c&#xD;d\te\nf&amp;&lt;&gt;&quot;&apos;&#x1D4B3;"'))
    add(out, "attribute-id-reference", "The Destination written with a character reference.",
        edit=lambda t: t.replace(f'Destination="{ACS}"', f'Destination="{ACS.replace("acs", "&#97;cs")}"'))


def swapped(text: str) -> str:
    for end in (":", "="):
        text = text.replace("samlp" + end, "@@" + end).replace("saml" + end, "samlp" + end).replace("@@" + end, "saml" + end)
    return text


def on_root(text: str) -> str:
    """Takes away every declaration below the root."""
    end = text.index(">")
    rest = text[end:].replace(f' xmlns:saml="{NS_SAML}"', "").replace(f' xmlns:ds="{NS_DS}"', "")
    return text[:end] + rest


def namespaces(out: list) -> None:
    add(out, "ns-default", "The assertion namespace is the default one.",
        edit=lambda t: t.replace("<saml:", "<").replace("</saml:", "</").replace("xmlns:saml=", "xmlns="))
    add(out, "ns-default-protocol", "The protocol namespace is the default one.",
        edit=lambda t: t.replace("<samlp:", "<").replace("</samlp:", "</").replace("xmlns:samlp=", "xmlns="))
    add(out, "ns-swapped", "The prefixes saml and samlp are swapped.", edit=swapped)
    add(out, "ns-unused", "Declarations that nothing uses, on several elements.", layout="both",
        declarations=' xmlns:a="urn:a" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"',
        edit=lambda t: t.replace("<saml:Subject>", '<saml:Subject xmlns:b="urn:b" xmlns:a="urn:other">'))
    add(out, "ns-two-prefixes", "One namespace under two prefixes.",
        edit=lambda t: t.replace("<saml:Conditions ", f'<x:Conditions xmlns:x="{NS_SAML}" ').replace("</saml:Conditions", "</x:Conditions"))
    add(out, "ns-redeclared-same", "The same prefix declared again with the same namespace.",
        edit=lambda t: t.replace("<saml:NameID ", f'<saml:NameID xmlns:saml="{NS_SAML}" '))
    add(out, "ns-redeclared-other", "A prefix means something else deeper down, and the first again below that.",
        person=named("Åsa Öberg", [("urn:example:extra", [
            f'<saml:x xmlns:saml="urn:example:other"><saml:y xmlns:saml="{NS_SAML}">z</saml:y></saml:x>'])]))
    add(out, "ns-undeclared-default", "The default namespace is undeclared within an unknown attribute's value.",
        declarations=' xmlns="urn:example:default"',
        person=named("Åsa Öberg", [("urn:example:extra", ['<x xmlns=""><y xmlns="urn:example:default"/><z/></x>'])]))
    add(out, "ns-xsi-type", "Values typed xs:string, the namespaces declared on the value.", edit=lambda t: t.replace(
        "<saml:AttributeValue>", '<saml:AttributeValue xmlns:xs="http://www.w3.org/2001/XMLSchema" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="xs:string">'))
    add(out, "ns-all-on-root", "Everything declared on the root only.", layout="both",
        declarations=f' xmlns:saml="{NS_SAML}" xmlns:ds="{NS_DS}"', edit=on_root)
    add(out, "ns-xml-lang", "xml:lang and xml:space, whose prefix nobody declares.",
        edit=lambda t: t.replace("<saml:AttributeStatement>", '<saml:AttributeStatement xml:lang="sv" xml:space="preserve">'))
    add(out, "ns-xml-declared", "The prefix xml declared as what it is anyway.",
        edit=lambda t: t.replace("<saml:AttributeStatement>", '<saml:AttributeStatement '
                                 'xmlns:xml="http://www.w3.org/XML/1998/namespace" xml:lang="sv">'))
    add(out, "ns-urn", "Namespace names of other schemes.", declarations=' xmlns:t="tag:example.se,2026:x" xmlns:i="info:x"')
