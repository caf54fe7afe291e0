//! The two languages of our pages.

use serde::{Deserialize, Serialize};

/// The language a person reads our pages in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Locale {
    /// Swedish, the default.
    #[default]
    Sv,
    /// English.
    En,
}

impl Locale {
    /// From the first part of a language tag (`sv-SE`, `en`), in any case; none for another language.
    pub fn parse(tag: &str) -> Option<Self> {
        let first = tag.split(['-', '_']).next().unwrap_or_default();
        if first.eq_ignore_ascii_case("sv") {
            Some(Self::Sv)
        } else if first.eq_ignore_ascii_case("en") {
            Some(Self::En)
        } else {
            None
        }
    }

    /// The language tag (BCP 47), as in HTML's `lang`.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Sv => "sv",
            Self::En => "en",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_does_not_hide_the_language() {
        assert_eq!(Locale::parse("sv-SE"), Some(Locale::Sv));
        assert_eq!(Locale::parse("EN"), Some(Locale::En));
        assert_eq!(Locale::parse("svx"), None);
        assert_eq!(Locale::parse(""), None);
    }
}
