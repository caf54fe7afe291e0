//! The root file system of the image, run as its user in a root of its own: it is built as deploy/README.md says, and nothing
//! of this machine is there but /proc, /dev/null and the files that a pod mounts.

use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::StatusCode;
use tokio::net::TcpStream;

use crate::peer_readme;
use crate::support::program::Program;
use crate::support::remote::{Act, Remote};
use crate::support::tls::Authority;
use crate::support::{Client, World, eventually};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The most that the image may hold.
const MOST_BYTES: u64 = 25 * 1024 * 1024;

/// Where deploy/README.md says that the root file system and the bill of materials are.
const ROOTFS: &str = "target/rootfs";
const BILL: &str = "target/grindvakt.cdx.json";

fn rootfs() -> PathBuf {
    root().join(ROOTFS)
}

/// All of it in one test: only one thread of the tests waits for the build then, and the others go on.
#[tokio::test(flavor = "multi_thread")]
async fn the_image_is_built_as_the_readme_says_and_needs_nothing_else() {
    is_built();
    is_small_and_holds_nothing_but_the_program();
    runs_without_anything_else_and_as_nobody();
    serves_looks_names_up_and_speaks_tls().await;
    the_bill_of_materials_names_every_crate();
}

/// Builds both, as deploy/README.md says.
fn is_built() {
    let output = Command::new("sh").args(["-euc", &peer_readme::build()]).current_dir(root()).output().unwrap();
    let said = said(&output);
    assert!(output.status.success(), "{said}");
    for made in [format!("{ROOTFS}: "), BILL.to_owned()] {
        assert!(said.contains(&made), "{said}");
    }
}

/// A root of its own for one test: a copy of the image's, read-only, with what a container runtime adds (/proc, resolv.conf)
/// and with the folders that a pod mounts. The mounts are in a namespace that ends with the process.
struct Pod {
    folder: tempfile::TempDir,
}

