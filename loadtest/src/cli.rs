//! The command line.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use grindvakt::base::{Clock as _, SystemClock};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::LocalSet;

use crate::bench::{Bench, Options, Progress};
use crate::report::{Better, FORMAT, Report, print};
use crate::scenario::{self, Scenario};
use crate::system::cores::Cores;
use crate::system::{child, machine};
use crate::world::{self, World};
use crate::{Failed, compare, page, part};

/// Puts the real sidecar under load and says what it cost.
///
/// It starts the sidecar, an e-service and a provider by itself, on loopback and free ports, and ends them. Reports are
/// written as JSON and as a page with plots.
#[derive(Parser)]
#[command(name = "grindvakt-load", version, max_term_width = 100, args_conflicts_with_subcommands = true)]
#[command(after_help = "Exit status: 0 a good run, 1 something was not as it must be, 2 usage.\n\
    loadtest/README.md says how to read a report and how to add a scenario.")]
struct Cli {
    #[command(subcommand)]
    part: Option<Part>,
    /// The scenario; `--list` names them.
    #[arg(required_unless_present = "list")]
    scenario: Option<String>,
    /// Name the scenarios.
    #[arg(long)]
    list: bool,
    #[command(flatten)]
    options: Options,
    /// The sidecar to measure; the one that was built beside this program unless given.
    #[arg(long, value_name = "PROGRAM")]
    sidecar: Option<PathBuf>,
    /// Where reports go.
    #[arg(long, value_name = "FOLDER", default_value = "target/load")]
    out: PathBuf,
    /// An earlier report (JSON) to compare with.
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,
    /// Fail when a figure is worse than in the earlier report by more than this many percent.
    #[arg(long, value_name = "PERCENT", requires = "compare")]
    max_regression: Option<f64>,
    /// Do not give the sidecar a core of its own.
    #[arg(long)]
    no_pin: bool,
    /// Show no progress.
    #[arg(long)]
    quiet: bool,
}

/// Parts that run as processes of their own: for us to start, not for people.
#[derive(Subcommand)]
enum Part {
    /// The e-service.
    #[command(hide = true)]
    Upstream,
    /// The bare hop.
    #[command(hide = true)]
    Hop {
        /// The e-service's address.
        #[arg(long)]
        to: SocketAddr,
    },
}

/// Runs what the command line says.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let part = match cli.part {
        Some(Part::Upstream) => Some(part::upstream::run()),
        Some(Part::Hop { to }) => Some(part::hop::run(to)),
        None => None,
    };
    if let Some(ended) = part {
        return if ended.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    if cli.list {
        for scenario in scenario::ALL {
            println!("{:<15} {}", scenario.name(), scenario.about());
        }
        return ExitCode::SUCCESS;
    }
    let name = cli.scenario.as_deref().unwrap_or_default();
    let Some(scenario) = scenario::find(name) else {
        let names: Vec<_> = scenario::ALL.iter().map(|scenario| scenario.name()).collect();
        eprintln!("grindvakt-load: there is no scenario {name}; there are {}", names.join(", "));
        return ExitCode::from(2);
    };
    match run(&cli, scenario) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failed) => {
            eprintln!("grindvakt-load: {failed}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a scenario and leaves its report. False when something was not as it must be.
fn run(cli: &Cli, scenario: &dyn Scenario) -> Result<bool, Failed> {
    let earlier = cli.compare.as_deref().map(Report::read).transpose()?;
    let program = match &cli.sidecar {
        Some(program) => program.clone(),
        None => world::program()?,
    };
    child::raise_file_limit();
    let cores = Cores::divide(!cli.no_pin)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(cores.all.len().max(1))
        .build()
        .map_err(|e| Failed::to("the runtime", e))?;
    let report = LocalSet::new().block_on(&runtime, async {
        tokio::select! {
            report = measured(cli, scenario, &program, cores) => report,
            why = interrupted() => Err(why),
        }
    })?;
    leave(cli, report, earlier.as_ref())
}

async fn measured(cli: &Cli, scenario: &dyn Scenario, program: &Path, cores: Cores) -> Result<Report, Failed> {
    let mut report = Report {
        format: FORMAT,
        scenario: scenario.name().to_owned(),
        at: SystemClock.now().to_string(),
        commit: machine::commit(),
        build: machine::build().to_owned(),
        program: program.display().to_string(),
        machine: machine::Machine::here(cores.all.len()),
        cores: [cores.measured.clone(), cores.load.clone()],
        arguments: std::env::args().skip(1).collect(),
        ..Report::default()
    };
    if report.build == "debug" {
        report.notes.push("a debug build: its figures say nothing about the sidecar that people run".to_owned());
    }
    if !cores.pinned() {
        report.notes.push("the sidecar shares its cores with the generator".to_owned());
    }
    let progress = Progress::new(cli.quiet);
    progress.phase("starting", None);
    let world = World::start(program, cores).await?;
    report.first_answer_ms = world.first_answer_ms;
    report.figure("start_to_first_200", world.first_answer_ms, "ms", Better::Lower);
    let mut bench = Bench::new(cli.options.clone(), world, report, progress);
    let ran = scenario.run(&mut bench).await;
    bench.progress.clear();
    let memory = bench.world.sidecar.process().memory();
    bench.report.figure("memory_at_end", memory.rss_kb as f64 / 1024.0, "MB", Better::Lower);
    ran?;
    Ok(bench.finish())
}

/// Completes when someone asks us to stop.
async fn interrupted() -> Failed {
    let asked = Failed("stopped".to_owned());
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => asked,
        _ = int.recv() => asked,
    }
}

/// Writes the report in its three forms.
fn leave(cli: &Cli, mut report: Report, earlier: Option<&Report>) -> Result<bool, Failed> {
    let changes = earlier.map(|earlier| compare::compare(earlier, &report)).transpose()?;
    if let (Some(changes), Some(percent)) = (&changes, cli.max_regression) {
        report.failures.extend(changes.regressions(percent / 100.0));
    }
    std::fs::create_dir_all(&cli.out).map_err(|e| Failed::to(cli.out.display(), e))?;
    let json = cli.out.join(format!("{}.json", report.scenario));
    report.write(&json)?;
    let html = json.with_extension("html");
    std::fs::write(&html, page::render(&report, earlier)).map_err(|e| Failed::to(html.display(), e))?;
    print!("{}", print::text(&report));
    if let Some(changes) = changes {
        print!("{changes}");
    }
    println!("  report: {}, {}", json.display(), html.display());
    Ok(report.failures.is_empty())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
        let read = |line: &str| Cli::try_parse_from(line.split(' '));
        let cli = read("grindvakt-load steady --seconds 1 --quick").unwrap();
        assert_eq!(cli.scenario.as_deref(), Some("steady"));
        assert!(matches!(read("grindvakt-load hop --to 127.0.0.1:1").unwrap().part, Some(Part::Hop { .. })));
        assert!(read("grindvakt-load --list").unwrap().list);
        assert!(read("grindvakt-load").is_err());
    }
}
