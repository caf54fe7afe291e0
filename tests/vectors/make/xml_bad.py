"""Documents that the reader refuses."""

# Refused here although both libxml2 and expat take them.
LENIENT = {
    # Well-formed; refused because canonicalisers differ on them.
    "ns-escaped-0", "ns-escaped-1", "ns-escaped-2", "ns-escaped-3",
    # XML 1.1 and other encodings are theirs to read, not ours.
    "declaration-version-11", "encoding-ISO-8859-1", "encoding-US-ASCII", "encoding-windows-1252", "bytes-utf16-le", "bytes-utf16-be",
}

XML_NS = "http://www.w3.org/XML/1998/namespace"
XMLNS_NS = "http://www.w3.org/2000/xmlns/"


def cases() -> list:
    out = []

    def bad(code, name, document, about, limits="message"):
        out.append((name, document, code, about, limits))

    for part in (characters, references, names, namespaces, attributes, tags, markup, declarations, encodings, doctypes, instructions,
                 limits):
        part(bad)
    return out


def characters(bad) -> None:
    for code in (0, 1, 8, 0xB, 0xC, 0xE, 0x1F, 0xFFFE, 0xFFFF):
        c = chr(code)
        bad("xml_bad_character", f"char-text-{code:04x}", f"<a>x{c}y</a>", f"U+{code:04X} in text.")
    for code in (0, 1, 0xC, 0xFFFF):
        c = chr(code)
        bad("xml_bad_character", f"char-attribute-{code:04x}", f'<a b="x{c}y"/>', f"U+{code:04X} in an attribute value.")
        bad("xml_bad_character", f"char-comment-{code:04x}", f"<a><!-- {c} --></a>", f"U+{code:04X} in a comment.")
        bad("xml_bad_character", f"char-cdata-{code:04x}", f"<a><![CDATA[{c}]]></a>", f"U+{code:04X} in a CDATA section.")
    bad("xml_bad_character", "char-comment-outside", "<!-- \x01 --><a/>", "A control character in a comment before the root.")


def references(bad) -> None:
    for text in ("&#0;", "&#x0;", "&#1;", "&#x1F;", "&#xD800;", "&#xDFFF;", "&#55296;", "&#xFFFE;", "&#xFFFF;", "&#x110000;",
                 "&#1114112;", "&#x100000041;", "&#4294967361;", "&#99999999999999999999999999;"):
        bad("xml_bad_character", f"reference-{text[2:-1]}", f"<a>{text}</a>", f"{text}: no character of XML 1.0.")
    bad("xml_bad_character", "reference-attribute-d800", '<a b="&#xD800;"/>', "A surrogate by reference in an attribute.")
    bad("xml_bad_character", "reference-attribute-0", '<a b="&#0;"/>', "NUL by reference in an attribute.")
    for name, text in (("empty", "&#;"), ("hex-empty", "&#x;"), ("hex-letters", "&#xG;"), ("letters", "&#A;"), ("no-end", "&#65"), ("upper-x", "&#X41;"),
                       ("sign", "&#-65;"), ("plus", "&#+65;"), ("space", "&# 65;"), ("inner-space", "&#6 5;"), ("underscore", "&#6_5;")):
        bad("xml_malformed", f"reference-form-{name}", f"<a>{text}</a>", f"{text}: no reference.")
        bad("xml_malformed", f"reference-form-attribute-{name}", f'<a b="{text}"/>', f"{text}: no reference.")
    for name, text in (("bare", "a & b"), ("last", "a &"), ("no-end", "&amp"), ("empty", "&;"), ("space", "&amp ;")):
        bad("xml_malformed", f"ampersand-{name}", f"<a>{text}</a>", "An ampersand that begins no reference.")
        bad("xml_malformed", f"ampersand-attribute-{name}", f'<a b="{text}"/>', "An ampersand that begins no reference, in an attribute.")
    for name in ("nbsp", "foo", "AMP", "Lt", "aring"):
        bad("xml_unknown_entity", f"entity-{name}", f"<a>&{name};</a>", "An entity that XML does not declare.")
        bad("xml_unknown_entity", f"entity-attribute-{name}", f'<a b="&{name};"/>', "An entity that XML does not declare, in an attribute.")
    bad("xml_malformed", "reference-outside", "&#32;<a/>", "A reference before the root.")
    bad("xml_malformed", "reference-after", "<a/>&#32;", "A reference after the root.")


