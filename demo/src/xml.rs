//! A tree of elements that can only be written in exclusive canonical form.
//!
//! The demo signs XML without a canonicaliser: every document here is *born* canonical (Exclusive XML Canonicalization
//! 1.0, section 3), so the text of an element is what its digest is taken over. Namespaces are declared where they are
//! first visibly used, attributes stand in canonical order, no tag is self-closing. That also keeps the signer apart
//! from the code that it tests: the sidecar's canonicaliser never sees its own output.

use std::borrow::Cow;

/// The namespaces of the demo, each with the one prefix that stands for it.
const NAMESPACES: [(&str, &str); 15] = [
    ("alg", "urn:oasis:names:tc:SAML:metadata:algsupport"),
    ("ds", "http://www.w3.org/2000/09/xmldsig#"),
    ("ec", "http://www.w3.org/2001/10/xml-exc-c14n#"),
    ("md", "urn:oasis:names:tc:SAML:2.0:metadata"),
    ("mdattr", "urn:oasis:names:tc:SAML:metadata:attribute"),
    ("mdrpi", "urn:oasis:names:tc:SAML:metadata:rpi"),
    ("mdui", "urn:oasis:names:tc:SAML:metadata:ui"),
    ("psc", "http://id.swedenconnect.se/authn/1.0/principal-selection/ns"),
    ("saml", "urn:oasis:names:tc:SAML:2.0:assertion"),
    ("samlp", "urn:oasis:names:tc:SAML:2.0:protocol"),
    ("shibmd", "urn:mace:shibboleth:metadata:1.0"),
    ("xenc", "http://www.w3.org/2001/04/xmlenc#"),
    ("xml", "http://www.w3.org/XML/1998/namespace"),
    ("xs", "http://www.w3.org/2001/XMLSchema"),
    ("xsi", "http://www.w3.org/2001/XMLSchema-instance"),
];

/// The namespace name behind a prefix of the demo; the empty text for any other prefix.
pub fn namespace(prefix: &str) -> &'static str {
    NAMESPACES.iter().find(|(p, _)| *p == prefix).map_or("", |(_, uri)| uri)
}

#[derive(Clone, Debug)]
enum Node {
    Element(Element),
    Text(String),
}

/// An element: a name like `saml:Issuer`, attributes, and children.
#[derive(Clone, Debug)]
pub struct Element {
    name: &'static str,
    attributes: Vec<(Cow<'static, str>, String)>,
    /// Prefixes declared here although no name uses them: for QNames in values, with `InclusiveNamespaces`.
    declares: Vec<&'static str>,
    children: Vec<Node>,
}

/// An empty element. Its prefix must be one of the demo's.
pub fn element(name: &'static str) -> Element {
    Element { name, attributes: Vec::new(), declares: Vec::new(), children: Vec::new() }
}

fn prefix_of(name: &str) -> Option<&str> {
    name.split_once(':').map(|(prefix, _)| prefix)
}

impl Element {
    /// With one more attribute; the order of calls does not matter.
    #[must_use]
    pub fn attr(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.attributes.push((name.into(), value.into()));
        self
    }

    /// With one more attribute, if there is a value.
    #[must_use]
    pub fn maybe(self, name: &'static str, value: Option<impl Into<String>>) -> Self {
        match value {
            Some(value) => self.attr(name, value),
            None => self,
        }
    }

    /// With the attribute `name` changed, or added where there was none.
    #[must_use]
    pub fn with_attr(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.attributes.retain(|(n, _)| n != name);
        self.attr(name, value)
    }

    /// With a namespace declared that only attribute *values* use. A signature above must then list `prefix` in its
    /// `InclusiveNamespaces`.
    #[must_use]
    pub fn declare(mut self, prefix: &'static str) -> Self {
        self.declares.push(prefix);
        self
    }

    /// With one more child at the end.
    #[must_use]
    pub fn child(mut self, child: Element) -> Self {
        self.children.push(Node::Element(child));
        self
    }

