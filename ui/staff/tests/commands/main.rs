//! The program itself: its exit codes, its JSON, and a whole count from files on disk, media and TCP.

mod count;
mod desk;
#[path = "../support/medium.rs"]
mod files_of_a_kiosk;
mod genesis;
mod medium;
#[path = "../support/node.rs"]
mod node;
#[path = "../support/mod.rs"]
mod support;

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn staff(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_staff"))
        .args(arguments)
        .output()
        .unwrap()
}

fn code(arguments: &[&str]) -> i32 {
    staff(arguments).status.code().unwrap()
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).display().to_string()
}
