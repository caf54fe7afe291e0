//! A store that forgets before its time: full, told to throw away, or with a clock that jumped.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_full_store_forgets_nothing_and_one_that_would_is_refused() {
    let server = RedisServer::start(&[]);
    let replica = Replica::ready(settings(server.address)).await;
    let keys = Keys::new();
    assert_eq!(replica.use_once(&[keys.assertion("a"), keys.login("a")]).await, Ok(()));
    let _: () = server.ask(&["CONFIG", "SET", "maxmemory", "1mb"]);
    // Each try has its own reason, and uses nothing up.
    for id in ["b", "c"] {
        let refused = replica.use_once(&[keys.assertion(id), keys.login(id)]).await;
        assert_eq!(refused, Err(ReplayError::Full), "{:?}", replica.told());
    }
    assert_eq!(replica.use_once(&[keys.assertion("a"), keys.login("a")]).await, Err(ReplayError::Replayed));
    // A logout is known here, and filed when there is room.
    let ended = SessionId::new(&SystemRandom::new()).unwrap();
    let filed = replica.store.end(&[Order::session(ended, hour())], SystemClock.now()).await;
    assert_eq!((filed, replica.shared.status().waiting), (Err(ReplayError::Full), 1));
    let _: () = server.ask(&["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!(replica.use_once(&[keys.assertion("b"), keys.login("b")]).await, Ok(()));
    eventually(10, "the order is filed", || async { replica.shared.status().waiting == 0 }).await;
    assert!(!replica.told().iter().any(|told| told.starts_with("lost")), "{:?}", replica.told());

    for policy in ["allkeys-lru", "volatile-ttl"] {
        let _: () = server.ask(&["CONFIG", "SET", "maxmemory-policy", policy]);
        let fresh = Replica::open(settings(server.address));
        eventually(10, policy, || async { fresh.fault() == Some(FaultKind::Evicts) }).await;
        assert_eq!(fresh.use_once(&[keys.assertion("z")]).await, Err(ReplayError::Unavailable));
        let said = probe(&settings(server.address), &SystemRandom::new(), SystemClock.now()).await.unwrap_err();
        assert!(said.kind == FaultKind::Evicts && said.detail.contains(policy), "{said}");
        // Put right, it is taken without a restart.
        let _: () = server.ask(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
        fresh.until_fresh().await;
    }
}

/// Makes the server throw away the uses that it holds, and leave the line, which has no end.
fn throw_uses_away(server: &RedisServer) {
    for setting in [["maxmemory-policy", "volatile-ttl"], ["maxmemory", "1mb"]] {
        let _: () = server.ask(&["CONFIG", "SET", setting[0], setting[1]]);
    }
    // Something has to be written for something to go. It may not fit all the same.
    for _ in 0..100 {
        let mut filler = redis::cmd("SET");
        let _ = filler.arg("filler").arg("x").arg("EX").arg(9_999).query::<()>(&mut server.connection());
    }
    assert_eq!(server.ask::<Vec<String>>(&["KEYS", "grindvakt:{etjanst}:u:*"]), Vec::<String>::new());
}

fn put_right(server: &RedisServer) {
    for setting in [["maxmemory", "0"], ["maxmemory-policy", "noeviction"]] {
        let _: () = server.ask(&["CONFIG", "SET", setting[0], setting[1]]);
    }
}

/// A server that throws away for a moment only, between two looks at its policy: its line stands, and uses are missing.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_threw_something_away_begins_a_new_line() {
    let server = RedisServer::start(&[]);
    let (one, two) = (Replica::ready(settings(server.address)).await, Replica::ready(settings(server.address)).await);
    let line = one.store.line().await.unwrap();
    let keys = Keys::new();
    let used = [keys.assertion("a"), keys.login("a")];
    let until = SystemClock.now().plus(Duration::from_secs(60));
    let finish = async |replica: &Replica, line: &Line| {
        replica.store.consume(&used, &line.instance, until, SystemClock.now()).await.map(drop)
    };
    assert_eq!(finish(&one, &line).await, Ok(()));
    throw_uses_away(&server);
    put_right(&server);
    for replica in [&one, &two] {
        assert_eq!(finish(replica, &line).await, Err(ReplayError::OtherInstance), "it cannot know that it was used");
    }
    for replica in [&one, &two] {
        eventually(10, "both are at the new line", || async {
            replica.store.line().await.is_ok_and(|now| now.instance != line.instance)
        })
        .await;
    }
    let next = one.store.line().await.unwrap();
    assert!(two.store.line().await.unwrap().instance == next.instance);
    assert_eq!(finish(&two, &next).await, Ok(()));
    assert_eq!(finish(&one, &next).await, Err(ReplayError::Replayed), "and this line stands");
}

/// The count of what was thrown away is set back before the policy is: to the server it is as if nothing had been. Also where
/// nobody was connected while it happened, and the policy alone is seen.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_forgot_what_it_threw_away_begins_a_new_line() {
    for connected in [true, false] {
        let server = RedisServer::start(&[]);
        let relay = Relay::to(server.address).await;
        let replica = Replica::ready(settings(relay.address)).await;
        let line = replica.store.line().await.unwrap();
        let keys = Keys::new();
        let until = SystemClock.now().plus(Duration::from_secs(60));
        let finish = async |line: &Line| {
            replica.store.consume(&[keys.assertion("a")], &line.instance, until, SystemClock.now()).await.map(drop)
        };
        assert_eq!(finish(&line).await, Ok(()));
        if !connected {
            relay.cut();
            eventually(10, "it is cut off", || async { replica.fault().is_some() }).await;
        }
        throw_uses_away(&server);
        if connected {
            eventually(10, "it is seen", || async { replica.fault().is_some() }).await;
        }
        let _: () = server.ask(&["CONFIG", "RESETSTAT"]);
        relay.mend();
        eventually(10, "the policy is seen", || async { replica.fault() == Some(FaultKind::Evicts) }).await;
        put_right(&server);
        eventually(10, "it is up again", || async { replica.store.line().await.is_ok() }).await;
        assert_eq!(finish(&line).await, Err(ReplayError::OtherInstance), "it cannot know that it was used");
        assert_eq!(finish(&replica.store.line().await.unwrap()).await, Ok(()));
    }
}

