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
        if entry.is_dir() && !matches!(name.as_str(), "target" | ".git" | "src") {
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
