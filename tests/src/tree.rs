//! The project's files and packages, as git and cargo see them.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// The top folder of the project.
#[must_use]
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

fn output(command: &mut Command) -> Result<Vec<u8>> {
    let out = command.output().with_context(|| format!("cannot run {command:?}"))?;
    if !out.status.success() {
        bail!("{command:?} failed: {}", String::from_utf8_lossy(&out.stderr));
    }
    Ok(out.stdout)
}

/// `cargo metadata` of the workspace, without the packages of others.
///
/// # Errors
/// Cargo cannot be run or answers something that is not JSON.
pub fn metadata() -> Result<Value> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let text = output(
        Command::new(cargo)
            .args(["metadata", "--format-version", "1", "--no-deps"])
            .current_dir(root()),
    )?;
    Ok(serde_json::from_slice(&text)?)
}

/// Every file of the project that still exists: what git tracks and what it would add, relative to [`root`].
///
/// # Errors
/// Git cannot be run or this is not a clone.
pub fn files() -> Result<Vec<PathBuf>> {
    let text = output(
        Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(root()),
    )?;
    let text = String::from_utf8(text).context("a file name that is not UTF-8")?;
    Ok(text
        .split('\0')
        .filter(|n| !n.is_empty())
        .map(PathBuf::from)
        .filter(|p| root().join(p).is_file())
        .collect())
}

/// The files with one of these extensions and their text.
///
/// # Errors
/// As [`files`], or a file that cannot be read.
pub fn texts(extensions: &[&str]) -> Result<Vec<(PathBuf, String)>> {
    let wanted = |p: &PathBuf| p.extension().is_some_and(|e| extensions.iter().any(|x| e == *x));
    files()?
        .into_iter()
        .filter(wanted)
        .map(|p| {
            let bytes = std::fs::read(root().join(&p)).with_context(|| p.display().to_string())?;
            let text = String::from_utf8_lossy(&bytes).into_owned();
            Ok((p, text))
        })
        .collect()
}
