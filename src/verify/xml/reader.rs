//! The strict reader: one pass over the source, one decision for each byte, no recursion.
//!
//! What it takes is XML 1.0 (fifth edition) with Namespaces 1.0, in UTF-8, without a DOCTYPE, and without processing
//! instructions but for those around the document element of a feed.

use std::borrow::Cow;

use super::document::{Document, Kind, NO_NS, Node, NsId, Span, XML_NS};
use super::names::{first_non_char, is_space, ncname_len, same};
use super::ns;
use super::text::reference;
use crate::base::limits::XmlLimits;
use crate::verify::{Reason, Reject};

/// Distinct namespace names in one document: they are searched one by one. Real feeds have about 20.
const DISTINCT_NAMESPACES: usize = 256;

/// An element whose end tag has not come.
struct Open {
    node: u32,
    /// How many bindings were in scope outside it.
    scope: usize,
}

/// A prefix in scope.
pub(super) struct Binding {
    pub(super) prefix: Span,
    pub(super) ns: NsId,
}

pub(super) struct Reader<'a, 'l> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
    pub(super) limits: &'l XmlLimits,
    pub(super) doc: Document<'a>,
    open: Vec<Open>,
    pub(super) scope: Vec<Binding>,
}

pub(super) fn read<'a>(source: &'a [u8], limits: &XmlLimits) -> Result<Document<'a>, Reject> {
    if source.len() > limits.bytes {
        return Err(Reject::new(
            Reason::MessageTooLarge,
            format_args!("{} bytes; at most {} are taken", source.len(), limits.bytes),
        ));
    }
    let text = str::from_utf8(source)
        .map_err(|e| Reject::new(Reason::XmlNotUtf8, format_args!("not UTF-8 at byte {}", e.valid_up_to())))?;
    if let Some(at) = first_non_char(source) {
        return Err(Reject::new(
            Reason::XmlBadCharacter,
            format_args!("a character that XML does not have, at byte {at}"),
        ));
    }
    // About one node for each 40 bytes in real messages; more grow the arrays.
    let guess = (source.len() / 40).clamp(16, limits.nodes);
    let doc = Document {
        source: text,
        nodes: Vec::with_capacity(guess),
        attributes: Vec::with_capacity(guess / 2),
        declarations: Vec::with_capacity(16),
        namespaces: vec![Cow::Borrowed(""), Cow::Borrowed(ns::XML)],
    };
    let mut reader =
        Reader { bytes: source, at: 0, limits, doc, open: Vec::with_capacity(16), scope: Vec::with_capacity(16) };
    reader.document()?;
    Ok(reader.doc)
}