/// A line as versions before wrote it, which told nothing of what was thrown away: it goes on where nothing ever was, with the
/// logins that were begun under it, and stays readable for them.
#[tokio::test(flavor = "multi_thread")]
async fn a_line_of_an_earlier_version_goes_on_where_nothing_was_thrown_away() {
    for thrown_away in [false, true] {
        let server = RedisServer::start(&[]);
        if thrown_away {
            let _: () = server.ask(&["SET", "filler", "x"]);
            for (name, value) in [("maxmemory-policy", "allkeys-random"), ("maxmemory", "100kb")] {
                let _: () = server.ask(&["CONFIG", "SET", name, value]);
            }
            // For something to go something has to be written. It may not fit all the same.
            let _ = redis::cmd("SET").arg("more").arg("x").query::<()>(&mut server.connection());
            for (name, value) in [("maxmemory", "0"), ("maxmemory-policy", "noeviction")] {
                let _: () = server.ask(&["CONFIG", "SET", name, value]);
            }
        }
        let info: String = server.ask(&["INFO", "server"]);
        let run_id = info.lines().find_map(|line| line.strip_prefix("run_id:")).unwrap().trim();
        let before = format!("{run_id}sixteen bytes of1772359200123");
        let _: () = server.ask(&["SET", "grindvakt:{etjanst}:line", &before]);
        let replica = Replica::ready(settings(server.address)).await;
        let line = replica.store.line().await.unwrap();
        assert_eq!(line.since.as_millis() == 1_772_359_200_123, !thrown_away);
        let written: String =
            String::from_utf8_lossy(&server.ask::<Vec<u8>>(&["GET", "grindvakt:{etjanst}:line"])).into();
        assert_eq!(written == before, !thrown_away);
        let rest = written.rsplit(|c: char| !c.is_ascii_digit()).next().unwrap();
        assert!(rest.len() >= 13, "{written:?} ends with an instant, as it always has");
        let keys = Keys::new();
        let used = [keys.assertion("a"), keys.login("a")];
        let (now, until) = (SystemClock.now(), SystemClock.now().plus(Duration::from_secs(60)));
        assert_eq!(replica.store.consume(&used, &line.instance, until, now).await.map(drop), Ok(()));
        assert_eq!(
            replica.store.consume(&used, &line.instance, until, now).await.map(drop),
            Err(ReplayError::Replayed)
        );
    }
}

/// Uses end by the store's clock: one that jumps ahead ends them before their time.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_whose_clock_jumped_ahead_begins_a_new_line() {
    let server = RedisServer::start(&[]);
    let relay = Relay::to(server.address).await;
    let replica = Replica::ready(settings(relay.address)).await;
    let line = replica.store.line().await.unwrap();
    let is_at = async |line: &Line| replica.store.line().await.is_ok_and(|now| now.instance == line.instance);
    relay.clock_ahead(20);
    tokio::time::sleep(SECOND * 2).await;
    assert!(is_at(&line).await, "well within what uses live beyond their time");
    // While it looks, and while nobody does.
    for (ahead, cut) in [(400, false), (800, true)] {
        let before = replica.store.line().await.unwrap();
        if cut {
            relay.cut();
            eventually(10, "the cut is noticed", || async { replica.fault().is_some() }).await;
        }
        relay.clock_ahead(ahead);
        relay.mend();
        eventually(10, "a new line begins", || async {
            replica.store.line().await.is_ok_and(|now| now.instance != before.instance)
        })
        .await;
        let refused = replica.store.consume(&[Keys::new().login("h")], &before.instance, UNTIL, NOW).await;
        assert_eq!(refused.map(drop), Err(ReplayError::OtherInstance));
    }
    let last = replica.store.line().await.unwrap();
    // Back again: what is remembered is remembered for longer.
    relay.clock_ahead(0);
    tokio::time::sleep(SECOND * 2).await;
    assert!(is_at(&last).await);
    assert_eq!(replica.use_once(&[Keys::new().login("h")]).await, Ok(()));
}
