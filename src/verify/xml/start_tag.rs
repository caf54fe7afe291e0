//! Start tags: attributes, namespace declarations, and the names that they resolve.

use std::borrow::Cow;

use super::document::{Attribute, Declaration, Kind, NO_NS, Node, Span, XML_NS};

use super::ns;
use super::reader::{Binding, Reader, is_absolute_uri, span};
use super::text::{Mode, normalise, reference};
use crate::verify::{Reason, Reject};

impl<'a> Reader<'a, '_> {
    /// STag or EmptyElemTag (productions 40, 44) at the cursor.
    pub(super) fn start_tag(&mut self) -> Result<(), Reject> {
        self.at += 1;
        let (name, prefix_len) = self.qname()?;
        let first_attribute = self.doc.attributes.len();
        let first_declaration = self.doc.declarations.len();
        let outer_scope = self.scope.len();
        let empty = loop {
            let spaced = self.skip_space();
            match self.peek() {
                Some(b'>') => {
                    self.at += 1;
                    break false;
                }
                Some(b'/') if self.bytes.get(self.at + 1) == Some(&b'>') => {
                    self.at += 2;
                    break true;
                }
                Some(b'<' | b'/') => return Err(self.malformed("a start tag that does not end")),
                Some(_) if spaced => self.attribute(first_attribute, first_declaration)?,
                Some(_) => return Err(self.malformed("no white space before an attribute")),
                None => return Err(self.malformed("an unended start tag")),
            }
        };
        self.resolve_attributes(first_attribute)?;
        let ns = self.resolve(self.doc.prefix(name, prefix_len))?;
        let id = self.next_index()?;
        let node = Node {
            kind: Kind::Element,
            plain: false,
            prefix_len,
            span: name,
            parent: self.parent(id),
            end: id + 1,
            ns,
            attributes: range(first_attribute, self.doc.attributes.len()),
            declarations: range(first_declaration, self.doc.declarations.len()),
        };
        self.push_node(node)?;
        if empty {
            // An empty element is as deep as one with an end tag.
            if self.depth() >= self.limits.depth {
                return Err(Reject::new(
                    Reason::XmlTooDeep,
                    format_args!("more than {} elements deep", self.limits.depth),
                ));
            }
            self.scope.truncate(outer_scope);
            Ok(())
        } else {
            self.push_open(id, outer_scope)
        }
    }

    /// One attribute or namespace declaration (production 41; Namespaces 1.0, 3).
    fn attribute(&mut self, first_attribute: usize, first_declaration: usize) -> Result<(), Reject> {
        let (name, prefix_len) = self.qname()?;
        self.skip_space();
        if self.peek() != Some(b'=') {
            return Err(self.malformed("an attribute without '='"));
        }
        self.at += 1;
        self.skip_space();
        let quote = self.peek().filter(|q| matches!(q, b'"' | b'\''));
        let quote = quote.ok_or_else(|| self.malformed("an attribute value without quotes"))?;
        self.at += 1;
        let start = self.at;
        let len = memchr::memchr(quote, self.rest()).ok_or_else(|| self.malformed("an unended attribute value"))?;
        let end = start + len;
        let plain = self.value(start, end)?;
        self.at = end + 1;

        let written = self.doc.slice(name);
        if written == "xmlns" {
            return self.declare(
                span(name.start as usize, name.start as usize),
                span(start, end),
                plain,
                first_declaration,
            );
        }
        if self.doc.prefix(name, prefix_len) == "xmlns" {
            let prefix = Span { start: name.start + 6, end: name.end };
            return self.declare(prefix, span(start, end), plain, first_declaration);
        }
        if self.doc.attributes.len() - first_attribute >= self.limits.attributes {
            let limit = self.limits.attributes;
            return Err(Reject::new(
                Reason::XmlTooManyAttributes,
                format_args!("more than {limit} attributes on an element"),
            ));
        }
        self.doc.attributes.push(Attribute { name, prefix_len, plain, ns: NO_NS, value: span(start, end) });
        Ok(())
    }

    /// Checks an attribute's value; returns whether its source, its value and its canonical form are one.
    fn value(&self, start: usize, end: usize) -> Result<bool, Reject> {
        let raw = self.bytes.get(start..end).unwrap_or_default();
        // A plain fold: the compiler turns it into vector instructions. Most values hold nothing of it.
        let special = |b: u8| matches!(b, b'<' | b'&' | b'"' | b'\t' | b'\n' | b'\r');
        if !raw.iter().fold(false, |any, b| any | special(*b)) {
            return Ok(true);
        }
        for (at, b) in raw.iter().enumerate() {
            match b {
                b'<' => return Err(self.malformed("'<' in an attribute value")),
                b'&' => _ = reference(self.text(start + at, end))?,
                _ => {}
            }
        }
        Ok(false)
    }

    /// A namespace declaration. `prefix` is an empty span for the default namespace.
    fn declare(&mut self, prefix: Span, value: Span, plain: bool, first_declaration: usize) -> Result<(), Reject> {
        let source: &'a str = self.doc.source;
        let raw = source.get(value.start as usize..value.end as usize).unwrap_or_default();
        let name = if plain { Cow::Borrowed(raw) } else { normalise(raw, Mode::Attribute) };
        let written = self.text(prefix.start as usize, prefix.end as usize);
        let bad = |what: &str| Err(Reject::new(Reason::XmlBadNamespace, format_args!("{what}: {written:?}")));
        match (written, name.as_ref()) {
            ("xmlns", _) => return bad("the prefix xmlns is declared"),
            (_, ns::XMLNS) => return bad("a prefix is bound to the namespace of xmlns"),
            ("xml", ns::XML) => {}
            ("xml", _) => return bad("the prefix xml is bound to another namespace"),
            (_, ns::XML) => return bad("a prefix other than xml is bound to its namespace"),
            ("", "") => {}
            (_, "") => return bad("a prefix is bound to nothing"),
            // libxml2 writes such a name raw into the canonical form, others escape it: no signature over it has one
            // meaning.
            // A name that was taken before need not be looked at again.
            (_, name) if self.is_known(name) => {}
            (_, name) if name.contains(['&', '<', '>', '"']) => return bad("a namespace name that no URI is"),
            (_, name) if !is_absolute_uri(name) => {
                let detail = format_args!("the namespace {name:?} is no absolute URI");
                return Err(Reject::new(Reason::XmlRelativeNamespace, detail));
            }
            _ => {}
        }
        let earlier = self.doc.declarations.get(first_declaration..).unwrap_or_default();
        if earlier.iter().any(|d| self.doc.slice(d.prefix) == written) {
            let detail = format_args!("the prefix {written:?} is declared twice on one element");
            return Err(Reject::new(Reason::XmlDuplicateAttribute, detail));
        }
        if self.scope.len() >= self.limits.namespaces_in_scope
            || self.doc.declarations.len() >= self.limits.namespaces_in_document
        {
            return Err(Reject::new(
                Reason::XmlTooManyNamespaces,
                format_args!(
                    "more than {} declarations in scope, or {} in the document",
                    self.limits.namespaces_in_scope, self.limits.namespaces_in_document
                ),
            ));
        }
        let ns = match name.as_ref() {
            "" => NO_NS,
            ns::XML => XML_NS,
            _ => self.intern(name)?,
        };
        self.doc.declarations.push(Declaration { prefix, ns });
        self.scope.push(Binding { prefix, ns });
        Ok(())
    }

    /// Resolves the attributes from `first` on, and refuses two of one name (Namespaces 1.0, 6.3).
    fn resolve_attributes(&mut self, first: usize) -> Result<(), Reject> {
        for at in first..self.doc.attributes.len() {
            let Some(Attribute { name, prefix_len, .. }) = self.doc.attributes.get(at).copied() else { continue };
            // An attribute without a prefix is in no namespace, whatever the default one is.
            let ns = if prefix_len == 0 { NO_NS } else { self.resolve(self.doc.prefix(name, prefix_len))? };
            if let Some(attribute) = self.doc.attributes.get_mut(at) {
                attribute.ns = ns;
            }
            // Pairwise: the limit on attributes bounds it to about 2,000 comparisons an element.
            let local = self.doc.local(name, prefix_len);
            let earlier = self.doc.attributes.get(first..at).unwrap_or_default();
            if earlier.iter().any(|e| e.ns == ns && self.doc.local(e.name, e.prefix_len) == local) {
                let detail = format_args!("the attribute {local:?} stands twice on an element");
                return Err(Reject::new(Reason::XmlDuplicateAttribute, detail));
            }
        }
        Ok(())
    }
}

/// A first place and a count. Counts stay below the limit on attributes and declarations of one element.
fn range(first: usize, end: usize) -> (u32, u16) {
    (first as u32, (end - first) as u16)
}
