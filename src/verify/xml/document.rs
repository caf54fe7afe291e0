//! A read document: flat arrays in document order, and a light handle to walk them with.

use std::borrow::Cow;
use std::collections::HashMap;

use super::names::same;
use super::text::{Mode, normalise};
use crate::verify::{Reason, Reject};

/// Byte offsets into the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) end: u32,
}

/// What a node is. Comments and processing instructions outside the document element are not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Element,
    /// Character data, references not yet expanded.
    Text,
    /// A CDATA section's content.
    Cdata,
    Comment,
}

/// An interned namespace name: its place in [`Document::namespaces`].
pub(super) type NsId = u32;
/// No namespace.
pub(super) const NO_NS: NsId = 0;
/// The `xml` prefix's.
pub(super) const XML_NS: NsId = 1;

#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    /// Text: holds none of `& \r >`, so its canonical form is the source.
    pub(super) plain: bool,
    /// Element: bytes of the prefix in the name; the colon follows when it is not zero.
    pub(super) prefix_len: u16,
    /// Element: the name as written. Otherwise: the content.
    pub(super) span: Span,
    /// The enclosing element's place; the document element's is its own.
    pub(super) parent: u32,
    /// The place after the last node within.
    pub(super) end: u32,
    /// Element: its namespace.
    pub(super) ns: NsId,
    pub(super) attributes: (u32, u16),
    pub(super) declarations: (u32, u16),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Attribute {
    pub(super) name: Span,
    pub(super) prefix_len: u16,
    /// Holds none of `& " \t \n \r`: value, source and canonical form are one.
    pub(super) plain: bool,
    pub(super) ns: NsId,
    pub(super) value: Span,
}

/// A namespace declaration on an element.
#[derive(Clone, Copy, Debug)]
pub(super) struct Declaration {
    /// Empty for the default namespace.
    pub(super) prefix: Span,
    pub(super) ns: NsId,
}

/// A document that the strict reader took.
pub struct Document<'a> {
    pub(super) source: &'a str,
    pub(super) nodes: Vec<Node>,
    pub(super) attributes: Vec<Attribute>,
    pub(super) declarations: Vec<Declaration>,
    pub(super) namespaces: Vec<Cow<'a, str>>,
}

/// Its size only: what a message says is for no log.
impl std::fmt::Debug for Document<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Document({} bytes, {} nodes)", self.source.len(), self.nodes.len())
    }
}

