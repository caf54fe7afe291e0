//! What every page knows of the service, and what is around the matter of a page.

use std::borrow::Cow;
use std::sync::LazyLock;

use crate::base::{ProviderId, UnixTime};
use crate::config::{Localised, Notice, Pages};
use crate::crypto::digest::sha256;
use crate::http::own_paths::STYLE;
use crate::http::text::{Words, fill, listed, words};
use crate::session::Locale;

/// What every page knows: the service, and where our own paths are.
#[derive(Clone, Debug, Default)]
pub struct Site {
    /// What the service is called.
    pub service_name: Localised,
    /// The path of our own paths as a browser sees it: the base_url's path and the prefix, without a slash at the end.
    pub prefix: String,
    /// The path of the service's front page.
    pub home: String,
    /// The base_url's origin, as browsers write it in `Origin`.
    pub origin: String,
    /// The agency's own words, and its logo.
    pub own: Pages,
    /// Planned maintenance, by when it begins.
    pub notices: Vec<Notice>,
    /// Whether a provider is found by plain http, which the configuration takes on loopback.
    pub plain_http: bool,
    /// What people know each provider by.
    pub labels: Vec<(ProviderId, String)>,
}

impl Site {
    /// The address of one of our own paths, such as `/eid/logout`.
    pub fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.prefix)
    }

    /// The address that begins a login for `rd`, a path with its query.
    pub fn login(&self, rd: &str, more: &[(&str, &str)]) -> String {
        let mut out = self.path("login");
        let mut mark = '?';
        for (name, value) in std::iter::once(("rd", rd)).chain(more.iter().copied()) {
            out.push(mark);
            out.push_str(name);
            out.push('=');
            out.extend(percent_encoding::utf8_percent_encode(value, QUERY_VALUE));
            mark = '&';
        }
        out
    }
}

/// A value in a query: slashes stay readable, everything else that means something is encoded (RFC 3986, 3.4).
const QUERY_VALUE: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// For whom a page is made, and when.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The service.
    pub site: &'a Site,
    /// The person's language.
    pub locale: Locale,
    /// The instant: it decides which notices are there to read.
    pub now: UnixTime,
}

impl<'a> View<'a> {
    /// The words of the person's language.
    pub const fn words(&self) -> &'static Words {
        words(self.locale)
    }

    /// What the service is called.
    pub(super) fn service(&self) -> &'a str {
        self.site.service_name.get(self.locale)
    }
}

/// A link with its text.
pub(super) struct Link {
    pub(super) href: String,
    pub(super) text: &'static str,
}

/// The same page in the other language, one link away.
pub(super) struct OtherLanguage {
    pub(super) href: String,
    pub(super) tag: &'static str,
    pub(super) name: &'static str,
}

/// What is around the matter of a page.
pub(super) struct Frame<'a> {
    pub(super) view: View<'a>,
    pub(super) other_language: Option<OtherLanguage>,
}

/// Which style sheet this is: browsers keep one for an hour, and a new version must not meet the old one's.
static STYLE_VERSION: LazyLock<String> = LazyLock::new(|| short_digest(STYLE.as_bytes()));

fn short_digest(bytes: &[u8]) -> String {
    sha256(bytes).iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

/// An entry at the foot of a page: what it is, in words, as a link where it is one.
pub(super) struct Entry<'a> {
    pub(super) name: Option<&'static str>,
    pub(super) text: &'a str,
    pub(super) href: Option<Cow<'a, str>>,
}

impl<'a> Frame<'a> {
    pub(super) const fn new(view: View<'a>) -> Self {
        Self { view, other_language: None }
    }

    /// With a link to the same page in the other language, at `href` of that language's tag.
    pub(super) fn in_both(mut self, href: impl FnOnce(&'static str) -> String) -> Self {
        let other = other(self.view.locale);
        let (tag, name) = (other.tag(), words(other).this_language);
        self.other_language = Some(OtherLanguage { href: href(tag), tag, name });
        self
    }

    pub(super) const fn words(&self) -> &'static Words {
        self.view.words()
    }

    pub(super) fn style(&self) -> String {
        format!("{}/assets/style.css?v={}", self.view.site.prefix, *STYLE_VERSION)
    }

    /// The logo's address, and what it shows, in words.
    pub(super) fn logo(&self) -> Option<(String, &'a str)> {
        let site = self.view.site;
        let logo = site.own.logo.as_ref()?;
        let alt = site.own.owner.as_ref().map_or("", |owner| owner.get(self.view.locale));
        Some((format!("{}/assets/logo?v={}", site.prefix, short_digest(&logo.bytes)), alt))
    }