def names(bad) -> None:
    for n, text in enumerate(("1a", "-a", ".a", ":a", "a:", "a:b:c", "a::b", ":", "\u00d7", "\u00b7a", "\u0301a", "\u2003", "\u037e", "a:1b", "a:-b",
                              "\U000F0000")):
        declare = ' xmlns:a="urn:x"' if text.startswith("a:") else ""
        bad("xml_bad_name", f"name-element-{n}", f"<{text}{declare}/>", f"An element named {text!a}.")
    for n, text in enumerate(("1b", "-b", ".b", ":b", "b:", "b:c:d", "b::c", "\u00b7b", "b:1c")):
        bad("xml_bad_name", f"name-attribute-{n}", f'<a xmlns:b="urn:x" {text}="1"/>', f"An attribute named {text!a}.")
    for n, text in enumerate(("xmlns:", "xmlns:1", "xmlns:a:b", "xmlns::a", "xmlns:-")):
        bad("xml_bad_name", f"name-declaration-{n}", f'<a {text}="urn:x"/>', f"A declaration named {text}.")
    bad("xml_bad_name", "name-space-before", "< a/>", "White space between < and the name.")
    bad("xml_bad_name", "name-missing", "<></>", "No name at all.")


def namespaces(bad) -> None:
    def ns(name, document, about):
        bad("xml_bad_namespace", "ns-" + name, document, about)

    ns("undeclared-element", "<p:a/>", "An undeclared prefix on an element.")
    ns("undeclared-attribute", '<a p:b="1"/>', "An undeclared prefix on an attribute.")
    ns("out-of-scope", '<a><b xmlns:p="urn:x"/><p:c/></a>', "A prefix after its scope has ended.")
    ns("out-of-scope-outer", '<p:a><b xmlns:p="urn:x"/></p:a>', "A prefix declared only further in.")
    ns("empty-prefix", '<a xmlns:p=""/>', "A prefix bound to nothing.")
    ns("empty-prefix-inner", '<a xmlns:p="urn:x"><b xmlns:p=""/></a>', "A prefix unbound, as only Namespaces 1.1 allows.")
    ns("xml-rebound", '<a xmlns:xml="urn:x"/>', "The prefix xml bound to another namespace.")
    ns("xml-emptied", '<a xmlns:xml=""/>', "The prefix xml bound to nothing.")
    ns("xmlns-declared", '<a xmlns:xmlns="urn:x"/>', "The prefix xmlns declared.")
    ns("xmlns-declared-itself", f'<a xmlns:xmlns="{XMLNS_NS}"/>', "The prefix xmlns declared, even as what it is.")
    ns("xml-namespace-other", f'<a xmlns:p="{XML_NS}"/>', "xml's namespace on another prefix.")
    ns("xml-namespace-default", f'<a xmlns="{XML_NS}"/>', "xml's namespace as the default one.")
    ns("xmlns-namespace-other", f'<a xmlns:p="{XMLNS_NS}"/>', "xmlns's namespace on a prefix.")
    ns("xmlns-namespace-default", f'<a xmlns="{XMLNS_NS}"/>', "xmlns's namespace as the default one.")
    ns("xmlns-element", "<xmlns:a/>", "An element with the prefix xmlns.")
    ns("xml-by-reference", '<a xmlns:xml="urn&#58;x"/>', "The prefix xml bound to another namespace, by reference.")
    ns("upper-xmlns", '<a XMLNS:p="urn:x"/>', "XMLNS is an undeclared prefix.")
    # Canonicalisers disagree on it: libxml2 writes it raw, others escape it. No signature over it has one meaning.
    for n, uri in enumerate(("urn:x&amp;y", "urn:x&lt;y", "urn:x&#62;y", "urn:x&quot;y")):
        bad("xml_bad_namespace", f"ns-escaped-{n}", f'<p:a xmlns:p="{uri}"/>', f"A namespace name that must be escaped: {uri}.")
    for n, uri in enumerate(("relative", "../x", "/x", "//x", "?x", "#x", ".", "1:x", "\u00e9:x", "x", " urn:x", "+a:b", ":x")):
        bad("xml_relative_namespace", f"ns-relative-{n}", f'<a xmlns:p="{uri}"/>', f"A namespace name that is no absolute URI: {uri!a}.")
        bad("xml_relative_namespace", f"ns-relative-default-{n}", f'<a xmlns="{uri}"/>', f"A default namespace that is no absolute URI: {uri!a}.")


