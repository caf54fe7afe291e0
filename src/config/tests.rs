#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod pages;
mod providers;

use std::path::Path;

use super::*;
use crate::identity::Field;
use crate::policy::Access;
use crate::replay::shared::Topology;
use crate::verify::saml::{Profile, Signed};

const GOOD: &str = r#"environment = "production"
[service]
id = "etjanst"
entity_id = "https://etjanst.example.se/sp"
base_url = "https://etjanst.example.se"
upstream = "http://127.0.0.1:8000"
forward = ["loa", "eid"]
[store]
single_replica = true
[[metadata]]
id = "fed"
file = "feed.xml"
signer = ["fed.crt"]
[[provider]]
id = "bankid-a"
eid = "bankid"
label = "BankID"
protocol = "saml"
entity_id = "https://idp-a.example.se/saml"
metadata = "fed"
[[route]]
path = "/ansokan/*"
loa = ["loa3"]
require = ["personal_number"]
eid = ["bankid"]
forward = ["personal_number"]
[[route]]
path = "/om/*"
access = "anonymous"
"#;

/// Every problem of a sidecar that is to serve.
fn problems(text: &str) -> Vec<String> {
    read(text).map_or_else(|said| said, |config| config.unfit.iter().map(ToString::to_string).collect())
}

fn read(text: &str) -> Result<Config, Vec<String>> {
    load_text(Path::new("dir/g.toml"), text).map_err(|p| p.iter().map(ToString::to_string).collect())
}

#[test]
fn an_empty_list_is_a_slip_and_demands_nothing_silently() {
    for (key, text) in [
        ("signer", GOOD.replacen("signer = [\"fed.crt\"]", "signer = []", 1)),
        ("loa", format!("{GOOD}\n[[route]]\npath = \"/tom\"\nloa = []\n")),
        ("eid", format!("{GOOD}\n[[route]]\npath = \"/tom\"\neid = []\n")),
        ("require", format!("{GOOD}\n[[route]]\npath = \"/tom\"\nrequire = []\n")),
    ] {
        let problems = read(&text).err().unwrap_or_default();
        assert!(problems.iter().any(|p| p.contains(&format!("`{key}` is an empty list"))), "{key}: {problems:?}");
    }
}

#[test]
fn the_smallest_configuration_has_safe_defaults() {
    let config = read(GOOD).unwrap();
    let provider = &config.providers[0];
    let saml = provider.saml().unwrap();
    assert_eq!(
        (saml.profile, saml.signed, saml.encryption),
        (Profile::Federation, Signed::Response, Encryption::Required)
    );
    assert!(provider.force_authn && !saml.allow_unsolicited && !saml.eidas_connector);
    assert_eq!(config.listen.public.to_string(), "127.0.0.1:8080");
    assert_eq!(config.listen.admin.to_string(), "127.0.0.1:9464");
    assert_eq!(config.verification.clock_skew.as_secs(), 60);
    assert_eq!((config.session.idle_timeout.as_secs(), config.session.lifetime.as_secs()), (1800, 28800));
    assert_eq!(config.acs_urls(), ["https://etjanst.example.se/eid/saml/acs"]);
    assert_eq!(config.metadata[0].place, FeedPlace::File("dir/feed.xml".into()), "paths are relative to their file");

    let route = config.routes.find("/ansokan/1");
    let loa: Vec<_> = route.loa.iter().filter_map(|l| l.short()).collect();
    assert_eq!(loa, ["loa3", "loa4"], "a single level is a minimum in its family");
    assert_eq!(route.forward, [Field::PersonalNumber], "a route's forward is the whole of it");
    assert_eq!(config.routes.find("/om/x").access, Access::Anonymous);
    assert_eq!(config.routes.find("/").forward, [Field::Loa, Field::Eid]);
}

