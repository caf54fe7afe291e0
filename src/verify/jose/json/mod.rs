//! JSON (RFC 8259), read strictly: one text, one meaning.
//!
//! Ours and not a library's, since readers differ just where tokens are forged: a member that stands twice, half of a
//! surrogate pair, a number beyond what a float holds. A name twice is refused at every depth, no number is rounded, and
//! nothing is copied: the document keeps its text and says where things stand in it.

mod document;
mod reader;

pub use document::{Document, Kind, Member, Object, Value};

#[cfg(test)]
mod tests;