def attributes(bad) -> None:
    def dup(name, document, about):
        bad("xml_duplicate_attribute", "twice-" + name, document, about)

    dup("attribute", '<a b="1" b="2"/>', "One attribute twice.")
    dup("attribute-same", '<a b="1" b="1"/>', "One attribute twice with the same value.")
    dup("attribute-far", '<a b="1" c="" d="" e="" b="1"/>', "One attribute twice, others between.")
    dup("prefixed", '<a xmlns:p="urn:x" p:b="1" p:b="2"/>', "One prefixed attribute twice.")
    dup("expanded", '<a xmlns:p="urn:x" xmlns:q="urn:x" p:b="1" q:b="2"/>', "One attribute under two prefixes.")
    dup("expanded-late", '<a p:b="1" q:b="2" xmlns:p="urn:x" xmlns:q="urn:x"/>', "The same, declared afterwards.")
    dup("expanded-outer", '<a xmlns:p="urn:x"><b xmlns:q="urn:x" p:b="1" q:b="2"/></a>', "The same, one declared further out.")
    dup("expanded-reference", '<a xmlns:p="urn:x" xmlns:q="urn:&#120;" p:b="1" q:b="2"/>', "The same, one namespace written with a reference.")
    dup("prefix", '<a xmlns:p="urn:x" xmlns:p="urn:y"/>', "One prefix declared twice.")
    dup("prefix-same", '<a xmlns:p="urn:x" xmlns:p="urn:x"/>', "One prefix declared twice as the same.")
    dup("default", '<a xmlns="urn:x" xmlns="urn:y"/>', "The default namespace declared twice.")
    dup("xml", '<a xml:lang="sv" xml:lang="en"/>', "xml:lang twice.")
    for name, text in (("lt", 'b="<"'), ("lt-single", "b='<'"), ("no-space", 'b="1"c="2"'), ("no-quotes", "b=1"), ("no-value", "b"),
                       ("no-value-equals", "b="), ("no-equals", 'b"1"'), ("open", 'b="1'), ("mixed-quotes", "b=\"1'"), ("double-equals", 'b=="1"'),
                       ("comma", 'b="1",c="2"'), ("no-name", '="1"'), ("typographic", "b=\u201c1\u201d")):
        bad("xml_bad_name" if name == "no-name" else "xml_malformed", f"attribute-{name}", f"<a {text}/>", "No attribute.")
    bad("xml_malformed", "attribute-no-space-before", "<a'b'/>", "A quote after the element's name.")
    bad("xml_malformed", "attribute-in-end-tag", '<a></a b="1">', "An attribute in an end tag.")
    bad("xml_malformed", "declaration-lt", '<a xmlns="urn:<x"/>', "A less-than sign in a namespace declaration.")


def tags(bad) -> None:
    for name, text in (
        ("unclosed", "<a>"), ("unclosed-inner", "<a><b></a>"), ("overlap", "<a><b></a></b>"), ("extra-end", "<a></a></a>"), ("only-end", "</a>"),
        ("case", "<a></A>"), ("other", "<a></b>"), ("longer", "<a></ab>"), ("shorter", "<ab></a>"), ("cut-start", "<a"), ("cut-name", "<"), ("cut-attribute", "<a b"),
        ("cut-value", '<a b="'), ("cut-empty", "<a/"), ("cut-end", "<a></a"), ("cut-end-name", "<a></"), ("slash-space", "<a/ >"),
        ("double-slash", "<a//>"), ("slash-inside", "<a / b='1'>"), ("gt-twice", "<a>>") , ("lt-in-text", "<a><</a>"),
        ("prefix-differs", '<p:a xmlns:p="urn:x" xmlns:q="urn:x"></q:a>'), ("prefix-dropped", '<p:a xmlns:p="urn:x" xmlns="urn:x"></a>'),
        ("lt-in-tag", "<a <b/>"), ("end-empty", "<a></a/>"),
    ):
        bad("xml_bad_name" if name == "lt-in-text" else "xml_malformed", "tag-" + name, text, "Tags that do not fit.")
    for name, text in (("empty", ""), ("white", " \n\t"), ("text", "text"), ("comment", "<!-- x -->"), ("declaration", '<?xml version="1.0"?>'),
                       ("two", "<a/><b/>"), ("two-same", "<a></a><a></a>"), ("text-before", "x<a/>"), ("text-after", "<a/>x"),
                       ("cdata-before", "<![CDATA[ ]]><a/>"), ("cdata-after", "<a/><![CDATA[]]>"), ("end-after", "<a/></a>"), ("open-after", "<a/><b>"),
                       ("nbsp-after", "<a/>\u00a0"), ("feff-after", "<a/>\ufeff"), ("nel-after", "<a/>\u0085"), ("brackets-after", "<a/>]]>")):
        bad("xml_malformed", "document-" + name, text, "Not one element with comments and white space round it.")


