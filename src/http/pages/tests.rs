//! Pages under hostile input, and what every page carries.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::base::{EidId, ProviderId, UnixTime};
use crate::config::{Localised, Logo, Notice, Pages};
use crate::crypto::digest::SystemRandom;
use crate::gate::{AtProvider, CannotUse, Choice, Confirm, Differs, Reference, Trouble, Unfit, Why};
use crate::http::text::Problem;
use crate::session::Locale;

const NOON: UnixTime = UnixTime::from_secs(1_796_122_800);

fn site() -> Site {
    Site {
        service_name: Localised::new("Tjänst & <b>Co</b>", Some("Service & <b>Co</b>".into())),
        prefix: "/eid".into(),
        home: "/".into(),
        origin: "https://etjanst.example.se".into(),
        own: Pages {
            owner: Some(Localised::new("Myndigheten <i>", Some("The agency <i>".into()))),
            contact: Some("help@example.se".into()),
            phone: Some("0771-000 000".into()),
            other_ways_url: Some("https://example.se/\"><script>".into()),
            accessibility_statement_url: Some("https://example.se/t".into()),
            privacy_url: Some(Localised::new("https://example.se/p", Some("https://example.se/en/p".into()))),
            ..Pages::default()
        },
        notices: Vec::new(),
        plain_http: false,
        labels: vec![(id("bankid-a"), "BankID".into()), (id("freja"), "Freja".into())],
    }
}

fn id(text: &str) -> ProviderId {
    ProviderId::new(text).unwrap()
}

fn view(site: &Site, locale: Locale) -> View<'_> {
    View { site, locale, now: NOON }
}

fn option(eid: &str, label: &str, trouble: Option<Trouble>) -> Choice {
    Choice {
        eid: EidId::new(eid).unwrap(),
        label: label.into(),
        provider: id(if eid == "bankid" { "bankid-a" } else { eid }),
        usable: trouble.is_none_or(Trouble::may_be_tried),
        trouble,
        differs: Differs::default(),
    }
}

fn cannot(eid: &str, label: &str, why: Unfit) -> CannotUse {
    CannotUse { eid: EidId::new(eid).unwrap(), label: label.into(), why }
}

const NO_EIDS: &[EidId] = &[];

fn offer<'a>(options: &'a [Choice], why: &'a Why) -> Offer<'a> {
    Offer { options, why, cannot: &[], if_mapped: NO_EIDS, rd: "/a?b=c&d", last: None }
}

fn body(answer: &Response<Bytes>) -> String {
    String::from_utf8(answer.body().to_vec()).unwrap()
}

fn asks() -> Confirm {
    Confirm {
        token: "\"><script>1</script>".into(),
        name: Some("<Åsa>".into()),
        label: "BankID".into(),
        set_cookies: vec![],
    }
}

fn every_page(locale: Locale) -> Vec<Response<Bytes>> {
    let site = site();
    let view = view(&site, locale);
    let reference = Reference::new(&SystemRandom::new()).unwrap();
    let options = [option("bankid", "BankID", None), option("freja", "Freja", Some(Trouble::Down))];
    let location = "https://op.example.se/logout?a=b&c=\"><script>1</script>".to_owned();
    let elsewhere = AtProvider { label: "<Freja>".into(), location, fields: Vec::new() };
    let by_form = AtProvider {
        label: "<BankID>".into(),
        location: "https://idp.example.se/slo?a=\"><script>1</script>".into(),
        fields: vec![("SAMLRequest", "\"><script>1</script>".into())],
    };
    let at =
        |at_provider| LoggedOut { session: Session::Ended, at_provider: Some(at_provider), ..LoggedOut::default() };
    let all = LoggedOut { there: Some(("<BankID>", false)), spreading: true, untold: true, ..at(&by_form) };
    let mut pages = vec![
        choose(view, &offer(&options, &Why::Open)),
        logged_out(view, &LoggedOut::default()),
        logged_out(view, &at(&elsewhere)),
        logged_out(view, &all),
        logout_ask(view),
        confirm(view, &asks()),
        to_provider(view, "https://idp.example.se:8443/sso", &[("SAMLRequest", "abc")]),
        repost(view, &[("SAMLResponse", "abc")]),
    ];
    for p in Problem::ALL {
        let ways = Ways { retry: Some("/a"), alternates: &options };
        pages.push(problem(view, StatusCode::FORBIDDEN, *p, Some(reference), ways));
    }
    pages
}

