//! `[[notice]]`: planned maintenance, told before and while it goes on.

use std::time::Duration;

use super::pages::{Localised, words};
use super::reader::Section;
use super::{Problem, Provider};
use crate::base::{ProviderId, UnixTime};

/// How long before it begins maintenance is told of.
const ANNOUNCE: Duration = Duration::from_secs(7 * 86_400);

/// Planned maintenance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// When it begins.
    pub from: UnixTime,
    /// When it ends.
    pub until: UnixTime,
    /// How long before it begins it is told of.
    pub announce: Duration,
    /// Whom it is about; none: the service itself, or every way to log in.
    pub providers: Vec<ProviderId>,
    /// What is said of it.
    pub text: Localised,
}

impl Notice {
    /// Whether it is to be read at `now`: before it begins, and until it ends.
    pub fn is_shown(&self, now: UnixTime) -> bool {
        now >= self.from.minus(self.announce) && now < self.until
    }

    /// Whether the maintenance goes on at `now`.
    pub fn is_on(&self, now: UnixTime) -> bool {
        now >= self.from && now < self.until
    }

    /// Whether a provider is named by it.
    pub fn names(&self, provider: &ProviderId) -> bool {
        self.providers.contains(provider)
    }
}

/// Reads them. One that stands twice, in two files of one platform, is told once.
pub(super) fn read_notices(root: &mut Section<'_>, providers: &[Provider], warnings: &mut Vec<Problem>) -> Vec<Notice> {
    let mut out: Vec<Notice> = Vec::new();
    for mut s in root.sections("notice") {
        let notice = read_notice(&mut s, providers);
        let at = s.at().clone();
        let place = s.place.clone();
        s.finish();
        match notice {
            Some(notice) if out.contains(&notice) => {
                let message = "stands there twice; it is told once".to_owned();
                warnings.push(Problem { file: at.file.to_path_buf(), line: at.line, place, message });
            }
            Some(notice) => out.push(notice),
            None => {}
        }
    }
    out.sort_by_key(|notice| notice.from);
    out
}

fn read_notice(s: &mut Section<'_>, providers: &[Provider]) -> Option<Notice> {
    let [from, until] = ["from", "until"].map(|key| s.instant(key));
    let announce = s.duration("announce", ANNOUNCE);
    let mut named = Vec::new();
    for text in s.some_texts("providers") {
        match providers.iter().find(|provider| provider.id.as_str() == text.text) {
            Some(provider) if !provider.has_login() => {
                s.problem(&text.at, format!("`providers`: nobody logs in by {:?}", text.text));
            }
            Some(provider) if named.contains(&provider.id) => {
                s.problem(&text.at, format!("`providers` names {:?} twice", text.text));
            }
            Some(provider) => named.push(provider.id.clone()),
            None => s.problem(&text.at, format!("`providers`: no [[provider]] has the id {:?}", text.text)),
        }
    }
    // A page in one of the two languages only would leave somebody out.
    let [sv, en] = ["sv", "en"].map(|key| {
        let text = s.required(key, "what is said of it, in both languages")?;
        match words(&text.text) {
            Ok(()) => Some(text.text),
            Err(wrong) => {
                s.problem(&text.at, format!("`{key}` {wrong}"));
                None
            }
        }
    });
    let (from, until) = (from?, until?);
    if until <= from {
        s.problem(&s.at().clone(), "`until` must be after `from`");
    }
    Some(Notice { from, until, announce, providers: named, text: Localised::new(sv?, en) })
}