impl<'a> Document<'a> {
    /// The document element.
    pub fn root(&self) -> Element<'_> {
        Element { doc: self, id: 0 }
    }

    pub(super) fn slice(&self, span: Span) -> &str {
        self.source.get(span.start as usize..span.end as usize).unwrap_or_default()
    }

    pub(super) fn namespace(&self, id: NsId) -> &str {
        self.namespaces.get(id as usize).map_or("", AsRef::as_ref)
    }

    /// Every element, in document order.
    pub fn elements(&self) -> impl Iterator<Item = Element<'_>> {
        (0u32..)
            .zip(&self.nodes)
            .filter(|(_, node)| node.kind == Kind::Element)
            .map(|(id, _)| Element { doc: self, id })
    }

    /// Refuses a document in which two attributes that some reader may take for IDs have one value (T4; SAML Core 5.4.2).
    ///
    /// `ID`, `Id`, `id` and `xml:id` all count, whatever their element: a signature's Reference must have one meaning.
    ///
    /// # Errors
    /// `id_duplicate`.
    pub fn ids_are_unique(&self) -> Result<(), Reject> {
        let mut few: [Option<Cow<'_, str>>; 8] = [const { None }; 8];
        let mut many: HashMap<Cow<'_, str>, ()> = HashMap::new();
        for attribute in self.attributes.iter().filter(|a| self.local(a.name, a.prefix_len).eq_ignore_ascii_case("id"))
        {
            let value = self.value(attribute);
            let seen = few.iter().flatten().any(|v| *v == value) || many.contains_key(&value);
            if seen {
                return Err(Reject::new(Reason::IdDuplicate, format_args!("two elements have the ID {value:?}")));
            }
            match few.iter_mut().find(|slot| slot.is_none()) {
                Some(slot) => *slot = Some(value),
                None => {
                    many.insert(value, ());
                }
            }
        }
        Ok(())
    }

    /// Whether some attribute that a reader may take for an ID has this value.
    pub fn has_id(&self, id: &str) -> bool {
        let ids = self.attributes.iter().filter(|a| self.local(a.name, a.prefix_len).eq_ignore_ascii_case("id"));
        ids.map(|a| self.value(a)).any(|value| value == id)
    }

    pub(super) fn local(&self, name: Span, prefix_len: u16) -> &str {
        let skip = if prefix_len == 0 { 0 } else { u32::from(prefix_len) + 1 };
        self.slice(Span { start: name.start + skip, end: name.end })
    }

    pub(super) fn prefix(&self, name: Span, prefix_len: u16) -> &str {
        self.slice(Span { start: name.start, end: name.start + u32::from(prefix_len) })
    }

    pub(super) fn value(&self, attribute: &Attribute) -> Cow<'_, str> {
        let raw = self.slice(attribute.value);
        if attribute.plain { Cow::Borrowed(raw) } else { normalise(raw, Mode::Attribute) }
    }

    pub(super) fn attributes_of(&self, node: &Node) -> &[Attribute] {
        let (first, count) = node.attributes;
        self.attributes.get(first as usize..first as usize + usize::from(count)).unwrap_or_default()
    }

    pub(super) fn declarations_of(&self, node: &Node) -> &[Declaration] {
        let (first, count) = node.declarations;
        self.declarations.get(first as usize..first as usize + usize::from(count)).unwrap_or_default()
    }

    /// The text of a Text, Cdata or Comment node.
    pub(super) fn content(&self, node: &Node) -> Cow<'_, str> {
        let raw = self.slice(node.span);
        match node.kind {
            Kind::Text if node.plain => Cow::Borrowed(raw),
            Kind::Text => normalise(raw, Mode::Text),
            Kind::Cdata | Kind::Comment => normalise(raw, Mode::Raw),
            Kind::Element => Cow::Borrowed(""),
        }
    }
}

/// One element of a document: two words, copied freely.
#[derive(Clone, Copy, Debug)]
pub struct Element<'d> {
    pub(super) doc: &'d Document<'d>,
    pub(super) id: u32,
}

impl PartialEq for Element<'_> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.doc, other.doc) && self.id == other.id
    }
}

/// What stands for a node that is not there: cannot come up, and is refused everywhere if it does.
static NOTHING: Node = Node {
    kind: Kind::Comment,
    plain: true,
    prefix_len: 0,
    span: Span { start: 0, end: 0 },
    parent: 0,
    end: 0,
    ns: NO_NS,
    attributes: (0, 0),
    declarations: (0, 0),
};

