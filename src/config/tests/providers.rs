//! `[[provider]]` of tokens, and operators' words on providers.

use std::path::Path;

use super::super::*;
use super::{GOOD, problems, read};
use crate::base::UnixTime;
use crate::crypto::trusted::{AlgorithmSet, JwsAlgorithm};

const OTHERS: &str = r#"
[[provider]]
id = "freja"
eid = "freja"
protocol = "oidc"
issuer = "https://op.example.se"
client_id = "etjanst"
client_key = "client.pem"
loa = ["loa3"]
[[provider]]
id = "api"
protocol = "jwt"
issuer = "https://as.example.se"
audience = "https://etjanst.example.se/api"
jwks_file = "as-jwks.json"
"#;

#[test]
fn an_operators_word_says_on_whom_what_and_why() {
    let word = "[[override]]\nprovider = \"freja\"\nstate = \"open\"\nwho = \"eva\"\nwhy = \"planned\"\n\
                from = \"2026-03-01T20:00:00+01:00\"\nuntil = \"2026-03-01T22:00:00Z\"\n";
    let config = read(&format!("{GOOD}{OTHERS}{word}")).unwrap();
    let [one] = &config.overrides[..] else { panic!() };
    assert_eq!((one.provider.as_str(), one.state, one.who.as_str()), ("freja", Forced::Open, "eva"));
    let at = |text: &str| UnixTime::parse_rfc3339(text).unwrap();
    let holds =
        ["2026-03-01T18:59:59Z", "2026-03-01T19:00:00Z", "2026-03-01T22:00:00Z"].map(|text| one.holds(at(text)));
    assert_eq!(holds, [false, true, false]);
    for (from, to, problem) in [
        ("provider = \"freja\"", "provider = \"nobody\"", "no [[provider]] has the id"),
        ("provider = \"freja\"", "provider = \"api\"", "nobody logs in by"),
        ("state = \"open\"\n", "", "`state` is missing"),
        ("who = \"eva\"", "who = \"eva\\u202Enimda\"", "`who` must be one line"),
        ("why = \"planned\"", "why = \"a\\nb\"", "`why` must be one line"),
        ("state = \"open\"", "state = \"ajar\"", "`state` must be"),
        ("who = \"eva\"\n", "", "`who` is missing"),
        ("why = \"planned\"", "why = \"\"", "`why` is empty"),
        ("2026-03-01T22:00:00Z", "2026-03-01T18:00:00Z", "`until` is not after `from`"),
        ("2026-03-01T22:00:00Z", "22:00", "`until` must be an instant"),
    ] {
        let said = problems(&format!("{GOOD}{OTHERS}{}", word.replacen(from, to, 1))).join("\n");
        assert!(said.contains(problem), "{to}: {said}");
    }
}

