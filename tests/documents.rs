//! The documents keep up with what they describe.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

#[test]
fn every_dependency_has_its_reason() {
    let manifest: toml::Table = read("Cargo.toml").parse().unwrap();
    let used: BTreeSet<String> = manifest["workspace"]["dependencies"].as_table().unwrap().keys().cloned().collect();
    let listed: BTreeSet<String> = read("docs/dependencies.md")
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`').map(|(name, _)| name.to_owned()))
        .collect();
    assert_eq!(used, listed, "left: Cargo.toml, right: docs/dependencies.md");
}

fn documents(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
        let name = entry.file_name().unwrap().to_str().unwrap().to_owned();
        if entry.is_dir() && !matches!(name.as_str(), "target" | ".git" | "src" | "node_modules") {
            documents(&entry, out);
        } else if name.ends_with(".md") {
            out.push(entry);
        }
    }
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut found = Vec::new();
    documents(&root(), &mut found);
    let mut links = 0;
    for document in found {
        let text = std::fs::read_to_string(&document).unwrap();
        for (_, after) in text.match_indices("](").map(|(at, _)| text.split_at(at + 2)) {
            let target = after.split(')').next().unwrap().split('#').next().unwrap();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            links += 1;
            let there = document.parent().unwrap().join(target);
            assert!(there.exists(), "{}: there is no {target}", document.display());
        }
    }
    assert!(links > 10, "the documents were not found");
}

#[test]
fn e_services_are_told_of_every_header() {
    let text = read("docs/for-e-services.md").to_ascii_lowercase();
    for header in grindvakt::gate::IdentityHeader::ALL {
        assert!(text.contains(&format!("`{}`", header.name())), "{} is not explained", header.name());
    }
    for field in grindvakt::identity::Field::ALL {
        assert!(text.contains(&format!("`{}`", field.name())), "`forward` can list {}: not explained", field.name());
    }
}

#[test]
fn the_rooms_of_the_architecture_are_those_of_the_source() {
    let text = read("docs/architecture.md");
    for entry in std::fs::read_dir(root().join("src")).unwrap().map(|e| e.unwrap().path()) {
        let name = entry.file_stem().unwrap().to_str().unwrap().to_owned();
        if !matches!(name.as_str(), "lib" | "main") {
            assert!(text.contains(&format!("| `{name}` |")), "docs/architecture.md does not know the room `{name}`");
        }
    }
}

/// docs/metrics.md is written from the catalogue. `GRINDVAKT_WRITE_DOCS=1` writes it anew.
#[test]
fn the_metrics_of_the_document_are_those_of_the_source() {
    let telemetry = grindvakt::telemetry::Telemetry::new([], []).unwrap();
    let generated = grindvakt::telemetry::catalogue::markdown(telemetry.metrics().catalogue());
    let (line, text) = ("<!-- generated from here on -->\n", read("docs/metrics.md"));
    let (written, found) = text.split_once(line).expect("the line that the generated part begins after");
    if std::env::var_os("GRINDVAKT_WRITE_DOCS").is_some() {
        std::fs::write(root().join("docs/metrics.md"), format!("{written}{line}{generated}")).unwrap();
    } else {
        assert_eq!(found, generated, "docs/metrics.md is old: GRINDVAKT_WRITE_DOCS=1 cargo test --test documents");
    }
    // Whoever reads of a metric elsewhere finds it.
    for document in ["README.md", "docs/operations.md", "docs/attacks.md", "docs/runbook.md", "dashboards/rules.yml"] {
        for name in names_in(&read(document)) {
            let known = telemetry.metrics().catalogue().iter().any(|family| name.starts_with(family.name));
            assert!(known, "{document} names {name}, which is no metric");
        }
    }
}

/// docs/codes.md is written from the reasons. `GRINDVAKT_WRITE_DOCS=1` writes it anew.
#[test]
fn the_codes_of_the_document_are_those_of_the_source() {
    let row = |reason: &grindvakt::verify::Reason| format!("| `{}` | {} |\n", reason.code(), reason.meaning());
    let rows: String = grindvakt::verify::Reason::ALL.iter().map(row).collect();
    let generated = format!("\n| Code | What it means |\n| --- | --- |\n{rows}");
    let (line, text) = ("<!-- generated from here on -->\n", read("docs/codes.md"));
    let (written, found) = text.split_once(line).expect("the line that the generated part begins after");
    if std::env::var_os("GRINDVAKT_WRITE_DOCS").is_some() {
        std::fs::write(root().join("docs/codes.md"), format!("{written}{line}{generated}")).unwrap();
    } else {
        assert_eq!(found, generated, "docs/codes.md is old: GRINDVAKT_WRITE_DOCS=1 cargo test --test documents");
    }
}

/// An alert leads to its section, and no section is about an alert that there is not.
#[test]
fn every_alert_has_its_section_and_the_operator_the_same_rules() {
    let (rules, runbook) = (read("dashboards/rules.yml"), read("docs/runbook.md"));
    let alerts: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    let sections: Vec<&str> = runbook.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    assert!(alerts.len() > 25);
    assert_eq!(alerts, sections, "left: dashboards/rules.yml, right: docs/runbook.md");
    for said in ["summary: ", "consequence: ", "action: ", "runbook_url: "] {
        let count = rules.lines().filter(|line| line.trim().starts_with(said)).count();
        assert_eq!(count, alerts.len(), "an alert without {said}");
    }
    for alert in alerts {
        assert!(rules.contains(&format!("runbook.md#{}\n", alert.to_lowercase())), "{alert} leads nowhere");
    }
    let groups = rules.split_once("groups:\n").unwrap().1;
    let written = read("deploy/kubernetes/components/monitoring/prometheusrule.yaml");
    let objects = written.split_once("  groups:\n").unwrap().1;
    let out: Vec<&str> = objects.lines().map(|line| line.strip_prefix("  ").unwrap_or(line)).collect();
    assert_eq!(groups.lines().collect::<Vec<_>>(), out, "prometheusrule.yaml is not dashboards/rules.yml");
}

/// Reason codes that a rule names are those of the source.
#[test]
fn rules_name_codes_that_there_are() {
    let rules = read("dashboards/rules.yml");
    let known = |code: &str| grindvakt::verify::Reason::ALL.iter().any(|reason| reason.code() == code);
    let mut named = 0;
    for (at, _) in rules.match_indices("code").chain(rules.match_indices("reason")) {
        let after = rules[at..].split_once('"').unwrap_or_default();
        if !["code!~", "code=~", "reason=~"].contains(&after.0) {
            continue;
        }
        for code in after.1.split('"').next().unwrap().split('|') {
            named += 1;
            let (start, family) = (code.trim_end_matches(".*"), code.ends_with(".*"));
            let found = grindvakt::verify::Reason::ALL.iter().any(|reason| reason.code().starts_with(start));
            let others = ["step_up_other_person", "needs_login"].contains(&code);
            assert!(known(code) || (family && found) || others, "a rule names {code}, which is no code");
        }
    }
    assert!(named > 20, "{named}");
}

/// Whoever looks at a panel reads what it shows, what to do about it, and where more is said: in a section that there is.
#[test]
fn every_panel_says_what_it_means_and_what_to_do() {
    const DOCUMENTS: &str = "](https://github.com/grindvakt/grindvakt/blob/main/docs/";
    let mut panels = 0;
    for entry in std::fs::read_dir(root().join("dashboards")).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let dashboard: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&entry).unwrap()).unwrap();
        for panel in dashboard["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row") {
            panels += 1;
            let name = format!("{} / {}", dashboard["title"], panel["title"]);
            let text = panel["description"].as_str().unwrap_or_default();
            let parts: Vec<&str> = text.split("\n\n**What to do:** ").collect();
            let [means, to_do] = parts[..] else { panic!("{name} does not say what it means and what to do: {text}") };
            assert!(means.len() > 20 && means.ends_with('.'), "{name} does not say what it means: {means}");
            let (action, there) =
                to_do.split_once(" See [docs/").unwrap_or_else(|| panic!("{name} leads nowhere: {to_do}"));
            assert!(action.len() > 20 && action.ends_with('.'), "{name} does not say what to do: {action}");
            let (shown, address) = there.split_once(DOCUMENTS).unwrap_or_else(|| panic!("{name} leads to {there}"));
            let address = address.strip_suffix(").").unwrap_or_else(|| panic!("{name}: {there}"));
            let (file, section) =
                address.split_once('#').map_or((address, None), |(file, section)| (file, Some(section)));
            assert_eq!(shown, file, "{name}");
            let document = read(&format!("docs/{file}"));
            let found = section.is_none_or(|section| document.lines().filter_map(heading).any(|h| h == section));
            assert!(found, "{name} leads to docs/{address}, which has no such section");
        }
    }
    assert!(panels > 50, "only {panels} panels were found");
}

/// What a heading is called in an address: as GitHub makes it.
fn heading(line: &str) -> Option<String> {
    let text = line.strip_prefix('#')?.trim_start_matches('#').strip_prefix(' ')?;
    let kept = text.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    Some(kept.collect::<String>().to_lowercase().replace(' ', "-"))
}

/// Every `grindvakt_…` of a text; not what a `*` stands for more.
fn names_in(text: &str) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    for (at, _) in text.match_indices("grindvakt_") {
        let name: String = text[at..].chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
        if !text[at + name.len()..].starts_with('*') {
            out.insert(name);
        }
    }
    out
}

/// docs/attacks.md: every incident has its row, every test and every table that a row names is there.
#[test]
fn every_attack_has_a_row_and_every_row_its_test() {
    let text = read("docs/attacks.md");
    let rows: Vec<Vec<&str>> = text
        .lines()
        .filter(|line| line.starts_with("| "))
        .map(|line| line.split('|').map(str::trim).collect())
        .collect();
    let row = |t: usize| rows.iter().filter(|row| row[1] == format!("T{t}")).collect::<Vec<_>>();
    for t in 1..=59 {
        let found = row(t);
        assert_eq!(found.len(), 1, "T{t} has {} rows", found.len());
        assert!(found[0][4].contains('`'), "nothing holds T{t}");
        for (name, tag) in found[0][4].split("<br>").map(|held| held.split_once("` (").unwrap_or((held, ""))) {
            if let Some(tag) = tag.strip_suffix(')') {
                let table = read(name.trim_matches('`'));
                let mut lines = table.lines().filter(|line| line.starts_with("tests = "));
                assert!(lines.any(|line| line.contains(&format!("\"{tag}\""))), "{name} has no case for {tag}");
            }
        }
    }
    // What the issues asked for by name has tests by that name.
    for t in [14, 27, 28, 30, 32, 33, 34, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 54, 55, 56, 57] {
        let named = format!("t{t}_");
        assert!(row(t)[0][4].contains(&named), "T{t} has no test by its name");
    }
    let mut named = 0;
    for quoted in
        rows.iter().filter(|row| row.len() > 3).flat_map(|row| row[row.len() - 2].split('`').skip(1).step_by(2))
    {
        named += 1;
        let Some((file, function)) = quoted.split_once("::") else {
            assert!(root().join(quoted).exists(), "docs/attacks.md names {quoted}, which is not there");
            continue;
        };
        let mut source = read(file);
        // Tests that stand beside the code have a file of their own when they are long.
        let beside = root().join(file.replace(".rs", "_tests.rs"));
        if beside.exists() {
            source.push_str(&std::fs::read_to_string(beside).unwrap());
        }
        assert!(source.contains(&format!("fn {function}(")), "docs/attacks.md names {quoted}, which is not there");
    }
    assert!(named > 100, "only {named} names were found");
}
