//! The election desk as a program; everything it does is in the library.

fn main() -> std::process::ExitCode {
    staff::cli::main()
}