impl<'a> Reader<'a, '_> {
    fn document(&mut self) -> Result<(), Reject> {
        if self.bytes.starts_with(b"\xEF\xBB\xBF") {
            self.at = 3;
        }
        let after = self.bytes.get(self.at + 5).copied();
        if self.rest().starts_with(b"<?xml") && after.is_some_and(|b| is_space(b) || b == b'?') {
            self.declaration()?;
        }
        self.outside(true)?;
        self.content()?;
        self.outside(false)
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    pub(super) fn text(&self, from: usize, to: usize) -> &'a str {
        self.doc.source.get(from..to).unwrap_or_default()
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    pub(super) fn malformed(&self, what: &str) -> Reject {
        Reject::new(Reason::XmlMalformed, format_args!("{what}, at byte {}", self.at))
    }

    pub(super) fn skip_space(&mut self) -> bool {
        let from = self.at;
        while self.peek().is_some_and(is_space) {
            self.at += 1;
        }
        self.at > from
    }

    fn expect(&mut self, token: &str, what: &str) -> Result<(), Reject> {
        if !self.rest().starts_with(token.as_bytes()) {
            return Err(self.malformed(what));
        }
        self.at += token.len();
        Ok(())
    }

    /// XMLDecl (production 23): version 1.0, encoding UTF-8 or none, standalone yes or no, in this order.
    fn declaration(&mut self) -> Result<(), Reject> {
        self.at += "<?xml".len();
        let mut step = 0;
        loop {
            let spaced = self.skip_space();
            if self.rest().starts_with(b"?>") {
                self.at += 2;
                return if step > 0 { Ok(()) } else { Err(self.malformed("an XML declaration without a version")) };
            }
            if !spaced {
                return Err(self.malformed("an XML declaration without white space between its parts"));
            }
            let name = self.text(self.at, self.at + ncname_len(self.text(self.at, self.bytes.len())));
            self.at += name.len();
            self.skip_space();
            self.expect("=", "an XML declaration without '='")?;
            self.skip_space();
            let quote = self.peek().filter(|q| matches!(q, b'"' | b'\''));
            let quote = quote.ok_or_else(|| self.malformed("an XML declaration without a quote"))?;
            self.at += 1;
            let len = memchr::memchr(quote, self.rest()).ok_or_else(|| self.malformed("an unended XML declaration"))?;
            let value = self.text(self.at, self.at + len);
            self.at += len + 1;
            step = match (step, name) {
                (0, "version") if value == "1.0" => 1,
                (1, "encoding") if value.eq_ignore_ascii_case("utf-8") => 2,
                (1, "encoding") => {
                    return Err(Reject::new(
                        Reason::XmlNotUtf8,
                        "the XML declaration says another encoding than UTF-8",
                    ));
                }
                (1 | 2, "standalone") if matches!(value, "yes" | "no") => 3,
                _ => return Err(self.malformed("a malformed XML declaration")),
            };
        }
    }

    /// Misc (production 27), before or after the document element.
    fn outside(&mut self, before: bool) -> Result<(), Reject> {
        loop {
            self.skip_space();
            let rest = self.rest();
            if rest.is_empty() {
                return if before { Err(self.malformed("no document element")) } else { Ok(()) };
            }
            if rest.starts_with(b"<!--") {
                self.comment()?;
            } else if rest.starts_with(b"<?") {
                self.instruction()?;
            } else if rest.starts_with(b"<!DOCTYPE") {
                return Err(Reject::new(Reason::XmlDoctype, "a DOCTYPE"));
            } else if before && rest.first() == Some(&b'<') && !matches!(rest.get(1), None | Some(b'!' | b'/')) {
                return Ok(());
            } else {
                return Err(self.malformed(if before {
                    "text before the document element"
                } else {
                    "more after the document element"
                }));
            }
        }
    }

    /// A processing instruction outside the document element: skipped in feeds, refused in messages.
    fn instruction(&mut self) -> Result<(), Reject> {
        let target = self.at + 2;
        let name = self.text(target, target + ncname_len(self.text(target, self.bytes.len())));
        if !self.limits.skip_outer_instructions {
            return Err(Reject::new(Reason::XmlProcessingInstruction, "a processing instruction"));
        }
        if name.is_empty() || name.eq_ignore_ascii_case("xml") {
            return Err(Reject::new(Reason::XmlBadName, "a processing instruction without a name, or named xml"));
        }
        self.at = target + name.len();
        if !self.rest().starts_with(b"?>") && !self.skip_space() {
            return Err(self.malformed("a processing instruction without white space after its name"));
        }
        let len = memchr::memmem::find(self.rest(), b"?>")
            .ok_or_else(|| self.malformed("an unended processing instruction"))?;
        self.at += len + 2;
        Ok(())
    }

    /// Comment (production 15): returns its content.
    fn comment(&mut self) -> Result<Span, Reject> {
        let start = self.at + 4;
        let inner = self.bytes.get(start..).unwrap_or_default();
        let len = memchr::memmem::find(inner, b"--").ok_or_else(|| self.malformed("an unended comment"))?;
        if inner.get(len + 2) != Some(&b'>') {
            return Err(self.malformed("'--' within a comment"));
        }
        self.at = start + len + 3;
        Ok(span(start, start + len))
    }

    /// The document element, to its end tag.
    fn content(&mut self) -> Result<(), Reject> {
        self.start_tag()?;
        while !self.open.is_empty() {
            let len =
                memchr::memchr(b'<', self.rest()).ok_or_else(|| self.malformed("an element without an end tag"))?;
            if len > 0 {
                self.characters(self.at + len)?;
            }
            match self.bytes.get(self.at + 1) {
                Some(b'/') => self.end_tag()?,
                Some(b'!') => self.markup()?,
                Some(b'?') => return Err(Reject::new(Reason::XmlProcessingInstruction, "a processing instruction")),
                Some(_) => self.start_tag()?,
                None => return Err(self.malformed("'<' that begins nothing")),
            }
        }
        Ok(())
    }

    /// A comment or a CDATA section.
    fn markup(&mut self) -> Result<(), Reject> {
        let rest = self.rest();
        if rest.starts_with(b"<!--") {
            let content = self.comment()?;
            self.push(Kind::Comment, content, true)?;
        } else if rest.starts_with(b"<![CDATA[") {
            let start = self.at + 9;
            let inner = self.bytes.get(start..).unwrap_or_default();
            let len = memchr::memmem::find(inner, b"]]>").ok_or_else(|| self.malformed("an unended CDATA section"))?;
            self.at = start + len + 3;
            self.push(Kind::Cdata, span(start, start + len), false)?;
        } else if rest.starts_with(b"<!DOCTYPE") {
            return Err(Reject::new(Reason::XmlDoctype, "a DOCTYPE"));
        } else {
            return Err(self.malformed("'<!' that begins nothing"));
        }
        Ok(())
    }

    /// CharData and references (productions 14, 67) up to `end`.
    fn characters(&mut self, end: usize) -> Result<(), Reject> {
        let (start, mut plain) = (self.at, true);
        let run = self.bytes.get(start..end).unwrap_or_default();
        // Two passes of a vectorised search beat one scalar loop: most runs hold neither.
        for at in memchr::memchr2_iter(b'&', b'\r', run) {
            plain = false;
            if run.get(at) == Some(&b'&') {
                reference(self.text(start + at, end))?;
            }
        }
        for at in memchr::memchr_iter(b'>', run) {
            plain = false;
            if at >= 2 && run.get(at - 2..at) == Some(b"]]") {
                self.at = start + at;
                return Err(self.malformed("']]>' in text"));
            }
        }
        self.at = end;
        self.push(Kind::Text, span(start, end), plain)
    }

    /// ETag (production 42): the name as in the start tag, byte for byte.
    fn end_tag(&mut self) -> Result<(), Reject> {
        let open = self.open.pop().ok_or_else(|| self.malformed("an end tag without a start tag"))?;
        let name_at = self.at + 2;
        let end = self.next_index()?;
        let node = self.doc.nodes.get_mut(open.node as usize);
        let node = node.ok_or_else(|| Reject::from(Reason::XmlMalformed))?;
        node.end = end;
        let name = node.span;
        let name = self.bytes.get(name.start as usize..name.end as usize).unwrap_or_default();
        let after = self.bytes.get(name_at..).unwrap_or_default();
        if !after.starts_with(name) {
            return Err(self.malformed("an end tag of another name than its start tag"));
        }
        self.at = name_at + name.len();
        self.skip_space();
        self.expect(">", "an end tag of another name than its start tag")?;
        self.scope.truncate(open.scope);
        Ok(())
    }

    pub(super) fn next_index(&self) -> Result<u32, Reject> {
        u32::try_from(self.doc.nodes.len()).map_err(|_| Reject::from(Reason::XmlTooManyNodes))
    }

    fn push(&mut self, kind: Kind, span: Span, plain: bool) -> Result<(), Reject> {
        let id = self.next_index()?;
        self.push_node(Node {
            kind,
            plain,
            prefix_len: 0,
            span,
            parent: self.open.last().map_or(id, |open| open.node),
            end: id + 1,
            ns: NO_NS,
            attributes: (0, 0),
            declarations: (0, 0),
        })
    }

    pub(super) fn push_node(&mut self, node: Node) -> Result<(), Reject> {
        if self.doc.nodes.len() >= self.limits.nodes {
            return Err(Reject::new(Reason::XmlTooManyNodes, format_args!("more than {} nodes", self.limits.nodes)));
        }
        self.doc.nodes.push(node);
        Ok(())
    }

    pub(super) fn parent(&self, id: u32) -> u32 {
        self.open.last().map_or(id, |open| open.node)
    }

    /// Opens the element `node`, whose declarations begin at `scope` in the bindings.
    pub(super) fn push_open(&mut self, node: u32, scope: usize) -> Result<(), Reject> {
        if self.open.len() >= self.limits.depth {
            return Err(Reject::new(Reason::XmlTooDeep, format_args!("more than {} elements deep", self.limits.depth)));
        }
        self.open.push(Open { node, scope });
        Ok(())
    }

    pub(super) fn depth(&self) -> usize {
        self.open.len()
    }

    /// The namespace that `prefix` stands for here; the empty prefix is the default namespace.
    pub(super) fn resolve(&self, prefix: &str) -> Result<NsId, Reject> {
        if prefix == "xml" {
            return Ok(XML_NS);
        }
        let bound = self.scope.iter().rev().find(|b| same(self.doc.slice(b.prefix), prefix));
        match bound {
            Some(binding) => Ok(binding.ns),
            None if prefix.is_empty() => Ok(NO_NS),
            None => Err(Reject::new(Reason::XmlBadNamespace, format_args!("the prefix {prefix:?} is not declared"))),
        }
    }

    /// Whether a namespace name has been interned, and so was found to be a good one.
    pub(super) fn is_known(&self, name: &str) -> bool {
        self.doc.namespaces.iter().any(|known| known.as_ref() == name)
    }

    /// Interns a namespace name.
    pub(super) fn intern(&mut self, name: Cow<'a, str>) -> Result<NsId, Reject> {
        let found = self.doc.namespaces.iter().position(|n| *n == name);
        let at = match found {
            Some(at) => at,
            None if self.doc.namespaces.len() >= DISTINCT_NAMESPACES => {
                return Err(Reject::new(
                    Reason::XmlTooManyNamespaces,
                    format_args!("more than {DISTINCT_NAMESPACES} namespaces"),
                ));
            }
            None => {
                self.doc.namespaces.push(name);
                self.doc.namespaces.len() - 1
            }
        };
        u32::try_from(at).map_err(|_| Reject::from(Reason::XmlTooManyNamespaces))
    }

    /// A qualified name (Namespaces 1.0, production 7) at the cursor: its span and the length of its prefix.
    pub(super) fn qname(&mut self) -> Result<(Span, u16), Reject> {
        let start = self.at;
        let first = ncname_len(self.text(start, self.bytes.len()));
        self.at += first;
        let mut prefix_len = 0;
        let mut good = first > 0;
        if good && self.peek() == Some(b':') {
            prefix_len = first;
            self.at += 1;
            let local = ncname_len(self.text(self.at, self.bytes.len()));
            self.at += local;
            good = local > 0 && self.peek() != Some(b':');
        }
        let prefix_len = u16::try_from(prefix_len).unwrap_or(u16::MAX);
        if !good || prefix_len == u16::MAX {
            return Err(Reject::new(Reason::XmlBadName, format_args!("not a qualified name, at byte {start}")));
        }
        Ok((span(start, self.at), prefix_len))
    }
}

pub(super) const fn span(start: usize, end: usize) -> Span {
    // The byte limit keeps offsets far below 4 GiB.
    Span { start: start as u32, end: end as u32 }
}

/// Whether a namespace name is an absolute URI: it begins with a scheme (RFC 3986, 3.1).
pub(super) fn is_absolute_uri(name: &str) -> bool {
    let scheme = name.split_once(':').map_or("", |(scheme, _)| scheme);
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
        && !name.bytes().any(is_space)
}