/// The texts between two marks, in order.
fn all<'a>(html: &'a str, from: &str, to: &str) -> Vec<&'a str> {
    html.split(from).skip(1).map(|after| after.split(to).next().unwrap()).collect()
}

#[test]
fn every_page_carries_the_headers_and_one_heading_in_its_language() {
    for locale in [Locale::Sv, Locale::En] {
        for answer in every_page(locale) {
            let headers = answer.headers();
            assert_eq!(headers[CACHE_CONTROL], "no-store");
            assert_eq!(headers[X_CONTENT_TYPE_OPTIONS], "nosniff");
            assert_eq!(headers[REFERRER_POLICY], "same-origin");
            assert_eq!(headers[CONTENT_TYPE], "text/html; charset=utf-8");
            let policy = headers[CONTENT_SECURITY_POLICY].to_str().unwrap();
            for directive in [
                "default-src 'none'",
                "style-src 'self'",
                "img-src 'self'",
                "form-action 'self'",
                "frame-ancestors 'none'",
                "base-uri 'none'",
            ] {
                assert!(policy.contains(directive), "{policy}");
            }
            assert!(!policy.contains("unsafe"), "{policy}");
            let html = body(&answer);
            assert!(html.contains(&format!("<html lang=\"{}\">", locale.tag())));
            let headings = all(&html, "<h1 tabindex=\"-1\" autofocus>", "</h1>");
            assert_eq!((headings.len(), html.matches("<h1").count()), (1, 1), "{html}");
            assert!(html.contains(&format!("<title>{} – ", headings[0])), "the title begins with the matter: {html}");
            assert!(!html.contains("style=") && !html.contains("onclick"), "{html}");
            assert!(!html.contains("<b>Co") && !html.contains("<i>") && !html.contains("\"><script>"), "{html}");
            let (name, agency, privacy) = match locale {
                Locale::Sv => ("Tjänst &#38;", "Ansvarig för tjänsten: Myndigheten", "https://example.se/p\""),
                Locale::En => ("Service &#38;", "Responsible for the service: The agency", "https://example.se/en/p\""),
            };
            for own in [name, agency, privacy, "href=\"mailto:help@example.se\"", "href=\"tel:0771000000\""] {
                assert!(html.contains(own), "{own}: {html}");
            }
        }
    }
}

#[test]
fn hostile_labels_and_targets_stay_text() {
    let rd = "/a?x=\"><script>alert(1)</script>&y='#frag";
    let site = site();
    let view = view(&site, Locale::Sv);
    let options = [option("bankid", "<img src=x onerror=1>", Some(Trouble::Down))];
    let html = body(&choose(view, &Offer { rd, ..offer(&options, &Why::Open) }));
    assert!(!html.contains("<img") && !html.contains("<script"), "{html}");
    let wanted = "name=\"rd\" value=\"/a?x=&#34;&#62;&#60;script&#62;alert(1)&#60;/script&#62;&#38;y=&#39;#frag\"";
    assert!(html.contains(wanted), "{html}");
    let wanted = "href=\"/eid/login?rd=/a%3Fx%3D%22%3E%3Cscript%3Ealert%281%29%3C/script%3E%26y%3D%27%23frag&#38;choose=true\
                  &#38;locale=en\"";
    assert!(html.contains(wanted), "the other language keeps the place: {html}");

    let html = body(&confirm(view, &asks()));
    assert!(!html.contains("<script") && !html.contains("<Åsa>"), "{html}");

    let fields = [("SAMLRequest", "\"><script>alert(1)</script>")];
    let html = body(&to_provider(view, "https://idp.example.se/\"><script>", &fields));
    assert_eq!(html.matches("<script").count(), 1, "only our own: {html}");
}