/// Each row: what to replace in the good configuration, by what, and the whole list of problems.
#[test]
fn every_mistake_is_named_with_its_line() {
    let rows: &[(&str, &str, &[&str])] = &[
        (
            "environment = \"production\"\n",
            "",
            &["dir/g.toml:1: `environment` is missing: \"production\", \"test\" or \"dev\""],
        ),
        (
            "\"production\"",
            "\"prod\"",
            &["dir/g.toml:1: `environment` must be \"production\" or \"test\" or \"dev\", not \"prod\""],
        ),
        (
            "entity_id = \"https://etjanst.example.se/sp\"",
            "entityid = \"x\"",
            &[
                "dir/g.toml:2: service: `entity_id` is missing: the name that the service is registered under at its providers",
                "dir/g.toml:4: service: `entityid` is not known here; did you mean `entity_id`?",
            ],
        ),
        (
            "base_url = \"https:",
            "base_url = \"http:",
            &[
                "dir/g.toml:5: service: `base_url` must be an https address (http only on localhost, *.localhost and loopback addresses)",
            ],
        ),
        (
            "\"production\"",
            "\"dev\"",
            &[
                "dir/g.toml:5: service: environment \"dev\" lets demo keys and test persons in: it needs a loopback `base_url`",
            ],
        ),
        (
            "[store]\n",
            "[organisation]\nname = { sv = \"A\", sv_SE = \"B\", \"\" = \"C\", en-GB = \"D\" }\n[store]\n",
            &[
                "dir/g.toml:9: organisation.name: \"\" is no language tag such as \"sv\" or \"en-GB\": providers would refuse our metadata",
                "dir/g.toml:9: organisation.name: \"sv_SE\" is no language tag such as \"sv\" or \"en-GB\": providers would refuse our metadata",
            ],
        ),
        (
            "single_replica = true",
            "kind = \"redis\"\nnodes = [\"127.0.0.1:6379\"]",
            &[
                "dir/g.toml:8: store: [keys] names no `sealing`, which replicas with a shared store must have in common",
                "dir/g.toml:8: store: [keys] names no `digest`, which replicas with a shared store must have in common",
                "dir/g.toml:8: store: [keys] names no `identity_token`, which replicas with a shared store must have in \
                 common",
            ],
        ),
        (
            "file = \"feed.xml\"\nsigner = [\"fed.crt\"]",
            "url = \"https://md.example.se\"",
            &["dir/g.toml:10: metadata \"fed\": `signer` is missing: what is fetched must be signed by a pinned key; \
             name its certificate"],
        ),
        (
            "file = \"feed.xml\"\n",
            "",
            &[
                "dir/g.toml:10: metadata \"fed\": `file` is missing: a feed is a `file`, a `url` or an `mdq` service",
                "dir/g.toml:19: provider \"bankid-a\": `metadata`: no [[metadata]] has the id \"fed\"",
            ],
        ),
        (
            "file = \"feed.xml\"",
            "file = \"feed.xml\"\nseed = \"seed.xml\"\nmax_stale = \"1d\"",
            &[
                "dir/g.toml:10: metadata \"fed\": `seed` belongs to a feed with `url`",
                "dir/g.toml:10: metadata \"fed\": `max_stale` belongs to a feed with `url`",
            ],
        ),
        (
            "file = \"feed.xml\"",
            "url = \"http://md.example.se\"\nmirrors = [\"https://user@md.example.se\"]\nmdq_id = \"sha1\"",
            &[
                "dir/g.toml:10: metadata \"fed\": `mdq_id` belongs to a feed with `mdq`",
                "dir/g.toml:12: metadata \"fed\": `url` must be an https address (http only on localhost, *.localhost and \
             loopback addresses)",
                "dir/g.toml:13: metadata \"fed\": `mirrors` must be an https address (http only on localhost, *.localhost \
             and loopback addresses)",
                "dir/g.toml:22: provider \"bankid-a\": `metadata`: no [[metadata]] has the id \"fed\"",
            ],
        ),
        (
            "file = \"feed.xml\"",
            "url = \"https://qa.md.swedenconnect.se/role/idp.xml\"",
            &[
                "dir/g.toml:12: metadata \"fed\": `url`: qa.md.swedenconnect.se publishes a test federation, and this is \
             production",
                "dir/g.toml:20: provider \"bankid-a\": `metadata`: no [[metadata]] has the id \"fed\"",
            ],
        ),
        (
            "id = \"fed\"",
            "id = \"../fed\"",
            &[
                "dir/g.toml:11: metadata \"../fed\": `id` must be 1 to 64 characters of a-z, 0-9, '-' and '_', and begin \
             with a letter or digit",
                "dir/g.toml:20: provider \"bankid-a\": `metadata`: no [[metadata]] has the id \"fed\"",
            ],
        ),
        (
            "protocol = \"saml\"",
            "protocol = \"cas\"",
            &[
                "dir/g.toml:18: provider \"bankid-a\": `protocol` must be \"saml\", \"oidc\" or \"jwt\", not \"cas\"",
                "dir/g.toml:25: route \"/ansokan/*\": `eid`: no [[provider]] has the eid \"bankid\"",
            ],
        ),
        (
            "metadata = \"fed\"",
            "metadata = \"fde\"\nforce_authn = \"yes\"",
            &[
                "dir/g.toml:20: provider \"bankid-a\": `metadata`: no [[metadata]] has the id \"fde\"",
                "dir/g.toml:21: provider \"bankid-a\": `force_authn` must be true or false, not a string",
            ],
        ),
        (
            "loa = [\"loa3\"]",
            "loa = [\"loa5\"]",
            &[
                "dir/g.toml:23: route \"/ansokan/*\": `loa`: \"loa5\" is no level of assurance: a short name such as loa3, \
             uncertified-loa3, eidas-nf-sub, or a full URI",
            ],
        ),
        (
            "path = \"/om/*\"",
            "path = \"/ansokan/*\"",
            &["dir/g.toml:28: route \"/ansokan/*\": another [[route]] has the path \"/ansokan/*\""],
        ),
        (
            "path = \"/om/*\"",
            "path = \"/Ansokan/*\"",
            &[
                "dir/g.toml:28: route \"/Ansokan/*\": `path` is for the same paths as \"/ansokan/*\": what is guarded is \
             guarded in any case",
            ],
        ),
        (
            "path = \"/om/*\"",
            "path = \"/om*/\"",
            &["dir/g.toml:28: route \"/om*/\": `path` may hold '*' as its whole last segment only"],
        ),
        (
            "path = \"/om/*\"",
            "path = \"/eid/x\"",
            &["dir/g.toml:28: route \"/eid/x\": `path` is under our own prefix \"/eid\", which no route reaches"],
        ),
        (
            "access = \"anonymous\"",
            "access = \"anonymous\"\nloa = [\"loa3\"]",
            &[
                "dir/g.toml:27: route \"/om/*\": an anonymous route can demand nothing: take `access` or the demands away",
            ],
        ),
        (
            "access = \"anonymous\"",
            "bearer = [\"api\"]",
            &["dir/g.toml:29: route \"/om/*\": `bearer`: no [[provider]] has the id \"api\""],
        ),
        (
            "forward = [\"personal_number\"]",
            "forward = [\"pnr\"]",
            &[
                "dir/g.toml:26: route \"/ansokan/*\": `forward`: \"pnr\" is none of personal_number, coordination_number, \
             coordination_level, previous_number, prid, country, hsa_id, org_affiliation, name, given_name, surname, \
             date_of_birth, loa, eid",
            ],
        ),
        (
            "[store]",
            "[verification]\nclock_skew = \"10m\"\nfail_open = true\n[store]",
            &[
                "dir/g.toml:8: verification: `clock_skew` may be five minutes at the most; set the clocks instead",
                "dir/g.toml:10: verification: `fail_open` is not known here",
            ],
        ),
        (
            "[store]",
            "[upstream]\nprotocol = \"h2\"\nresponse_timeout = \"soon\"\ntimeout = 1\n[store]",
            &[
                "dir/g.toml:9: upstream: `protocol` must be \"http1\" or \"h2c\", not \"h2\"",
                "dir/g.toml:10: upstream: `response_timeout` must be a duration such as \"60s\", \"30m\" or \"8h\"",
                "dir/g.toml:11: upstream: `timeout` is not known here",
            ],
        ),
        (
            "[store]",
            "websocket_origins = [\"https://a.example.se/x\", \"a.example.se\", \"https://b.example.se\"]\n[store]",
            &[
                "dir/g.toml:8: service: `websocket_origins` must hold origins such as \"https://other.example.se\", not \
                 \"https://a.example.se/x\"",
                "dir/g.toml:8: service: `websocket_origins` \"a.example.se\" must be an https address (http only on localhost, \
                 *.localhost and loopback addresses)",
            ],
        ),
        (
            "[store]",
            "[listen]\nkeep_alive_timeout = \"500ms\"\n[store]",
            &["dir/g.toml:8: listen: `keep_alive_timeout` must be a second at the least"],
        ),
        (
            "[store]",
            "[listen]\ntrusted_proxies = [\"0.0.0.0/0\"]\n[store]",
            &["dir/g.toml:9: listen: `trusted_proxies` \"0.0.0.0/0\" would trust every address"],
        ),
        (
            "[store]",
            "[session]\nidle_timeout = \"9h\"\n[store]",
            &["dir/g.toml:8: session: `idle_timeout` is longer than `lifetime`"],
        ),
    ];
    for (from, to, problems) in rows {
        assert!(GOOD.contains(from), "{from}");
        let bad = GOOD.replacen(from, to, 1);
        assert_eq!(super::tests::problems(&bad), *problems, "{to}");
    }
    let syntax = read("environment = \n[service\n").unwrap_err();
    assert!(syntax.iter().all(|p| p.starts_with("dir/g.toml:") && p.contains("not TOML")), "{syntax:?}");
}

