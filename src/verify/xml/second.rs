//! The second reader: xml-rs, unrelated to ours, with a veto and nothing else.
//!
//! Parser differentials are how SAML was broken most often (T2). A document on which two unrelated readers disagree is
//! refused; nothing is ever read from this one. It runs only on what our reader has taken under its limits, because a
//! few thousand namespace declarations keep it busy for seconds.

use std::borrow::Cow;

use xml::reader::{EventReader, ParserConfig, XmlEvent};

use super::document::{Document, Element, Kind};
use crate::verify::{Reason, Reject};

/// Reads the document again and compares: the sequence of namespace, local name, sorted attributes and normalised text.
///
/// # Errors
/// `xml_readers_disagree` when the second reader refuses the document or sees another one.
pub fn veto(doc: &Document<'_>) -> Result<(), Reject> {
    let source = doc.source.strip_prefix('\u{FEFF}').unwrap_or(doc.source);
    let len = source.len();
    let mut config = ParserConfig::new()
        .cdata_to_characters(true)
        .whitespace_to_characters(true)
        .trim_whitespace(false)
        .coalesce_characters(true)
        .ignore_comments(true)
        .allow_multiple_root_elements(false);
    // Its own limits are ours: it must not refuse for length what our reader took.
    config.max_name_length = len.max(1);
    config.max_attribute_length = len.max(1);
    config.max_data_length = len.max(1);
    config.max_attributes = 512;
    let mut theirs = Theirs { reader: EventReader::new_with_config(source.as_bytes(), config), text: String::new() };
    let mut ours = Ours { doc, next: 0, open: Vec::new() };
    loop {
        match (ours.next_tag(), theirs.next_tag()?) {
            (None, None) => return Ok(()),
            (Some(our), Some(their)) if our == their => {}
            (our, _) => {
                let place = our.map_or("the end".into(), |tag| tag.place());
                return Err(disagree(format_args!("the two readers see different documents at {place}")));
            }
        }
    }
}

fn disagree(detail: impl std::fmt::Display) -> Reject {
    Reject::new(Reason::XmlReadersDisagree, detail)
}

/// What both readers are reduced to: a tag with the text before it.
#[derive(PartialEq, Eq)]
enum Tag<'t> {
    Start { text: Cow<'t, str>, namespace: Cow<'t, str>, local: Cow<'t, str>, attributes: Vec<[Cow<'t, str>; 3]> },
    End { text: Cow<'t, str> },
}

impl Tag<'_> {
    fn place(&self) -> String {
        match self {
            Self::Start { local, .. } => format!("the element {local}"),
            Self::End { .. } => "an end tag".into(),
        }
    }
}

struct Ours<'d> {
    doc: &'d Document<'d>,
    next: u32,
    /// The ends of the open elements.
    open: Vec<u32>,
}

impl<'d> Ours<'d> {
    fn next_tag(&mut self) -> Option<Tag<'d>> {
        let mut text: Cow<'d, str> = Cow::Borrowed("");
        loop {
            if self.open.pop_if(|end| *end <= self.next).is_some() {
                return Some(Tag::End { text });
            }
            let id = self.next;
            let node = self.doc.nodes.get(id as usize)?;
            self.next += 1;
            match node.kind {
                Kind::Comment => {}
                Kind::Text | Kind::Cdata => {
                    let piece = self.doc.content(node);
                    if text.is_empty() { text = piece } else { text.to_mut().push_str(&piece) }
                }
                Kind::Element => {
                    let element = Element { doc: self.doc, id };
                    self.open.push(node.end);
                    let mut attributes: Vec<_> =
                        element.attributes().map(|(ns, local, value)| [ns.into(), local.into(), value]).collect();
                    attributes.sort_unstable();
                    let (namespace, local) = (element.namespace().into(), element.local_name().into());
                    return Some(Tag::Start { text, namespace, local, attributes });
                }
            }
        }
    }
}

struct Theirs<'s> {
    reader: EventReader<&'s [u8]>,
    text: String,
}

impl Theirs<'_> {
    fn next_tag(&mut self) -> Result<Option<Tag<'static>>, Reject> {
        loop {
            let event =
                self.reader.next().map_err(|e| disagree(format_args!("the second reader refuses it: {}", e.msg())))?;
            match event {
                XmlEvent::StartElement { name, attributes, .. } => {
                    let mut attributes: Vec<[Cow<'static, str>; 3]> = attributes
                        .into_iter()
                        .map(|a| {
                            [a.name.namespace.unwrap_or_default().into(), a.name.local_name.into(), a.value.into()]
                        })
                        .collect();
                    attributes.sort_unstable();
                    return Ok(Some(Tag::Start {
                        text: std::mem::take(&mut self.text).into(),
                        namespace: name.namespace.unwrap_or_default().into(),
                        local: name.local_name.into(),
                        attributes,
                    }));
                }
                XmlEvent::EndElement { .. } => {
                    return Ok(Some(Tag::End { text: std::mem::take(&mut self.text).into() }));
                }
                XmlEvent::Characters(text) | XmlEvent::CData(text) | XmlEvent::Whitespace(text) => {
                    self.text.push_str(&text);
                }
                XmlEvent::Doctype { .. } => return Err(disagree("the second reader sees a DOCTYPE")),
                // Skipped by our reader around the document element of a feed; refused anywhere else.
                XmlEvent::ProcessingInstruction { .. } | XmlEvent::Comment(_) | XmlEvent::StartDocument { .. } => {}
                XmlEvent::EndDocument => return Ok(None),
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::super::read;
    use super::*;
    use crate::base::limits::{FEED, MESSAGE};

    #[test]
    fn documents_that_both_readers_see_alike_pass() {
        for xml in [
            "<a/>",
            "\u{FEFF}<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<!-- c --><a/>\n",
            "<p:a xmlns:p='u:p' p:x='1' x=\"2\"><b xmlns='u:b'>t<!-- c -->u<![CDATA[<&]]>&#x1F600;\r\n</b> </p:a>",
            "<a x='&lt;&#9;\t\r\n'>&amp;</a>",
        ] {
            assert_eq!(veto(&read(xml.as_bytes(), &MESSAGE).unwrap()), Ok(()), "{xml:?}");
        }
        let feed = "<?xml-stylesheet x?><a/><?after?>";
        assert_eq!(veto(&read(feed.as_bytes(), &FEED).unwrap()), Ok(()));
    }

    #[test]
    fn a_document_that_the_readers_see_differently_is_refused() {
        // No document is known on which our reader errs, so the tree is bent by hand.
        let bends: [(&str, fn(&mut Document<'_>)); 6] = [
            ("another namespace", |d| d.nodes[1].ns = 0),
            ("an attribute less", |d| d.nodes[1].attributes.1 = 0),
            ("another attribute value", |d| d.attributes[0].value.end -= 1),
            ("a shorter text", |d| d.nodes[2].span.end -= 1),
            ("an element less", |d| d.nodes.truncate(1)),
            ("an element moved in", |d| d.nodes[1].end += 1),
        ];
        for (what, bend) in bends {
            let mut doc = read(b"<a xmlns='u:a'><b x='12'/>text</a>", &MESSAGE).unwrap();
            assert_eq!(veto(&doc), Ok(()));
            bend(&mut doc);
            assert_eq!(veto(&doc).map_err(|r| r.reason()), Err(Reason::XmlReadersDisagree), "{what}");
        }
    }
}