/// What the chooser says, one line each: the sentences above, the buttons (`>`), and what has none (`-`).
fn told(site: &Site, offer: &Offer<'_>) -> Vec<String> {
    let html = body(&choose(view(site, Locale::Sv), offer));
    let mut out: Vec<String> = all(&html, "<p class=\"lead\">", "</p>").into_iter().map(str::to_owned).collect();
    for entry in all(&html, "<li>\n", "</li>") {
        let Some(name) = all(entry, "<span class=\"name\">", "</span>").first().copied() else { continue };
        let mark = if entry.contains("<button") { ">" } else { "-" };
        let notes = all(entry, "<span class=\"note\">", "</span>");
        let notes = if notes.is_empty() { String::new() } else { format!(" ({})", notes.join("; ")) };
        out.push(format!("{mark} {name}{notes}"));
    }
    out
}

#[test]
fn the_chooser_says_how_each_does_and_whom_to_take_instead() {
    use Trouble::{Closed, Down, Suspected, WithoutKeys};
    let site = site();
    let eid = |name: &str| EidId::new(name).unwrap();
    let bankid = |trouble| option("bankid", "BankID", trouble);
    let freja = |trouble| option("freja", "Freja", trouble);
    let siths = || option("siths", "SITHS", None);
    let in_trouble = Why::InTrouble(bankid(Some(Down)));
    let left = Why::Unfinished(bankid(None));
    let instead = "BankID svarar inte just nu. Du kan logga in med Freja i stället.";
    let anyway = "Det ser inte ut att gå att logga in just nu. Du kan försöka ändå, eller komma tillbaka om en stund.";
    type Case<'a> = (Vec<Choice>, &'a Why, Option<&'a str>, Vec<&'a str>);
    let cases: Vec<Case<'_>> = vec![
        (vec![bankid(None), freja(None)], &Why::Open, None, vec!["> BankID", "> Freja"]),
        // The one that was used last comes first.
        (vec![bankid(None), freja(None)], &Why::Open, Some("freja"), vec!["> Freja (Senast använd)", "> BankID"]),
        // An e-ID that is not on offer orders nothing.
        (vec![bankid(None), freja(None)], &Why::Open, Some("okand"), vec!["> BankID", "> Freja"]),
        // Trouble weighs more.
        (
            vec![bankid(Some(Down)), freja(None)],
            &in_trouble,
            Some("bankid"),
            vec![instead, "> Freja", "> Försök ändå med BankID (Svarar inte just nu; Senast använd)"],
        ),
        (
            vec![bankid(Some(Suspected)), freja(None), siths()],
            &Why::Open,
            None,
            vec!["> Freja", "> SITHS", "> BankID (Kan ha problem just nu)"],
        ),
        (
            vec![freja(None), siths(), bankid(Some(WithoutKeys))],
            &Why::Open,
            None,
            vec![
                "Det går inte att logga in med BankID just nu. Du kan logga in med Freja eller SITHS i stället.",
                "> Freja",
                "> SITHS",
                "- BankID (Kan inte användas just nu)",
            ],
        ),
        // Health marks; it never takes the last way.
        (
            vec![bankid(Some(Down)), freja(Some(Down))],
            &in_trouble,
            None,
            vec![
                anyway,
                "> Försök ändå med BankID (Svarar inte just nu)",
                "> Försök ändå med Freja (Svarar inte just nu)",
            ],
        ),
        (
            vec![bankid(Some(Down)), freja(Some(Closed))],
            &Why::Open,
            None,
            vec![anyway, "> Försök ändå med BankID (Svarar inte just nu)", "- Freja (Kan inte användas just nu)"],
        ),
        (
            vec![bankid(None), freja(None)],
            &left,
            None,
            vec![
                "Din inloggning med BankID blev inte klar. Försök igen, eller välj ett annat sätt.",
                "> BankID",
                "> Freja",
            ],
        ),
    ];
    for (options, why, last, expected) in cases {
        let last = last.map(eid);
        let offer = Offer { last: last.as_ref(), ..offer(&options, why) };
        assert_eq!(told(&site, &offer), expected);
    }
    // The title begins with what is the matter, before what can be done about it.
    let nothing = Why::Open;
    for (options, why, locale, title) in [
        (vec![bankid(None), freja(None)], &nothing, Locale::Sv, "Välj hur du vill logga in – Tjänst"),
        (
            vec![bankid(Some(Down)), freja(None)],
            &in_trouble,
            Locale::Sv,
            "BankID svarar inte just nu – Välj hur du vill logga in – Tjänst",
        ),
        (
            vec![bankid(Some(Down)), freja(Some(Down))],
            &in_trouble,
            Locale::En,
            "It does not look possible to log in right now – Choose how to log in – Service",
        ),
        (
            vec![bankid(None), freja(None)],
            &left,
            Locale::Sv,
            "Din inloggning med BankID blev inte klar – Välj hur du vill logga in – Tjänst",
        ),
    ] {
        let html = body(&choose(view(&site, locale), &offer(&options, why)));
        assert!(html.contains(&format!("<title>{title} &#38; ")), "{title}: {html}");
    }
    // Whoever has read of the trouble is not told of it once more.
    let html = body(&choose(view(&site, Locale::Sv), &offer(&[bankid(Some(Down)), freja(None)], &Why::Open)));
    for (eid, anyway) in [("bankid", true), ("freja", false)] {
        let form = all(&html, "<form", "</form>").into_iter().find(|form| form.contains(&format!("id=\"eid-{eid}\"")));
        assert_eq!(form.unwrap().contains("name=\"anyway\" value=\"true\""), anyway, "{eid}: {html}");
    }
    // Every way on from there says in the place of what it was offered, in the other language too; where nothing was asked
    // for, nothing does.
    let html = body(&choose(view(&site, Locale::Sv), &offer(&[bankid(Some(Down)), freja(None)], &in_trouble)));
    let said = "<input type=\"hidden\" name=\"instead_of\" value=\"bankid\">";
    assert!(all(&html, "<form", "</form>").into_iter().all(|form| form.contains(said)), "{html}");
    assert!(html.contains("&#38;locale=en&#38;instead_of=bankid\""), "{html}");
    for why in [&Why::Open, &left] {
        let html = body(&choose(view(&site, Locale::Sv), &offer(&[bankid(Some(Down)), freja(None)], why)));
        assert!(!html.contains("instead_of"), "{html}");
    }
    let options = [bankid(None), option("eidas", "eIDAS", None)];
    let mapped = [eid("eidas")];
    let expected = ["> BankID", "> eIDAS (Fungerar bara om den är kopplad till ditt svenska personnummer)"];
    assert_eq!(told(&site, &Offer { if_mapped: &mapped, ..offer(&options, &Why::Open) }), expected);
}

