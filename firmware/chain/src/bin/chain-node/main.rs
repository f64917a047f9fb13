//! The validator node as a program: `init`, `run`, `status`, `audit`, `export`, `reset`, `change`, `local`. Everything it does is in the library.

mod arguments;
mod change;
mod init;
mod outcome;
mod running;
mod status;
mod stopped;

use std::process::ExitCode;

use arguments::{Cli, Command};
use clap::Parser as _;
use outcome::Failure;
use serde_json::json;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        Command::Init(init) => init.run(),
        Command::Run {
            folder,
            log,
            log_format,
            until_stdin_closes,
        } => running::run(&folder, &log, log_format, until_stdin_closes),
        Command::Status { gateways } => status::status(&gateways),
        Command::Audit { genesis, sources } => stopped::audited(genesis.as_deref(), &sources),
        Command::Export { folder, out } => stopped::export(&folder, &out),
        Command::Reset { folder } => stopped::reset(&folder),
        Command::Change(change) => change.run(),
        Command::Local {
            folder,
            validators,
            genesis,
        } => running::local_network(&folder, validators, genesis.as_deref()),
    };
    match outcome {
        Ok((value, text, code)) => {
            if cli.json && !value.is_null() {
                println!("{value}");
            } else if !text.is_empty() {
                println!("{}", text.trim_end());
            }
            ExitCode::from(code)
        }
        Err(Failure(code, text)) => {
            if cli.json {
                println!("{}", json!({ "error": text }));
            }
            eprintln!("chain-node: {text}");
            ExitCode::from(code)
        }
    }
}