    /// With more children at the end.
    #[must_use]
    pub fn children(mut self, children: impl IntoIterator<Item = Element>) -> Self {
        self.children.extend(children.into_iter().map(Node::Element));
        self
    }

    /// With `child` put at position `at` among the children.
    #[must_use]
    pub fn child_at(mut self, at: usize, child: Element) -> Self {
        let at = at.min(self.children.len());
        self.children.insert(at, Node::Element(child));
        self
    }

    /// With text at the end.
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.children.push(Node::Text(text.into()));
        self
    }

    /// Without the children named `name`; what was taken out comes second.
    pub fn take(mut self, name: &str) -> (Self, Vec<Element>) {
        let mut taken = Vec::new();
        self.children = std::mem::take(&mut self.children)
            .into_iter()
            .filter_map(|node| match node {
                Node::Element(e) if e.name == name => {
                    taken.push(e);
                    None
                }
                other => Some(other),
            })
            .collect();
        (self, taken)
    }

    /// The value of an attribute without a prefix.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// This element alone in exclusive canonical form, as an apex: what a digest or a signature is taken over.
    pub fn canonical(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, &mut Vec::new());
        out
    }

    fn write<'e>(&'e self, out: &mut String, in_scope: &mut Vec<&'e str>) {
        let depth = in_scope.len();
        out.push('<');
        out.push_str(self.name);
        let used = std::iter::once(prefix_of(self.name))
            .chain(self.attributes.iter().map(|(name, _)| prefix_of(name)))
            .flatten()
            .chain(self.declares.iter().copied());
        let mut new: Vec<&str> = Vec::new();
        for prefix in used {
            // `xml` is declared by XML itself and never written.
            if prefix != "xml" && !in_scope.contains(&prefix) && !new.contains(&prefix) {
                new.push(prefix);
            }
        }
        new.sort_unstable();
        for prefix in &new {
            out.push_str(&format!(" xmlns:{prefix}=\"{}\"", namespace(prefix)));
        }
        in_scope.extend(new);

        let mut attributes: Vec<_> = self.attributes.iter().collect();
        // No namespace comes first; then by namespace name, then by local name (C14N 1.0, 2.2).
        attributes.sort_by_key(|(name, _)| match name.split_once(':') {
            Some((prefix, local)) => (namespace(prefix), local.to_owned()),
            None => ("", name.to_string()),
        });
        for (name, value) in attributes {
            out.push(' ');
            out.push_str(name);
            out.push_str("=\"");
            escape_attribute(value, out);
            out.push('"');
        }
        out.push('>');
        for child in &self.children {
            match child {
                Node::Element(e) => e.write(out, in_scope),
                Node::Text(t) => escape_text(t, out),
            }
        }
        out.push_str("</");
        out.push_str(self.name);
        out.push('>');
        in_scope.truncate(depth);
    }
}

fn escape_text(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\r' => out.push_str("&#xD;"),
            other => out.push(other),
        }
    }
}

fn escape_attribute(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '"' => out.push_str("&quot;"),
            '\t' => out.push_str("&#x9;"),
            '\n' => out.push_str("&#xA;"),
            '\r' => out.push_str("&#xD;"),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_stand_where_they_are_first_used_and_attributes_in_order() {
        let inner = element("saml:Issuer").text("a & b > \"c\"\r\n");
        let outer = element("samlp:Response")
            .attr("Version", "2.0")
            .attr("xsi:type", "x")
            .attr("xml:lang", "sv")
            .attr("ID", "_\"<\n\t>")
            .child(inner.clone())
            .child(inner);
        assert_eq!(
            outer.canonical(),
            concat!(
                r#"<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" "#,
                r#"xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" "#,
                r#"ID="_&quot;&lt;&#xA;&#x9;>" Version="2.0" xsi:type="x" xml:lang="sv">"#,
                r#"<saml:Issuer xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">a &amp; b &gt; "c"&#xD;"#,
                "\n</saml:Issuer>",
                r#"<saml:Issuer xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">a &amp; b &gt; "c"&#xD;"#,
                "\n</saml:Issuer></samlp:Response>"
            )
        );
    }
}
