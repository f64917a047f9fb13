//! The simulator's program. Everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    host_sim::cli::main()
}
