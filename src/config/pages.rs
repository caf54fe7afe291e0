//! `[pages]`: the agency's own words on our pages, by language.

use std::sync::Arc;

use super::logo::{Logo, read_logo};
use super::reader::{Section, Text};
use crate::session::Locale;

/// A text in Swedish, and in English where that is another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Localised {
    sv: String,
    en: Option<String>,
}

impl Localised {
    /// In both languages.
    pub fn new(sv: impl Into<String>, en: Option<String>) -> Self {
        Self { sv: sv.into(), en }
    }

    /// In a language; in Swedish where there is nothing else.
    pub fn get(&self, locale: Locale) -> &str {
        match (locale, &self.en) {
            (Locale::En, Some(en)) => en,
            _ => &self.sv,
        }
    }

    /// The English text, where there is one of its own.
    pub fn en(&self) -> Option<&str> {
        self.en.as_deref()
    }
}

impl From<&str> for Localised {
    /// One text for both languages.
    fn from(text: &str) -> Self {
        Self::new(text, None)
    }
}

/// `[pages]`: the agency's own words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pages {
    /// What the e-service is called.
    pub service_name: Option<Localised>,
    /// Who is behind it.
    pub owner: Option<Localised>,
    /// E-mail, https address, or words that say how to reach support.
    pub contact: Option<Localised>,
    /// Telephone.
    pub phone: Option<Localised>,
    /// Where those go who cannot log in.
    pub other_ways_url: Option<Localised>,
    /// Accessibility statement.
    pub accessibility_statement_url: Option<Localised>,
    /// About personal data.
    pub privacy_url: Option<Localised>,
    /// A picture, from a local file.
    pub logo: Option<Arc<Logo>>,
}

pub(super) fn read_pages(root: &mut Section<'_>) -> Pages {
    let Some(mut s) = root.section("pages") else { return Pages::default() };
    let pages = Pages {
        service_name: localised(&mut s, "service_name", words),
        owner: localised(&mut s, "owner", words),
        contact: localised(&mut s, "contact", words),
        phone: localised(&mut s, "phone", words),
        other_ways_url: localised(&mut s, "other_ways_url", link),
        accessibility_statement_url: localised(&mut s, "accessibility_statement_url", link),
        privacy_url: localised(&mut s, "privacy_url", link),
        logo: read_logo(&mut s, "logo").map(Arc::new),
    };
    s.finish();
    pages
}

/// `key = "text"`, which stands on pages of both languages, or `key = { sv = "…", en = "…" }`.
pub(super) fn localised(
    section: &mut Section<'_>,
    key: &'static str,
    check: fn(&str) -> Result<(), &'static str>,
) -> Option<Localised> {
    let held = |section: &Section<'_>, text: Option<Text>| {
        let text = text?;
        match check(&text.text) {
            Ok(()) => Some(text.text),
            Err(wrong) => {
                section.problem(&text.at, format!("`{key}` {wrong}"));
                None
            }
        }
    };
    if !section.holds_table(key) {
        let text = section.text(key);
        return held(section, text).map(|text| Localised::new(text, None));
    }
    let mut table = section.section(key)?;
    if !table.has("sv") {
        table.missing("sv", "the Swedish text");
    }
    let [sv, en] = ["sv", "en"].map(|language| {
        let text = table.text(language);
        held(&table, text)
    });
    table.finish();
    Some(Localised::new(sv?, en))
}

/// Words that stand on a page.
pub(super) fn words(text: &str) -> Result<(), &'static str> {
    // A page about a problem is no place for an essay, and a heading must fit 320 pixels.
    match text.trim() {
        "" => Err("is empty; leave it out if nothing is meant by it"),
        text if text.chars().count() > 400 => Err("may hold 400 characters at the most"),
        text if text.chars().any(|c| c.is_control() && c != '\n') => Err("holds control characters"),
        _ => Ok(()),
    }
}

/// An address that a page links to: never a script.
fn link(text: &str) -> Result<(), &'static str> {
    let good = text.len() > "https://".len() && text.starts_with("https://");
    if good && !text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        Ok(())
    } else {
        Err("must be an https address")
    }
}