#[test]
fn why_an_e_id_cannot_be_used_is_said_in_a_sentence() {
    let site = site();
    let others = [
        cannot("eidas", "Utländskt <e-ID>", Unfit::ForeignWithoutNumber),
        cannot("eidas2", "Utländskt", Unfit::Foreign),
        cannot("besokare", "Besökare", Unfit::NoNumber),
        cannot("sms", "Sms", Unfit::Level),
        cannot("siths", "SITHS", Unfit::Route),
    ];
    let options = [option("bankid", "BankID", None)];
    let html = body(&choose(view(&site, Locale::Sv), &Offer { cannot: &others, ..offer(&options, &Why::Open) }));
    let (_, section) = html.split_once("<h2>Kan inte användas här</h2>").unwrap();
    for (entry, expected) in all(section, "<li>", "</li>").into_iter().zip([
        "<strong>Utländskt &#60;e-ID&#62;</strong>. Den är utländsk, och den här delen av tjänsten behöver ditt svenska personnummer.",
        "<strong>Utländskt</strong>. Den här delen av tjänsten tar inte emot utländska e-legitimationer.",
        "<strong>Besökare</strong>. Den innehåller inget svenskt personnummer, och det behövs här.",
        "<strong>Sms</strong>. Den har inte den säkerhetsnivå som den här delen av tjänsten kräver.",
        "<strong>SITHS</strong>. Den här delen av tjänsten tar inte emot den.",
    ]) {
        assert_eq!(entry, expected);
    }
    assert!(!body(&choose(view(&site, Locale::Sv), &offer(&options, &Why::Open))).contains("Kan inte användas här"));
}

