//! The `grindvakt` command. Everything is in the library; see `grindvakt --help`.

use std::process::ExitCode;

/// Requests allocate little but often: mimalloc does that in less time than the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    grindvakt::cli::main()
}