#[test]
fn files_merge_by_id_and_one_key_stands_once() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    write("10-platform.toml", GOOD);
    write(
        "20-service.toml",
        "[pages]\nservice_name = \"Bygglov\"\n[[provider]]\nid = \"bankid-a\"\nbinding = \"post\"\n",
    );
    write("notes.txt", "not read");
    let config = load(&[dir.path().to_path_buf()]).unwrap();
    assert_eq!(config.pages.service_name, Some("Bygglov".into()));
    assert_eq!(config.providers.len(), 1);
    assert!(config.providers[0].saml().unwrap().binding.is_some());

    write("20-service.toml", "[service]\nid = \"annan\"\n");
    let problems = load(&[dir.path().to_path_buf()]).unwrap_err();
    assert_eq!(problems.len(), 1);
    let text = problems[0].to_string();
    assert!(
        text.contains("20-service.toml:2: service: `id` stands in") && text.contains("10-platform.toml:3 already"),
        "{text}"
    );
}

#[test]
fn what_is_printed_can_be_read_again_and_shows_no_secret() {
    let text = GOOD.replace("[store]", "[keys]\nsealing_env = [\"SEAL\"]\ndigest = \"digest.key\"\n[store]");
    let text = format!("{text}[upstream]\nprotocol = \"h2c\"\nresponse_timeout = 0\nidle_timeout = \"1500ms\"\n");
    let printed = print(&read(&text).unwrap());
    assert!(printed.contains("<the environment variable SEAL>") && printed.contains("<dir/digest.key>"), "{printed}");
    let again: toml::Table = printed.parse().unwrap();
    assert_eq!(again["provider"][0]["encryption"].as_str(), Some("required"));
    assert_eq!(again["route"][0]["loa"].as_array().map(Vec::len), Some(2));
    let upstream = &again["upstream"];
    assert_eq!((upstream["protocol"].as_str(), upstream["response_timeout"].as_str()), (Some("h2c"), Some("0s")));
    assert_eq!(
        (upstream["idle_timeout"].as_str(), upstream["tunnel_idle_timeout"].as_str()),
        (Some("1500ms"), Some("3600s"))
    );
}