impl Pod {
    /// `resolv` stands as /etc/resolv.conf.
    fn new(resolv: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["conf", "state"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let copied = Command::new("cp").arg("-a").arg(rootfs()).arg(folder.path().join("root")).status().unwrap();
        assert!(copied.success());
        let pod = Self { folder };
        std::fs::create_dir(pod.path("root/proc")).unwrap();
        std::fs::write(pod.path("root/etc/resolv.conf"), resolv).unwrap();
        std::fs::write(pod.path("root/etc/hosts"), "127.0.0.1 localhost\n").unwrap();
        chown(pod.path("state"), Some(65532), Some(65532)).unwrap();
        pod
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The program with `arguments`, as the image's user, in that root.
    fn command(&self, arguments: &str) -> Command {
        let script = format!(
            r#"set -e
            mount --make-rprivate /
            mount --bind "$R/root" "$R/root"
            mount -o remount,bind,ro "$R/root"
            mount -t proc none "$R/root/proc"
            mount --bind "$R/conf" "$R/root/etc/grindvakt"
            mount --bind "$R/state" "$R/root/var/lib/grindvakt"
            cd /
            code=0
            setpriv --no-new-privs chroot --userspec=65532:65532 --groups=65532 "$R/root" {arguments} || code=$?
            exit $code"#
        );
        // The shell stays, and is what dies with `unshare`: a process that has changed its user does not (prctl(2),
        // PR_SET_PDEATHSIG), and when the first process of a PID namespace dies all of it does.
        let mut command = Command::new("unshare");
        command.args(["--mount", "--pid", "--fork", "--kill-child", "bash", "-c", &script]);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("R", self.folder.path());
        command
    }

    fn run(&self, arguments: &str) -> Output {
        self.command(arguments).output().unwrap()
    }
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn files(folder: &Path, out: &mut Vec<(PathBuf, u64)>) {
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()) {
        let about = entry.metadata().unwrap();
        if about.is_dir() {
            files(&entry.path(), out);
        } else {
            out.push((entry.path().strip_prefix(rootfs()).unwrap().to_path_buf(), about.len()));
        }
    }
}

fn is_small_and_holds_nothing_but_the_program() {
    let mut all = Vec::new();
    files(&rootfs(), &mut all);
    let mut names: Vec<&str> = all.iter().map(|(path, _)| path.to_str().unwrap()).collect();
    names.sort_unstable();
    let expect =
        ["etc/group", "etc/nsswitch.conf", "etc/passwd", "etc/ssl/certs/ca-certificates.crt", "usr/bin/grindvakt"];
    assert_eq!(names, expect);
    let bytes: u64 = all.iter().map(|(_, bytes)| bytes).sum();
    println!("{bytes} bytes");
    assert!(bytes < MOST_BYTES, "{bytes} bytes");
    for (path, _) in &all {
        let mode = std::fs::metadata(rootfs().join(path)).unwrap().permissions().mode();
        assert_eq!(mode & 0o7022, 0, "{}: {mode:o}: nobody writes it, and it takes nobody's rights", path.display());
    }
    // Dockerfile and script agree, and nothing is added.
    let dockerfile = std::fs::read_to_string(root().join("deploy/Dockerfile")).unwrap();
    let steps: Vec<&str> = dockerfile.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
    assert_eq!(steps[0], "FROM scratch");
    assert!(steps.contains(&"USER 65532:65532"));
    assert!(!steps.iter().any(|step| step.starts_with("RUN") || step.starts_with("ADD")), "{steps:?}");
}

fn runs_without_anything_else_and_as_nobody() {
    let pod = Pod::new("");
    let version = pod.run("/usr/bin/grindvakt --version");
    assert!(version.status.success() && said(&version).starts_with("grindvakt "), "{}", said(&version));
    let shell = pod.run("/bin/sh -c true");
    assert!(!shell.status.success(), "there is a shell");
    // It may write its state, and nothing besides.
    let made = pod.run("/usr/bin/grindvakt keys generate --out /var/lib/grindvakt/keys");
    assert!(made.status.success(), "{}", said(&made));
    for place in ["/keys", "/etc/keys", "/tmp/keys", "/etc/grindvakt/keys"] {
        let made = pod.run(&format!("/usr/bin/grindvakt keys generate --out {place}"));
        assert!(!made.status.success(), "{place}: {}", said(&made));
    }
}

/// A name server that knows one name, which is on this machine. It answers until it is dropped.
struct NameServer {
    address: IpAddr,
    asked: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl NameServer {
    /// On port 53, since no other can be written down, of a loopback address that nobody else has.
    async fn start(name: &'static str) -> Self {
        let [.., a, b] = std::process::id().to_be_bytes();
        let address = IpAddr::from([127, 53, a, b]);
        let socket = tokio::net::UdpSocket::bind((address, 53)).await.expect("port 53, which takes root");
        let asked = Arc::new(AtomicUsize::new(0));
        let counts = Arc::clone(&asked);
        let mut wanted = Vec::new();
        for label in name.split('.') {
            wanted.push(u8::try_from(label.len()).unwrap());
            wanted.extend_from_slice(label.as_bytes());
        }
        wanted.push(0);
        let task = tokio::spawn(async move {
            let mut buffer = [0_u8; 512];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                let query = &buffer[..length];
                let end = 12 + wanted.len();
                let (known, kind) = (query.get(12..end) == Some(&wanted[..]), query.get(end..end + 2));
                let is_a = known && kind == Some(&[0, 1]);
                counts.fetch_add(1, Ordering::Relaxed);
                // RFC 1035, 4.1: the question once more, and one A record where it is asked for.
                let mut answer = query[..2].to_vec();
                answer.extend_from_slice(&[0x81, if known { 0x80 } else { 0x83 }, 0, 1, 0, u8::from(is_a), 0, 0, 0, 0]);
                answer.extend_from_slice(&query[12..(end + 4).min(length)]);
                if is_a {
                    answer.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
                }
                let _ = socket.send_to(&answer, from).await;
            }
        });
        Self { address, asked, task }
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// It serves, and finds its way out: a name that only DNS knows, and over TLS a host whose certificate the bundle vouches
/// for, and no other.
async fn serves_looks_names_up_and_speaks_tls() {
    const FAR: &str = "feed.example.net";
    let world = World::new("").await;
    let names = NameServer::start(FAR).await;
    let (authority, stranger) = (Authority::new(), Authority::new());
    let remote = Remote::start().await;
    remote.does(Act::ok("<nothing/>"));
    let (front, other) = (authority.front(FAR, remote.address).await, stranger.front(FAR, remote.address).await);
    let pod = Pod::new(&format!("nameserver {}\noptions timeout:1 attempts:2\n", names.address));
    // Its own authority is one of the bundle's: what the image brings is what it believes.
    let bundle = pod.path("root/etc/ssl/certs/ca-certificates.crt");
    let certificates = std::fs::read_to_string(&bundle).unwrap();
    assert!(certificates.matches("BEGIN CERTIFICATE").count() > 100, "the bundle is thin");
    std::fs::write(&bundle, format!("{certificates}\n{}", authority.pem())).unwrap();
    for entry in std::fs::read_dir(world.folder.path()).unwrap().map(|entry| entry.unwrap()) {
        let to = pod.path("conf").join(entry.file_name());
        std::fs::copy(entry.path(), &to).unwrap();
        chown(&to, Some(65532), Some(65532)).unwrap();
    }
    std::fs::write(pod.path("conf/far.crt"), world.other.key().certificate_pem()).unwrap();
    let feed = |id: &str, port: u16| {
        format!("[[metadata]]\nid = \"{id}\"\nurl = \"https://{FAR}:{port}/feed.xml\"\nsigner = [\"far.crt\"]\n")
    };
    let feeds = feed("far", front.address.port()) + &feed("inspected", other.address.port());
    std::fs::write(pod.path("conf/grindvakt.toml"), format!("{}{feeds}", world.config())).unwrap();

    let serving = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        let address = |name: &str| line[name].as_str()?.parse::<SocketAddr>().ok();
        (line["event"] == "serving").then(|| Some((address("public")?, address("admin")?))).flatten()
    };
    let (program, (public, admin)) =
        Program::start(pod.command("/usr/bin/grindvakt run --config /etc/grindvakt/grindvakt.toml"), serving);
    let mut client = Client::new(public);
    assert_eq!(client.get("/om/x").await.status, StatusCode::OK);
    assert_eq!(client.get("/ansokan/1").await.status, StatusCode::SEE_OTHER);
    assert_eq!(Client::new(admin).get("/readyz").await.status, StatusCode::OK);
    eventually(30, "it has been to the feed", || async { remote.hits() > 0 }).await;
    assert!(names.asked.load(Ordering::Relaxed) > 0, "nobody was asked for the name");
    // What it got was no feed, and what the other showed was a certificate of somebody whom nobody vouches for.
    eventually(30, "both were tried", || async {
        let status = Client::new(admin).get("/status?json").await.body;
        status.contains("tls_") && status.matches("\"trouble\": {").count() >= 2
    })
    .await;
    drop(program);
    eventually(10, "nothing of it is left", || async { TcpStream::connect(admin).await.is_err() }).await;
}

/// What the program is made of: every crate that is linked into it, and no secret place that it came from.
fn the_bill_of_materials_names_every_crate() {
    let bill: serde_json::Value = serde_json::from_slice(&std::fs::read(root().join(BILL)).unwrap()).unwrap();
    assert_eq!((&bill["bomFormat"], &bill["specVersion"]), (&"CycloneDX".into(), &"1.5".into()));
    assert_eq!(bill["metadata"]["component"]["name"], "grindvakt");
    let components = bill["components"].as_array().unwrap();
    let tree = Command::new("cargo")
        .args([
            "tree",
            "--package",
            "grindvakt",
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--format",
            "{p}",
            "--locked",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    let tree = String::from_utf8(tree.stdout).unwrap();
    let linked: std::collections::BTreeSet<(&str, &str)> = tree
        .lines()
        .filter(|line| !line.contains("(proc-macro)"))
        .filter_map(|line| {
            let mut words = line.split(' ');
            Some((words.next()?, words.next()?.strip_prefix('v')?))
        })
        .filter(|(name, _)| *name != "grindvakt")
        .collect();
    assert!(linked.len() > 100, "{}", linked.len());
    for (name, version) in linked {
        let found = components.iter().find(|c| c["name"] == name && c["version"] == version);
        let found = found.unwrap_or_else(|| panic!("{name} {version} is not in the bill"));
        assert!(found["purl"].as_str().is_some_and(|purl| purl.starts_with("pkg:cargo/")), "{found}");
        assert!(found["licenses"].is_array() && found["hashes"].is_array(), "{name} has no licence or no checksum");
    }
    assert!(!bill.to_string().contains(root().to_str().unwrap()), "it tells where it was made");
}
