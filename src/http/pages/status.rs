//! The operators' page on the admin address: what `/status` tells as JSON, as tables, and above them what to look at. Made of
//! that very JSON, so that the two cannot tell different things.
//!
//! It is in English alone: whoever reads it reads the log, the metrics and the runbook beside it, which are.

use std::fmt::Write as _;

use askama::Template;
use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::Value;

use super::page;

/// How often the page reads itself again, where somebody has asked for that: whoever reads slowly, or has it read out, must
/// not lose their place by themselves (WCAG 2.2.1). Two rounds of probes.
const EVERY_SECS: u32 = 10;

#[derive(Template)]
#[template(path = "status.html")]
struct StatusPage {
    title: String,
    heading: String,
    live: bool,
    facts: Vec<String>,
    troubles: Vec<String>,
    tables: [Table; 3],
}

struct Table {
    id: &'static str,
    title: &'static str,
    none: &'static str,
    columns: &'static [&'static str],
    rows: Vec<Row>,
}

struct Row {
    name: String,
    cells: Vec<String>,
    trouble: bool,
}

/// The page for what `told` says. `live`: it reads itself again.
pub fn status(told: &Value, live: bool) -> Response<Bytes> {
    let service = text(at(told, "/service"));
    let troubles = troubles(told);
    let heading = match troubles.len() {
        0 => "All is well".to_owned(),
        1 => "One thing to look at".to_owned(),
        many => format!("{many} things to look at"),
    };
    let facts = vec![
        format!("{service} ({})", text(at(told, "/environment"))),
        format!("Grindvakt {}", text(at(told, "/version"))),
        format!("at {}", text(at(told, "/at"))),
        store(at(told, "/store")),
    ];
    let tables = [providers(told), routes(told), feeds(told)];
    let title = format!("{heading} – {service}");
    page(StatusCode::OK, &StatusPage { title, heading, live, facts, troubles, tables })
}

/// What somebody should do something about, or know of, the worst first.
fn troubles(told: &Value) -> Vec<String> {
    let mut out = Vec::new();
    if at(told, "/stopping") == true {
        out.push("This replica is stopping.".to_owned());
    }
    if at(told, "/egress_unknown") == true {
        out.push(
            "Every probe fails at once: our own way out is broken, and nothing is known of any provider.".to_owned(),
        );
    }
    if let Some(fault) = at(told, "/store/fault").as_str() {
        let detail = text(at(told, "/store/detail"));
        out.push(format!("The store cannot be used ({fault}: {detail}): nobody can log in, sessions go on."));
    }
    if at(told, "/store/revocations_stale") == true {
        out.push("Sessions may have been ended elsewhere that are not known here to be.".to_owned());
    }
    for hanging in list(at(told, "/failover")) {
        let route = text(at(hanging, "/route"));
        if list(at(hanging, "/without")).is_empty() {
            out.push(format!("Nobody can log in for {route}: no provider can meet it now."));
        }
    }
    for provider in list(at(told, "/providers")) {
        let (id, said) = (text(at(provider, "/id")), state(provider));
        if said != WELL {
            out.push(format!("{id}: {said}."));
        }
    }
    for reason in list(at(told, "/config_refused")) {
        out.push(format!("A newer configuration was refused: {}.", text(reason)));
    }
    for feed in list(at(told, "/metadata")) {
        if let Some(code) = at(feed, "/trouble/code").as_str() {
            out.push(format!("Metadata {}: {code}, {}.", name_of_feed(feed), text(at(feed, "/trouble/detail"))));
        }
    }
    out
}

const WELL: &str = "well";

/// How it is with a provider, in words.
fn state(provider: &Value) -> String {
    let word = at(provider, "/override");
    if let Some(forced) = at(word, "/state").as_str() {
        return format!("held {forced} by {}", text(at(word, "/who")));
    }
    if at(provider, "/usable") == false {
        return format!("cannot be used: {}", text(at(provider, "/detail")));
    }
    let health = at(provider, "/health");
    match (at(health, "/trouble").as_str(), at(health, "/breaker").as_str()) {
        (Some(trouble), _) => trouble.to_owned(),
        (None, Some("closed") | None) => WELL.to_owned(),
        (None, Some(breaker)) => breaker.to_owned(),
    }
}

