//! `[[route]]`.

use super::Provider;
use super::reader::{Section, Text};
use super::service::fields;
use crate::base::{EidId, RouteName};
use crate::identity::{Field, Loa};
use crate::policy::{Access, Route, Routes, normal_path};

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
        s.not_yet(&["bearer", "scopes", "background"]);
        if access == Access::Anonymous && !(loa.is_empty() && require.is_empty() && eid.is_empty()) {
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
        out.push(Route { name: RouteName::new(&path.text), access, loa, require, eid, forward: own });
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

fn eids(s: &mut Section<'_>, providers: &[Provider]) -> Vec<EidId> {
    let mut out: Vec<EidId> = Vec::new();
    for text in s.some_texts("eid") {
        match providers.iter().find(|provider| provider.eid.as_str() == text.text) {
            Some(provider) if out.contains(&provider.eid) => {
                s.problem(&text.at, format!("`eid` names {:?} twice", text.text));
            }
            Some(provider) => out.push(provider.eid.clone()),
            None => s.problem(&text.at, format!("`eid`: no [[provider]] has the eid {:?}", text.text)),
        }
    }
    out
}