#[test]
fn maintenance_is_told_before_it_begins_and_while_it_goes_on() {
    let hour = |hours: i64| UnixTime::from_secs(NOON.as_secs() + hours * 3600);
    let notice = |from, until, providers: &[&str], sv: &str, en: &str| Notice {
        from,
        until,
        announce: Duration::from_secs(24 * 3600),
        providers: providers.iter().map(|name| id(name)).collect(),
        text: Localised::new(sv, Some(en.to_owned())),
    };
    let site = Site {
        notices: vec![
            notice(hour(-5), hour(0), &[], "Över.", "Over."),
            notice(hour(-1), hour(2), &["bankid-a"], "BankID <uppdateras>.", "BankID is updated."),
            notice(hour(20), hour(22), &["bankid-a", "freja"], "I morgon.", "Tomorrow."),
            notice(hour(25), hour(26), &[], "Senare.", "Later."),
        ],
        ..site()
    };
    let options = [option("bankid", "BankID", None), option("freja", "Freja", None)];
    assert_eq!(told(&site, &offer(&options, &Why::Open)), ["> Freja", "> BankID (Underhåll pågår)"]);
    let lines = |html: &str| -> Vec<String> {
        let sections = all(html, "<section class=\"notice\">", "</section>");
        sections
            .into_iter()
            .map(|section| section.replace("</p>", "").replace("\n<p>", " | ").replace('\n', ""))
            .collect()
    };
    let html = body(&choose(view(&site, Locale::Sv), &offer(&options, &Why::Open)));
    assert_eq!(
        lines(&html),
        [
            "<h2>Underhåll pågår</h2> | <strong>1 december 2026 klockan 11.00 till 1 december 2026 klockan 14.00</strong> | \
             BankID &#60;uppdateras&#62;. | Gäller BankID.",
            "<h2>Planerat underhåll</h2> | <strong>2 december 2026 klockan 08.00 till 2 december 2026 klockan 10.00</strong> \
             | I morgon. | Gäller BankID och Freja.",
        ]
    );
    let html = body(&choose(view(&site, Locale::En), &offer(&options, &Why::Open)));
    assert!(html.contains("1 December 2026 at 11:00 to 1 December 2026 at 14:00"), "{html}");
    assert!(html.contains("<p>Tomorrow.</p>") && html.contains("It concerns BankID and Freja."), "{html}");
    // What went wrong in a login may be because of it; what is to come explains nothing.
    let told =
        |p| lines(&body(&problem(view(&site, Locale::Sv), StatusCode::FORBIDDEN, p, None, Ways::default()))).len();
    assert_eq!((told(Problem::NoProvider), told(Problem::Failed), told(Problem::NotFound)), (1, 1, 0));
}

#[test]
fn a_problem_leads_on_keeps_the_place_and_is_said_in_both_languages() {
    let site = site();
    let reference = Reference::new(&SystemRandom::new()).unwrap();
    let alternates = [option("freja", "Freja", None), option("siths", "SITHS", Some(Trouble::Suspected))];
    let ways = Ways { retry: Some("/a?b=c&d"), alternates: &alternates };
    let answer = problem(view(&site, Locale::En), StatusCode::FORBIDDEN, Problem::Cancelled, Some(reference), ways);
    let policy = answer.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.contains("form-action 'self' https:;"), "{policy}");
    let html = body(&answer);
    assert!(html.contains("href=\"/eid/login?rd=/a%3Fb%3Dc%26d&#38;choose=true&#38;locale=en\">Choose how to log in<"));
    assert_eq!(all(&html, "id=\"eid-", "\">"), ["freja"], "who is in trouble is no advice: {html}");
    assert!(
        html.contains("Log in with Freja instead") && html.contains("name=\"rd\" value=\"/a?b=c&#38;d\""),
        "{html}"
    );
    assert!(html.contains(&format!("<code>{reference}</code>")), "{html}");
    let (_, swedish) = html.split_once("<details class=\"language\" lang=\"sv\">").unwrap();
    for said in
        ["<summary>På svenska</summary>", "<h2>Inloggningen avbröts</h2>", "locale=sv\">Välj hur du vill logga in<"]
    {
        assert!(swedish.contains(said), "{said}: {swedish}");
    }
    for (p, button) in [
        (Problem::Elsewhere, "/eid/login?rd=/a%3Fb%3Dc%26d&#38;locale=sv\">Börja om<"),
        (Problem::NoProvider, "/eid/login?rd=/a%3Fb%3Dc%26d&#38;locale=sv\">Försök igen<"),
        (Problem::NotSent, "/eid/login?rd=/a%3Fb%3Dc%26d&#38;locale=sv\">Logga in<"),
        (Problem::Level, "/eid/login?rd=/a%3Fb%3Dc%26d&#38;choose=true&#38;locale=sv\">Välj en annan e-legitimation<"),
        (Problem::OtherPerson, "/eid/logout?locale=sv\">Logga ut<"),
    ] {
        let html = body(&problem(view(&site, Locale::Sv), StatusCode::FORBIDDEN, p, None, ways));
        assert!(html.contains(button), "{p:?}: {html}");
    }
    // Nobody is invited on where nothing leads on.
    let html = body(&problem(view(&site, Locale::Sv), StatusCode::FORBIDDEN, Problem::Stopped, None, Ways::default()));
    assert!(!html.contains("class=\"button") && !html.contains("<form"), "{html}");
}

