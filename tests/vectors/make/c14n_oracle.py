"""Exclusive canonical forms by libxml2, of documents that a seed makes: `python c14n_oracle.py [COUNT]`.

One JSON object a line: xml, target_id (the ID attribute of the element to canonicalise), prefix_list (InclusiveNamespaces),
exc and exc_comments (base64 of the canonical form without and with comments). The tests hold ours against it.
"""

import base64
import json
import random
import sys

from lxml import etree

PREFIXES = ["a", "b", "c", "long-prefix", "å"]
URIS = ["urn:a", "urn:b", "http://example.com/ns?x=1", "http://example.com/NS", "tag:example.com,2026:z"]
LOCALS = ["one", "two", "Three", "fyra-4", "öl"]
TEXTS = ["", "text", " \n\t ", "å ä ö 𝒳", "&lt;&amp;&gt;&quot;&apos;", "a\r\nb\rc", "&#13;&#10;&#9;", "x &#x1F600; y", "]] >", "<![CDATA[<&]]>",
         "<![CDATA[]]>", "<!-- a comment -->", "<!---->", "<!-- - -->"]
VALUES = ["", "v", "å\"&apos;", "&#9;&#10;&#13;", "a\tb\nc", "&lt;&gt;&amp;", "  spaced  "]


def element(rng: random.Random, scope: dict, depth: int, ids: list, only: bool = False) -> str:
    scope = dict(scope)
    declared = []
    for prefix in rng.sample(PREFIXES + [""], rng.randint(0, 3)):
        uri = rng.choice(URIS + ([""] if not prefix else []))
        scope[prefix] = uri
        name = f"xmlns:{prefix}" if prefix else "xmlns"
        declared.append(f'{name}={quoted(uri)}')
    usable = [p for p, uri in scope.items() if uri or not p]
    prefix = rng.choice(usable + [""])
    name = (prefix + ":" if prefix else "") + rng.choice(LOCALS)
    seen, attributes = set(), []
    for _ in range(rng.randint(0, 4)):
        # The default namespace does not reach attributes.
        p = rng.choice([p for p in usable if p] + ["", "xml"])
        local = rng.choice(LOCALS)
        key = ("xml" if p == "xml" else scope.get(p, "") if p else "", local)
        if key in seen:
            continue
        seen.add(key)
        attributes.append(f'{p + ":" if p else ""}{local}={quoted(rng.choice(VALUES), rng)}')
    if only or rng.random() < 0.3:
        ids.append(f"_{len(ids)}")
        attributes.append(f'ID="{ids[-1]}"')
    parts = declared + attributes
    rng.shuffle(parts)
    head = "<" + name + "".join(rng.choice([" ", "\n", "  "]) + part for part in parts)
    inner = []
    for _ in range(rng.randint(0, 4)):
        inner.append(rng.choice(TEXTS))
        if depth < 5 and rng.random() < 0.6:
            inner.append(element(rng, scope, depth + 1, ids))
    if not inner and rng.random() < 0.5:
        return head + "/>"
    return head + rng.choice(["", " "]) + ">" + "".join(inner) + f"</{name}>"


def quoted(value: str, rng: random.Random | None = None) -> str:
    if '"' in value or (rng and rng.random() < 0.2 and "'" not in value):
        return f"'{value}'"
    return f'"{value}"'


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    rng = random.Random(20260301)
    for _ in range(count):
        ids: list = []
        xml = element(rng, {"": ""}, 0, ids, only=True)
        root = etree.fromstring(xml.encode(), etree.XMLParser(resolve_entities=False, strip_cdata=False))
        target_id = rng.choice(ids)
        target = root.xpath("//*[@ID=$id]", id=target_id)[0]
        prefix_list = rng.sample(PREFIXES + ["unknown"], rng.randint(0, 3)) if rng.random() < 0.5 else []
        form = {}
        for name, comments in (("exc", False), ("exc_comments", True)):
            data = etree.tostring(target, method="c14n", exclusive=True, with_comments=comments, with_tail=False,
                                  inclusive_ns_prefixes=prefix_list)
            form[name] = base64.b64encode(data).decode()
        print(json.dumps({"xml": xml, "target_id": target_id, "prefix_list": prefix_list, **form}))


if __name__ == "__main__":
    main()
