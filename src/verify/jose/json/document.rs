//! What was read: the text, and a flat array of where things stand in it.

use std::borrow::Cow;

use super::reader;
use crate::base::limits::JsonLimits;
use crate::verify::Reject;

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool,
    /// A number.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

/// A value, or the name of a member, which stands before its value.
#[derive(Clone, Copy)]
pub(super) struct Node {
    pub(super) kind: Kind,
    /// Whether a string holds an escape: then it is not its own source.
    pub(super) escaped: bool,
    pub(super) start: u32,
    pub(super) end: u32,
    /// The node after this one and all that is in it.
    pub(super) next: u32,
}

/// A JSON object and everything in it. It has no `Debug`: claims are personal data.
pub struct Document {
    pub(super) text: String,
    pub(super) nodes: Vec<Node>,
}

impl Document {
    /// Reads a text that holds one object.
    ///
    /// # Errors
    /// `message_too_large`, `json_not_utf8`, `json_malformed`, `json_bad_character`, `json_duplicate_member`,
    /// `json_too_deep` and `json_too_large`.
    pub fn read(source: Vec<u8>, limits: &JsonLimits) -> Result<Self, Reject> {
        reader::read(source, limits)
    }

    /// The object.
    pub const fn root(&self) -> Object<'_> {
        Object(Value { document: self, at: 0 })
    }

    /// The text that it was read from.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// A value within a document. It has no `Debug`: claims are personal data.
#[derive(Clone, Copy)]
pub struct Value<'d> {
    document: &'d Document,
    at: u32,
}

/// An object within a document.
#[derive(Clone, Copy)]
pub struct Object<'d>(Value<'d>);

/// A member of an object.
pub struct Member<'d> {
    /// Its name, without escapes.
    pub name: Cow<'d, str>,
    /// Its value.
    pub value: Value<'d>,
}

impl<'d> Value<'d> {
    fn node(self) -> Node {
        // Every index was made by the reader; an empty value stands for what cannot be.
        let none = Node { kind: Kind::Null, escaped: false, start: 0, end: 0, next: u32::MAX };
        self.document.nodes.get(self.at as usize).copied().unwrap_or(none)
    }

    /// What it is.
    pub fn kind(self) -> Kind {
        self.node().kind
    }

    /// Its source: of a string without the quotes.
    pub fn source(self) -> &'d str {
        let node = self.node();
        self.document.text.get(node.start as usize..node.end as usize).unwrap_or_default()
    }

    /// The text of a string.
    pub fn as_text(self) -> Option<Cow<'d, str>> {
        let node = self.node();
        match node.kind {
            Kind::String if node.escaped => Some(Cow::Owned(reader::unescaped(self.source()))),
            Kind::String => Some(Cow::Borrowed(self.source())),
            _ => None,
        }
    }

    /// A whole number that is written as one: no sign, no fraction, no exponent.
    pub fn as_whole(self) -> Option<u64> {
        match self.kind() {
            Kind::Number => self.source().parse().ok(),
            _ => None,
        }
    }

    /// `true` or `false`.
    pub fn as_bool(self) -> Option<bool> {
        match self.kind() {
            Kind::Bool => Some(self.source() == "true"),
            _ => None,
        }
    }

    /// The values of an array.
    pub fn as_array(self) -> Option<impl Iterator<Item = Value<'d>>> {
        (self.kind() == Kind::Array).then(|| self.children())
    }

    /// As an object.
    pub fn as_object(self) -> Option<Object<'d>> {
        (self.kind() == Kind::Object).then_some(Object(self))
    }

    /// What stands directly in an array or object; of an object names and values in turn.
    fn children(self) -> impl Iterator<Item = Value<'d>> {
        let (mut at, end) = (self.at + 1, self.node().next);
        std::iter::from_fn(move || {
            let child = Value { document: self.document, at };
            let inside = at < end;
            at = child.node().next;
            inside.then_some(child)
        })
    }
}

impl<'d> Object<'d> {
    /// As a value.
    pub const fn value(self) -> Value<'d> {
        self.0
    }

    /// Its members, in the order of the text.
    pub fn members(self) -> impl Iterator<Item = Member<'d>> {
        let mut children = self.0.children();
        std::iter::from_fn(move || {
            Some(Member { name: children.next()?.as_text().unwrap_or_default(), value: children.next()? })
        })
    }

    /// The value of a member.
    pub fn get(self, name: &str) -> Option<Value<'d>> {
        self.members().find(|member| member.name == name).map(|member| member.value)
    }
}