def markup(bad) -> None:
    for name, text in (("double-hyphen", "<!-- a -- b -->"), ("three-hyphens", "<!-- a --->"), ("short", "<!-->"), ("shorter", "<!--->"), ("open", "<!-- a"),
                       ("open-hyphen", "<!-- a --"), ("no-start", "<!- a -->"), ("space", "<! -- a -->")):
        bad("xml_malformed", "comment-" + name, f"<a>{text}</a>", "No comment.")
    bad("xml_malformed", "comment-double-hyphen-outside", "<!-- a -- b --><a/>", "Two hyphens in a comment before the root.")
    bad("xml_malformed", "comment-open-outside", "<a/><!-- ", "A comment after the root that does not end.")
    bad("xml_malformed", "comment-in-tag", "<a <!-- x --> />", "A comment within a tag.")
    for name, text in (("lower", "<![cdata[x]]>"), ("open", "<![CDATA[x"), ("half-open", "<![CDATA[x]]"), ("space", "<![ CDATA[x]]>"), ("short", "<![CDATA x]]>"),
                       ("include", "<![INCLUDE[x]]>"), ("nested", "<![CDATA[<![CDATA[x]]>]]>")):
        bad("xml_malformed", "cdata-" + name, f"<a>{text}</a>", "No CDATA section, or more than one.")
    bad("xml_malformed", "brackets-in-text", "<a>x ]]> y</a>", "]]> in text.")
    bad("xml_malformed", "brackets-in-text-three", "<a>]]]></a>", "]]]> in text.")
    bad("xml_malformed", "brackets-across-comment", "<a>]]<!-- -->]]></a>", "]]> in text after a comment.")
    bad("xml_malformed", "element-declaration", "<!ELEMENT a ANY><a/>", "A declaration outside a DOCTYPE.")
    bad("xml_malformed", "entity-declaration-within", '<a><!ENTITY x "y"></a>', "A declaration within an element.")


def declarations(bad) -> None:
    for name, text in (("empty", "<?xml?>"), ("no-version", '<?xml encoding="UTF-8"?>'), ("version-11", '<?xml version="1.1"?>'), ("version-2", '<?xml version="2.0"?>'),
                       ("version-1", '<?xml version="1"?>'), ("version-space", '<?xml version="1.0 "?>'), ("version-empty", '<?xml version=""?>'),
                       ("order", '<?xml encoding="UTF-8" version="1.0"?>'), ("order-standalone", '<?xml version="1.0" standalone="no" encoding="UTF-8"?>'),
                       ("standalone", '<?xml version="1.0" standalone="maybe"?>'), ("standalone-upper", '<?xml version="1.0" standalone="YES"?>'),
                       ("unknown", '<?xml version="1.0" lang="sv"?>'), ("twice", '<?xml version="1.0" version="1.0"?>'), ("upper", '<?xml Version="1.0"?>'),
                       ("quotes", "<?xml version='1.0\"?>"), ("no-quotes", "<?xml version=1.0?>"), ("no-space", '<?xml version="1.0"encoding="UTF-8"?>'),
                       ("end", '<?xml version="1.0">'), ("open", '<?xml version="1.0"'), ("junk", '<?xml version="1.0" ??>'), ("comma", '<?xml version="1.0", encoding="UTF-8"?>')):
        bad("xml_malformed", "declaration-" + name, text + "<a/>", "No XML declaration of version 1.0.")
    for name, text in (("space-before", ' <?xml version="1.0"?><a/>'), ("line-before", '\n<?xml version="1.0"?><a/>'), ("comment-before", '<!-- --><?xml version="1.0"?><a/>'),
                       ("within", '<a><?xml version="1.0"?></a>'), ("after", '<a/><?xml version="1.0"?>'), ("two", '<?xml version="1.0"?><?xml version="1.0"?><a/>'),
                       ("XML", '<?XML version="1.0"?><a/>'), ("Xml", '<?Xml version="1.0"?><a/>')):
        bad("xml_processing_instruction", "declaration-late-" + name, text, "A declaration where none may be is a processing instruction.")


