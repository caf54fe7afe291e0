//! `[pages]` and `[[notice]]`.

use super::{GOOD, read};
use crate::base::UnixTime;
use crate::config::print;
use crate::session::Locale;

#[test]
fn the_agencys_own_words_are_for_pages_in_both_languages() {
    let with = |pages: &str| format!("{GOOD}[pages]\n{pages}\n");
    let config = read(&with(
        "service_name = { sv = \"Ansökan\", en = \"Application\" }\nowner = \"Myndigheten\"\nphone = \"0771-000 000\"\n\
         privacy_url = { sv = \"https://example.se/p\" }",
    ))
    .unwrap();
    let name = config.pages.service_name.as_ref().unwrap();
    assert_eq!((name.get(Locale::Sv), name.get(Locale::En)), ("Ansökan", "Application"));
    let owner = config.pages.owner.as_ref().unwrap();
    assert_eq!((owner.get(Locale::Sv), owner.get(Locale::En)), ("Myndigheten", "Myndigheten"));
    let printed = print(&config);
    assert!(printed.contains("owner = \"Myndigheten\"") && printed.contains("en = \"Application\""), "{printed}");

    for (pages, problem) in [
        ("service_name = { en = \"Application\" }", "pages.service_name: `sv` is missing"),
        ("service_name = { sv = \"A\", de = \"B\" }", "pages.service_name: `de` is not known here"),
        ("owner = \" \"", "pages: `owner` is empty"),
        ("privacy_url = \"javascript:alert(1)\"", "pages: `privacy_url` must be an https address"),
        (
            "privacy_url = { sv = \"https://a\", en = \"http://b\" }",
            "pages.privacy_url: `privacy_url` must be an https",
        ),
        ("logo = \"none.svg\"", "pages: `logo`: dir/none.svg cannot be read"),
        ("logos = \"none.svg\"", "pages: `logos` is not known here; did you mean `logo`?"),
    ] {
        let problems = read(&with(pages)).unwrap_err();
        assert!(problems.len() == 1 && problems[0].contains(problem), "{problem}: {problems:?}");
        let line = GOOD.lines().count() + 2;
        assert!(problems[0].starts_with(&format!("dir/g.toml:{line}: ")), "{problems:?}");
    }
}

#[test]
fn maintenance_has_a_beginning_an_end_and_words_in_both_languages() {
    const NOTICE: &str = "[[notice]]\nfrom = 2026-12-01T22:00:00+01:00\nuntil = \"2026-12-02T04:00:00Z\"\n\
                          providers = [\"bankid-a\"]\nsv = \"Underhåll.\"\nen = \"Maintenance.\"\n";
    let config = read(&format!("{GOOD}{NOTICE}")).unwrap();
    let [notice] = &config.notices[..] else { panic!("{:?}", config.notices) };
    let at = |text: &str| UnixTime::parse_saml(text).unwrap();
    assert_eq!((notice.from, notice.until), (at("2026-12-01T21:00:00Z"), at("2026-12-02T04:00:00Z")));
    for (now, shown, on) in [
        ("2026-11-24T20:59:59Z", false, false),
        ("2026-11-24T21:00:00Z", true, false),
        ("2026-12-01T20:59:59Z", true, false),
        ("2026-12-01T21:00:00Z", true, true),
        ("2026-12-02T03:59:59Z", true, true),
        ("2026-12-02T04:00:00Z", false, false),
    ] {
        assert_eq!((notice.is_shown(at(now)), notice.is_on(at(now))), (shown, on), "{now}");
    }
    let printed = print(&config);
    for line in ["[[notice]]", "from = \"2026-12-01T21:00:00Z\"", "announce = \"604800s\"", "sv = \"Underhåll.\""] {
        assert!(printed.contains(line), "{line}: {printed}");
    }
    let twice = read(&format!("{GOOD}{NOTICE}{NOTICE}")).unwrap();
    assert_eq!(twice.notices.len(), 1);
    assert!(twice.warnings.iter().any(|warning| warning.message.contains("twice")), "{:?}", twice.warnings);

    for (from, to, problem) in [
        ("from = 2026-12-01T22:00:00+01:00", "", "`from` is missing: an instant"),
        ("+01:00", "", "`from` must be an instant with an offset"),
        ("from = 2026-12-01T22:00:00+01:00", "from = 2026-12-01", "`from` must be an instant with an offset"),
        ("\"2026-12-02T04:00:00Z\"", "\"i morgon\"", "`until` must be an instant with an offset"),
        ("2026-12-02T04", "2026-12-01T04", "`until` must be after `from`"),
        ("bankid-a", "bankid-b", "`providers`: no [[provider]] has the id \"bankid-b\""),
        ("[\"bankid-a\"]", "[]", "`providers` is an empty list"),
        ("[\"bankid-a\"]", "[\"bankid-a\", \"bankid-a\"]", "`providers` names \"bankid-a\" twice"),
        ("en = \"Maintenance.\"\n", "", "`en` is missing"),
        ("Underhåll.", "", "`sv` is empty"),
        ("sv =", "se =", "`sv` is missing"),
    ] {
        let problems = read(&format!("{GOOD}{}", NOTICE.replacen(from, to, 1))).unwrap_err();
        assert!(problems.iter().any(|said| said.contains(problem)), "{problem}: {problems:?}");
        assert!(problems.iter().all(|said| said.contains(": notice 1: ")), "{problems:?}");
    }
}
