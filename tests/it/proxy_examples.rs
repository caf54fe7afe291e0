//! The examples of deploy/examples as they are written: what they take off a request, against what Grindvakt itself takes
//! off. That they do it is seen in `peer_proxies`, where the proxies run them.

use std::path::PathBuf;

use grindvakt::gate::IdentityHeader;
use grindvakt::http::headers::{FAMILIES_OF_OTHERS, NAMES_OF_OTHERS};
use regex::Regex;

/// The text of an example.
pub fn example(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("deploy/examples").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// What removes and passes on single headers knows each of ours.
#[test]
fn the_examples_name_every_header() {
    for name in ["nginx.conf", "Caddyfile"] {
        let text = example(name).to_lowercase();
        for header in IdentityHeader::ALL {
            assert!(
                text.contains(&format!("{} ", header.name())) || text.contains(&format!("{}\n", header.name())),
                "{name} does not name {}",
                header.name()
            );
        }
    }
}

/// The names of others' that nginx gives an empty value, which takes them off.
pub fn taken_off_by_nginx() -> Vec<String> {
    let text = example("nginx.conf").to_lowercase();
    let (_, text) = text.split_once("location / {").unwrap();
    let set = text.lines().filter_map(|line| line.trim().strip_prefix("proxy_set_header ")?.strip_suffix("\"\";"));
    set.map(|name| name.trim().to_owned()).filter(|name| !name.starts_with("x-eid-")).collect()
}

/// The names that HAProxy removes, each with how it is matched: as a whole, by its beginning, or by a pattern.
fn taken_off_by_haproxy(name: &str) -> bool {
    let text = example("haproxy.cfg");
    let taken = text.lines().filter_map(|line| line.trim().strip_prefix("http-request del-header "));
    taken.map(|rest| rest.split_once(" -m ").unwrap_or((rest, "str"))).any(|(taken, how)| match how {
        "str" => name == taken,
        "beg" => name.starts_with(taken),
        "reg" => Regex::new(taken).unwrap().is_match(name),
        other => panic!("{taken} is matched by {other}"),
    })
}

fn taken_off_by_caddy(name: &str) -> bool {
    let text = example("Caddyfile").to_lowercase();
    let mut taken = text.lines().filter_map(|line| line.trim().strip_prefix("request_header -"));
    taken.any(|taken| match taken.strip_suffix('*') {
        Some(begins) => name.starts_with(begins),
        None => name == taken,
    })
}

fn taken_off_by_envoy(name: &str) -> bool {
    let text = example("envoy.yaml");
    let taken = text.split("safe_regex: { regex: \"").skip(1).map(|rest| rest.split('"').next().unwrap());
    taken.map(|taken| Regex::new(&format!("^(?:{taken})$")).unwrap()).any(|taken| taken.is_match(name))
}

fn taken_off_by_traefik(name: &str) -> bool {
    let text = example("traefik.yml");
    let taken = text.split_once("authResponseHeadersRegex: &taken-off \"").unwrap().1.split('"').next().unwrap();
    // A line that goes on begins at its first letter (YAML 1.2, 7.3.1).
    let pieces: Vec<&str> =
        taken.split("\\\n").enumerate().map(|(n, p)| if n > 0 { p.trim_start() } else { p }).collect();
    Regex::new(&pieces.concat()).unwrap().is_match(name)
}

/// Those who remove families of names, and how.
const BY_FAMILY: [(&str, fn(&str) -> bool); 4] = [
    ("haproxy", taken_off_by_haproxy),
    ("caddy", taken_off_by_caddy),
    ("envoy", taken_off_by_envoy),
    ("traefik", taken_off_by_traefik),
];

/// What others tell of a client or of a request is taken off by whoever stands in front, or passes the request on itself: all
/// that we take off.
#[test]
fn the_examples_take_off_what_others_tell() {
    let nginx = taken_off_by_nginx();
    for name in NAMES_OF_OTHERS {
        assert!(nginx.iter().any(|taken| taken == name), "nginx: {name}");
        for (proxy, takes_off) in BY_FAMILY {
            assert!(takes_off(name), "{proxy}: {name}");
        }
    }
    for family in FAMILIES_OF_OTHERS {
        let name = format!("{family}whatever");
        assert!(nginx.iter().any(|taken| taken.starts_with(family)), "nginx: {family}");
        for (proxy, takes_off) in BY_FAMILY {
            assert!(takes_off(&name), "{proxy}: {name}");
        }
    }
    for harmless in [
        "x-request-id",
        "accept",
        "x-requested-with",
        "traceparent",
        "x-forward",
        "host",
        "cookie",
        "authorization",
        "content-type",
        "x-eidolon",
        "origin",
        "upgrade",
    ] {
        assert!(!nginx.iter().any(|taken| taken == harmless), "nginx: {harmless}");
        for (proxy, takes_off) in BY_FAMILY {
            // The others take any name that begins so for one of ours.
            assert!(!takes_off(harmless) || (harmless == "x-eidolon" && proxy != "haproxy"), "{proxy}: {harmless}");
        }
    }
}

/// Each header of ours, known or to come, goes by whoever removes families.
#[test]
fn the_examples_take_off_whatever_is_named_like_ours() {
    let known = IdentityHeader::ALL.iter().map(|header| header.name().to_owned());
    for name in known.chain(["x-eid-to-come".to_owned(), "x-eid-status".to_owned()]) {
        for (proxy, takes_off) in BY_FAMILY {
            assert!(takes_off(&name), "{proxy}: {name}");
            // Applications fold these into one. Envoy takes no request with an underscore in a name at all.
            assert!(proxy == "envoy" || takes_off(&name.replace('-', "_")), "{proxy}: {name}, with underscores");
            assert!(takes_off(&name.replace('-', ".")), "{proxy}: {name}, with dots");
        }
    }
}