fn providers(told: &Value) -> Table {
    let row = |provider: &Value| {
        let (health, word, state) = (at(provider, "/health"), at(provider, "/override"), state(provider));
        let breaker = join(&[
            at(health, "/breaker"),
            &prefixed("by ", at(health, "/cause")),
            &prefixed("trial at ", at(health, "/trial_at")),
        ]);
        let probe =
            join(&[at(health, "/probe"), at(health, "/probe_detail"), &prefixed("at ", at(health, "/probe_at"))]);
        let usual = match at(health, "/usual_answers_a_minute").as_f64() {
            Some(rate) => format!("{}, usually {rate} a minute", text(at(health, "/last_answer"))),
            None => text(at(health, "/last_answer")),
        };
        let usual = match at(health, "/begun_since_answer").as_u64() {
            Some(begun) if begun > 0 => format!("{usual}; {begun} begun since"),
            _ => usual,
        };
        let operator = join(&[
            at(word, "/state"),
            &prefixed("from ", at(word, "/from")),
            &prefixed("until ", at(word, "/until")),
            &prefixed("by ", at(word, "/who")),
            at(word, "/why"),
        ]);
        Row {
            name: text(at(provider, "/id")),
            trouble: state != WELL,
            cells: vec![
                state,
                join(&[at(provider, "/eid"), at(provider, "/protocol")]),
                breaker,
                probe,
                usual,
                list(at(provider, "/loa")).iter().map(text).collect::<Vec<_>>().join(" "),
                text(at(provider, "/valid_until")),
                operator,
            ],
        }
    };
    Table {
        id: "providers",
        title: "Providers",
        none: "There are none.",
        columns: &[
            "Provider",
            "State",
            "e-ID",
            "Breaker",
            "Probe",
            "Last answer",
            "Levels",
            "Keys until",
            "Operator’s word",
        ],
        rows: list(at(told, "/providers")).iter().map(row).collect(),
    }
}

/// What is left of each route when one of its providers fails.
fn routes(told: &Value) -> Table {
    let of_route = |route: &Value| {
        let name = text(at(route, "/route"));
        let row = move |loss: &Value| {
            let left = match (at(loss, "/stands_in").as_str(), at(loss, "/leaves_a_way") == true) {
                (Some(other), _) => format!("logins go on by {other}"),
                (None, true) => "people are asked".to_owned(),
                (None, false) => "nobody can log in".to_owned(),
            };
            let mut others = String::new();
            for (other, part) in at(loss, "/others").as_object().into_iter().flatten() {
                let _ = write!(others, "{}{other}: {}", if others.is_empty() { "" } else { "; " }, text(part));
            }
            let trouble = at(loss, "/leaves_a_way") != true;
            Row { name: name.clone(), cells: vec![text(at(loss, "/provider")), left, others], trouble }
        };
        list(at(route, "/without")).iter().map(row).collect::<Vec<_>>()
    };
    Table {
        id: "failover",
        title: "When one of them fails",
        none: "No route needs a session, or none can be met.",
        columns: &["Route", "Without", "What is left", "The others"],
        rows: list(at(told, "/failover")).iter().flat_map(of_route).collect(),
    }
}

fn name_of_feed(feed: &Value) -> String {
    join(&[at(feed, "/id"), at(feed, "/entity")])
}

fn feeds(told: &Value) -> Table {
    let row = |feed: &Value| Row {
        name: name_of_feed(feed),
        trouble: !at(feed, "/trouble").is_null(),
        cells: vec![
            join(&[at(feed, "/state"), &prefixed("from ", at(feed, "/origin"))]),
            text(at(feed, "/confirmed")),
            text(at(feed, "/usable_until")),
            text(at(feed, "/next_attempt")),
            join(&[at(feed, "/trouble/code"), at(feed, "/trouble/detail"), &prefixed("at ", at(feed, "/trouble/at"))]),
        ],
    };
    Table {
        id: "metadata",
        title: "Metadata and keys",
        none: "Nothing is read from anywhere.",
        columns: &["Source", "State", "Confirmed", "Usable until", "Next attempt", "Trouble"],
        rows: list(at(told, "/metadata")).iter().map(row).collect(),
    }
}

fn store(store: &Value) -> String {
    match at(store, "/node").as_str() {
        Some(node) => format!("store {node}, {} ended sessions known", text(at(store, "/revocations"))),
        None => format!("store: {}", text(at(store, "/kind"))),
    }
}

