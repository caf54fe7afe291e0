//! `make demo`: demo e-ID providers, a sample e-service, and the real sidecar in front of it, on this machine. And
//! `grindvakt-demo dev`: the same around an application of one's own.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use grindvakt_demo::check;
use grindvakt_demo::dev::{Dev, DevError, Listen, Options, Plan, Routes, Upstream, persons};
use grindvakt_demo::sidecar::{Sidecar, program};
use grindvakt_demo::stage::{FIRST_PORT, PROGRAM, Stage};
use tokio::signal::unix::{SignalKind, signal};

/// The configuration or the persons are wrong: the sidecar's own status for it (sysexits' EX_CONFIG).
const CONFIG: u8 = 78;

/// Where `dev` listens when nobody asks for another port: beside what applications listen on by themselves.
const DEV_PORT: u16 = 8090;

/// Runs the demo: BankID and Freja look-alikes, a sample e-service, and the real sidecar in front of it.
#[derive(Parser)]
#[command(name = "grindvakt-demo", version, args_conflicts_with_subcommands = true, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// The port that visitors open; the seven above it are the providers, the e-service, and the
    /// control room. 0 takes free ones.
    #[arg(long, default_value_t = FIRST_PORT)]
    port: u16,
    /// Walk through the demo once by HTTP, on free ports, and exit: 0 if everything went as it should.
    #[arg(long)]
    check: bool,
    /// Leave the sidecar's log out.
    #[arg(long)]
    quiet: bool,
}

#[derive(Subcommand)]
enum Command {
    Dev(DevArguments),
}

/// Put the real sidecar in front of your own application, with e-ID providers that let every kind of test person in.
///
/// Everything is on this machine: demo keys let anyone in. Exit status: 0 stopped, 1 cannot start, 64 usage, 78 a file
/// that holds mistakes.
#[derive(Args)]
struct DevArguments {
    /// Your application: http://localhost:PORT or unix:/path, on this machine.
    #[arg(long, value_name = "ADDRESS", required_unless_present = "print_persons")]
    upstream: Option<Upstream>,
    /// Where your browser comes in: a port of 127.0.0.1.
    #[arg(long, value_name = "PORT", default_value_t = Listen::new(DEV_PORT))]
    listen: Listen,
    /// The port of this tool itself: its providers, and the call that logs a test in [default: the one above --listen]
    #[arg(long, value_name = "PORT")]
    tool: Option<Listen>,
    /// Who can log in [default: the built-in persons, see --print-persons]
    #[arg(long, value_name = "FILE")]
    persons: Option<PathBuf>,
    /// A TOML file with your [[route]] tables and, in [service], your `forward` [default: a session everywhere, and
    /// everything forwarded]
    #[arg(long, value_name = "FILE", conflicts_with = "config")]
    routes: Option<PathBuf>,
    /// Your service's own configuration: its routes, `forward`, names and pages hold, stand-ins take the place of its
    /// providers. Repeat it as for the sidecar.
    #[arg(long, value_name = "PATH")]
    config: Vec<PathBuf>,
    /// Leave the sidecar's log out.
    #[arg(long)]
    quiet: bool,
    /// Print the built-in persons as a file to start from, and exit.
    #[arg(long)]
    print_persons: bool,
}

/// How it ends badly.
enum Failed {
    /// What happened.
    Said(String),
    /// Mistakes in files, each on its line.
    Files(String),
}

impl From<String> for Failed {
    fn from(text: String) -> Self {
        Self::Said(text)
    }
}

impl From<DevError> for Failed {
    fn from(error: DevError) -> Self {
        match error {
            DevError::Problems(_) => Self::Files(error.to_string()),
            DevError::Port(..) | DevError::Files(_) | DevError::Sidecar(_) => Self::Said(error.to_string()),
        }
    }
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(e) => {
            let _ = e.print();
            // Help and version are no mistakes; else sysexits' EX_USAGE.
            return if e.use_stderr() { ExitCode::from(64) } else { ExitCode::SUCCESS };
        }
    };
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| Failed::Said(e.to_string()))
        .and_then(|runtime| {
            runtime.block_on(async {
                match &arguments.command {
                    Some(Command::Dev(dev)) => develop(dev).await,
                    None => run(&arguments).await.map_err(Failed::Said),
                }
            })
        });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failed::Said(problem)) => {
            eprintln!("grindvakt-demo: {problem}");
            ExitCode::FAILURE
        }
        Err(Failed::Files(problems)) => {
            eprintln!("{problems}");
            ExitCode::from(CONFIG)
        }
    }
}

