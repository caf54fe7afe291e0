//! Small helpers that hold messages to SAML's schema: what is missing, doubled or misplaced is refused.

use std::borrow::Cow;

use crate::base::UnixTime;
use crate::verify::dsig::SignedElement;
use crate::verify::xml::{Element, ns};
use crate::verify::{Reason, Reject};

/// What the two kinds of element have in common: signed ones, and those of an unsigned Response around a signed
/// Assertion, whose values may only refuse.
pub(super) trait Readable<'d>: Copy {
    fn is(&self, namespace: &str, local: &str) -> bool;
    fn local_name(&self) -> &'d str;
    fn attribute(&self, local: &str) -> Option<Cow<'d, str>>;
    fn attribute_ns(&self, namespace: &str, local: &str) -> Option<Cow<'d, str>>;
    fn text(&self) -> Option<Cow<'d, str>>;
    fn has_stray_text(&self) -> bool;
    fn children(&self) -> impl Iterator<Item = Self>;
}

macro_rules! readable {
    ($type:ident) => {
        impl<'d> Readable<'d> for $type<'d> {
            fn is(&self, namespace: &str, local: &str) -> bool {
                $type::is(self, namespace, local)
            }
            fn local_name(&self) -> &'d str {
                $type::local_name(self)
            }
            fn attribute(&self, local: &str) -> Option<Cow<'d, str>> {
                $type::attribute(self, local)
            }
            fn attribute_ns(&self, namespace: &str, local: &str) -> Option<Cow<'d, str>> {
                $type::attribute_ns(self, namespace, local)
            }
            fn text(&self) -> Option<Cow<'d, str>> {
                $type::text(self)
            }
            fn has_stray_text(&self) -> bool {
                $type::has_stray_text(self)
            }
            fn children(&self) -> impl Iterator<Item = Self> {
                $type::children(self)
            }
        }
    };
}

readable!(Element);
readable!(SignedElement);

pub(super) fn schema(what: impl std::fmt::Display) -> Reject {
    Reject::new(Reason::SamlSchema, what)
}

/// The children of `element`, which must come in the order of `names`, each at most once. A child of another name, one
/// out of order and stray text are `saml_schema`. A Signature between them was judged before and is passed over.
pub(super) fn sequence<'d, E: Readable<'d>, const N: usize>(
    element: E,
    names: [(&str, &str); N],
) -> Result<[Option<E>; N], Reject> {
    if element.has_stray_text() {
        return Err(schema(format_args!("text in {}", element.local_name())));
    }
    let mut out = [None; N];
    let mut children = element.children().filter(|child| !child.is(ns::DS, "Signature")).peekable();
    for (slot, (namespace, local)) in out.iter_mut().zip(names) {
        *slot = children.next_if(|child| child.is(namespace, local));
    }
    match children.next() {
        Some(extra) => {
            let detail =
                format_args!("{} is doubled, misplaced or unknown in {}", extra.local_name(), element.local_name());
            Err(schema(detail))
        }
        None => Ok(out),
    }
}

/// An attribute that must be there and not be empty.
pub(super) fn required<'d>(element: impl Readable<'d>, local: &str) -> Result<Cow<'d, str>, Reject> {
    element
        .attribute(local)
        .filter(|value| !value.is_empty())
        .ok_or_else(|| schema(format_args!("{} has no {local}", element.local_name())))
}

/// An instant in an attribute; none when the attribute is not there.
pub(super) fn instant<'d>(element: impl Readable<'d>, local: &str) -> Result<Option<UnixTime>, Reject> {
    let Some(text) = element.attribute(local) else { return Ok(None) };
    UnixTime::parse_saml(&text).map(Some).map_err(|e| {
        Reject::new(Reason::TimeMalformed, format_args!("{local} of {}: {text:?}: {e}", element.local_name()))
    })
}

/// An instant that must be there.
pub(super) fn required_instant<'d>(element: impl Readable<'d>, local: &str) -> Result<UnixTime, Reject> {
    instant(element, local)?.ok_or_else(|| schema(format_args!("{} has no {local}", element.local_name())))
}

/// `Version`, which must be 2.0 (SAML Core 4.1.3).
pub(super) fn version<'d>(element: impl Readable<'d>) -> Result<(), Reject> {
    match element.attribute("Version").as_deref() {
        Some("2.0") => Ok(()),
        other => {
            let detail = format_args!("{} has the version {other:?}; 2.0 is taken", element.local_name());
            Err(Reject::new(Reason::SamlVersion, detail))
        }
    }
}

/// The text of an element whose type is `xs:anyURI`: white space around it is no part of it (XML Schema 2, 3.2.17).
pub(super) fn uri_text<'d>(element: impl Readable<'d>) -> Option<String> {
    element.text().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// An Issuer: a name of the entity format or of none (SAML Core 2.2.5, 8.3.6).
pub(super) fn issuer<'d>(element: impl Readable<'d>) -> Result<Cow<'d, str>, Reject> {
    let format = element.attribute("Format");
    if format.is_some_and(|f| f != "urn:oasis:names:tc:SAML:2.0:nameid-format:entity") {
        return Err(schema("an Issuer of another format than entity"));
    }
    element.text().filter(|text| !text.is_empty()).ok_or_else(|| Reject::new(Reason::IssuerMissing, "an empty Issuer"))
}
