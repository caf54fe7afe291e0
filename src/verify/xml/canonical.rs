//! Exclusive XML Canonicalization 1.0 of a subtree, written straight into a sink.
//!
//! <https://www.w3.org/TR/xml-exc-c14n/>, section 3, over Canonical XML 1.0. The reader has already refused what a
//! canonical form must fail on: relative namespace names (C14N 1.0, 1.3), undeclared prefixes, anything not well-formed.
//! An empty result is impossible, since the subtree has at least its apex (T3).

use crate::crypto::digest::{Digest, DigestAlgorithm, Hasher};
use crate::verify::{Reason, Reject};

use super::document::{Document, Element, Kind, NO_NS, Node, NsId};
use super::names::same;

/// Where canonical bytes go.
pub trait Sink {
    /// Takes the next bytes.
    fn write(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    fn write(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// A digest of what is written. Small pieces are gathered, since a digest's update costs more than their copy.
pub struct DigestSink {
    hasher: Hasher,
    buffer: [u8; Self::BUFFER],
    used: usize,
    any: bool,
}

impl DigestSink {
    const BUFFER: usize = 1024;

    /// An empty one.
    pub fn new(algorithm: DigestAlgorithm) -> Self {
        Self { hasher: Hasher::new(algorithm), buffer: [0; Self::BUFFER], used: 0, any: false }
    }

    /// The digest.
    ///
    /// # Errors
    /// `digest_mismatch` when nothing was written: the digest of nothing never vouches for anything (T3).
    pub fn finish(mut self) -> Result<Digest, Reject> {
        if !self.any {
            return Err(Reject::new(Reason::DigestMismatch, "the canonical form is empty"));
        }
        self.hasher.update(self.buffer.get(..self.used).unwrap_or_default());
        Ok(self.hasher.finish())
    }
}

impl Sink for DigestSink {
    fn write(&mut self, bytes: &[u8]) {
        self.any |= !bytes.is_empty();
        if let Some(room) = self.buffer.get_mut(self.used..self.used + bytes.len()) {
            room.copy_from_slice(bytes);
            self.used += bytes.len();
            return;
        }
        self.hasher.update(self.buffer.get(..self.used).unwrap_or_default());
        self.used = 0;
        match self.buffer.get_mut(..bytes.len()) {
            Some(room) => {
                room.copy_from_slice(bytes);
                self.used = bytes.len();
            }
            None => self.hasher.update(bytes),
        }
    }
}

/// What to write of a subtree.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'o> {
    /// A subtree to leave out: the Signature itself (the enveloped-signature transform, XMLDSig 6.6.4).
    pub without: Option<Element<'o>>,
    /// Whether comments are part of the form.
    pub comments: bool,
    /// InclusiveNamespaces PrefixList; `#default` stands for the default namespace (Exclusive C14N, 3).
    pub inclusive: &'o [&'o str],
}

/// An element that has been begun.
struct Open<'d> {
    /// The place after its last node.
    end: u32,
    name: &'d str,
    /// How many namespace nodes had been written outside it.
    written: usize,
}

/// Writes the canonical form of the subtree at `apex`.
pub fn write(apex: Element<'_>, options: &Options<'_>, sink: &mut impl Sink) {
    let doc = apex.document();
    let mut walk = Walk {
        doc,
        inclusive: options.inclusive,
        written: Vec::with_capacity(16),
        pending: Vec::with_capacity(8),
        order: Vec::with_capacity(8),
    };
    let mut open: Vec<Open<'_>> = Vec::with_capacity(16);
    let skipped = options.without.filter(|e| std::ptr::eq(e.document(), doc)).map(|e| e.id);
    let mut id = apex.id;
    let end = apex.node().end;
    while id < end {
        let Some(node) = doc.nodes.get(id as usize) else { break };
        close(&mut open, id, &mut walk.written, sink);
        if skipped == Some(id) {
            id = node.end.max(id + 1);
            continue;
        }
        match node.kind {
            Kind::Element => {
                let written = walk.written.len();
                let name = doc.slice(node.span);
                walk.start_tag(Element { doc, id }, node, name, sink);
                open.push(Open { end: node.end, name, written });
            }
            Kind::Text if node.plain => sink.write(doc.slice(node.span).as_bytes()),
            Kind::Text | Kind::Cdata => escape(&doc.content(node), Place::Text, sink),
            Kind::Comment if options.comments => {
                sink.write(b"<!--");
                sink.write(doc.content(node).as_bytes());
                sink.write(b"-->");
            }
            Kind::Comment => {}
        }
        id += 1;
    }
    close(&mut open, end, &mut walk.written, sink);
}

