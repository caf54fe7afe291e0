"""Documents that the reader takes, with their canonical form."""

# Names that came with the fifth edition of XML 1.0; expat reads names by the fourth.
LENIENT = {"ok-name-9", "ok-name-16", "ok-name-17"}


def cases() -> list:
    out = []

    def good(name, document, about, limits="message"):
        out.append(("ok-" + name, document, "accepted", about, limits))

    for part in (texts, attributes, names, structure, declarations, limits):
        part(good)
    return out


def texts(good) -> None:
    for name, text in (
        ("swedish", "åäö ÅÄÖ é"), ("astral", "𝒳 😀 \U0010FFFD"), ("references", "&#65;&#x41;&#x1F600;&#xe5;&#00065;&#x0000041;"),
        ("entities", "&lt;&gt;&amp;&quot;&apos;"), ("controls", "\x7f\x80\x85\x9f"), ("cr-reference", "a&#13;b&#xD;c"), ("crlf", "a\r\nb\rc\nd\r\r\ne"),
        ("tab", "a\tb"), ("gt", "a > b >> c"), ("brackets", "]] > ]] ]>"), ("quotes", "\"'"), ("percent", "%foo;"), ("feff", "a\ufeffb"), ("fffd", "\ufffd"),
        ("e000", "\ue000\uf8ff"), ("noncharacters", "\ufdd0\U0001FFFE"), ("cdata", "<![CDATA[<a> & ]] ]> b]]>"), ("cdata-empty", "<![CDATA[]]>"),
        ("cdata-mixed", "a<![CDATA[b]]>c<![CDATA[d]]>"), ("cdata-crlf", "<![CDATA[a\r\nb]]>"), ("cdata-reference", "<![CDATA[&#65;&amp;]]>"),
        ("cdata-nested", "<![CDATA[<![CDATA[]]>"), ("cdata-gt", "<![CDATA[]]]]><![CDATA[>]]>"), ("comment", "a<!-- x -->b"), ("comment-empty", "a<!---->b"),
        ("comment-hyphen", "<!-- - a - - b -->"), ("comment-markup", "<!-- <a> & ]]> &x; -->"), ("comment-crlf", "<!-- a\r\nb -->"), ("spaces", "  "), ("line-separator", "\u2028\u2029"),
        ("gt-reference", "]]&gt;"), ("long", "x" * 2000),
    ):
        good("text-" + name, f"<a>{text}</a>", "Text.")


def attributes(good) -> None:
    for name, text in (
        ("normalised", 'b="a\tb\nc\r\nd\re  f"'), ("references", 'b="&#9;&#10;&#13;&#32;&#xD;"'), ("entities", 'b="&lt;&gt;&amp;&quot;&apos;"'), ("gt", 'b="a>b"'),
        ("single", "b='a\"b'"), ("apostrophe", 'b="a\'b"'), ("spaces", 'b = "1"\n\t c\n=\n"2"'), ("empty", 'b=""'), ("around", 'b="  x  "'), ("swedish", 'b="åäö 𝒳"'),
        ("order", 'z="1" y="2" x="3" xml:lang="sv"'), ("xml", 'xml:lang="sv" xml:space="preserve" xml:base="x" xml:id="i"'), ("brackets", 'b="]]>"'),
        ("same-local", 'xmlns:p="urn:p" xmlns:q="urn:q" b="0" p:b="1" q:b="2"'), ("unicode-name", 'å="1" _="2" b.c="3" b-d="4" e·="5"'),
        ("declared-late", 'p:b="1" xmlns:p="urn:p"'), ("sort", 'xmlns:a="urn:z" xmlns:b="urn:a" a:x="1" b:x="2" x="3"'), ("xmlfoo", 'xmlfoo="1" xmlnsx="2"'),
        ("case", 'b="1" B="2"'), ("controls", 'b="\x7f\x85"'),
    ):
        good("attribute-" + name, f"<a {text}/>", "Attributes.")


