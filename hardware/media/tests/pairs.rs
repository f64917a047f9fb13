//! A day on real files, and on real block devices where this machine lends some (loop devices: root, and a kernel that has them).

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use common::*;
use kiosk::ballot_box::{MediaFault, Role};
use kiosk::ports::{Medium, MediumError};
use media::{FileMedium, SECTOR};

fn size() -> u64 {
    layout(SECTOR).size()
}

/// Opens a medium that nobody else holds. A child that another test is starting holds copies of all our files, locks included, from its fork to
/// its exec: then it is busy for a moment.
fn opened(open: impl Fn() -> Result<FileMedium, MediumError>) -> FileMedium {
    let patience = Instant::now();
    loop {
        match open() {
            Err(MediumError::Busy) if patience.elapsed() < Duration::from_secs(20) => std::thread::yield_now(),
            opened => return opened.unwrap(),
        }
    }
}

/// A day, the program ends, another one, a third; everything through the operating system.
fn days(paths: &[PathBuf; 2]) {
    let open = |at: usize| opened(|| FileMedium::open(&paths[at]));
    let mut voters = Voters::default();
    let counts = day(open(0), open(1), SECTOR, &mut voters, &mut Lcg(1)).unwrap();
    assert_eq!((counts.admitted, counts.recorded), (VOTERS.into(), VOTERS.into()));
    let again = day(open(0), open(1), SECTOR, &mut voters, &mut Lcg(2)).unwrap();
    assert_eq!(again, counts, "a restart changes nothing");
    for path in paths {
        judge(
            opened(|| FileMedium::open_read_only(path)),
            &voters,
            &path.display().to_string(),
        );
    }
}

#[test]
fn a8_f6_a_day_on_two_files() {
    let folder = tempfile::tempdir().unwrap();
    let paths = ["original", "duplicate"].map(|name| folder.path().join(name));
    for (path, role) in paths.iter().zip([Role::Original, Role::Duplicate]) {
        let mut medium = FileMedium::create(path, size()).unwrap();
        formatted(&mut medium, role, SECTOR).unwrap();
        assert!(
            matches!(
                formatted(&mut medium, role, SECTOR),
                Err(MediaFault::Differ { place: 0 })
            ),
            "what holds a label is not formatted again"
        );
    }
    days(&paths);
}

#[test]
fn f10_a_medium_that_is_too_small_is_not_formatted() {
    let folder = tempfile::tempdir().unwrap();
    let mut medium = FileMedium::create(&folder.path().join("m"), size() - u64::from(SECTOR)).unwrap();
    assert_eq!(
        formatted(&mut medium, Role::Original, SECTOR),
        Err(MediaFault::TooSmall(Role::Original))
    );
}

/// A loop device over a file; taken apart when dropped.
struct Loop(PathBuf);

impl Loop {
    fn over(file: &Path) -> Option<Self> {
        let output = Command::new("losetup")
            .args(["--find", "--show", "--sector-size", "512"])
            .arg(file)
            .output()
            .ok()?;
        let device = String::from_utf8(output.stdout).ok()?;
        (output.status.success() && device.starts_with("/dev/")).then(|| Self(PathBuf::from(device.trim())))
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("losetup").arg("--detach").arg(&self.0).status();
    }
}

#[test]
fn f6_f10_a_day_on_two_block_devices() {
    let folder = tempfile::tempdir().unwrap();
    let files = ["original", "duplicate"].map(|name| folder.path().join(name));
    for file in &files {
        std::fs::write(file, vec![0xFF; usize::try_from(size()).unwrap() + 512]).unwrap();
    }
    let (Some(one), Some(two)) = (Loop::over(&files[0]), Loop::over(&files[1])) else {
        println!("skipped: this machine lends no loop devices");
        return;
    };
    let paths = [one.0.clone(), two.0.clone()];
    for (path, role) in paths.iter().zip([Role::Original, Role::Duplicate]) {
        let mut medium = opened(|| FileMedium::open(path));
        let geometry = run(medium.geometry()).unwrap().unwrap();
        assert_eq!(geometry.size, size(), "a tail that is no whole sector is not used");
        formatted(&mut medium, role, SECTOR).unwrap();
        assert!(
            matches!(FileMedium::open(path), Err(MediumError::Busy)),
            "one program at a time"
        );
    }
    days(&paths);
    // What the kiosk wrote is in the file under the device: nothing stayed in a cache.
    let bytes = std::fs::read(&files[0]).unwrap();
    assert!(bytes.starts_with(b"IPPYOBX1"));
    drop((one, two));
    assert!(bytes.windows(4).filter(|piece| piece == b"IPPB").count() >= usize::from(VOTERS));
}
