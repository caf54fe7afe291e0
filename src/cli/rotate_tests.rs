//! The plan by itself: what each step wants to see, and what it refuses.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::config::load_text;

const NOW: UnixTime = UnixTime::from_secs(1_772_359_200);

const REST: &str = r#"[store]
single_replica = true
[[metadata]]
id = "feed"
file = "idp.xml"
[[provider]]
id = "p"
eid = "p"
label = "P"
protocol = "saml"
entity_id = "https://p.example.se"
metadata = "feed"
"#;

fn config(folder: &Path, keys: &str) -> Config {
    let text = format!(
        "environment = \"test\"\n[service]\nid = \"e\"\nentity_id = \"https://e.example.se/sp\"\n\
         base_url = \"https://e.example.se\"\nupstream = \"http://127.0.0.1:1\"\n[keys]\n{keys}\n{REST}"
    );
    load_text(&folder.join("g.toml"), &text).map_err(|problems| format!("{problems:?}")).unwrap()
}

struct Stage {
    folder: tempfile::TempDir,
    kind: Kind,
}

impl Stage {
    fn new(kind: Kind) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("old.pem"), generate_rsa_pem().unwrap().expose()).unwrap();
        Self { folder, kind }
    }

    fn config(&self, files: &[&str]) -> Config {
        let files: Vec<String> = files.iter().map(|file| format!("\"{file}\"")).collect();
        config(self.folder.path(), &format!("{} = [{}]", self.kind.name(), files.join(", ")))
    }

    fn begin(&self) -> Plan {
        let file = self.folder.path().join("plan.json");
        start(&self.config(&["old.pem"]), self.kind, &file, NOW).unwrap();
        assert!(start(&self.config(&["old.pem"]), self.kind, &file, NOW).unwrap_err().contains("under way"));
        let plan = read(&file, self.kind).unwrap();
        assert!(plan.new.ends_with("old-20260301.pem") && plan.new.exists() && plan.done == Done::Made);
        plan
    }

    fn feed(&self, plan: &Plan, old: bool, new: bool) -> PublishedService {
        let config = self.config(&["old.pem"]);
        let mut keys = Vec::new();
        keys.extend(old.then(|| fingerprint(&plan.old, &config).unwrap()));
        keys.extend(new.then(|| fingerprint(&plan.new, &config).unwrap()));
        let (signing, encryption) = match self.kind {
            Kind::Signing => (keys, Vec::new()),
            Kind::Decryption => (Vec::new(), keys),
        };
        let (valid_until, cache_duration) = (Some(NOW.plus(10 * DAY)), Some(5 * HOUR));
        PublishedService { signing, encryption, valid_until, cache_duration, ..PublishedService::default() }
    }
}

const NEW: &str = "old-20260301.pem";

#[test]
fn the_key_that_signs_is_replaced_and_no_step_is_left_out() {
    let stage = Stage::new(Kind::Signing);
    let plan = stage.begin();
    let (alone, listed) = (stage.config(&["old.pem"]), stage.config(&["old.pem", NEW]));
    let (turned, gone) = (stage.config(&[NEW, "old.pem"]), stage.config(&[NEW]));

    for early in [&alone, &turned, &gone] {
        assert!(advance(&plan, early, None, NOW).unwrap_err().contains("this step wants"));
    }
    let plan = advance(&plan, &listed, None, NOW).unwrap().unwrap();
    assert_eq!(plan.done, Done::Published);

    assert!(advance(&plan, &listed, None, NOW).unwrap_err().contains("--feed"));
    for (old, new) in [(true, false), (false, false), (false, true)] {
        assert!(advance(&plan, &listed, Some(&stage.feed(&plan, old, new)), NOW).is_err(), "{old} {new}");
    }
    let both = stage.feed(&plan, true, true);
    assert!(advance(&plan, &turned, Some(&both), NOW).is_err(), "it signs before anybody knows it");
    let plan = advance(&plan, &listed, Some(&both), NOW).unwrap().unwrap();
    assert_eq!((plan.done, plan.not_before), (Done::Seen, Some(NOW.plus(5 * HOUR))));

    assert!(advance(&plan, &turned, None, NOW.plus(5 * HOUR - Duration::from_secs(1))).is_err(), "an older copy");
    assert!(advance(&plan, &gone, None, NOW.plus(5 * HOUR)).is_err(), "the old one is published a while longer");
    let plan = advance(&plan, &turned, None, NOW.plus(5 * HOUR)).unwrap().unwrap();
    assert_eq!(plan.done, Done::Switched);

    assert!(advance(&plan, &gone, None, NOW.plus(5 * HOUR)).is_err(), "requests of the old key are on their way");
    assert!(advance(&plan, &turned, None, NOW.plus(6 * HOUR)).is_err());
    assert_eq!(advance(&plan, &gone, None, NOW.plus(6 * HOUR)).unwrap(), None);
}

#[test]
fn the_key_that_opens_is_kept_as_long_as_somebody_may_encrypt_to_it() {
    let stage = Stage::new(Kind::Decryption);
    let plan = stage.begin();
    let (both, gone) = (stage.config(&[NEW, "old.pem"]), stage.config(&[NEW]));
    assert!(advance(&plan, &stage.config(&["old.pem", NEW]), None, NOW).is_err(), "the first is published");
    let plan = advance(&plan, &both, None, NOW).unwrap().unwrap();
    assert!(advance(&plan, &both, Some(&stage.feed(&plan, true, true)), NOW).unwrap_err().contains("old key too"));
    assert!(advance(&plan, &gone, Some(&stage.feed(&plan, false, true)), NOW).is_err(), "the old one must still open");
    let plan = advance(&plan, &both, Some(&stage.feed(&plan, false, true)), NOW).unwrap().unwrap();
    assert_eq!((plan.done, plan.not_before), (Done::Seen, Some(NOW.plus(10 * DAY))), "copies of the feed live as long");
    assert!(advance(&plan, &gone, None, NOW.plus(9 * DAY)).is_err());
    assert_eq!(advance(&plan, &gone, None, NOW.plus(10 * DAY)).unwrap(), None);
}

#[test]
fn a_plan_is_the_same_after_the_file_and_no_other_is_read() {
    let stage = Stage::new(Kind::Signing);
    let plan = Plan { not_before: Some(NOW), done: Done::Switched, ..stage.begin() };
    let file = stage.folder.path().join("plan.json");
    write(&file, &plan).unwrap();
    assert_eq!(read(&file, Kind::Signing), Ok(plan));
    assert!(read(&file, Kind::Decryption).is_err());
    for bad in ["", "{}", "{\"version\": 2}", "[]"] {
        std::fs::write(&file, bad).unwrap();
        assert!(read(&file, Kind::Signing).is_err(), "{bad}");
    }
}
