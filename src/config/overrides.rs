//! `[[override]]`: an operator's word on a provider, in front of what its health looks like.

use super::Provider;
use super::reader::{Section, Text};
use crate::base::{ProviderId, UnixTime};

/// What a breaker is held at, whatever probes and answers say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Forced {
    /// Nobody is sent there.
    Open,
    /// People are sent there as if nothing were the matter.
    Closed,
}

impl Forced {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Open, Self::Closed];

    /// Its name in the configuration, the log, metrics and the status.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }

    /// By its name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|forced| forced.name() == name)
    }
}

/// An operator's word on one provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// Which provider.
    pub provider: ProviderId,
    /// What its breaker is held at.
    pub state: Forced,
    /// From when on; none: at once.
    pub from: Option<UnixTime>,
    /// From when on no more; none: until it is taken back.
    pub until: Option<UnixTime>,
    /// Who says so.
    pub who: String,
    /// Why.
    pub why: String,
}

impl Override {
    /// Whether it holds at `now`.
    pub fn holds(&self, now: UnixTime) -> bool {
        self.from.is_none_or(|from| from <= now) && self.until.is_none_or(|until| now < until)
    }
}

/// The longest text of who or why, in bytes.
const LINE_BYTES: usize = 200;

/// Whether a text is fit to stand in a log and on a page as who or why: one line, nothing in it that is not seen, and
/// nothing that turns the direction in which the rest is read (a name could be made to look like another).
pub fn is_one_line(text: &str) -> bool {
    let unseen = |c: char| {
        c.is_control()
            || matches!(c, '\u{061C}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
    };
    !text.trim().is_empty() && text.len() <= LINE_BYTES && !text.contains(unseen)
}

pub(super) fn read_overrides(root: &mut Section<'_>, providers: &[Provider]) -> Vec<Override> {
    let mut out: Vec<Override> = Vec::new();
    for mut s in root.sections("override") {
        let provider = s.text("provider");
        if provider.is_none() {
            s.missing("provider", "which provider it is about");
        }
        let provider = provider.as_ref().and_then(|text| known(&s, text, providers));
        if !s.has("state") {
            s.missing("state", "\"open\" (nobody is sent there) or \"closed\" (people are, whatever its health)");
        }
        let state = s.choice("state", &Forced::ALL.map(|forced| (forced.name(), forced)));
        let (from, until) = (instant(&mut s, "from"), instant(&mut s, "until"));
        let who = s.required("who", "who says so: it is in the log and the status");
        let why = s.required("why", "the reason, for whoever finds it");
        for (key, text) in [("who", &who), ("why", &why)] {
            if let Some(text) = text.as_ref().filter(|text| !is_one_line(&text.text)) {
                let limits = "must be one line of at most 200 bytes, without characters that are not seen";
                s.problem(&text.at, format!("`{key}` {limits}"));
            }
        }
        if let (Some(from), Some(until)) = (from, until)
            && until <= from
        {
            s.problem(&s.at().clone(), "`until` is not after `from`");
        }
        s.finish();
        let (Some(provider), Some(state), Some(who), Some(why)) = (provider, state, who, why) else { continue };
        out.push(Override { provider, state, from, until, who: who.text, why: why.text });
    }
    out
}

/// A provider that people log in by.
fn known(s: &Section<'_>, text: &Text, providers: &[Provider]) -> Option<ProviderId> {
    match providers.iter().find(|known| known.id.as_str() == text.text) {
        Some(provider) if provider.has_login() => Some(provider.id.clone()),
        Some(_) => {
            s.problem(&text.at, format!("`provider`: nobody logs in by {:?}", text.text));
            None
        }
        None => {
            s.problem(&text.at, format!("`provider`: no [[provider]] has the id {:?}", text.text));
            None
        }
    }
}

/// An instant with its offset from UTC, as a text.
fn instant(s: &mut Section<'_>, key: &'static str) -> Option<UnixTime> {
    let text = s.text(key)?;
    match UnixTime::parse_rfc3339(&text.text) {
        Ok(at) => Some(at),
        Err(_) => {
            s.problem(&text.at, format!("`{key}` must be an instant such as \"2026-03-01T10:00:00Z\""));
            None
        }
    }
}