async fn develop(arguments: &DevArguments) -> Result<(), Failed> {
    if arguments.print_persons {
        print!("{}", persons::BUILT_IN);
        return Ok(());
    }
    // The command line asks for one.
    let Some(upstream) = arguments.upstream.clone() else { return Ok(()) };
    let routes = match &arguments.routes {
        Some(file) => Routes::File(file.clone()),
        None if arguments.config.is_empty() => Routes::Everything,
        None => Routes::Config(arguments.config.clone()),
    };
    let reachable = upstream.clone();
    let options = Options {
        upstream,
        listen: arguments.listen,
        tool: arguments.tool,
        persons: arguments.persons.clone(),
        routes,
        quiet: arguments.quiet,
    };
    let plan = Plan::read(options)?;
    let program = program().map_err(|e| e.to_string())?;
    println!("Making keys…");
    let mut dev = Dev::start(&program, plan).await?;
    print!("{}", dev.guide());
    if !reachable.answers().await {
        println!("  Nothing answers at {reachable} yet: start your application, or see which address it listens on.\n");
    }
    tokio::select! {
        stopped = stopped() => Ok(stopped?),
        problem = dev.ending() => Err(Failed::Said(problem)),
    }
}

/// Completes when somebody wants this to end.
async fn stopped() -> Result<(), String> {
    let mut terminate = signal(SignalKind::terminate()).map_err(|e| e.to_string())?;
    tokio::select! {
        _ = tokio::signal::ctrl_c() => Ok(()),
        _ = terminate.recv() => Ok(()),
    }
}

async fn run(arguments: &Arguments) -> Result<(), String> {
    println!("Making keys…");
    let first_port = if arguments.check { 0 } else { arguments.port };
    let stage = Stage::set_up(first_port).await.map_err(|e| format!("setting up: {e}"))?;
    for (wanted, got) in &stage.moved {
        println!("Port {wanted} is taken; {got} stands in for it.");
    }
    let mut sidecar = program()
        .and_then(|program| Sidecar::start(&program, &stage.config(), arguments.quiet))
        .map_err(|e| e.to_string())?;
    tokio::select! {
        introduced = stage.introduce(Duration::from_secs(20)) => introduced?,
        problem = sidecar.ending() => return Err(problem),
    }

    if arguments.check {
        check::run(&stage, |step| println!("  ok  {step}")).await.map_err(|e| e.to_string())?;
        println!("The demo works.");
        return Ok(());
    }
    print!("{}", guide(&stage));
    tokio::select! {
        stopped = stopped() => stopped,
        problem = sidecar.ending() => Err(problem),
    }
}

/// Takes the token out of the answer of the demo's token endpoint, which has each member on a line of its own.
const PICK: &str = r#"sed -n 's/.*"access_token": "\([^"]*\)".*/\1/p'"#;

fn guide(stage: &Stage) -> String {
    let (id, secret, scope) = PROGRAM;
    format!(
        "
  Open  {home}

  Pick BankID or Freja, by SAML or by OpenID Connect, then a test person: you land on a
  sample e-service that shows the identity headers it got. Try also
    - {apply}  needs level 3 and a personal number
    - the municipality's own account: it opens the start page, and no more
    - {about}       is open to all: look, no headers
    - \"Attack: …\" at the provider: the sidecar refuses, with a reference that its log explains
    - {control}  has buttons that break a provider: see where the next login goes
    - a program's token, and what it opens:
        token=$(curl -s -u {id}:{secret} -d grant_type=client_credentials -d scope={scope} {accounts}/token \\
          | {pick})
        curl -H \"Authorization: Bearer $token\" {api}
    - curl -H 'X-Eid-Personal-Number: 195207306886' {about}   (a forged header is taken away)
    - http://127.0.0.1:{admin}/metrics

  The configuration behind it: {config}
  Press Ctrl-C to stop.

",
        home = stage.url("/"),
        apply = stage.url("/ansokan"),
        about = stage.url("/om"),
        control = stage.control_url(),
        pick = PICK,
        api = stage.url("/api/arenden"),
        accounts = stage.accounts.op().issuer(),
        admin = stage.admin_port,
        config = stage.config().display(),
    )
}