#[test]
fn a_provider_speaks_one_of_three_protocols() {
    let config = read(&format!("{GOOD}{OTHERS}")).unwrap();
    let [saml, oidc, jwt] = &config.providers[..] else { panic!("{:?}", config.providers.len()) };
    assert!(saml.saml().is_some() && saml.has_login());
    let own = oidc.oidc().unwrap();
    assert_eq!((own.profile, own.issuer.as_str()), (OidcProfile::Generic, "https://op.example.se"));
    assert!(
        matches!(&own.client, Some(ClientAuth::PrivateKeyJwt(KeySource::File(path))) if path == Path::new("dir/client.pem"))
    );
    assert!(oidc.has_login() && oidc.force_authn && oidc.loa.len() == 1);
    assert_eq!((own.tokens.algorithms, own.encryption), (AlgorithmSet::ALL, Encryption::Optional));
    let more = OTHERS.replacen(
        "loa = [\"loa3\"]",
        "loa = [\"loa3\"]\nalgorithms = [\"ES256\", \"EdDSA\"]\nclaims = { loa = \"level\", name = \"display\" }",
        1,
    );
    let config = read(&format!("{GOOD}{more}")).unwrap();
    let tokens = &config.providers[1].oidc().unwrap().tokens;
    assert!(tokens.algorithms.contains(JwsAlgorithm::EdDsa) && !tokens.algorithms.contains(JwsAlgorithm::Rs256));
    assert_eq!((tokens.loa_claim(), tokens.claims.len()), (Some("level"), 2));
    let own = jwt.jwt().unwrap();
    assert_eq!(own.audience, ["https://etjanst.example.se/api"]);
    assert_eq!(own.published.jwks_file.as_deref(), Some(Path::new("dir/as-jwks.json")));
    assert!(!jwt.has_login() && !own.require_at_jwt);
    assert_eq!(jwt.eid.as_str(), "api", "nobody picks it");

    let login = OTHERS.replacen(
        "loa = [\"loa3\"]",
        "loa = [\"loa3\"]\nscopes = [\"email\"]\nhosts = [\"Keys.Example.SE\"]\nmax_age = \"10m\"",
        1,
    );
    let config = read(&format!("{GOOD}{login}")).unwrap();
    let own = config.providers[1].oidc().unwrap();
    assert_eq!((own.scope().as_str(), own.max_age), ("openid email", Some(std::time::Duration::from_secs(600))));
    assert_eq!(own.published.discovery.as_str(), "https://op.example.se/.well-known/openid-configuration");
    for (url, may) in [
        ("https://op.example.se/keys", true),
        ("https://op.example.se:8443/keys", false),
        ("https://keys.example.se/1", true),
        ("https://op.example.se.evil.example/keys", false),
        ("https://evil.example/op.example.se", false),
    ] {
        assert_eq!(own.published.may_call(&RemoteUrl::parse(url).unwrap()), may, "{url}");
    }

    let public = read(&format!("{GOOD}{}", OTHERS.replacen("client_key = \"client.pem\"\n", "", 1))).unwrap();
    assert!(public.providers[1].oidc().unwrap().client.is_none(), "a public client");

    for (from, to, problem) in [
        ("issuer = \"https://op", "issuer = \"http://op", "`issuer` must be an https address"),
        ("issuer = \"https://op.example.se\"", "issuer = \"https://op.example.se?x\"", "`issuer` must hold no query"),
        (
            "client_key",
            "client_secret_file = \"s\"\nclient_key",
            "`client_key` and `client_secret_file` are both there",
        ),
        ("client_key = \"client.pem\"", "signed_requests = true", "`signed_requests` needs a `client_key`"),
        ("client_key = \"client.pem\"", "client_key_id = \"x\"", "`client_key_id` is of a `client_key`"),
        ("client_key", "hosts = [\"https://x\"]\nclient_key", "is no name of a host"),
        ("client_key", "scopes = [\"a b\"]\nclient_key", "is no scope"),
        ("client_key", "max_stale = 0\nclient_key", "`max_stale` must be above zero"),
        ("client_key", "jwks_url = \"http://x.se\"\nclient_key", "`jwks_url` must be an https address"),
        ("audience = \"https://etjanst.example.se/api\"\n", "", "`audience` is missing"),
        ("audience", "entity_id = \"x\"\naudience", "`entity_id` is not known here"),
        ("eid = \"freja\"\n", "", "`eid` is missing"),
        (
            "issuer = \"https://as.example.se\"\naudience = \"https://etjanst.example.se/api\"",
            "issuer = \"https://op.example.se\"\naudience = [\"etjanst\"]",
            "its ID tokens would pass for access tokens",
        ),
        ("loa = [\"loa3\"]", "loa = [\"loa3\"]\nalgorithms = [\"HS256\"]", "`algorithms`: \"HS256\" is not taken"),
        ("loa = [\"loa3\"]", "loa = [\"loa3\"]\nalgorithms = [\"none\"]", "`algorithms`: \"none\" is not taken"),
        ("loa = [\"loa3\"]", "loa = [\"loa3\"]\nalgorithms = []", "`algorithms` is an empty list"),
        ("loa = [\"loa3\"]", "loa = [\"loa3\"]\nclaims = { shoe_size = \"x\" }", "`shoe_size` is no field"),
        ("loa = [\"loa3\"]", "loa = [\"loa3\"]\nclaims = { eid = \"x\" }", "`eid` is no field"),
    ] {
        let problems = read(&format!("{GOOD}{}", OTHERS.replacen(from, to, 1))).unwrap_err();
        assert!(problems.len() == 1 && problems[0].contains(problem), "{problem}: {problems:?}");
    }
}
