//! The choice, as a table.
#![allow(clippy::unwrap_used)]

use super::*;
use Trouble::{Closed, Down, Suspected, WithoutKeys};

fn eid(name: &str) -> EidId {
    EidId::new(name).unwrap()
}

fn way<'a>(eid: &'a EidId, trouble: Option<Trouble>) -> Way<'a> {
    Way {
        eid,
        method: Method::Any,
        identifier: Identifier::Number,
        levels: Some(vec!["loa3".to_owned()]),
        lacks: Vec::new(),
        trouble,
        unfinished: false,
        used_last: false,
    }
}

/// `begin 1`, or `ask 0 1!down`: the ways on offer with their troubles, `*` at the one that was asked for.
fn said(plan: &Plan) -> String {
    match plan {
        Plan::Nothing => "nothing".to_owned(),
        Plan::Begin(offer) => format!("begin {}", offer.way),
        Plan::Ask { offers, asked_for } => {
            let one = |offer: &Offer| {
                let trouble = offer.trouble.map(|trouble| format!("!{}", trouble.name())).unwrap_or_default();
                let star = if *asked_for == Some(*offer) { "*" } else { "" };
                let differs = if offer.differs.any() { "~" } else { "" };
                format!("{}{differs}{trouble}{star}", offer.way)
            };
            format!("ask {}", offers.iter().map(one).collect::<Vec<_>>().join(" "))
        }
    }
}

#[test]
fn health_orders_and_marks_and_never_takes_the_last_way_away() {
    let (bankid, freja) = (eid("bankid"), eid("freja"));
    let named = |eid| Wish { eid: Some(eid), ..Wish::default() };
    let anyway = |eid| Wish { eid: Some(eid), anyway: true, ..Wish::default() };
    let open = Wish::default();
    // Trouble of BankID by a, of BankID by b, and of Freja; what the person wants; what becomes of it.
    for (a, b, f, wish, expect) in [
        (None, None, None, open, "ask 0 2"),
        (None, None, None, named("bankid"), "begin 0"),
        (None, None, None, named("okand"), "ask 0 2"),
        (Some(Down), None, None, named("bankid"), "begin 1"),
        (Some(Suspected), None, None, named("bankid"), "begin 1"),
        (Some(WithoutKeys), None, None, named("bankid"), "begin 1"),
        (Some(Closed), None, None, named("bankid"), "begin 1"),
        (Some(Down), Some(Suspected), None, named("bankid"), "begin 1"),
        (Some(Suspected), Some(Suspected), None, named("bankid"), "begin 0"),
        (Some(Down), Some(Down), None, named("bankid"), "ask 2 0!down*"),
        (Some(Down), Some(Down), None, open, "ask 2 0!down"),
        (Some(Down), Some(Down), None, anyway("bankid"), "begin 0"),
        (Some(WithoutKeys), Some(Down), None, anyway("bankid"), "begin 1"),
        (Some(WithoutKeys), Some(Closed), None, anyway("bankid"), "ask 2 0!without_keys*"),
        // Everything looks down: it is all shown, and may be tried.
        (Some(Down), Some(Down), Some(Down), open, "ask 0!down 2!down"),
        (Some(Down), Some(Down), Some(Down), named("freja"), "ask 0!down 2!down*"),
        (Some(Down), Some(Down), Some(Down), anyway("freja"), "begin 2"),
        (Some(Suspected), Some(Down), Some(Down), open, "ask 0!suspected 2!down"),
        // The one thing that ends it.
        (Some(WithoutKeys), Some(Closed), Some(Closed), open, "nothing"),
        (Some(WithoutKeys), Some(WithoutKeys), Some(Down), open, "ask 2!down 0!without_keys"),
    ] {
        let ways = [way(&bankid, a), way(&bankid, b), way(&freja, f)];
        assert_eq!(said(&plan(&ways, wish)), expect, "{a:?} {b:?} {f:?} {wish:?}");
    }
}