/// Ends the elements that hold no node from `id` on.
fn close(open: &mut Vec<Open<'_>>, id: u32, written: &mut Vec<(&str, NsId)>, sink: &mut impl Sink) {
    while let Some(last) = open.pop_if(|last| last.end <= id) {
        sink.write(b"</");
        sink.write(last.name.as_bytes());
        sink.write(b">");
        written.truncate(last.written);
    }
}

struct Walk<'d, 'o> {
    doc: &'d Document<'d>,
    inclusive: &'o [&'o str],
    /// Namespace nodes written by the open elements: (prefix, namespace).
    written: Vec<(&'d str, NsId)>,
    /// Namespace nodes that the element at hand needs.
    pending: Vec<(&'d str, NsId)>,
    /// The places of the attributes of the element at hand, to be sorted.
    order: Vec<usize>,
}

impl<'d> Walk<'d, '_> {
    fn start_tag(&mut self, element: Element<'d>, node: &'d Node, name: &str, sink: &mut impl Sink) {
        let doc = self.doc;
        sink.write(b"<");
        sink.write(name.as_bytes());

        self.pending.clear();
        self.need(doc.prefix(node.span, node.prefix_len), node.ns);
        let attributes = doc.attributes_of(node);
        for attribute in attributes.iter().filter(|a| a.prefix_len != 0) {
            self.need(doc.prefix(attribute.name, attribute.prefix_len), attribute.ns);
        }
        for listed in self.inclusive {
            let prefix = if *listed == "#default" { "" } else { listed };
            if let Some((prefix, ns)) = in_scope(element, prefix) {
                self.need(prefix, ns);
            }
        }
        // Namespace nodes by prefix, the default one first (C14N 1.0, 2.3).
        self.pending.sort_unstable();
        for (prefix, ns) in self.pending.drain(..) {
            if prefix.is_empty() {
                sink.write(b" xmlns=\"");
            } else {
                sink.write(b" xmlns:");
                sink.write(prefix.as_bytes());
                sink.write(b"=\"");
            }
            escape(doc.namespace(ns), Place::Attribute, sink);
            sink.write(b"\"");
            self.written.push((prefix, ns));
        }

        // Attributes by namespace name, then by local name.
        self.order.clear();
        self.order.extend(0..attributes.len());
        if attributes.len() > 1 {
            self.order.sort_unstable_by_key(|at| {
                attributes.get(*at).map(|a| (doc.namespace(a.ns), doc.local(a.name, a.prefix_len)))
            });
        }
        for attribute in self.order.iter().filter_map(|at| attributes.get(*at)) {
            sink.write(b" ");
            sink.write(doc.slice(attribute.name).as_bytes());
            sink.write(b"=\"");
            if attribute.plain {
                sink.write(doc.slice(attribute.value).as_bytes());
            } else {
                escape(&doc.value(attribute), Place::Attribute, sink);
            }
            sink.write(b"\"");
        }
        sink.write(b">");
    }

    /// Notes that the element needs `prefix` bound to `ns`, unless an open element has written just that.
    fn need(&mut self, prefix: &'d str, ns: NsId) {
        if prefix == "xml" {
            return;
        }
        let current = self.written.iter().rev().find(|(p, _)| same(p, prefix)).map(|(_, ns)| *ns);
        // No default namespace is what a reader begins with: `xmlns=""` is written only to take one back.
        let current = if prefix.is_empty() { current.or(Some(NO_NS)) } else { current };
        if current != Some(ns) && !self.pending.iter().any(|(p, _)| same(p, prefix)) {
            self.pending.push((prefix, ns));
        }
    }
}

/// The binding of `prefix` in scope at `element`; none when there is none.
fn in_scope<'d>(element: Element<'d>, prefix: &str) -> Option<(&'d str, NsId)> {
    let doc = element.document();
    let mut at = Some(element);
    while let Some(element) = at {
        let found = doc.declarations_of(element.node()).iter().find(|d| same(doc.slice(d.prefix), prefix));
        if let Some(declaration) = found {
            return Some((doc.slice(declaration.prefix), declaration.ns));
        }
        at = element.parent();
    }
    prefix.is_empty().then_some(("", NO_NS))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Text,
    Attribute,
}

