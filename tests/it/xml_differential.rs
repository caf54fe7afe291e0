//! What our reader takes, unrelated readers take too, and see alike: documents bent at random, from a fixed seed.

use grindvakt::base::limits::MESSAGE;
use grindvakt::verify::xml::{self, Element};

/// Documents with everything the reader knows, to be bent.
const SEEDS: [&str; 3] = [
    r#"<?xml version="1.0" encoding="UTF-8"?><!-- c --><p:a xmlns:p="urn:p" xmlns="urn:d" p:x="1" y='2&lt;&#9;"'>t&amp;x<b xmlns="">å𝒳<![CDATA[<&]]></b><p:c/><!-- d -->e </p:a>"#,
    "<a\n x=\"1\"\r\n\ty='>'>&#xE5;&#229;]]&gt;<b:c xmlns:b='http://b/' b:id=\"_1\" ID='_2'/>\r</a >\n<!-- end -->",
    r#"<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_r" Version="2.0"><saml:Issuer xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">https://idp</saml:Issuer></samlp:Response>"#,
];

/// Pieces that break documents in interesting ways.
const PIECES: [&str; 40] = [
    "<",
    ">",
    "&",
    "\"",
    "'",
    "=",
    "/",
    "/>",
    "</",
    "]]>",
    "<![CDATA[",
    "<!--",
    "-->",
    "--",
    "<?",
    "?>",
    "<?xml ",
    "<!DOCTYPE a>",
    "&#0;",
    "&#xD800;",
    "&#x41;",
    "&lt;",
    "&x;",
    "&#",
    " xmlns=\"\"",
    " xmlns:p=\"\"",
    " xmlns:p='urn:q'",
    " xml:id='a'",
    " xmlns:xml='urn:x'",
    " x=''",
    " p:x=''",
    ":",
    "p:",
    "\u{0}",
    "\u{FFFE}",
    "\u{85}",
    "\u{feff}",
    "é",
    " ",
    "\r",
];

/// A small generator with a written-down state (xorshift64*): the same bends on every machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % sides
    }
}

fn bend(text: &str, dice: &mut Dice) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for _ in 0..=dice.roll(3) {
        let at = dice.roll(chars.len().max(1));
        match dice.roll(4) {
            0 => drop(chars.drain(at..(at + dice.roll(6)).min(chars.len()))),
            1 => drop(chars.splice(at..at, PIECES[dice.roll(PIECES.len())].chars()).collect::<Vec<_>>()),
            2 if at < chars.len() => {
                drop(chars.splice(at..=at, PIECES[dice.roll(PIECES.len())].chars()).collect::<Vec<_>>())
            }
            _ => {
                let from = dice.roll(chars.len().max(1));
                let copy: Vec<char> = chars.iter().skip(from).take(dice.roll(12)).copied().collect();
                drop(chars.splice(at..at, copy).collect::<Vec<_>>());
            }
        }
    }
    chars.into_iter().collect()
}

/// One line a node: what both readers must agree on.
fn ours(element: Element<'_>, out: &mut String) {
    let mut attributes: Vec<_> =
        element.attributes().map(|(ns, local, value)| format!("{ns}|{local}={value:?}")).collect();
    attributes.sort();
    out.push_str(&format!("{}|{} {attributes:?} {:?}\n", element.namespace(), element.local_name(), element.text()));
    element.children().for_each(|child| ours(child, out));
}

fn theirs(node: roxmltree::Node<'_, '_>, out: &mut String) {
    let mut attributes: Vec<_> =
        node.attributes().map(|a| format!("{}|{}={:?}", a.namespace().unwrap_or(""), a.name(), a.value())).collect();
    attributes.sort();
    let text: Option<String> = (!node.children().any(|c| c.is_element()))
        .then(|| node.children().filter(|c| c.is_text()).filter_map(|c| c.text()).collect());
    let name = node.tag_name();
    out.push_str(&format!("{}|{} {attributes:?} {text:?}\n", name.namespace().unwrap_or(""), name.name()));
    node.children().filter(|c| c.is_element()).for_each(|child| theirs(child, out));
}

#[test]
fn bent_documents_are_refused_or_seen_alike_by_three_readers() {
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    let (mut taken, mut refused) = (0, 0);
    for round in 0..60_000 {
        let text = bend(SEEDS[round % SEEDS.len()], &mut dice);
        let Ok(document) = xml::read(text.as_bytes(), &MESSAGE) else {
            refused += 1;
            continue;
        };
        taken += 1;
        xml::second::veto(&document).unwrap_or_else(|e| panic!("{e}: {text:?}"));
        let other = roxmltree::Document::parse(&text).unwrap_or_else(|e| panic!("roxmltree: {e}: {text:?}"));
        let (mut a, mut b) = (String::new(), String::new());
        ours(document.root(), &mut a);
        theirs(other.root_element(), &mut b);
        assert_eq!(a, b, "{text:?}");
    }
    assert!(taken > 2_000 && refused > 20_000, "taken {taken}, refused {refused}");
}