def encodings(bad) -> None:
    for encoding in ("UTF-16", "utf-16", "ISO-8859-1", "US-ASCII", "windows-1252", "UTF-7", "UTF-32", "x"):
        bad("xml_not_utf8", f"encoding-{encoding}", f'<?xml version="1.0" encoding="{encoding}"?><a/>', "A declaration that says another encoding.")
    for name, data in (
        ("utf16-le", "<a/>".encode("utf-16")), ("utf16-be", b"\xfe\xff" + "<a/>".encode("utf-16-be")), ("utf32-le", "<a/>".encode("utf-32")),
        ("overlong-2", b"<a>\xc0\x80</a>"), ("overlong-2-lt", b"<a>\xc0\xbc</a>"), ("overlong-3", b"<a>\xe0\x80\xaf</a>"), ("overlong-4", b"<a>\xf0\x80\x80\xaf</a>"),
        ("surrogate", b"<a>\xed\xa0\x80</a>"), ("surrogate-pair", b"<a>\xed\xa0\xb5\xed\xb2\xb3</a>"), ("beyond", b"<a>\xf4\x90\x80\x80</a>"),
        ("continuation", b"<a>\x80</a>"), ("cut", b"<a>\xc3</a>"), ("cut-3", b"<a>\xe2\x82</a>"), ("cut-last", b"<a/>\xc3"), ("ff", b"<a>\xff</a>"), ("five", b"<a>\xf8\x88\x80\x80\x80</a>"),
        ("latin1", "<a>\xc5sa</a>".encode("latin-1")), ("latin1-attribute", '<a b="\xc5sa"/>'.encode("latin-1")), ("latin1-name", "<\xe5/>".encode("latin-1")),
        ("latin1-comment", "<a><!-- \xe5 --></a>".encode("latin-1")), ("latin1-cdata", "<a><![CDATA[\xe5]]></a>".encode("latin-1")),
        ("latin1-after", b"<a/><!-- \xe5 -->"),
    ):
        bad("xml_not_utf8", "bytes-" + name, data, "Not UTF-8.")
    bad("xml_malformed", "bom-twice", "\ufeff\ufeff<a/>", "Two byte order marks: the second is text before the root.")
    bad("xml_malformed", "bom-only", "\ufeff", "A byte order mark and nothing else.")
    bad("xml_malformed", "bom-late", " \ufeff<a/>", "A byte order mark after white space is text.")


def doctypes(bad) -> None:
    for name, text in (("plain", "<!DOCTYPE a><a/>"), ("system", '<!DOCTYPE a SYSTEM "x.dtd"><a/>'), ("subset", '<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>'),
                       ("after-declaration", '<?xml version="1.0"?>\n<!DOCTYPE a><a/>'), ("after-comment", "<!-- x --><!DOCTYPE a><a/>"),
                       ("within", "<a><!DOCTYPE b></a>"), ("after", "<a/><!DOCTYPE a>"), ("open", "<!DOCTYPE a"), ("bomb", '<!DOCTYPE a [<!ENTITY b "xxxxxxxx"><!ENTITY c "&b;&b;&b;&b;">]><a>&c;</a>'),
                       ("parameter", '<!DOCTYPE a [<!ENTITY % p SYSTEM "http://evil.example/"> %p;]><a/>'), ("no-space", "<!DOCTYPEa><a/>")):
        bad("xml_doctype", "doctype-" + name, text, "A DOCTYPE, in any place and form.")
        if name in ("plain", "after-comment"):
            bad("xml_doctype", "doctype-feed-" + name, text, "A DOCTYPE in a feed.", "feed")


