//! The `grindvakt-load` command. Everything is in the library; see `grindvakt-load --help`.

use std::process::ExitCode;

/// The sidecar's allocator: the bare hop is to differ from it in what it does, not in what it is built with.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    grindvakt_loadtest::cli::main()
}
