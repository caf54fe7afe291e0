//! "Försök ändå" is what a person says who has read our page: a link from elsewhere leads nobody to another kind of provider
//! without their being told.

use http::{Method, StatusCode};

use crate::support::{BASE, Client, World};

#[tokio::test]
async fn a_link_from_elsewhere_says_nothing_for_whoever_follows_it() {
    let mut world = World::new("").await;
    // The BankID that is preferred has no keys, so nothing is known of its levels: nobody stands in for it without a word.
    let first = "[[provider]]\nid = \"bankid-first\"\neid = \"bankid\"\nlabel = \"BankID\"\nprotocol = \"saml\"\n\
                 entity_id = \"https://nobody.example.org/idp\"\nmetadata = \"feed\"\n[[provider]]\nid = \"bankid-a\"";
    world.configure(|config| config.replacen("[[provider]]\nid = \"bankid-a\"", first, 1)).await;
    let own = format!("{BASE}/eid/login?rd=/ansokan/1");
    let elsewhere = "https://evil.example/";
    for (anyway, headers, begins) in [
        (false, vec![], false),
        (true, vec![], true),
        (true, vec![("sec-fetch-site", "same-origin")], true),
        (true, vec![("referer", own.as_str())], true),
        (true, vec![("sec-fetch-site", "cross-site")], false),
        (true, vec![("sec-fetch-site", "same-site")], false),
        (true, vec![("sec-fetch-site", "none")], false),
        (true, vec![("referer", elsewhere)], false),
    ] {
        let target = format!("/eid/login?rd=/ansokan/1&eid=bankid{}", if anyway { "&anyway=true" } else { "" });
        let reply = Client::new(world.public()).send(Method::GET, &target, &headers, "").await;
        let expect = if begins { StatusCode::SEE_OTHER } else { StatusCode::OK };
        assert_eq!(reply.status, expect, "{anyway} {headers:?}: {}", reply.body);
        assert!(begins || reply.body.contains("name=\"anyway\" value=\"true\""), "the page says it: {}", reply.body);
    }
}
