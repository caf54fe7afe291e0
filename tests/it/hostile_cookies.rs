//! Cookies over HTTP that are bent, cut, exchanged between services and joined: nobody gets an answer of the e-service
//! without being somebody to it, and nobody becomes somebody else.

use std::net::SocketAddr;
use std::time::Duration;

use grindvakt::base::{Clock as _, SystemClock};
use grindvakt_demo::Person;
use grindvakt_demo::person::{asa, nils};
use http::{Method, StatusCode};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};

use crate::support::raw::{Answer, Records, exchange, raw_service};
use crate::support::{BASE, Client, World};

/// A service with a sidecar, and one living session there.
struct Service {
    world: World,
    records: Records,
    name: String,
    /// The session's cookie, and whom it tells the e-service of.
    live: String,
    number: String,
}

impl Service {
    async fn new(id: &str, person: &Person) -> Self {
        let (address, records) = raw_service().await;
        let mut world = World::with_upstream("", address).await;
        // Both seal under the same key: what keeps them apart is the name alone.
        let own = |text: &str| {
            let text = text.replacen("id = \"etjanst\"", &format!("id = \"{id}\""), 1);
            let text = text.replacen("[store]", "[verification]\nclock_skew = \"1s\"\n[store]", 1);
            text.replacen("label = \"BankID\"", "label = \"BankID\"\nallow_unsolicited = true", 1)
        };
        world.configure(own).await;
        let name = format!("__Host-eid-{id}");
        let mut client = Client::new(world.public());
        let (request, relay_state) = client.begin(&world, "/ansokan/1").await;
        let response = world.idp.response(&request).person(person).at(SystemClock.now()).build();
        assert_eq!(client.answer(&response, &relay_state).await.status, StatusCode::SEE_OTHER);
        let live = client.cookies[&name].clone();
        let number = person.number.clone().unwrap().into_owned();
        Self { world, records, name, live, number }
    }

    /// Every other cookie that it hands out: (name, value), none of which is a living session under its own name.
    async fn others(&self) -> Vec<(String, String)> {
        let mut all = Vec::new();
        // A login that is under way, one that is over, and the e-ID that was used last.
        let mut client = Client::new(self.world.public());
        client.begin(&self.world, "/ansokan/1").await;
        all.extend(client.cookies.clone());
        client.log_in(&self.world, "/ansokan/1").await;
        let over = client.cookies.clone();
        let out = client.send(Method::POST, "/eid/logout", &[("origin", BASE)], "").await;
        assert_eq!(out.status, StatusCode::OK);
        all.extend(over.into_iter().chain(client.cookies));
        // A session that waits for the person's yes.
        let acs = format!("{BASE}/eid/saml/acs");
        // Issued so late that nothing before this process could have used it.
        tokio::time::sleep(Duration::from_millis(1100)).await;
        let at = SystemClock.now().plus(Duration::from_secs(1));
        let answer = self.world.idp.unsolicited(&format!("{BASE}/sp"), &acs, at).build();
        let mut asked = Client::new(self.world.public());
        let page =
            asked.post("/eid/saml/acs", &[("SAMLResponse", &base64_simd::STANDARD.encode_to_string(answer))]).await;
        assert!(page.status == StatusCode::OK && asked.cookies.contains_key(&format!("{}-confirm", self.name)));
        all.extend(asked.cookies);
        all
    }

    /// Whether `cookies` holds the living session as a browser would send it: somebody is there.
    fn is_somebody(&self, cookies: &[(String, String)]) -> bool {
        let own = cookies.iter().filter(|(name, _)| *name == self.name);
        // The mark before the text only says where its fields are to be looked for.
        own.into_iter().any(|(_, value)| value.strip_prefix('~').unwrap_or(value) == self.live)
    }