impl<'d> Element<'d> {
    pub(super) fn node(&self) -> &'d Node {
        self.doc.nodes.get(self.id as usize).unwrap_or(&NOTHING)
    }

    /// The document that it is part of.
    pub fn document(&self) -> &'d Document<'d> {
        self.doc
    }

    /// The namespace name; empty for none.
    pub fn namespace(&self) -> &'d str {
        self.doc.namespace(self.node().ns)
    }

    /// The name without its prefix.
    pub fn local_name(&self) -> &'d str {
        let node = self.node();
        self.doc.local(node.span, node.prefix_len)
    }

    /// Whether this is `{namespace}local`. Names are never compared in any other way: a prefix means nothing (T4).
    pub fn is(&self, namespace: &str, local: &str) -> bool {
        same(self.local_name(), local) && same(self.namespace(), namespace)
    }

    /// The enclosing element; none for the document element.
    pub fn parent(&self) -> Option<Element<'d>> {
        let parent = self.node().parent;
        (parent != self.id).then_some(Element { doc: self.doc, id: parent })
    }

    /// The child elements, in document order.
    pub fn children(&self) -> Children<'d> {
        Children { doc: self.doc, next: self.id + 1, end: self.node().end }
    }

    /// Whether `other` is this element or stands within it.
    pub fn contains(&self, other: Element<'_>) -> bool {
        std::ptr::eq(self.doc, other.doc) && (self.id..self.node().end).contains(&other.id)
    }

    /// The value of the attribute `local` without a namespace.
    pub fn attribute(&self, local: &str) -> Option<Cow<'d, str>> {
        self.attribute_ns("", local)
    }

    /// The value of the attribute `{namespace}local`.
    pub fn attribute_ns(&self, namespace: &str, local: &str) -> Option<Cow<'d, str>> {
        self.doc
            .attributes_of(self.node())
            .iter()
            .find(|a| same(self.doc.local(a.name, a.prefix_len), local) && same(self.doc.namespace(a.ns), namespace))
            .map(|a| self.doc.value(a))
    }

    /// Every attribute as (namespace, local name, value), in document order.
    pub fn attributes(&self) -> impl Iterator<Item = (&'d str, &'d str, Cow<'d, str>)> {
        let doc = self.doc;
        doc.attributes_of(self.node())
            .iter()
            .map(move |a| (doc.namespace(a.ns), doc.local(a.name, a.prefix_len), doc.value(a)))
    }

    /// The whole text of an element that holds only text: CDATA taken in, references expanded, comments left out (T12).
    ///
    /// None when an element stands within: then it has no text of its own.
    pub fn text(&self) -> Option<Cow<'d, str>> {
        let mut out: Cow<'d, str> = Cow::Borrowed("");
        for node in self.inner() {
            match node.kind {
                Kind::Element => return None,
                Kind::Comment => {}
                Kind::Text | Kind::Cdata => {
                    let piece = self.doc.content(node);
                    if out.is_empty() {
                        out = piece;
                    } else {
                        out.to_mut().push_str(&piece);
                    }
                }
            }
        }
        Some(out)
    }

    /// The text of an element that holds nothing but one plain run of characters: no comment, CDATA section or
    /// reference. What base64 in a signature must look like (T11).
    pub fn plain_text(&self) -> Option<&'d str> {
        match self.inner() {
            [Node { kind: Kind::Text, plain, span, .. }] => {
                let raw = self.doc.slice(*span);
                // Line ends stay as written: whoever reads base64 passes over white space.
                (*plain || !raw.contains('&')).then_some(raw)
            }
            _ => None,
        }
    }

    /// Whether it holds child elements and white space, and nothing else: no other text, no comment, no CDATA section.
    pub fn is_strict_container(&self) -> bool {
        let end = self.node().end;
        let mut at = self.id + 1;
        while at < end {
            let Some(node) = self.doc.nodes.get(at as usize) else { return false };
            let fine = match node.kind {
                Kind::Element => true,
                Kind::Text => self.doc.slice(node.span).bytes().all(super::names::is_space),
                Kind::Cdata | Kind::Comment => false,
            };
            if !fine {
                return false;
            }
            at = node.end.max(at + 1);
        }
        true
    }

    /// Whether text other than white space stands directly within it.
    pub fn has_stray_text(&self) -> bool {
        let (mut at, end) = (self.id + 1, self.node().end);
        while at < end {
            let Some(node) = self.doc.nodes.get(at as usize) else { return false };
            if matches!(node.kind, Kind::Text | Kind::Cdata) && !self.doc.content(node).trim().is_empty() {
                return true;
            }
            at = node.end.max(at + 1);
        }
        false
    }

    pub(super) fn inner(&self) -> &'d [Node] {
        self.doc.nodes.get(self.id as usize + 1..self.node().end as usize).unwrap_or_default()
    }
}

/// The child elements of an element.
#[derive(Clone, Debug)]
pub struct Children<'d> {
    doc: &'d Document<'d>,
    next: u32,
    end: u32,
}

impl<'d> Iterator for Children<'d> {
    type Item = Element<'d>;

    fn next(&mut self) -> Option<Element<'d>> {
        while self.next < self.end {
            let id = self.next;
            let node = self.doc.nodes.get(id as usize)?;
            self.next = node.end.max(id + 1);
            if node.kind == Kind::Element {
                return Some(Element { doc: self.doc, id });
            }
        }
        None
    }
}
