//! `--target image`: the Linux image as a machine in an emulator, with an election of its own on it. What is played is the whole-machine test
//! (`tests/tests/image`); here is only what somebody needs who wants to see it: the image is built if there is none, and the day is told.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::scenario::BadInput;

/// What of the command line is for this target.
pub struct Wanted<'a> {
    /// Options that are for other targets, if any was given.
    pub foreign: Option<&'static str>,
    /// `--headless`.
    pub headless: bool,
    /// `--out`.
    pub out: Option<&'a Path>,
    /// `--screenshots`.
    pub screenshots: Option<&'a Path>,
}

/// Builds the image unless `IPPYO_IMAGE` names one, and plays. A summary; an error if it does not hold.
///
/// # Errors
/// An option is not for this target, the image does not build, or what was played does not hold.
pub fn play(wanted: &Wanted<'_>) -> Result<Value> {
    if !wanted.headless {
        return Err(BadInput("--target image: only with --headless".into()).into());
    }
    if let Some(option) = wanted.foreign {
        let text = "plays an election of its own (tsukuba-2015-referendum, one kiosk, four voters)";
        return Err(BadInput(format!("--target image {text}: leave out {option}")).into());
    }
    if let Some(out) = wanted.out
        && std::fs::read_dir(out).is_ok_and(|mut found| found.next().is_some())
    {
        return Err(BadInput(format!("{} is not empty: give a new folder", out.display())).into());
    }
    machine_is_there()?;
    let begun = Instant::now();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = root.parent().unwrap_or(root).to_path_buf();
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let image = match std::env::var_os("IPPYO_IMAGE") {
        Some(image) => image.into(),
        None => build(&root, &target)?,
    };
    let told = std::fs::read(image.join("build.json"));
    let told = told.map_err(|error| {
        BadInput(format!(
            "{} is not the folder of a built image: {error}",
            image.display()
        ))
    })?;
    let told: Value = serde_json::from_slice(&told)?;
    eprintln!("the image is a machine now: some minutes, each screen as it comes");
    let mut call = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    call.current_dir(&root)
        .args([
            "test",
            "--locked",
            "--workspace",
            "--features",
            "tests/image",
            "--test",
            "image",
            "--",
            "--nocapture",
            "a10_f2",
        ])
        .env("CARGO_TARGET_DIR", &target)
        .env("IPPYO_IMAGE", absolute(&image)?)
        .stdin(Stdio::null())
        // Progress; the summary is the only thing on standard output.
        .stdout(std::io::stderr());
    for (name, folder) in [("IPPYO_PICTURES", wanted.screenshots), ("IPPYO_RECORD", wanted.out)] {
        call.env_remove(name);
        if let Some(folder) = folder {
            call.env(name, absolute(folder)?);
        }
    }
    if !call.status().context("cargo does not start")?.success() {
        bail!("the election on the image does not hold: what is above says where");
    }
    Ok(json!({
        "target": "image",
        "software": told["root_hash"],
        "holds": true,
        "record": wanted.out,
        "seconds": begun.elapsed().as_secs(),
    }))
}

/// What plays the machine, before an image is built for nothing.
fn machine_is_there() -> Result<()> {
    for program in ["qemu-system-x86_64", "swtpm", "mcopy"] {
        let found = Command::new(program).arg("--version").stdin(Stdio::null()).output();
        if found.is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
            return Err(BadInput(format!("{program} is not installed: run `tests/run tools`")).into());
        }
    }
    Ok(())
}

fn build(root: &Path, target: &Path) -> Result<PathBuf> {
    let out = target.join("kiosk-image");
    eprintln!("building the image (some minutes the first time)");
    let built = Command::new(root.join("firmware/linux/image/build"))
        .arg("--locked")
        .arg("--target-dir")
        .arg(target)
        .arg("--out")
        .arg(&out)
        .stdout(std::io::stderr())
        .status()
        .context("firmware/linux/image/build does not start: python3 is needed")?;
    if !built.success() {
        return Err(BadInput("the image does not build".into()).into());
    }
    Ok(out)
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).with_context(|| path.display().to_string())
}
