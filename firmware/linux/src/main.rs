//! The appliance as a program; everything it does is in the library.

fn main() -> std::process::ExitCode {
    linux::cli::main()
}
