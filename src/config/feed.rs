//! `[[metadata]]`.

use std::time::Duration;

use super::reader::{Section, Text};
use super::{Environment, FeedPlace, MdqId, MetadataSource, Problem, Remote, RemoteUrl};
use crate::base::FeedId;
use crate::base::limits::MAX_STALE_SECS;

/// Services that publish test federations only. Their feeds are refused in production before anything is fetched; the
/// keys that sign them are refused too (`provider::environment`).
const TEST_HOSTS: [&str; 2] = ["qa.md.swedenconnect.se", "svelegtest.se"];

/// Whether `host` publishes a test federation.
pub fn is_test_host(host: &str) -> bool {
    TEST_HOSTS.iter().any(|test| host.strip_suffix(test).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
}

pub(super) fn read_metadata(
    root: &mut Section<'_>,
    environment: Option<Environment>,
    has_state: bool,
    warnings: &mut Vec<Problem>,
) -> Vec<MetadataSource> {
    let mut out: Vec<MetadataSource> = Vec::new();
    for mut s in root.sections("metadata") {
        let id = s.required("id", "the name that providers know it by");
        let id = id.and_then(|text| match FeedId::new(&text.text) {
            Ok(id) => Some((id, text.at)),
            Err(e) => {
                s.problem(&text.at, format!("`id` {e}"));
                None
            }
        });
        if let Some((id, at)) = &id
            && out.iter().any(|known| known.id == *id)
        {
            s.problem(at, format!("another [[metadata]] has the id \"{id}\""));
        }
        let id = id.map(|(id, _)| id);
        let place = read_place(&mut s, environment);
        let signers = s.some_paths("signer");
        if let Some(FeedPlace::Url(_) | FeedPlace::Mdq { .. }) = &place
            && signers.is_empty()
            && !s.has("signer")
        {
            s.missing("signer", "what is fetched must be signed by a pinned key; name its certificate");
        }
        if let (Some(id), Some(FeedPlace::Url(remote) | FeedPlace::Mdq { remote, .. })) = (&id, &place)
            && !has_state
            && remote.seed.is_none()
        {
            warnings.push(Problem {
                file: s.at().file.to_path_buf(),
                line: s.at().line,
                place: s.place.clone(),
                message: format!(
                    "without `[state] dir` or a `seed`, nobody can log in by the feed \"{id}\" after a start while it \
                     cannot be fetched"
                ),
            });
        }
        s.finish();
        if let (Some(id), Some(place)) = (id, place) {
            out.push(MetadataSource { id, place, signers });
        }
    }
    out
}

fn read_place(s: &mut Section<'_>, environment: Option<Environment>) -> Option<FeedPlace> {
    let named = ["file", "url", "mdq"].map(|key| s.has(key));
    let (file, url, mdq) = (s.path("file"), s.text("url"), s.text("mdq"));
    let mirrors = s.some_texts("mirrors");
    let has_seed = s.has("seed");
    let seed = s.path("seed");
    let has_stale = s.has("max_stale");
    let default = Duration::from_secs(MAX_STALE_SECS);
    let max_stale = s.duration("max_stale", default);
    let has_by = s.has("mdq_id");
    let by = s.choice("mdq_id", &[("uri", MdqId::Uri), ("sha1", MdqId::Sha1)]).unwrap_or(MdqId::Uri);
    let at = s.at().clone();
    if max_stale.is_zero() {
        s.problem(&at, "`max_stale` must be above zero: what is fetched could never be used");
    }
    match named.iter().filter(|there| **there).count() {
        0 => {
            s.missing("file", "a feed is a `file`, a `url` or an `mdq` service");
            return None;
        }
        1 => {}
        _ => {
            s.problem(&at, "a feed is one of `file`, `url` and `mdq`: keep one, and write two [[metadata]] for two");
            return None;
        }
    }
    for (key, there, wanted) in [
        ("mirrors", !mirrors.is_empty(), url.is_some() || mdq.is_some()),
        ("seed", has_seed, url.is_some()),
        ("max_stale", has_stale, url.is_some() || mdq.is_some()),
        ("mdq_id", has_by, mdq.is_some()),
    ] {
        if there && !wanted {
            let with = if key == "mdq_id" { "`mdq`" } else { "`url`" };
            s.problem(&at, format!("`{key}` belongs to a feed with {with}"));
        }
    }
    if let Some(file) = file {
        return Some(FeedPlace::File(file));
    }
    let is_mdq = mdq.is_some();
    let key = if is_mdq { "mdq" } else { "url" };
    let first = url.or(mdq)?;
    let first = address(s, key, &first, environment);
    let others: Vec<_> = mirrors.iter().map(|text| address(s, "mirrors", text, environment)).collect();
    // Each is looked at before the first that is wrong ends it: every problem at once.
    let urls = std::iter::once(first).chain(others).collect::<Option<Vec<RemoteUrl>>>()?;
    let remote = Remote { urls, seed, max_stale };
    Some(if is_mdq { FeedPlace::Mdq { remote, by } } else { FeedPlace::Url(remote) })
}

fn address(s: &Section<'_>, key: &str, text: &Text, environment: Option<Environment>) -> Option<RemoteUrl> {
    let url = match RemoteUrl::parse(&text.text) {
        Ok(url) => url,
        Err(message) => {
            s.problem(&text.at, format!("`{key}` {message}"));
            return None;
        }
    };
    if environment == Some(Environment::Production) && is_test_host(url.host()) {
        s.problem(&text.at, format!("`{key}`: {} publishes a test federation, and this is production", url.host()));
        return None;
    }
    if key == "mdq" && url.as_str().contains('?') {
        s.problem(&text.at, "`mdq` must hold no query: entities are under it");
        return None;
    }
    Some(url)
}