/// Writes `value` with what C14N 1.0, 2.3 replaces replaced.
fn escape(value: &str, place: Place, sink: &mut impl Sink) {
    let replacement = |b: u8| -> Option<&'static [u8]> {
        Some(match (b, place) {
            (b'&', _) => b"&amp;",
            (b'<', _) => b"&lt;",
            (b'>', Place::Text) => b"&gt;",
            (b'\r', _) => b"&#xD;",
            (b'"', Place::Attribute) => b"&quot;",
            (b'\t', Place::Attribute) => b"&#x9;",
            (b'\n', Place::Attribute) => b"&#xA;",
            _ => return None,
        })
    };
    let bytes = value.as_bytes();
    let mut from = 0;
    for (at, b) in bytes.iter().enumerate() {
        if let Some(replacement) = replacement(*b) {
            sink.write(bytes.get(from..at).unwrap_or_default());
            sink.write(replacement);
            from = at + 1;
        }
    }
    sink.write(bytes.get(from..).unwrap_or_default());
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::read;
    use super::*;
    use crate::base::limits::MESSAGE;

    fn canonical(xml: &str, path: &[usize], comments: bool, inclusive: &[&str]) -> String {
        let doc = read(xml.as_bytes(), &MESSAGE).unwrap();
        let apex = path.iter().fold(doc.root(), |e, n| e.children().nth(*n).unwrap());
        let mut out = Vec::new();
        write(apex, &Options { without: None, comments, inclusive }, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_specifications_own_examples() {
        // Exclusive C14N 2.2: the subtree is the same under both parents.
        let a = r#"<n0:local xmlns:n0="foo:bar" xmlns:n3="ftp://example.org"><n1:elem2 xmlns:n1="http://example.net" xml:lang="en"><n3:stuff xmlns:n3="ftp://example.org"/></n1:elem2></n0:local>"#;
        let b = r#"<n2:pdu xmlns:n1="http://example.com" xmlns:n2="http://foo.example" xml:lang="fr" xml:space="retain"><n1:elem2 xmlns:n1="http://example.net" xml:lang="en"><n3:stuff xmlns:n3="ftp://example.org"/></n1:elem2></n2:pdu>"#;
        let form = r#"<n1:elem2 xmlns:n1="http://example.net" xml:lang="en"><n3:stuff xmlns:n3="ftp://example.org"></n3:stuff></n1:elem2>"#;
        assert_eq!(canonical(a, &[0], false, &[]), form);
        assert_eq!(canonical(b, &[0], false, &[]), form);
        // C14N 1.0, 3.4: references, CDATA and white space.
        assert_eq!(
            canonical("<a><b x='&lt;&#9;&quot;'>&lt;\r\n<![CDATA[<&]]>&#13;></b></a>", &[0], false, &[]),
            "<b x=\"&lt;&#x9;&quot;\">&lt;\n&lt;&amp;&#xD;&gt;</b>"
        );
    }

    #[test]
    fn namespaces_are_written_where_they_are_used() {
        let xml = r#"<a xmlns="u:1" xmlns:p="u:p" xmlns:q="u:q"><p:b><c xmlns=""><d xmlns="u:1" q:z="1" b="2" p:a="3"/></c></p:b></a>"#;
        assert_eq!(
            canonical(xml, &[], false, &[]),
            r#"<a xmlns="u:1"><p:b xmlns:p="u:p"><c xmlns=""><d xmlns="u:1" xmlns:q="u:q" b="2" p:a="3" q:z="1"></d></c></p:b></a>"#
        );
        assert_eq!(
            canonical(xml, &[0], false, &["q", "#default"]),
            r#"<p:b xmlns="u:1" xmlns:p="u:p" xmlns:q="u:q"><c xmlns=""><d xmlns="u:1" b="2" p:a="3" q:z="1"></d></c></p:b>"#
        );
    }

    #[test]
    fn comments_are_a_choice_and_instructions_never_come_this_far() {
        assert_eq!(canonical("<a>1<!-- c\r\n -->2</a>", &[], true, &[]), "<a>1<!-- c\n -->2</a>");
        assert_eq!(canonical("<a>1<!-- c -->2</a>", &[], false, &[]), "<a>12</a>");
    }

    #[test]
    fn a_left_out_subtree_leaves_nothing() {
        let doc = read(b"<a>x<s><t/></s>y</a>", &MESSAGE).unwrap();
        let mut out = Vec::new();
        let options = Options { without: doc.root().children().next(), ..Options::default() };
        write(doc.root(), &options, &mut out);
        assert_eq!(out, b"<a>xy</a>");
    }

    #[test]
    fn the_digest_of_nothing_is_refused() {
        let empty = DigestSink::new(DigestAlgorithm::Sha256).finish();
        assert_eq!(empty.err().map(|r| r.reason()), Some(Reason::DigestMismatch));
    }

    #[test]
    fn gathered_pieces_make_the_same_digest() {
        for sizes in [vec![1; 5000], vec![1023, 1, 1, 1024, 1025, 3000], vec![0, 7]] {
            let mut sink = DigestSink::new(DigestAlgorithm::Sha256);
            let mut all = Vec::new();
            for (i, size) in sizes.iter().enumerate() {
                let piece = vec![i as u8; *size];
                sink.write(&piece);
                all.extend(piece);
            }
            assert_eq!(sink.finish().unwrap().as_ref(), crate::crypto::digest::sha256(&all));
        }
    }
}
