//! The programs people run, as cargo builds them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use anyhow::{Context, Result, bail};

use crate::tree;

/// The built program of this name (`staff`, `host-sim`). Builds the programs of the workspace once.
///
/// # Errors
/// They do not build.
pub fn program(name: &str) -> Result<PathBuf> {
    static BUILT: OnceLock<std::result::Result<PathBuf, String>> = OnceLock::new();
    let folder = BUILT.get_or_init(|| build().map_err(|error| format!("{error:#}")));
    match folder {
        Ok(folder) => Ok(folder.join(name)),
        Err(error) => bail!("{error}"),
    }
}

fn build() -> Result<PathBuf> {
    // target/debug/deps/this-test -> target/debug
    let me = std::env::current_exe()?;
    let folder = me
        .parent()
        .and_then(Path::parent)
        .context("where is the target folder?")?
        .to_path_buf();
    let target = folder.parent().context("where is the target folder?")?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // With a test beside the programs, so that cargo takes the features that `cargo test --workspace` has built everything with. Without it,
    // every crate that a dev-dependency asks more of is built a second time, with the window's code on top of it.
    let out = Command::new(cargo)
        .args([
            "build",
            "--locked",
            "--quiet",
            "--workspace",
            "--bins",
            "--test",
            "arrows",
        ])
        .current_dir(tree::root())
        .env("CARGO_TARGET_DIR", target)
        .output()?;
    if !out.status.success() {
        bail!("the programs do not build: {}", String::from_utf8_lossy(&out.stderr));
    }
    Ok(folder)
}

/// What a program said and how it ended.
#[derive(Debug)]
pub struct Said {
    /// Exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl From<Output> for Said {
    fn from(out: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            code: out.status.code(),
            out: text(&out.stdout),
            err: text(&out.stderr),
        }
    }
}

/// Runs a program of the workspace.
///
/// # Errors
/// It cannot be built or started.
pub fn run<A: AsRef<std::ffi::OsStr>>(name: &str, arguments: &[A]) -> Result<Said> {
    Ok(Command::new(program(name)?).args(arguments).output()?.into())
}