/// What the page after a logout says was ended, and what was not.
fn after(what: &LoggedOut<'_>) -> (Vec<String>, Vec<String>) {
    let html = body(&logged_out(view(&site(), Locale::Sv), what));
    assert!(html.contains("Stäng webbläsaren om du delar datorn"), "{html}");
    let (own, other) = html.split_once("<details class=\"language\" lang=\"en\">").unwrap();
    assert!(other.contains("You are logged out") && other.contains("This has not been ended"), "{other}");
    let (_, left) = own.split_once("<h2>Det här har inte avslutats</h2>").unwrap();
    let owned = |texts: Vec<&str>| texts.into_iter().map(str::to_owned).collect();
    (owned(all(own, "<p class=\"lead\">", "</p>")), owned(all(left, "<li>", "</li>")))
}

#[test]
fn logging_out_says_what_was_ended_and_what_was_not() {
    let at =
        AtProvider { label: "Freja".into(), location: "https://op.example.se/logout?a".into(), fields: Vec::new() };
    let here = LoggedOut { session: Session::Ended, ..LoggedOut::default() };
    let services = "Inloggningar i andra tjänster, även om du använde samma e-legitimation.";
    let eid = "Din inloggning hos e-legitimationen, om den fortfarande gäller. Den avslutar du där.";
    let still = "Du kan fortfarande vara inloggad hos Freja.";
    let name = "Tjänst &#38; &#60;b&#62;Co&#60;/b&#62;";
    let ended = format!("Din inloggning i {name} är avslutad.");
    for (what, expected, left) in [
        (here, vec![ended.clone()], vec![eid, services]),
        (
            LoggedOut { session: Session::None, ..here },
            vec![format!("Du var inte inloggad i {name}. Det fanns ingen inloggning att avsluta.")],
            vec![eid, services],
        ),
        (LoggedOut { at_provider: Some(&at), ..here }, vec![ended.clone()], vec![still, services]),
        (
            LoggedOut { spreading: true, untold: true, ..here },
            vec![ended],
            vec![
                eid,
                services,
                "Det kan dröja en kort stund innan utloggningen gäller på alla våra servrar.",
                "Tjänsten kunde inte nås. Det som du hade öppet där kan ligga kvar en stund.",
            ],
        ),
        (LoggedOut::default(), vec![format!("Du är utloggad från {name}.")], vec![services]),
        (
            LoggedOut { there: Some(("Freja", true)), ..LoggedOut::default() },
            vec![format!("Du är utloggad från {name}."), "Du är utloggad även hos Freja.".to_owned()],
            vec![services],
        ),
        (
            LoggedOut { there: Some(("Freja", false)), ..LoggedOut::default() },
            vec![format!("Du är utloggad från {name}.")],
            vec![
                "Freja kunde inte avsluta allt. Du kan fortfarande vara inloggad där eller i andra tjänster.",
                services,
            ],
        ),
    ] {
        let (said_ended, said_left) = after(&what);
        assert_eq!(said_ended, expected);
        assert_eq!(said_left, left);
    }
}

#[test]
fn a_login_that_lives_on_at_the_provider_can_be_ended_there() {
    let site = site();
    let by = |fields| AtProvider { label: "Freja".into(), location: "https://op.example.se/logout?a=b".into(), fields };
    let shown = |at: &AtProvider| {
        let what = LoggedOut { session: Session::Ended, at_provider: Some(at), ..LoggedOut::default() };
        let answer = logged_out(view(&site, Locale::Sv), &what);
        (answer.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned(), body(&answer))
    };
    let (policy, html) = shown(&by(Vec::new()));
    assert!(html.contains("href=\"https://op.example.se/logout?a=b\">Logga ut även där</a>"), "{html}");
    assert!(policy.contains("form-action 'self';"), "{policy}");
    let (policy, html) = shown(&by(vec![("SAMLRequest", "abc".to_owned())]));
    assert!(html.contains("<form method=\"post\" action=\"https://op.example.se/logout?a=b\">"), "{html}");
    assert!(html.contains("type=\"submit\">Logga ut även där</button>"), "{html}");
    assert!(policy.contains("form-action 'self' https:;"), "{policy}");
}