    /// How to reach somebody, and what the law asks for.
    pub(super) fn foot(&self) -> Vec<Entry<'a>> {
        let (own, words, locale) = (&self.view.site.own, self.words(), self.view.locale);
        let mut out = Vec::new();
        if let Some(owner) = &own.owner {
            out.push(Entry { name: Some(words.owner), text: owner.get(locale), href: None });
        }
        if let Some(contact) = &own.contact {
            let text = contact.get(locale);
            out.push(Entry { name: Some(words.contact), text, href: reach(text) });
        }
        if let Some(phone) = &own.phone {
            let text = phone.get(locale);
            out.push(Entry { name: Some(words.phone), text, href: call(text) });
        }
        for (url, text) in [
            (&own.other_ways_url, words.other_ways),
            (&own.accessibility_statement_url, words.accessibility),
            (&own.privacy_url, words.privacy),
        ] {
            if let Some(url) = url {
                out.push(Entry { name: None, text, href: Some(url.get(locale).into()) });
            }
        }
        out
    }
}

/// The other one of two.
pub(super) const fn other(locale: Locale) -> Locale {
    match locale {
        Locale::Sv => Locale::En,
        Locale::En => Locale::Sv,
    }
}

/// Where a contact leads: an https address, or an e-mail address that nothing has to be encoded in. Other words are only
/// read.
fn reach(contact: &str) -> Option<Cow<'_, str>> {
    if contact.starts_with("https://") && !contact.contains(char::is_whitespace) {
        return Some(contact.into());
    }
    let plain = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'+'))
    };
    let (name, host) = contact.split_once('@')?;
    (plain(name) && plain(host) && host.contains('.')).then(|| format!("mailto:{contact}").into())
}

/// A number that can be dialled (RFC 3966); none where there is more than a number.
fn call(phone: &str) -> Option<Cow<'_, str>> {
    let number: String = phone.chars().filter(|c| !matches!(c, ' ' | '-' | '\u{a0}' | '(' | ')')).collect();
    let digits = number.strip_prefix('+').unwrap_or(&number);
    let good = (4..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    good.then(|| format!("tel:{number}").into())
}

/// Planned maintenance as a page tells of it.
pub(super) struct Told<'a> {
    pub(super) title: &'static str,
    pub(super) span: String,
    pub(super) text: &'a str,
    /// Whom it is about; none for everybody.
    pub(super) about: Option<String>,
}

impl<'a> View<'a> {
    /// The notices that are there to read; with `only_on`, those of maintenance that goes on.
    pub(super) fn notices(&self, only_on: bool) -> Vec<Told<'a>> {
        let words = self.words();
        let site = self.site;
        let shown =
            site.notices.iter().filter(|notice| notice.is_shown(self.now) && (!only_on || notice.is_on(self.now)));
        shown
            .map(|notice| {
                let (from, until) = (self.instant(notice.from), self.instant(notice.until));
                let mut labels: Vec<&str> = Vec::new();
                for (_, label) in site.labels.iter().filter(|(id, _)| notice.names(id)) {
                    if !labels.contains(&label.as_str()) {
                        labels.push(label);
                    }
                }
                let about =
                    (!labels.is_empty()).then(|| fill(words.notice_about, &[("eids", &listed(&labels, words.and))]));
                Told {
                    title: if notice.is_on(self.now) { words.notice_now } else { words.notice_planned },
                    span: fill(words.notice_span, &[("from", &from), ("until", &until)]),
                    text: notice.text.get(self.locale),
                    about,
                }
            })
            .collect()
    }

    /// Whether maintenance that names this provider goes on.
    pub(super) fn in_maintenance(&self, provider: &ProviderId) -> bool {
        self.site.notices.iter().any(|notice| notice.is_on(self.now) && notice.names(provider))
    }

    /// An instant as people in Sweden write it.
    fn instant(&self, at: UnixTime) -> String {
        let words = self.words();
        let Some(wall) = at.in_sweden() else { return at.to_string() };
        let month = words.months.get(usize::from(wall.month).wrapping_sub(1)).copied().unwrap_or_default();
        fill(
            words.notice_instant,
            &[
                ("day", &wall.day.to_string()),
                ("month", month),
                ("year", &wall.year.to_string()),
                ("hour", &format!("{:02}", wall.hour)),
                ("minute", &format!("{:02}", wall.minute)),
            ],
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contact_is_a_link_where_it_is_one() {
        for (text, expected) in [
            ("kundtjanst@example.se", Some("mailto:kundtjanst@example.se")),
            ("https://example.se/kontakt", Some("https://example.se/kontakt")),
            ("a@b", None),
            ("a@b.se?bcc=c@d.se", None),
            ("Skriv till kundtjanst@example.se", None),
            ("javascript:alert(1)", None),
            ("http://example.se", None),
            ("@example.se", None),
        ] {
            assert_eq!(reach(text).as_deref(), expected, "{text}");
        }
        for (text, expected) in [
            ("0771-000 000", Some("tel:0771000000")),
            ("+46 8 123 45 67", Some("tel:+4681234567")),
            ("0771-000 000 (vardagar 8–16)", None),
            ("112", None),
            ("", None),
        ] {
            assert_eq!(call(text).as_deref(), expected, "{text}");
        }
    }
}
