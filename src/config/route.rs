//! `[[route]]`.

use std::time::Duration;

use super::Provider;
use super::reader::{Section, Text};
use super::service::fields;
use crate::base::{EidId, ProviderId, RouteName};
use crate::identity::{Field, Loa};
use crate::policy::{Access, Route, Routes, normal_path};

const MINUTE: Duration = Duration::from_secs(60);

pub(super) fn read_routes(root: &mut Section<'_>, providers: &[Provider], forward: Vec<Field>, prefix: &str) -> Routes {
    let mut out: Vec<Route> = Vec::new();
    for mut s in root.sections("route") {
        let path = s.required("path", "a path, or a folder such as \"/ansokan/*\"");
        let access = s.choice("access", &[("anonymous", Access::Anonymous), ("session", Access::Session)]);
        let access = access.unwrap_or(Access::Session);
        let loa = levels(&mut s);
        s.not_empty("require");
        let require = fields(&mut s, "require").unwrap_or_default();
        let eid = eids(&mut s, providers);
        // A route that says what it forwards says all of it: the service's list is for routes that do not.
        let own = fields(&mut s, "forward").unwrap_or_else(|| forward.clone());
        let bearer = bearers(&mut s, providers);
        let scopes = scopes(&mut s, &bearer);
        let max_age = max_age(&mut s);
        let background = s.flag("background", false);
        let demands = !(loa.is_empty() && require.is_empty() && eid.is_empty() && bearer.is_empty());
        if max_age.is_some() && !bearer.is_empty() {
            s.problem(
                &s.at().clone(),
                "`max_age` is about people's logins, and a program's token opens this route too",
            );
        }
        if access == Access::Anonymous && (demands || max_age.is_some()) {
            s.problem(&s.at().clone(), "an anonymous route can demand nothing: take `access` or the demands away");
        }
        let Some(path) = path else {
            s.finish();
            continue;
        };
        if let Some(message) = path_fault(&path, access, &out, prefix) {
            s.problem(&path.at, message);
        }
        s.finish();
        let name = RouteName::new(&path.text);
        out.push(Route { name, access, loa, require, eid, max_age, background, bearer, scopes, forward: own });
    }
    Routes::new(out, forward)
}

fn path_fault(path: &Text, access: Access, known: &[Route], prefix: &str) -> Option<String> {
    let text = path.text.as_str();
    let plain = text.strip_suffix("/*").map_or(text, |folder| if folder.is_empty() { "/" } else { folder });
    if plain.contains('*') {
        return Some("`path` may hold '*' as its whole last segment only".into());
    }
    match normal_path(plain) {
        Err(e) => return Some(format!("`path` {e}")),
        Ok(normal) if normal != plain => return Some(format!("`path` is not in its normal form, {normal:?}")),
        Ok(_) => {}
    }
    if plain == prefix || plain.starts_with(&format!("{prefix}/")) {
        return Some(format!("`path` is under our own prefix {prefix:?}, which no route reaches"));
    }
    if known.iter().any(|route| route.name.as_str() == text) {
        return Some(format!("another [[route]] has the path {text:?}"));
    }
    let guarded = |route: &&Route| route.access == Access::Session || access == Access::Session;
    let same = known.iter().filter(guarded).find(|route| Routes::clash(route.name.as_str(), text))?;
    Some(format!("`path` is for the same paths as {:?}: what is guarded is guarded in any case", same.name.as_str()))
}

/// How old a login may be. Under a minute nobody would get through: they come back from the provider first.
fn max_age(s: &mut Section<'_>) -> Option<Duration> {
    if !s.has("max_age") {
        return None;
    }
    let age = s.duration("max_age", MINUTE);
    if age < MINUTE {
        s.problem(&s.at().clone(), "`max_age` must be a minute at the least");
    }
    Some(age)
}

/// A single name is a minimum within its family; several are the exact set.
fn levels(s: &mut Section<'_>) -> Vec<Loa> {
    let texts = s.some_texts("loa");
    let single = texts.len() == 1;
    let mut out: Vec<Loa> = Vec::new();
    for text in texts {
        match Loa::parse(&text.text) {
            Ok(loa) if single => out = loa.and_higher(),
            Ok(loa) if out.contains(&loa) => s.problem(&text.at, format!("`loa` names {:?} twice", text.text)),
            Ok(loa) => out.push(loa),
            Err(e) => s.problem(&text.at, format!("`loa`: {e}")),
        }
    }
    out
}

/// The providers of bearer tokens that open the route.
fn bearers(s: &mut Section<'_>, providers: &[Provider]) -> Vec<ProviderId> {
    let mut out: Vec<ProviderId> = Vec::new();
    for text in s.some_texts("bearer") {
        match providers.iter().find(|provider| provider.id.as_str() == text.text) {
            Some(provider) if provider.has_login() => {
                let message =
                    format!("`bearer`: {:?} issues no bearer tokens: its `protocol` is not \"jwt\"", text.text);
                s.problem(&text.at, message);
            }
            Some(provider) if out.contains(&provider.id) => {
                s.problem(&text.at, format!("`bearer` names {:?} twice", text.text));
            }
            Some(provider) => out.push(provider.id.clone()),
            None => s.problem(&text.at, format!("`bearer`: no [[provider]] has the id {:?}", text.text)),
        }
    }
    out
}

/// What a token must be allowed, each a scope-token (RFC 6749, 3.3): they also stand in a header.
fn scopes(s: &mut Section<'_>, bearer: &[ProviderId]) -> Vec<String> {
    let texts = s.some_texts("scopes");
    if let (Some(first), true) = (texts.first(), bearer.is_empty()) {
        s.problem(&first.at, "`scopes` are what bearer tokens are allowed, and the route names no `bearer`");
    }
    let fits = |text: &Text| {
        let good = |b: u8| b.is_ascii_graphic() && b != b'"' && b != b'\\';
        let good = !text.text.is_empty() && text.text.bytes().all(good);
        if !good {
            s.problem(&text.at, format!("`scopes`: {:?} is no scope: no spaces, quotes or backslashes", text.text));
        }
        good
    };
    texts.iter().filter(|text| fits(text)).map(|text| text.text.clone()).collect()
}

fn eids(s: &mut Section<'_>, providers: &[Provider]) -> Vec<EidId> {
    let mut out: Vec<EidId> = Vec::new();
    for text in s.some_texts("eid") {
        match providers.iter().find(|provider| provider.eid.as_str() == text.text && provider.has_login()) {
            Some(provider) if out.contains(&provider.eid) => {
                s.problem(&text.at, format!("`eid` names {:?} twice", text.text));
            }
            Some(provider) => out.push(provider.eid.clone()),
            None => s.problem(&text.at, format!("`eid`: no [[provider]] has the eid {:?}", text.text)),
        }
    }
    out
}
