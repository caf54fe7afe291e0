//! deploy/README.md, typed in as it stands by somebody who has an e-service: every command that needs no cluster is run, one
//! after the other.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::program::python;

/// What becomes of a block of commands here.
enum Block {
    /// In the project's own folder: the image. `peer_image` looks at what came of it.
    Builds,
    /// Where the reader has their own repository: it ends with this status, and says all of these.
    Runs(i32, &'static [&'static str]),
    /// This machine has nothing to run it with or against, and why.
    Cannot(&'static str),
}

const NO_CLUSTER: &str = "there is no cluster";

/// Every block of commands by how it begins, in order. A new one has to be sorted in here.
const BLOCKS: [(&str, Block); 10] = [
    ("deploy/build-rootfs.sh", Block::Builds),
    ("docker build", Block::Cannot("there is no Docker here, and no registry to push to")),
    ("grindvakt keys generate", Block::Runs(0, &[])),
    ("kubectl create namespace", Block::Cannot(NO_CLUSTER)),
    ("mkdir -p deploy", Block::Runs(0, &[])),
    (
        "mkdir check",
        Block::Runs(
            0,
            &[
                "ok: 1 providers, 2 routes, environment production",
                "/ansokan/1",
                "personal_number",
                "http://id.elegnamnden.se/loa/1.0/loa3",
            ],
        ),
    ),
    (
        "kubectl kustomize",
        Block::Runs(0, &["kind: Deployment", "restartPolicy: Always", "kind: PrometheusRule", "grafana_dashboard"]),
    ),
    ("kubectl apply", Block::Cannot(NO_CLUSTER)),
    // Nothing under [organisation] yet: that is what it says.
    (
        "grindvakt keys sp-metadata",
        Block::Runs(78, &["organisation: `name` has no text in \"sv\"", "organisation: no `number`", "no contract"]),
    ),
    ("sed \"s,https://github.com", Block::Runs(0, &[])),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn readme() -> String {
    std::fs::read_to_string(root().join("deploy/README.md")).unwrap()
}

/// The fenced blocks, as (language, text).
fn fenced(text: &str) -> Vec<(String, String)> {
    let (mut out, mut inside) = (Vec::new(), None::<(String, String)>);
    for line in text.lines() {
        match (line.strip_prefix("```"), &mut inside) {
            (Some(language), None) => inside = Some((language.to_owned(), String::new())),
            (Some(_), Some(_)) => out.extend(inside.take()),
            (None, Some((_, block))) => block.extend([line, "\n"]),
            (None, None) => {}
        }
    }
    assert!(inside.is_none(), "a block without an end");
    out
}

/// The blocks of commands.
fn commands() -> Vec<String> {
    let blocks = fenced(&readme());
    for (language, block) in &blocks {
        assert!(["sh", "text"].contains(&language.as_str()), "is that typed in, or looked at? {block}");
    }
    blocks.into_iter().filter(|(language, _)| language == "sh").map(|(_, block)| block).collect()
}

/// The block that builds the image.
pub fn build() -> String {
    let builds = BLOCKS.iter().zip(commands()).find(|((_, block), _)| matches!(block, Block::Builds));
    builds.unwrap().1
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// One who types: where they are, and which programs they have.
struct Reader {
    folder: PathBuf,
    path: String,
}

impl Reader {
    /// With the project beside them, where the README writes `…/grindvakt`.
    fn new(home: &Path) -> Self {
        let (programs, folder) = (home.join("programs"), home.join("repository"));
        std::fs::create_dir(&programs).unwrap();
        std::fs::create_dir_all(folder.join("…")).unwrap();
        symlink(env!("CARGO_BIN_EXE_grindvakt"), programs.join("grindvakt")).unwrap();
        // Debian's kubectl is too old.
        symlink(PathBuf::from(python()).with_file_name("kubectl"), programs.join("kubectl")).unwrap();
        symlink(root(), folder.join("…/grindvakt")).unwrap();
        Self { folder, path: format!("{}:{}", programs.display(), std::env::var("PATH").unwrap()) }
    }

    /// Types a block; the next one is typed where this one leads.
    fn types(&mut self, block: &str) -> Output {
        let script = format!("{block}\npwd > \"$WHERE\"\n");
        let place = tempfile::NamedTempFile::new().unwrap();
        let output = Command::new("sh")
            .args(["-euc", &script])
            .current_dir(&self.folder)
            .env("PATH", &self.path)
            .env("WHERE", place.path())
            .output()
            .unwrap();
        if output.status.success() {
            self.folder = std::fs::read_to_string(place.path()).unwrap().trim_end().into();
        }
        output
    }

    fn has(&self, name: &str) -> String {
        let path = self.folder.join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }
}

/// Nothing is left out: what is not run is named with why, and what is new has to be sorted.
#[test]
fn every_command_is_run_or_cannot_be() {
    let commands = commands();
    let begin: Vec<&str> = commands.iter().map(|block| block.lines().next().unwrap()).collect();
    assert_eq!(begin.len(), BLOCKS.len(), "{begin:#?}");
    for (begins, (sorted, block)) in begin.iter().zip(&BLOCKS) {
        assert!(begins.starts_with(sorted), "{begins} stands where {sorted} was");
        if let Block::Cannot(why) = block {
            let (program, _) = begins.split_once(' ').unwrap();
            assert!(["docker", "kubectl"].contains(&program), "{why}, and {begins} needs none");
        }
    }
    // A command within a sentence is run by nobody.
    let outside: String = readme().split("```").step_by(2).collect();
    for code in outside.split('`').skip(1).step_by(2) {
        let program = code.split_once(' ').map(|(program, _)| program);
        let typed =
            program.is_some_and(|program| ["grindvakt", "kubectl", "docker", "sed", "deploy/"].contains(&program));
        assert!(!typed, "`{code}` belongs into a block");
    }
}

#[test]
fn what_it_tells_to_type_works() {
    let home = tempfile::tempdir().unwrap();
    let mut reader = Reader::new(home.path());
    for (block, (begins, sorted)) in commands().iter().zip(&BLOCKS) {
        let Block::Runs(status, says) = sorted else { continue };
        let output = reader.types(block);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(*status), "{block}\n{text}");
        for part in *says {
            assert!(text.contains(part), "{begins} does not say {part}:\n{text}");
        }
    }
    // It was all typed in the repository of the service, which has now what the README says.
    assert!(reader.folder.ends_with("repository/deploy"), "{}", reader.folder.display());
    for key in ["sp-signing.pem", "sp-decrypt.pem", "session.key", "digest.key", "identity.pem"] {
        assert!(!reader.has(&format!("keys/{key}")).is_empty(), "{key}");
    }
    assert_eq!(reader.has("keys/store-password").trim_end().len(), 32);
    let (rules, ours) = (reader.has("rules.yml"), reader.has("../dashboards/rules.yml"));
    assert!(!rules.contains("https://github.com/") && ours.contains("https://github.com/"));
    assert_eq!(rules.matches("YOUR-ADDRESS#").count(), ours.matches("/runbook.md#").count());
}