def instructions(bad) -> None:
    for name, text in (("before", "<?x y?><a/>"), ("within", "<a><?x y?></a>"), ("in-text", "<a>te<?x?>xt</a>"), ("after", "<a/><?x?>"), ("stylesheet", '<?xml-stylesheet href="x"?><a/>'),
                       ("glued", '<?xmlversion="1.0"?><a/>')):
        bad("xml_processing_instruction", "instruction-" + name, text, "A processing instruction in a message.")
    bad("xml_processing_instruction", "instruction-feed-within", "<a><?x y?></a>", "A processing instruction within the document element of a feed.", "feed")
    bad("xml_malformed", "instruction-feed-open", "<?x y<a/>", "A processing instruction that does not end.", "feed")
    bad("xml_bad_character", "instruction-feed-character", "<?x \x01?><a/>", "A control character in a skipped processing instruction.", "feed")


def limits(bad) -> None:
    bad("xml_too_deep", "limit-depth", [["<a>", 65], ["</a>", 65]], "65 elements within each other.")
    bad("xml_too_deep", "limit-depth-empty", [["<a>", 64], ["<b/>", 1], ["</a>", 64]], "The 65th is an empty element.")
    bad("xml_too_deep", "limit-depth-10000", [["<a>", 10000], ["</a>", 10000]], "10,000 elements within each other.")
    bad("xml_too_deep", "limit-depth-open", [["<a>", 40000]], "40,000 elements within each other, none of them closed.")
    bad("xml_too_deep", "limit-depth-feed", [["<a>", 65], ["</a>", 65]], "65 elements within each other, in a feed.", "feed")
    bad("xml_too_many_nodes", "limit-nodes-elements", [["<a>", 1], ["<b/>", 20000], ["</a>", 1]], "20,001 elements.")
    bad("xml_too_many_nodes", "limit-nodes-texts", [["<a>", 1], ["x<b/>", 10000], ["</a>", 1]], "10,001 elements and 10,000 texts.")
    bad("xml_too_many_nodes", "limit-nodes-comments", [["<a>", 1], ["<!---->", 20000], ["</a>", 1]], "An element and 20,000 comments.")
    bad("xml_too_many_attributes", "limit-attributes", [["<a", 1], [' b{n}="1"', 65], ["/>", 1]], "65 attributes.")
    bad("xml_too_many_attributes", "limit-attributes-10000", [["<a", 1], [' b{n}="1"', 10000], ["/>", 1]], "10,000 attributes.")
    bad("xml_too_many_attributes", "limit-attributes-feed", [["<a", 1], [' b{n}="1"', 65], ["/>", 1]], "65 attributes, in a feed.", "feed")
    scope = [["<a", 1], [' xmlns:p{n}="urn:x"', 33], ["><b", 1], [' xmlns:q{n}="urn:x"', 32], ["/></a>", 1]]
    bad("xml_too_many_namespaces", "limit-namespaces-in-scope", scope, "65 declarations in scope.")
    bad("xml_too_many_namespaces", "limit-namespaces-in-scope-feed", scope, "65 declarations in scope, in a feed.", "feed")
    bad("xml_too_many_namespaces", "limit-namespaces-in-document", [["<a>", 1], ['<b xmlns:p="urn:x"/>', 257], ["</a>", 1]], "257 declarations in all.")
    bad("xml_too_many_namespaces", "limit-namespaces-nested", [['<a xmlns:p{n}="urn:x{n}" xmlns:q{n}="urn:y">', 60], ["</a>", 60]], "Two declarations on each of 60 levels.")
    bad("xml_too_many_namespaces", "limit-namespaces-10000", [["<a>", 1], ['<b xmlns:p{n}="u:"/>', 10000], ["</a>", 1]], "10,000 declarations.")
    bad("message_too_large", "limit-bytes", [["<a>", 1], ["x", 262138], ["</a>", 1]], "One byte over 256 KiB.")
    bad("message_too_large", "limit-bytes-space", [["<a/>", 1], [" ", 262141]], "One byte over 256 KiB, of white space.")