#[test]
fn a_logo_has_an_address_that_changes_with_it_and_words() {
    let logo = |bytes: &'static [u8]| {
        let logo = Logo { file: PathBuf::from("l.svg"), media_type: "image/svg+xml", bytes: Bytes::from_static(bytes) };
        let own = Pages { logo: Some(Arc::new(logo)), ..site().own };
        body(&logout_ask(view(&Site { own, ..site() }, Locale::Sv)))
    };
    let (one, other) = (logo(b"<svg/>"), logo(b"<svg />"));
    let src = |html: &str| all(html, "<img class=\"logo\" src=\"", "\"").first().map(|src| (*src).to_owned()).unwrap();
    assert!(src(&one).starts_with("/eid/assets/logo?v=") && src(&one) != src(&other));
    assert!(one.contains("alt=\"Myndigheten &#60;i&#62;\""), "{one}");
    assert!(!body(&logout_ask(view(&site(), Locale::Sv))).contains("<img"));
}

#[test]
fn only_pages_that_post_by_themselves_may_run_the_one_script() {
    let site = site();
    let view = view(&site, Locale::Sv);
    let posts = to_provider(view, "https://idp.example.se:8443/sso?a=b", &[("SAMLRequest", "abc")]);
    let policy = posts.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.contains("form-action 'self' https:;"), "{policy}");
    let html = body(&posts);
    let script = html.split_once("<script>").unwrap().1.split("</script>").next().unwrap();
    let digest = base64_simd::STANDARD.encode_to_string(sha256(script.as_bytes()));
    assert!(policy.contains(&format!("script-src 'sha256-{digest}'")), "{policy}");
    assert!(html.contains("<button"), "works without the script");
    assert!(html.contains("name=\"SAMLRequest\" value=\"abc\""));

    let own = repost(view, &[("SAMLResponse", "abc")]);
    let policy = own.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.contains(&format!("script-src 'sha256-{digest}'")), "{policy}");
    for quiet in [logout_ask(view), confirm(view, &asks())] {
        assert!(!quiet.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap().contains("script-src"));
    }
}

/// A browser holds the directive against every redirect after the form, and the e-service may send people on as well.
#[test]
fn what_is_answered_by_a_redirect_may_lead_on_and_nothing_else() {
    let directive = |answer: &Response<Bytes>| {
        let policy = answer.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
        policy.split("; ").find(|d| d.starts_with("form-action")).unwrap().to_owned()
    };
    let https = "form-action 'self' https:";
    for (address, expected) in [
        ("https://idp.example.se:8443/sso", https),
        ("https://a;script-src *,b/", https),
        ("http://idp.localhost:8081/sso", "form-action 'self' http: https:"),
        ("javascript:alert(1)", "form-action 'self'"),
        ("data:text/html,x", "form-action 'self'"),
        ("", "form-action 'self'"),
    ] {
        let here = Site { origin: address.to_owned(), ..site() };
        let view = view(&here, Locale::Sv);
        assert_eq!(directive(&to_provider(view, address, &[])), expected, "{address}");
        assert_eq!(directive(&repost(view, &[])), expected, "{address}");
        assert_eq!(directive(&confirm(view, &asks())), expected, "{address}");
        let options = [option("bankid", "BankID", None)];
        assert_eq!(directive(&choose(view, &offer(&options, &Why::Open))), expected, "{address}");
        assert_eq!(directive(&logout_ask(view)), "form-action 'self'", "{address}");
    }
    let here = Site { plain_http: true, ..site() };
    let options = [option("bankid", "BankID", None)];
    let chooser = choose(view(&here, Locale::Sv), &offer(&options, &Why::Open));
    assert_eq!(directive(&chooser), "form-action 'self' http: https:");
}
