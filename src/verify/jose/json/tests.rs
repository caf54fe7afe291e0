#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::base::limits::JsonLimits;
use crate::verify::Reason;

const LIMITS: JsonLimits = JsonLimits { bytes: 4096, depth: 4, nodes: 64, members: 16 };

fn code(source: impl AsRef<[u8]>) -> Option<Reason> {
    Document::read(source.as_ref().to_vec(), &LIMITS).err().map(|reject| reject.reason())
}

#[test]
fn what_is_no_json_has_its_code() {
    use Reason::*;
    let table: &[(&[u8], Option<Reason>)] = &[
        (b"{}", None),
        (b" \t\r\n{ } \n", None),
        (br#"{"a":[1,-0,1.5,1e9,1E+9,0.0e-0,true,false,null,"",{},[]]}"#, None),
        (br#"{"a":"\" \\ \/ \b \f \n \r \t \u00e5 \ud83d\ude00"}"#, None),
        ("{\"å\":\"\u{7f}\u{2028}\u{ffff}\"}".as_bytes(), None),
        (b"", Some(JsonMalformed)),
        (b"[]", Some(JsonMalformed)),
        (b"null", Some(JsonMalformed)),
        (b"1", Some(JsonMalformed)),
        (br#""a""#, Some(JsonMalformed)),
        (b"{", Some(JsonMalformed)),
        (b"{}}", Some(JsonMalformed)),
        (b"{}{}", Some(JsonMalformed)),
        (b"{} x", Some(JsonMalformed)),
        (b"{}\0", Some(JsonMalformed)),
        (b"\xef\xbb\xbf{}", Some(JsonMalformed)),
        (b"\x0c{}", Some(JsonMalformed)),
        (b"\xa0{}", Some(JsonNotUtf8)),
        (b"{\"a\":\"\xff\"}", Some(JsonNotUtf8)),
        (b"{\"a\":\"\xed\xa0\x80\"}", Some(JsonNotUtf8)),
        (b"{\"a\":\"\xc0\x80\"}", Some(JsonNotUtf8)),
        (b"\xff\xfe{\0}\0", Some(JsonNotUtf8)),
        (br#"{"a"}"#, Some(JsonMalformed)),
        (br#"{"a":}"#, Some(JsonMalformed)),
        (br#"{"a":1,}"#, Some(JsonMalformed)),
        (br#"{,"a":1}"#, Some(JsonMalformed)),
        (br#"{"a":1 "b":2}"#, Some(JsonMalformed)),
        (br#"{a:1}"#, Some(JsonMalformed)),
        (br#"{'a':1}"#, Some(JsonMalformed)),
        (br#"{1:1}"#, Some(JsonMalformed)),
        (br#"{"a":[1,]}"#, Some(JsonMalformed)),
        (br#"{"a":[1 2]}"#, Some(JsonMalformed)),
        (br#"{"a":[}"#, Some(JsonMalformed)),
        (br#"{"a":01}"#, Some(JsonMalformed)),
        (br#"{"a":-}"#, Some(JsonMalformed)),
        (br#"{"a":+1}"#, Some(JsonMalformed)),
        (br#"{"a":1.}"#, Some(JsonMalformed)),
        (br#"{"a":.5}"#, Some(JsonMalformed)),
        (br#"{"a":1e}"#, Some(JsonMalformed)),
        (br#"{"a":0x10}"#, Some(JsonMalformed)),
        (br#"{"a":NaN}"#, Some(JsonMalformed)),
        (br#"{"a":Infinity}"#, Some(JsonMalformed)),
        (br#"{"a":True}"#, Some(JsonMalformed)),
        (br#"{"a":nul}"#, Some(JsonMalformed)),
        (br#"{"a":truex}"#, Some(JsonMalformed)),
        (br#"{"a":1/*c*/}"#, Some(JsonMalformed)),
        (br#"{"a":"b}"#, Some(JsonMalformed)),
        (br#"{"a":"\x41"}"#, Some(JsonMalformed)),
        (br#"{"a":"\u12"}"#, Some(JsonMalformed)),
        (br#"{"a":"\u+123"}"#, Some(JsonMalformed)),
        (br#"{"a":"\uD83D"}"#, Some(JsonBadCharacter)),
        (br#"{"a":"\uDE00\uD83D"}"#, Some(JsonBadCharacter)),
        (br#"{"a":"\uD83D\uD83D"}"#, Some(JsonBadCharacter)),
        (br#"{"a":"\uD83Dx\uDE00"}"#, Some(JsonBadCharacter)),
        (br#"{"\uD83D":1}"#, Some(JsonBadCharacter)),
        (br#"{"a":"\u0000"}"#, Some(JsonBadCharacter)),
        (b"{\"a\":\"\0\"}", Some(JsonBadCharacter)),
        (b"{\"a\":\"\n\"}", Some(JsonBadCharacter)),
        (b"{\"a\":\"0123456789\t\"}", Some(JsonBadCharacter)),
        (br#"{"a":1,"a":1}"#, Some(JsonDuplicateMember)),
        (br#"{"a":1,"b":{"c":1,"c":2}}"#, Some(JsonDuplicateMember)),
        (br#"{"b":[{"c":1},{"c":1,"d":[],"c":2}]}"#, Some(JsonDuplicateMember)),
        (br#"{"a":1,"\u0061":1}"#, Some(JsonDuplicateMember)),
        (br#"{"\u0061":1,"a":1}"#, Some(JsonDuplicateMember)),
        (br#"{"":1,"":1}"#, Some(JsonDuplicateMember)),
        (br#"{"a":1,"A":1,"b":{"a":1}}"#, None),
        // Another form of the same letter is another name.
        ("{\"\u{e5}\":1,\"a\u{30a}\":1}".as_bytes(), None),
        (br#"{"a":[[[]]]}"#, None),
        (br#"{"a":[[[[]]]]}"#, Some(JsonTooDeep)),
        (br#"{"a":{"a":{"a":{"a":{}}}}}"#, Some(JsonTooDeep)),
    ];
    for (source, expect) in table {
        assert_eq!(code(source), *expect, "{}", String::from_utf8_lossy(source));
    }
}

#[test]
fn limits_are_exact() {
    let members = |n: usize| {
        let list: Vec<String> = (0..n).map(|i| format!("\"m{i}\":0")).collect();
        format!("{{{}}}", list.join(","))
    };
    assert_eq!(code(members(16)), None);
    assert_eq!(code(members(17)), Some(Reason::JsonTooLarge));
    let values = |n: usize| format!("{{\"a\":[{}]}}", vec!["0"; n].join(","));
    assert_eq!(code(values(61)), None);
    assert_eq!(code(values(62)), Some(Reason::JsonTooLarge));
    let bytes = |n: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(n - 8));
    assert_eq!(code(bytes(4096)), None);
    assert_eq!(code(bytes(4097)), Some(Reason::MessageTooLarge));
    assert_eq!(code("{\"a\":".repeat(500)), Some(Reason::JsonTooDeep));
    assert_eq!(code("{\"a\":[".to_owned() + &"[".repeat(1000)), Some(Reason::JsonTooDeep));
}

#[test]
fn what_was_read_can_be_asked_for() {
    let source = br#"{"s":"a\u00e5\ud83d\ude00\"\\\/\n","n":17,"z":-1,"f":1.5,"e":1e3,"b":true,"x":null,"l":["p",[],"q"],"o":{"i":"j"},"last":"0"}"#;
    let document = Document::read(source.to_vec(), &LIMITS).unwrap();
    let root = document.root();
    let text = |name| root.get(name).unwrap().as_text();
    assert_eq!(text("s").as_deref(), Some("aå😀\"\\/\n"));
    assert_eq!(text("n"), None);
    let whole = |name| root.get(name).unwrap().as_whole();
    assert_eq!(["n", "z", "f", "e", "s", "x"].map(whole), [Some(17), None, None, None, None, None]);
    assert_eq!(root.get("b").unwrap().as_bool(), Some(true));
    assert_eq!(root.get("x").unwrap().kind(), Kind::Null);
    let list: Vec<_> = root.get("l").unwrap().as_array().unwrap().map(|v| v.kind()).collect();
    assert_eq!(list, [Kind::String, Kind::Array, Kind::String]);
    assert_eq!(root.get("o").unwrap().as_object().unwrap().get("i").unwrap().source(), "j");
    assert_eq!(text("last").as_deref(), Some("0"));
    assert!(root.get("missing").is_none());
    let names: Vec<_> = root.members().map(|m| m.name.into_owned()).collect();
    assert_eq!(names, ["s", "n", "z", "f", "e", "b", "x", "l", "o", "last"]);
}

/// As serde_json would have read it.
fn as_serde(value: Value<'_>) -> serde_json::Value {
    match value.kind() {
        Kind::Null => serde_json::Value::Null,
        Kind::Bool => value.as_bool().unwrap().into(),
        Kind::Number => serde_json::from_str(value.source()).unwrap(),
        Kind::String => value.as_text().unwrap().into_owned().into(),
        Kind::Array => value.as_array().unwrap().map(as_serde).collect(),
        Kind::Object => {
            let members = value.as_object().unwrap().members();
            serde_json::Value::Object(members.map(|m| (m.name.into_owned(), as_serde(m.value))).collect())
        }
    }
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        "[ -~åäö\"\\\\\n\u{7f}\u{1f600}]{0,20}".prop_map(Into::into),
    ];
    leaf.prop_recursive(2, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Into::into),
            prop::collection::btree_map("[a-c\"å]{0,3}", inner, 0..5)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    /// Whatever serde_json writes, we read, and as the same thing.
    #[test]
    fn what_another_library_writes_is_read_alike(members in prop::collection::btree_map("[a-z]{1,3}", any_json(), 0..5)) {
        let object = serde_json::Value::Object(members.into_iter().collect());
        let wide = JsonLimits { bytes: 1 << 20, depth: 16, nodes: 1 << 16, members: 256 };
        for text in [object.to_string(), format!("{object:#}")] {
            let document = Document::read(text.into_bytes(), &wide).unwrap();
            prop_assert_eq!(as_serde(document.root().value()), object.clone());
        }
    }

    /// Whatever we take, serde_json takes, and as the same thing: a text with one byte changed.
    #[test]
    fn what_is_read_is_what_another_library_reads(object in any_json(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut text = serde_json::json!({ "a": object, "b": "\u{1f600}", "c": [1.5e3, -0.0] }).to_string().into_bytes();
        let at = at.index(text.len());
        text[at] = byte;
        let wide = JsonLimits { bytes: 1 << 20, depth: 16, nodes: 1 << 16, members: 256 };
        if let Ok(document) = Document::read(text.clone(), &wide) {
            let theirs: serde_json::Value = match serde_json::from_slice(&text) {
                Ok(theirs) => theirs,
                // Numbers beyond a float are JSON: we keep their text, and let nobody count with it.
                Err(error) if error.to_string().starts_with("number out of range") => return Ok(()),
                Err(error) => return Err(TestCaseError::fail(error.to_string())),
            };
            prop_assert_eq!(as_serde(document.root().value()), theirs);
        }
    }
}