#[test]
fn a_path_is_explained() {
    let config = read(GOOD).unwrap();
    let text = explain(&config, "/ansokan/1").unwrap();
    for part in [
        "route      /ansokan/*",
        "loa/1.0/loa3",
        "loa/1.0/loa4",
        "X-Eid-Personal-Number",
        "bankid-a (bankid), saml, encrypted",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(explain(&config, "/om/x").unwrap().contains("anonymous"));
    assert!(explain(&config, "/eid/login").unwrap().contains("our own paths"));
    assert!(explain(&config, "/a/../b").is_err());
}

#[test]
fn the_memory_of_one_process_serves_one_replica() {
    let texts = |problems: &[Problem]| problems.iter().map(ToString::to_string).collect::<Vec<_>>().concat();
    let warnings = |text: &str| texts(&read(text).unwrap().warnings);
    let unfit = |text: &str| texts(&read(text).unwrap().unfit);
    let good = format!("{GOOD}[keys]\ndecryption = [\"d.pem\"]\n");
    assert!(warnings(GOOD).contains("no login by bankid-a can succeed"));
    assert!(warnings(&good).is_empty() && unfit(&good).is_empty());
    for (from, line) in [("single_replica = true", 8), ("[store]\nsingle_replica = true", 1)] {
        // A message can be verified all the same: that takes no store.
        let said = unfit(&GOOD.replace(from, ""));
        assert!(
            said.starts_with(&format!("dir/g.toml:{line}: store: `kind = \"memory\"` is for one replica")),
            "{said}"
        );
    }
    assert!(unfit(&GOOD.replace("single_replica = true", "single_replica = false")).contains("one replica"));
    let dev = good.replace("single_replica = true", "").replace("\"production\"", "\"dev\"");
    assert!(
        unfit(&dev.replace("base_url = \"https://etjanst.example.se\"", "base_url = \"http://localhost:1\""))
            .is_empty()
    );
    // Together with the other mistakes, it is named at once.
    let both = GOOD.replace("single_replica = true", "").replace("\"production\"", "\"prod\"");
    assert_eq!(read(&both).unwrap_err().len(), 2);
}

const KEYS: &str = "[keys]\nsealing = [\"s.key\"]\ndigest = \"d.key\"\nidentity_token = \"i.pem\"\n";

/// The good configuration with another `[store]`, whose first key is on line 9.
fn with_store(store: &str) -> String {
    format!("{}{KEYS}", GOOD.replace("single_replica = true", store))
}

#[test]
fn a_shared_store_is_named_by_its_nodes() {
    let store = |text: &str| match read(&with_store(text)).unwrap().store {
        Store::Redis(store) => store,
        Store::Memory => panic!("{text}"),
    };
    let plain = store("kind = \"redis\"\nnodes = [\"127.0.0.1:6379\"]");
    assert_eq!(plain.nodes.iter().map(ToString::to_string).collect::<Vec<_>>(), ["127.0.0.1:6379"]);
    assert_eq!((plain.topology, plain.database, plain.tls), (Topology::Single, 0, None));
    assert_eq!((plain.connect_timeout.as_secs(), plain.timeout.as_secs()), (2, 1));
    let all = store(
        "kind = \"redis\"\nmode = \"sentinel\"\nmaster = \"m\"\nnodes = [\"a\", \"[::1]:1\"]\nusername = \"u\"\n\
         password_file = \"p\"\nsentinel_password_env = \"P\"\ntls_ca = \"ca.pem\"\ndatabase = 2\ntimeout = \"250ms\"",
    );
    assert_eq!(all.nodes.iter().map(ToString::to_string).collect::<Vec<_>>(), ["a:26379", "[::1]:1"]);
    assert_eq!(all.topology, Topology::Sentinel { master: "m".into() });
    assert_eq!(all.password, Some(KeySource::File("dir/p".into())));
    assert_eq!(all.sentinel_password, Some(KeySource::Env("P".into())));
    assert_eq!(all.tls.unwrap().ca.as_deref(), Some(Path::new("dir/ca.pem")));
    assert_eq!((all.database, all.timeout.as_millis()), (2, 250));
    let cluster = store("kind = \"redis\"\nmode = \"cluster\"\nnodes = \"a\"\ntls = false");
    assert_eq!((cluster.topology, cluster.tls), (Topology::Cluster, None));
    assert!(store("kind = \"redis\"\nnodes = \"a\"\ntls = true").tls.is_some());

    let redis = "kind = \"redis\"\nnodes = [\"127.0.0.1:6379\"]\n";
    for (text, problems) in [
        ("kind = \"redis\"".to_owned(), vec![(8, "`nodes` is missing")]),
        ("kind = \"redis\"\nnodes = []".to_owned(), vec![(10, "`nodes` is an empty list")]),
        ("kind = \"redis\"\nnodes = [\"redis://x\"]".to_owned(), vec![(10, "`nodes` must be a host and a port")]),
        ("kind = \"redis\"\nnodes = [\"a:1\", \"a:1\"]\ntls = true".to_owned(), vec![(10, "names a:1 twice")]),
        ("kind = \"redis\"\nnodes = [\"a:1\"]".to_owned(), vec![(8, "`tls` is missing: the store is on another")]),
        (format!("{redis}tls = false\ntls_ca = \"x\""), vec![(8, "`tls = false` and `tls_ca` are both there")]),
        (format!("{redis}mode = \"sentinel\""), vec![(8, "`master` is missing")]),
        (format!("{redis}master = \"m\""), vec![(11, "`master` is for `mode = \"sentinel\"`")]),
        (format!("{redis}mode = \"ring\""), vec![(11, "`mode` must be \"single\" or \"sentinel\" or \"cluster\"")]),
        (format!("{redis}mode = \"cluster\"\ndatabase = 1"), vec![(8, "a cluster has only one")]),
        (format!("{redis}username = \"u\""), vec![(8, "`username` without a `password_file`")]),
        (format!("{redis}password_file = \"p\"\npassword_env = \"P\""), vec![(12, "are both there; keep one")]),
        (format!("{redis}sentinel_username = \"u\""), vec![(8, "are for `mode = \"sentinel\"`")]),
        (format!("{redis}timeout = 0"), vec![(8, "`timeout` must be above zero")]),
        (format!("{redis}single_replica = true"), vec![(8, "`single_replica` is for the memory of one process")]),
        (format!("{redis}password = \"secret\""), vec![(11, "`password` is not known here")]),
        ("single_replica = true\nnodes = [\"a\"]".to_owned(), vec![(8, "`nodes` is for `kind = \"redis\"`")]),
        ("kind = \"memcached\"\nnodes = [\"a\"]".to_owned(), vec![(9, "`kind` must be \"memory\" or \"redis\"")]),
    ] {
        let said = read(&with_store(&text)).unwrap_err();
        assert_eq!(said.len(), problems.len(), "{text}: {said:?}");
        for (said, (line, part)) in said.iter().zip(&problems) {
            assert!(said.starts_with(&format!("dir/g.toml:{line}: store: ")) && said.contains(part), "{text}: {said}");
        }
    }
}

#[test]
fn keys_that_are_not_named_are_made_with_a_warning() {
    let random = crate::crypto::digest::SystemRandom::new();
    let mut made = MadeKeys::default();
    let keys = load_keys(&read(GOOD).unwrap(), &random, &mut made).unwrap();
    assert_eq!(keys.warnings.len(), 4);
    let missing = GOOD.replace("[store]", "[keys]\nsealing = [\"none.key\"]\n[store]");
    let problems = load_keys(&read(&missing).unwrap(), &random, &mut made).err().unwrap();
    assert!(problems[0].to_string().starts_with("dir/none.key: cannot be read"), "{}", problems[0]);
}

#[test]
fn a_feed_is_a_file_an_address_or_a_query_service() {
    let with = |place: &str| read(&GOOD.replacen("file = \"feed.xml\"", place, 1)).unwrap();
    let config =
        with("url = \"https://md.example.se/idp.xml\"\nmirrors = [\"https://m.example.se/\"]\nseed = \"s.xml\"");
    let FeedPlace::Url(remote) = &config.metadata[0].place else { panic!("{:?}", config.metadata) };
    let urls: Vec<_> = remote.urls.iter().map(RemoteUrl::as_str).collect();
    assert_eq!(urls, ["https://md.example.se/idp.xml", "https://m.example.se/"], "in the order that they are tried");
    assert_eq!((remote.seed.as_deref(), remote.max_stale.as_secs()), (Some(Path::new("dir/s.xml")), 14 * 86_400));
    let warnings = |config: &Config| -> Vec<String> {
        let of_feeds = config.warnings.iter().filter(|warning| warning.place.starts_with("metadata"));
        of_feeds.map(|warning| warning.message.clone()).collect()
    };
    assert_eq!(warnings(&config), [""; 0]);
    let printed = print(&config);
    assert!(printed.contains("mirrors = [\"https://m.example.se/\"]") && printed.contains("max_stale"), "{printed}");

    let config = with("mdq = \"https://mdq.example.se\"\nmdq_id = \"sha1\"\nmax_stale = \"2d\"");
    assert!(
        matches!(&config.metadata[0].place, FeedPlace::Mdq { by: MdqId::Sha1, remote } if remote.max_stale.as_secs() == 172_800)
    );
    let config = with("url = \"https://md.example.se\"");
    assert!(warnings(&config)[0].contains("without `[state] dir` or a `seed`"), "{:?}", warnings(&config));
}