/// What is there under `pointer` (RFC 6901); null where nothing is.
fn at<'v>(value: &'v Value, pointer: &str) -> &'v Value {
    value.pointer(pointer).unwrap_or(&Value::Null)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A dash for what is not known.
fn text(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn prefixed(prefix: &str, value: &Value) -> Value {
    if value.is_null() { Value::Null } else { Value::String(format!("{prefix}{}", text(value))) }
}

/// What there is of `values`; a dash for nothing.
fn join(values: &[&Value]) -> String {
    let said: Vec<String> = values.iter().filter(|value| !value.is_null()).map(|value| text(value)).collect();
    if said.is_empty() { text(&Value::Null) } else { said.join(", ") }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(told: &Value, live: bool) -> String {
        let answer = status(told, live);
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()["content-type"], "text/html; charset=utf-8");
        assert!(answer.headers()["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
        String::from_utf8(answer.body().to_vec()).unwrap()
    }

    fn provider(more: Value) -> Value {
        let mut provider = json!({ "id": "bankid-a", "eid": "bankid", "protocol": "saml", "usable": true, "detail": null,
            "loa": ["loa3"], "health": { "breaker": "closed", "trouble": null }, "override": null });
        provider.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "service": "etjanst", "environment": "prod", "store": { "kind": "memory" }, "providers": [provider] })
    }

    #[test]
    fn the_title_begins_with_what_is_the_matter() {
        for (told, says) in [
            (provider(json!({})), "<title>All is well – etjanst</title>"),
            (provider(json!({ "usable": false, "detail": "no keys" })), "bankid-a: cannot be used: no keys."),
            (provider(json!({ "health": { "breaker": "open", "trouble": "down" } })), "bankid-a: down."),
            (provider(json!({ "health": { "breaker": "half-open", "trouble": null } })), "bankid-a: half-open."),
            (provider(json!({ "override": { "state": "open", "who": "eva" } })), "bankid-a: held open by eva."),
            (json!({ "egress_unknown": true }), "our own way out is broken"),
            (json!({ "stopping": true }), "This replica is stopping."),
            (json!({ "store": { "fault": "unreachable", "detail": "refused" } }), "(unreachable: refused)"),
            (json!({ "config_refused": ["x"] }), "A newer configuration was refused: x."),
            (json!({ "failover": [{ "route": "/a", "without": [] }] }), "Nobody can log in for /a"),
            (json!({ "metadata": [{ "id": "f", "trouble": { "code": "c", "detail": "d" } }] }), "Metadata f: c, d."),
        ] {
            let page = shown(&told, true);
            assert!(page.contains(says), "{says}: {page}");
            assert_eq!(page.contains("All is well"), says.contains("All is well"), "{page}");
        }
    }

    #[test]
    fn what_others_wrote_stays_text() {
        let evil = "<script>alert(1)</script>\"'";
        let told = provider(json!({ "override": { "state": "open", "who": evil, "why": evil }, "detail": evil }));
        let page = shown(&told, true);
        assert!(!page.contains("<script") && page.contains("&#60;script&#62;"), "{page}");
    }

    #[test]
    fn it_reads_itself_again_only_where_somebody_asked_for_it() {
        let refresh = "<meta http-equiv=\"refresh\" content=\"10\">";
        let live = shown(&json!({}), true);
        assert!(live.contains(refresh) && live.contains("href=\"/status\""), "{live}");
        let still = shown(&json!({}), false);
        assert!(!still.contains(refresh) && still.contains("href=\"/status?live\""), "{still}");
    }

    #[test]
    fn what_is_left_of_a_route_is_told() {
        let told = json!({ "failover": [{ "route": "/ansokan/*", "without": [
            { "provider": "a", "stands_in": "b", "leaves_a_way": true, "others": { "b": "takes over, and nobody is asked" } },
            { "provider": "b", "stands_in": null, "leaves_a_way": true, "others": {} },
            { "provider": "c", "stands_in": null, "leaves_a_way": false, "others": {} },
        ] }] });
        let page = shown(&told, true);
        for says in ["logins go on by b", "b: takes over, and nobody is asked", "people are asked", "nobody can log in"]
        {
            assert!(page.contains(says), "{says}: {page}");
        }
        assert_eq!(page.matches("class=\"trouble\"").count(), 1);
    }
}
