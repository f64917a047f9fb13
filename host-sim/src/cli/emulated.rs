//! `--target qemu`: what is special about kiosks that are boards in an emulator.

use std::path::Path;

use anyhow::Result;

use crate::scenario::Scenario;

/// Builds the firmware and lets the scenario's kiosks run on it.
///
/// # Errors
/// There is no emulator, the firmware does not build, or the scenario is not for a board.
#[cfg(feature = "window")]
pub fn prepare(scenario: Scenario, pictures: Option<&Path>, headless: bool, counts: bool) -> Result<Scenario> {
    use crate::scenario::PlannedCut;
    let board = crate::qemu::image::emulation(pictures)?;
    if counts {
        return Ok(scenario.board(board.counting()));
    }
    if !headless {
        // Whoever sits at the window cuts the power.
        return Ok(scenario.board(board));
    }
    // The power fails twice in the middle of a write: the emulator is killed there.
    let cut = |boundary| PlannedCut {
        kiosk: 0,
        epoch: 0,
        boundary,
        torn: false,
    };
    Ok(scenario.cut(cut(31)).cut(cut(47)).board(board))
}

/// Without the panel there is no finger that could find its buttons.
///
/// # Errors
/// Always.
#[cfg(not(feature = "window"))]
pub fn prepare(_: Scenario, _: Option<&Path>, _: bool, _: bool) -> Result<Scenario> {
    Err(crate::scenario::BadInput("--target qemu: this simulator was built without the feature `window`".into()).into())
}

/// Bytes of stack that a board may use.
#[cfg(feature = "window")]
const STACK_MOST: u32 = 192 * 1024;

/// Says on standard error what the boards measured of themselves and how their pictures compare with Linux's.
///
/// # Errors
/// A picture differs, a board needed more memory than it may, or the log cannot be read.
pub fn tell(scenario: &Scenario, log: Option<&Path>) -> Result<()> {
    #[cfg(feature = "window")]
    if let Some(board) = &scenario.board {
        use crate::qemu::image::lock;
        let measured = *lock(&board.measured);
        let of = |[used, all]: [u32; 2]| format!("{used} of {all} bytes");
        eprintln!(
            "board: {} starts, {} pictures drawn, stack {}, heap of the screen {}, heap of certificates {}",
            measured.starts,
            measured.frames,
            of(measured.stack),
            of(measured.screens),
            of(measured.certificates)
        );
        if let Some((what, [used, all])) = [
            ("stack", measured.stack),
            ("heap of the screen", measured.screens),
            ("heap of certificates", measured.certificates),
        ]
        .into_iter()
        .find(|(_, [used, all])| u64::from(*used) * 10 > u64::from(*all) * 9)
        {
            anyhow::bail!("the board's {what} is nearly full: {used} of {all} bytes");
        }
        // A board that one can buy leaves 256 KiB (its linker's script): the emulated one has more, and must not need it.
        if measured.stack[0] > STACK_MOST {
            anyhow::bail!(
                "the board's stack was {} bytes deep, of {STACK_MOST} that it may use",
                measured.stack[0]
            );
        }
        if let Some(file) = log {
            use crate::qemu::log;
            let text = log::read_all(&log::reader()?, &board.image, &lock(&board.logs))?;
            staff::files::write(file, text.as_bytes())?;
        }
        let missed = lock(&board.missed);
        if let Some(first) = missed.first() {
            anyhow::bail!(
                "{} touches that no button of the board's screen gives, the first: {first}",
                missed.len()
            );
        }
        if measured.restarts > 0 {
            anyhow::bail!("the board panicked {} times", measured.restarts);
        }
        if let Some(counts) = &board.counts {
            let counts = lock(counts);
            eprintln!("{counts}");
            let wrong = counts.wrong();
            if !wrong.is_empty() {
                anyhow::bail!("instructions: {}", wrong.join("; "));
            }
        }
        let album = lock(&board.album);
        let sum =
            |part: fn(&crate::qemu::picture::Difference) -> usize| album.pictures.values().map(part).sum::<usize>();
        let (outside, lines, of) = (sum(|one| one.outside), sum(|one| one.lines), sum(|one| one.of));
        eprintln!(
            "board: {} pictures compared with the panel on Linux: {outside} pixels outside letters differ; {lines} of {of} lines of letters look otherwise (the strangest by {}, see picture.rs)",
            album.pictures.len(),
            album.pictures.values().map(|one| one.strangest).max().unwrap_or(0),
        );
        for (name, difference) in album.pictures.iter().filter(|(_, difference)| !difference.is_same()) {
            eprintln!("board: {name}: {difference:?}");
        }
        if outside > 0 || lines > 0 {
            anyhow::bail!("the board draws something else than Linux");
        }
    }
    #[cfg(not(feature = "window"))]
    let _ = (scenario, log);
    Ok(())
}
