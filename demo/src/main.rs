//! `make demo`: two demo e-ID providers, a sample e-service, and the real sidecar in front of it, on this machine.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use grindvakt_demo::check;
use grindvakt_demo::sidecar::Sidecar;
use grindvakt_demo::stage::{FIRST_PORT, Stage};

/// Runs the demo: BankID and Freja look-alikes, a sample e-service, and the real sidecar in front of it.
#[derive(Parser)]
#[command(name = "grindvakt-demo", version)]
struct Arguments {
    /// The port that visitors open; the three above it are the providers and the e-service. 0 takes free ones.
    #[arg(long, default_value_t = FIRST_PORT)]
    port: u16,
    /// Walk through the demo once by HTTP, on free ports, and exit: 0 if everything went as it should.
    #[arg(long)]
    check: bool,
    /// Leave the sidecar's log out.
    #[arg(long)]
    quiet: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| e.to_string())
        .and_then(|runtime| runtime.block_on(run(&arguments)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("grindvakt-demo: {problem}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<(), String> {
    println!("Making keys…");
    let first_port = if arguments.check { 0 } else { arguments.port };
    let stage = Stage::set_up(first_port).await.map_err(|e| format!("setting up: {e}"))?;
    for (wanted, got) in &stage.moved {
        println!("Port {wanted} is taken; {got} stands in for it.");
    }
    let mut sidecar = Sidecar::start(&stage.config(), arguments.quiet).map_err(|e| e.to_string())?;
    stage.introduce(Duration::from_secs(20)).await?;

    if arguments.check {
        check::run(&stage, |step| println!("  ok  {step}")).await.map_err(|e| e.to_string())?;
        println!("The demo works.");
        return Ok(());
    }
    print!("{}", guide(&stage));
    loop {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {
                println!("\nStopped; the demo's files are removed.");
                return Ok(());
            }
            () = tokio::time::sleep(Duration::from_millis(500)) => {
                if let Some(status) = sidecar.ended() {
                    return Err(format!("the sidecar ended by itself ({status})"));
                }
            }
        }
    }
}

fn guide(stage: &Stage) -> String {
    format!(
        "
  Open  {home}

  Pick BankID or Freja, then a test person: you land on a sample e-service that shows
  the identity headers it got. Try also
    - {apply}  needs level 3 and a personal number
    - {about}       is open to all: look, no headers
    - \"Attack: …\" at the provider: the sidecar refuses, with a reference that its log explains
    - curl -H 'X-Eid-Personal-Number: 195207306886' {about}   (a forged header is taken away)
    - http://127.0.0.1:{admin}/metrics

  The configuration behind it: {config}
  Press Ctrl-C to stop.

",
        home = stage.url("/"),
        apply = stage.url("/ansokan"),
        about = stage.url("/om"),
        admin = stage.admin_port,
        config = stage.config().display(),
    )
}
