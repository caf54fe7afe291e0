//! "Försök ändå" is what a person says who has read our page: a link from elsewhere leads nobody to another kind of provider
//! without their being told. And what the page offers in the place of what does not do is counted, when it is taken too.

use http::{Method, StatusCode};

use crate::support::{BASE, Client, Reply, World, metric};

/// The BankID that is preferred has no keys, so nothing is known of its levels: nobody stands in for it without a word.
async fn without_the_preferred() -> World {
    let mut world = World::new("").await;
    let first = "[[provider]]\nid = \"bankid-first\"\neid = \"bankid\"\nlabel = \"BankID\"\nprotocol = \"saml\"\n\
                 entity_id = \"https://nobody.example.org/idp\"\nmetadata = \"feed\"\n[[provider]]\nid = \"bankid-a\"";
    world.configure(|config| config.replacen("[[provider]]\nid = \"bankid-a\"", first, 1)).await;
    world
}

#[tokio::test]
async fn a_link_from_elsewhere_says_nothing_for_whoever_follows_it() {
    let world = without_the_preferred().await;
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

/// Where the form of an e-ID's button leads.
fn button(page: &Reply, eid: &str) -> String {
    let forms = page.body.split("<form").skip(1).map(|form| form.split("</form>").next().unwrap());
    let form = forms
        .into_iter()
        .find(|form| form.contains(&format!("id=\"eid-{eid}\"")))
        .unwrap_or_else(|| panic!("{}", page.body));
    let value = |field: &str, name: &str| {
        let (_, after) = field.split_once(&format!("{name}=\""))?;
        after.split('"').next().map(str::to_owned)
    };
    let fields: Vec<(String, String)> = form
        .split("<input")
        .skip(1)
        .map(|field| (value(field, "name").unwrap(), value(field, "value").unwrap()))
        .collect();
    let fields = fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    format!("/eid/login?{}", grindvakt_demo::form::encode(fields))
}

/// What is counted for a provider: offered by a page, led on without a word, taken from a page, taken without a word.
async fn counted(world: &World, provider: &str) -> [f64; 4] {
    let mut out = [0.0; 4];
    for (at, (family, how)) in
        [("failovers", "asked"), ("failovers", "silent"), ("failovers_taken", "asked"), ("failovers_taken", "silent")]
            .into_iter()
            .enumerate()
    {
        let name = format!("grindvakt_{family}_total{{how=\"{how}\",provider=\"{provider}\"}}");
        out[at] = metric(world.admin(), &name).await;
    }
    out
}

#[tokio::test]
async fn what_is_offered_in_the_place_of_what_does_not_do_is_counted_and_so_is_what_is_taken() {
    let world = without_the_preferred().await;
    let begins = async |target: &str, headers: &[(&str, &str)]| {
        let reply = Client::new(world.public()).send(Method::GET, target, headers, "").await;
        let to_provider = reply.status == StatusCode::SEE_OTHER || reply.body.contains("SAMLRequest");
        assert!(to_provider, "{target}: {} {}", reply.status, reply.body);
    };
    // Seen from the first scrape on: what appears with its first count has no rate.
    assert_eq!(counted(&world, "bankid-first").await, [0.0, 0.0, 0.0, 0.0]);
    // Whoever was offered nothing takes nothing.
    begins("/eid/login?rd=/ansokan/1&eid=freja", &[]).await;
    assert_eq!(counted(&world, "bankid-first").await, [0.0, 0.0, 0.0, 0.0]);

    let page = Client::new(world.public()).get("/eid/login?rd=/ansokan/1&eid=bankid").await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    assert_eq!(counted(&world, "bankid-first").await, [1.0, 0.0, 0.0, 0.0]);
    // Another e-ID, and another provider of the same, which is another kind of way: both were offered by that page.
    begins(&button(&page, "freja"), &[]).await;
    assert_eq!(counted(&world, "bankid-first").await, [1.0, 0.0, 1.0, 0.0]);
    begins(&button(&page, "bankid"), &[]).await;
    assert_eq!(counted(&world, "bankid-first").await, [1.0, 0.0, 2.0, 0.0]);

    // The same page in the other language is no further offer, and leads on as the first did.
    let english = page.body.split("href=\"").find(|link| link.contains("locale=en")).unwrap();
    let english = english.split('"').next().unwrap().replace("&#38;", "&");
    let page = Client::new(world.public()).get(&english).await;
    begins(&button(&page, "freja"), &[("sec-fetch-site", "same-origin")]).await;
    assert_eq!(counted(&world, "bankid-first").await, [1.0, 0.0, 3.0, 0.0]);

    // What other sites write into a link is nothing that we have offered; nor is an e-ID that is well, or none of ours.
    for (instead_of, headers) in
        [("bankid", &[("sec-fetch-site", "cross-site")][..]), ("freja", &[]), ("nobody", &[]), ("", &[])]
    {
        begins(&format!("/eid/login?rd=/ansokan/1&eid=freja&instead_of={instead_of}"), headers).await;
    }
    assert_eq!(counted(&world, "bankid-first").await, [1.0, 0.0, 3.0, 0.0]);
    for provider in ["bankid-a", "freja"] {
        assert_eq!(counted(&world, provider).await, [0.0, 0.0, 0.0, 0.0], "{provider}");
    }
}