    /// Sends `cookies` everywhere, and holds every answer against what they are.
    async fn holds(&self, cookies: &[(String, String)]) -> Result<u16, String> {
        let somebody = self.is_somebody(cookies);
        let pairs: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let head = format!("Host: etjanst.example.se\r\nConnection: close\r\nCookie: {}\r\n", pairs.join("; "));
        let ask = async |line: &str, more: &str| {
            answered(self.world.public(), format!("{line} HTTP/1.1\r\n{head}{more}\r\n").as_bytes()).await
        };
        let guarded = ask("GET /ansokan/1", "").await;
        let arrived = self.records.take().map_err(|faults| format!("{faults:?}"))?;
        match guarded.status {
            200 if arrived.len() == 1 && somebody => {
                let numbers = arrived[0].all("x-eid-personal-number");
                if numbers != [self.number.as_str()] {
                    return Err(format!("another identity: {numbers:?}"));
                }
            }
            401 if arrived.is_empty() && guarded.header("set-cookie").is_none() => {}
            status => return Err(format!("{status}, and {} requests went on", arrived.len())),
        }
        let let_in = guarded.status == 200;
        // The same session to our own paths, and nobody where all may look.
        let told = ask("GET /eid/session", "").await.status;
        let kept = ask("POST /eid/session/extend", "Origin: https://etjanst.example.se\r\nContent-Length: 0\r\n").await;
        let sets = kept.header("set-cookie").is_some_and(|set| set.starts_with(&format!("{}=", self.name)));
        if ((told == 200) != let_in) || ((kept.status == 200) != let_in) || sets != let_in {
            return Err(format!("let in: {let_in}; told {told}, kept {} ({sets})", kept.status));
        }
        let open = ask("GET /om/oss", "").await;
        let arrived = self.records.take().map_err(|faults| format!("{faults:?}"))?;
        let named = arrived.iter().flat_map(|request| &request.headers);
        let named = named.filter(|(name, _)| name.to_ascii_lowercase().starts_with("x-eid-")).count();
        if open.status != 200 || arrived.len() != 1 || named != 0 {
            return Err(format!("an open path: {}, {named} identity headers", open.status));
        }
        Ok(guarded.status)
    }
}

async fn answered(to: SocketAddr, sent: &[u8]) -> Answer {
    let mut answers = exchange(to, sent).await;
    assert_eq!(answers.len(), 1);
    answers.remove(0)
}

/// One character for another, neither of which ends a cookie.
fn other(c: char) -> char {
    if c == 'A' { 'B' } else { 'A' }
}

/// Every text that is one character, or one end, away from a living session.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cookie_with_any_character_bent_or_any_end_cut_opens_nothing() {
    let service = Service::new("etjanst", &asa()).await;
    let live = &service.live;
    let at = |end: usize| live.get(..end).unwrap();
    let mut texts: Vec<String> = Vec::new();
    for (place, c) in live.char_indices() {
        let rest = live.get(place + 1..).unwrap();
        texts.push(at(place).to_owned());
        texts.push(rest.to_owned());
        texts.push(format!("{}{}{rest}", at(place), other(c)));
        texts.push(format!("{}{rest}", at(place)));
    }
    // The last letter has bits that stand for nothing: in another writing it would be a second cookie of the same session.
    let (most, last) = (at(live.len() - 1), live.chars().last().unwrap());
    let alphabet = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['-', '_']);
    texts.extend(alphabet.filter(|c| *c != last).map(|c| format!("{most}{c}")));
    texts.extend(["=", "A", "AA", "AAAA", ".", "~"].map(|more| format!("{live}{more}")));
    texts.extend([format!("{live}{live}"), format!("~~{live}"), format!("\"{live}\""), String::new()]);
    let sent = texts.len();
    assert!(sent > 1_500, "{sent}");
    for text in texts {
        let cookies = [(service.name.clone(), text)];
        let head = format!(
            "GET /ansokan/1 HTTP/1.1\r\nHost: e\r\nConnection: close\r\nCookie: {}={}\r\n\r\n",
            cookies[0].0, cookies[0].1
        );
        let answer = answered(service.world.public(), head.as_bytes()).await;
        assert_eq!(answer.status, 401, "{}", cookies[0].1);
        assert!(service.records.take().unwrap().is_empty());
    }
    let cookies = [(service.name.clone(), live.clone())];
    assert_eq!(service.holds(&cookies).await, Ok(200), "and the one that they were made of does");
}