#[test]
fn a_single_e_id_is_begun_with_at_once_while_it_is_well() {
    let bankid = eid("bankid");
    let choose = Wish { choose: true, ..Wish::default() };
    for (trouble, wish, expect) in [
        (None, Wish::default(), "begin 0"),
        (None, choose, "ask 0"),
        (Some(Suspected), Wish::default(), "ask 0!suspected*"),
        (Some(Down), Wish::default(), "ask 0!down*"),
        (Some(Down), Wish { anyway: true, ..Wish::default() }, "begin 0"),
    ] {
        assert_eq!(said(&plan(&[way(&bankid, trouble)], wish)), expect, "{trouble:?} {wish:?}");
    }
}

#[test]
fn nothing_is_changed_without_saying_so() {
    let bankid = eid("bankid");
    let first = way(&bankid, Some(Down));
    let same = way(&bankid, None);
    let wish = Wish { eid: Some("bankid"), ..Wish::default() };
    let with = |change: fn(&mut Way<'_>)| {
        let mut other = same.clone();
        change(&mut other);
        other
    };
    for (other, differs, expect) in [
        (same.clone(), Differs::default(), "begin 1"),
        (
            with(|way| way.levels = Some(vec!["loa2".to_owned()])),
            Differs { levels: true, ..Differs::default() },
            "ask 1~*",
        ),
        (
            with(|way| way.levels = Some(vec!["loa3".to_owned(), "loa4".to_owned()])),
            Differs { levels: true, ..Differs::default() },
            "ask 1~*",
        ),
        (with(|way| way.identifier = Identifier::Prid), Differs { identifier: true, ..Differs::default() }, "ask 1~*"),
        (
            with(|way| way.lacks = vec![Field::PersonalNumber]),
            Differs { attributes: true, ..Differs::default() },
            "ask 1~*",
        ),
        (with(|way| way.method = Method::Card), Differs { method: true, ..Differs::default() }, "ask 1~*"),
    ] {
        let ways = [first.clone(), other];
        assert_eq!(super::differs(&ways[0], &ways[1]), differs);
        assert_eq!(said(&plan(&ways, wish)), expect, "{:?}", ways[1]);
        // Who has read it may go on.
        assert_eq!(said(&plan(&ways, Wish { anyway: true, ..wish })), "begin 1");
    }
    // Two providers that each know people by a name of their own make two people of one.
    let own = with(|way| way.identifier = Identifier::Own);
    let ways = [Way { trouble: Some(Down), ..own.clone() }, own];
    assert_eq!(said(&plan(&ways, wish)), "ask 1~*");
    // A card is asked for, and the alternate takes anything: it covers it.
    let ways = [Way { method: Method::Card, ..first.clone() }, same.clone()];
    assert_eq!(said(&plan(&ways, wish)), "begin 1");
    // What is not known is not the same.
    let ways = [Way { levels: None, ..first }, same];
    assert_eq!(said(&plan(&ways, wish)), "ask 1~*");
}

#[test]
fn whoever_came_back_is_sent_elsewhere_and_what_was_used_last_comes_first() {
    let (bankid, freja) = (eid("bankid"), eid("freja"));
    let wish = Wish { eid: Some("bankid"), ..Wish::default() };
    let unfinished = Way { unfinished: true, ..way(&bankid, None) };
    let ways = [unfinished.clone(), way(&bankid, None)];
    assert_eq!(said(&plan(&ways, wish)), "begin 1");
    assert_eq!(said(&plan(&[unfinished.clone(), unfinished.clone()], wish)), "begin 0");
    // Never to one that is in trouble for that.
    assert_eq!(said(&plan(&[unfinished, way(&bankid, Some(Suspected))], wish)), "begin 0");

    let last = |eid, trouble| Way { used_last: true, ..way(eid, trouble) };
    assert_eq!(said(&plan(&[way(&bankid, None), last(&freja, None)], Wish::default())), "ask 1 0");
    assert_eq!(said(&plan(&[way(&bankid, None), last(&freja, Some(Down))], Wish::default())), "ask 0 1!down");
    assert_eq!(said(&plan(&[way(&bankid, None), last(&bankid, None)], wish)), "begin 1", "the one they know");
}