def names(good) -> None:
    for n, text in enumerate(("a", "_", "a1", "a-b", "a.b", "å", "Ö", "名", "a·", "\U00010000", "xmlish", "a\u0301", "p:a", "p:_", "p:å", "À", "\u2070", "\u3001a")):
        declare = ' xmlns:p="urn:x"' if text.startswith("p:") else ""
        good(f"name-{n}", f"<{text}{declare}/>", f"An element named {text!a}.")
    for name, text in (
        ("default", '<a xmlns="urn:x"><b/></a>'), ("default-off", '<a xmlns="urn:x"><b xmlns=""><c/></b></a>'), ("default-off-root", '<a xmlns=""/>'),
        ("redeclared", '<p:a xmlns:p="urn:x"><p:b xmlns:p="urn:y"><p:c xmlns:p="urn:x"/></p:b><p:d/></p:a>'), ("two-prefixes", '<p:a xmlns:p="urn:x" xmlns:q="urn:x"><q:b/></p:a>'),
        ("unused", '<a xmlns:p="urn:x"><b xmlns:q="urn:y"/></a>'), ("xml-declared", '<a xmlns:xml="http://www.w3.org/XML/1998/namespace" xml:lang="sv"/>'),
        ("superfluous", '<p:a xmlns:p="urn:x"><p:b xmlns:p="urn:x"/></p:a>'), ("attribute-only", '<a xmlns:p="urn:x"><b p:c="1"/><d p:c="1"/></a>'),
        ("reference", '<p:a xmlns:p="urn:&#120;y"/>'), ("schemes", '<a xmlns:p="tag:x,2026:y" xmlns:q="x+y-z.1:0"><p:b/><q:c/></a>'),
        ("prefix-xmlx", '<xmlx:a xmlns:xmlx="urn:x"/>'), ("prefix-unicode", '<å:a xmlns:å="urn:x"/>'),
        ("shadow-attribute", '<a xmlns="urn:x" b="1"><c xmlns="urn:y" b="2"/></a>'), ("siblings", '<a><p:b xmlns:p="urn:x"/><p:b xmlns:p="urn:y"/></a>'),
    ):
        good("ns-" + name, text, "Namespaces.")


def structure(good) -> None:
    for name, text in (
        ("empty", "<a/>"), ("empty-space", "<a />"), ("two-tags", "<a></a>"), ("end-space", "<a></a \n>"), ("start-space", "<a\n></a>"), ("white-around", " \n\t<a/>\r\n "),
        ("comments-around", "<!-- 1 --><!-- 2 --><a/><!-- 3 -->"), ("nested", "<a><b><c/></b><b/></a>"), ("mixed", "<a>1<b>2</b>3<c/>4</a>"), ("pretty", "<a>\n  <b/>\n</a>\n"),
        ("pretty-crlf", "<a>\r\n  <b/>\r\n</a>\r\n"),
    ):
        good("structure-" + name, text, "Structure.")


def declarations(good) -> None:
    for name, text in (
        ("plain", '<?xml version="1.0"?>'), ("encoding", '<?xml version="1.0" encoding="UTF-8"?>'), ("lower", "<?xml version='1.0' encoding='utf-8'?>"), ("mixed", '<?xml version="1.0" encoding="Utf-8"?>'),
        ("standalone", '<?xml version="1.0" encoding="UTF-8" standalone="no"?>'), ("standalone-only", '<?xml version="1.0" standalone="yes"?>'), ("spaces", '<?xml \n version = "1.0"\tencoding\n=\'UTF-8\' ?>'),
        ("bom", "\ufeff"), ("bom-declaration", '\ufeff<?xml version="1.0" encoding="UTF-8"?>'), ("line", '<?xml version="1.0"?>\r\n'),
    ):
        good("declaration-" + name, text + "<a>å</a>", "An XML declaration, or a byte order mark.")
    good("instruction-feed-before", '<?xml version="1.0"?><?xml-stylesheet href="x"?><a/>', "A processing instruction before the root of a feed is skipped.", "feed")
    good("instruction-feed-after", "<a/><?x y?>", "A processing instruction after the root of a feed is skipped.", "feed")


def limits(good) -> None:
    good("limit-depth", [["<a>", 64], ["</a>", 64]], "64 elements within each other.")
    good("limit-nodes", [["<a>", 1], ["<b/>", 19999], ["</a>", 1]], "20,000 elements.")
    good("limit-nodes-texts", [["<a>", 1], ["x<b/>", 9999], ["y</a>", 1]], "10,000 elements and 10,000 texts.")
    good("limit-nodes-feed", [["<a>", 1], ["<b/>", 30000], ["</a>", 1]], "30,001 elements, in a feed.", "feed")
    good("limit-attributes", [["<a", 1], [' b{n}="1"', 64], ["/>", 1]], "64 attributes.")
    good("limit-namespaces-in-scope", [["<a", 1], [' xmlns:p{n}="urn:x"', 32], ["><b", 1], [' xmlns:q{n}="urn:x"', 32], ["/></a>", 1]], "64 declarations in scope.")
    good("limit-namespaces-in-document", [["<a>", 1], ['<b xmlns:p="urn:x"/>', 256], ["</a>", 1]], "256 declarations in all.")
    good("limit-namespaces-feed", [["<a>", 1], ['<b xmlns:p="urn:x"/>', 3000], ["</a>", 1]], "3,000 declarations in all, in a feed.", "feed")
    good("limit-bytes", [["<a>", 1], ["x", 262137], ["</a>", 1]], "256 KiB to the byte.")
    good("limit-bytes-feed", [["<a>", 1], ["x", 1048576], ["</a>", 1]], "A mebibyte, in a feed.", "feed")