/// What somebody does to a cookie.
#[derive(Clone, Debug)]
enum Bend {
    Nothing,
    /// Another text from here on.
    Put(Index, String),
    /// Cut here.
    Cut(Index),
    /// The beginning of one, the end of another.
    Join(Index, Index),
    /// Under the name of another one.
    Renamed(Index),
    /// Behind the mark of sessions that are in a store.
    Marked,
}

fn bend() -> impl Strategy<Value = Bend> {
    prop_oneof![
        2 => Just(Bend::Nothing),
        3 => (any::<Index>(), "[A-Za-z0-9_~=%.-]{0,6}").prop_map(|(at, text)| Bend::Put(at, text)),
        2 => any::<Index>().prop_map(Bend::Cut),
        3 => (any::<Index>(), any::<Index>()).prop_map(|(other, at)| Bend::Join(other, at)),
        4 => any::<Index>().prop_map(Bend::Renamed),
        1 => Just(Bend::Marked),
    ]
}

fn bent(genuine: &[(String, String)], (which, bend): &(Index, Bend)) -> (String, String) {
    let (name, text) = which.get(genuine).clone();
    let upto = |text: &str, at: usize| text.get(..at.min(text.len())).unwrap_or_default().to_owned();
    let from = |text: &str, at: usize| text.get(at.min(text.len())..).unwrap_or_default().to_owned();
    match bend {
        Bend::Nothing => (name, text),
        Bend::Put(at, put) => {
            let at = at.index(text.len() + 1);
            (name, format!("{}{put}{}", upto(&text, at), from(&text, at + put.len())))
        }
        Bend::Cut(at) => (name, upto(&text, at.index(text.len() + 1))),
        Bend::Join(other, at) => {
            let (_, other) = other.get(genuine);
            let at = at.index(text.len().max(other.len()) + 1);
            (name, upto(&text, at) + &from(other, at))
        }
        Bend::Renamed(other) => (other.get(genuine).0.clone(), text),
        Bend::Marked => (name, format!("~{text}")),
    }
}

/// Two services under one key, and every cookie that either hands out.
#[test]
fn no_mixture_of_two_services_cookies_lets_anybody_in_as_somebody_else() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (one, two) =
        runtime.block_on(async { (Service::new("etjanst", &asa()).await, Service::new("annat", &nils()).await) });
    let mut genuine: Vec<(String, String)> = Vec::new();
    for service in [&one, &two] {
        genuine.push((service.name.clone(), service.live.clone()));
        genuine.extend(runtime.block_on(service.others()));
        service.records.take().unwrap();
    }
    assert!(genuine.len() >= 14, "{}", genuine.len());
    let (mut inside, mut outside) = (0, 0);
    let cookies = proptest::collection::vec((any::<Index>(), bend()), 1..4);
    let mut runner = TestRunner::new(Config { cases: 1_000, failure_persistence: None, ..Config::default() });
    let verdict = runner.run(&(cookies, any::<bool>()), |(cookies, at_one)| {
        let cookies: Vec<(String, String)> = cookies.iter().map(|one| bent(&genuine, one)).collect();
        let service = if at_one { &one } else { &two };
        runtime.block_on(service.holds(&cookies)).map(drop).map_err(TestCaseError::fail)
    });
    verdict.unwrap();
    // Each genuine cookie, under each name, at both services.
    for service in [&one, &two] {
        for (_, text) in &genuine {
            for (name, _) in &genuine {
                let cookies = [(name.clone(), text.clone())];
                match runtime.block_on(service.holds(&cookies)) {
                    Ok(200) => inside += 1,
                    Ok(_) => outside += 1,
                    Err(what) => panic!("{name}={text}: {what}"),
                }
            }
        }
    }
    assert!(inside >= 2 && outside > 10 * inside, "{inside} in, {outside} out");
}
