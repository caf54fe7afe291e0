#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::super::eids::built_in;
use super::*;

fn read_all(text: &str) -> Result<Vec<TestPerson>, Vec<String>> {
    read(Path::new("dir/persons.toml"), text, Some(&built_in()))
        .map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

#[test]
fn the_built_in_persons_are_of_every_kind() {
    let people = read_all(BUILT_IN).unwrap();
    assert!(people.len() >= 15, "{}", people.len());
    let count = |holds: &dyn Fn(&TestPerson) -> bool| people.iter().filter(|p| holds(p)).count();
    let has = |name: &'static str| move |p: &TestPerson| p.attributes.iter().any(|(n, _)| n == name);
    for name in [PRID, HSA_ID, ORG_AFFILIATION, MAPPED_NUMBER, PREVIOUS_NUMBER] {
        assert!(count(&has(name)) > 0, "nobody has {name}");
    }
    let loa = |short: &'static str| move |p: &TestPerson| p.loa.as_deref().is_some_and(|uri| uri.ends_with(short));
    for level in ["/loa2", "/loa4", "/loa3-nonresident", "/eidas-nf-sub", "/eidas-nf-low"] {
        assert!(count(&loa(level)) > 0, "nobody is at {level}");
    }
    let protected = people.iter().find(|p| p.id == "protected").unwrap();
    assert_eq!((protected.person.display_name(), protected.person.date_of_birth.as_deref()), (String::new(), None));
    assert!(people.iter().any(|p| p.person.display_name().len() > 150), "nobody has a long name");
    let marie = people.iter().find(|p| p.id == "marie").unwrap();
    assert_eq!(marie.person.number, None, "the connector maps numbers, it never states one");
}

#[test]
fn every_mistake_is_named_with_its_line() {
    let text = r#"
colour = "red"
[[person]]
id = "anna"
surnmae = "Ek"
eid = ["bankid", "freya"]
personal_number = "199001012386"
date_of_birth = "1990-13-01"
[[person]]
given_name = "Bo"
loa = "loa5"
[[person]]
id = "anna"
personal_number = "197010632391"
coordination_number = "199001012385"
org_affiliation = "bo"
[[person]]
id = "ci ci"
country = "de"
prid = "DE:x"
hsa_id = 12
given_name = ""
[[person]]
id = "dan"
country = "NO"
prid = "DE:3b7184c0ceaf76a9607a31e4e1f87f"
personal_number = "195006262546"
coordination_number = "197010632391"
"#;
    let problems = read_all(text).unwrap_err();
    let eids = "bankid, freja, kort, siths, eidas";
    assert_eq!(
        problems,
        [
            "dir/persons.toml:2: `colour` is not known here".to_owned(),
            "dir/persons.toml:5: person \"anna\": `surnmae` is not known here; did you mean `surname`?".to_owned(),
            format!("dir/persons.toml:6: person \"anna\": `eid`: \"freya\" is none of {eids}; did you mean \"freja\"?"),
            "dir/persons.toml:7: person \"anna\": `personal_number` has a wrong check digit".to_owned(),
            "dir/persons.toml:8: person \"anna\": `date_of_birth` must be written YYYY-MM-DD, not \"1990-13-01\""
                .to_owned(),
            "dir/persons.toml:9: person 2: `id` is missing: what a test picks the person by".to_owned(),
            "dir/persons.toml:11: person 2: `loa`: \"loa5\" is no level of assurance: a short name such as loa3, \
             uncertified-loa3, eidas-nf-sub, or a full URI"
                .to_owned(),
            "dir/persons.toml:13: person \"anna\": another person has the id \"anna\"".to_owned(),
            "dir/persons.toml:14: person \"anna\": `personal_number` is a coordination number (day plus 60): write it \
             as `coordination_number`"
                .to_owned(),
            "dir/persons.toml:15: person \"anna\": `coordination_number` is a personal number: a coordination number \
             has 60 added to its day"
                .to_owned(),
            "dir/persons.toml:16: person \"anna\": `org_affiliation`: \"bo\" is no <id>@<organisation number>, such as \
             \"anna@2021006883\""
                .to_owned(),
            "dir/persons.toml:18: person \"ci ci\": `id` may hold letters, digits and hyphens, which \"ci ci\" does not"
                .to_owned(),
            "dir/persons.toml:19: person \"ci ci\": `country` must be two capital letters (ISO 3166-1), not \"de\""
                .to_owned(),
            "dir/persons.toml:20: person \"ci ci\": `prid` must be a country and 10 to 30 small letters, digits and \
             hyphens, such as \"DE:0042-abc-17\", not \"DE:x\""
                .to_owned(),
            "dir/persons.toml:21: person \"ci ci\": `hsa_id` must be a string, not an integer".to_owned(),
            "dir/persons.toml:22: person \"ci ci\": `given_name` is empty; leave it out where there is nothing to say"
                .to_owned(),
            "dir/persons.toml:26: person \"dan\": `prid` \"DE:3b7184c0ceaf76a9607a31e4e1f87f\" needs `country = \"DE\"`"
                .to_owned(),
            "dir/persons.toml:28: person \"dan\": `personal_number` and `coordination_number` are both there; nobody \
             has both"
                .to_owned(),
        ]
    );
}

#[test]
fn a_file_that_names_nobody_or_is_none_says_so() {
    for (text, said) in [
        ("", "dir/persons.toml:1: holds no [[person]]: leave --persons out to have the built-in ones"),
        (
            "[person]\nid = \"a\"",
            "dir/persons.toml:1: `person` must be a list of tables: write [[person]], not a table",
        ),
        ("[[person]\n", "dir/persons.toml:1: not TOML: unclosed array table, expected `]`"),
        (
            "[[person]]\nid = \"a\"\neid = 3",
            "dir/persons.toml:3: person \"a\": `eid` must be a list of strings, not an integer",
        ),
    ] {
        assert_eq!(read_all(text), Err(vec![said.to_owned()]), "{text}");
    }
}
