//! A writer whose output is already in exclusive canonical form (Exclusive C14N 1.0; C14N 1.0, 2.3).
//!
//! Attributes sorted, no self-closing tags, references written as C14N writes them. It is the caller's part to declare
//! a prefix on the outermost element that uses it, and again where no ancestor has: the writer's tests, and the
//! property test of what is written with it, hold that against an independent reader.

use std::fmt::Write as _;

/// Namespace names.
pub(crate) mod ns {
    pub(crate) const SAML: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
    pub(crate) const SAMLP: &str = "urn:oasis:names:tc:SAML:2.0:protocol";
    pub(crate) const MD: &str = "urn:oasis:names:tc:SAML:2.0:metadata";
    pub(crate) const MDATTR: &str = "urn:oasis:names:tc:SAML:metadata:attribute";
    pub(crate) const MDUI: &str = "urn:oasis:names:tc:SAML:metadata:ui";
    pub(crate) const MDORGEXT: &str = "http://id.swedenconnect.se/authn/1.0/md-org-ext/ns";
    pub(crate) const PSC: &str = "http://id.swedenconnect.se/authn/1.0/principal-selection/ns";
    pub(crate) const XENC11: &str = "http://www.w3.org/2009/xmlenc11#";
    pub(crate) const DS: &str = "http://www.w3.org/2000/09/xmldsig#";
}

/// Writes one document into a string.
#[derive(Default)]
pub(crate) struct Writer {
    out: String,
    open: Vec<&'static str>,
}

impl Writer {
    /// A start tag. `declares` are (prefix, namespace name); `attributes` are (qualified name, value).
    pub(crate) fn open(
        &mut self,
        name: &'static str,
        declares: &[(&'static str, &str)],
        attributes: &[(&'static str, &str)],
    ) -> &mut Self {
        self.out.push('<');
        self.out.push_str(name);
        let mut declares = declares.to_vec();
        declares.sort_unstable();
        for (prefix, uri) in declares {
            let _ = write!(self.out, " xmlns:{prefix}=\"");
            escape_attribute(&mut self.out, uri);
            self.out.push('"');
        }
        // Unprefixed attributes are in no namespace and come first, then by namespace name. The one prefixed attribute
        // that we write is xml:lang, so that "has a prefix" is the whole order.
        let mut attributes = attributes.to_vec();
        attributes.sort_unstable_by_key(|(name, _)| (name.contains(':'), *name));
        for (name, value) in attributes {
            let _ = write!(self.out, " {name}=\"");
            escape_attribute(&mut self.out, value);
            self.out.push('"');
        }
        self.out.push('>');
        self.open.push(name);
        self
    }

    /// Text in the open element.
    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        escape_text(&mut self.out, text);
        self
    }

    /// What this room wrote in canonical form before.
    pub(crate) fn written(&mut self, xml: &str) -> &mut Self {
        self.out.push_str(xml);
        self
    }

    /// The end tag of the innermost open element.
    pub(crate) fn close(&mut self) -> &mut Self {
        if let Some(name) = self.open.pop() {
            let _ = write!(self.out, "</{name}>");
        }
        self
    }

    /// An element with text and nothing else.
    pub(crate) fn leaf(
        &mut self,
        name: &'static str,
        declares: &[(&'static str, &str)],
        attributes: &[(&'static str, &str)],
        text: &str,
    ) -> &mut Self {
        self.open(name, declares, attributes).text(text).close()
    }

    /// The document, every open element closed.
    pub(crate) fn finish(mut self) -> String {
        while !self.open.is_empty() {
            self.close();
        }
        self.out
    }
}

/// A character that XML 1.0 cannot hold in any way (2.2) becomes U+FFFD: a document that no one can read helps nobody.
fn allowed(c: char) -> char {
    match c {
        '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'.. => c,
        _ => '\u{fffd}',
    }
}

fn escape_text(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\r' => out.push_str("&#xD;"),
            c => out.push(allowed(c)),
        }
    }
}

fn escape_attribute(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '"' => out.push_str("&quot;"),
            '\t' => out.push_str("&#x9;"),
            '\n' => out.push_str("&#xA;"),
            '\r' => out.push_str("&#xD;"),
            c => out.push(allowed(c)),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn is_written_as_c14n_writes_it() {
        let mut w = Writer::default();
        w.open("b:x", &[("c", "urn:c"), ("b", "urn:b")], &[("xml:lang", "sv"), ("Z", "1"), ("A", "\t<&>\"\r\n")]);
        w.leaf("c:y", &[], &[], "a<b>&\"\r\n\u{1}").open("c:z", &[], &[]);
        assert_eq!(
            w.finish(),
            "<b:x xmlns:b=\"urn:b\" xmlns:c=\"urn:c\" A=\"&#x9;&lt;&amp;>&quot;&#xD;&#xA;\" Z=\"1\" xml:lang=\"sv\">\
             <c:y>a&lt;b&gt;&amp;\"&#xD;\n\u{fffd}</c:y><c:z></c:z></b:x>"
        );
    }
}
