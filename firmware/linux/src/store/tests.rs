//! The files, as what reads and writes them relies on them.

use super::*;
use embassy_futures::block_on;
use std::os::unix::fs::PermissionsExt as _;

fn store(folder: &Path) -> Result<FileStore<Unprotected>, OpenError> {
    FileStore::new(folder, Unprotected, Exchange::none())
}

#[test]
fn items_are_replaced_kept_over_a_restart_and_erased() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let mut buffer = [0; 100];
    {
        let mut store = store(&path).unwrap();
        for item in Item::ALL {
            assert_eq!(block_on(store.read(item, &mut buffer)), Ok(None));
            block_on(store.write(item, &[1; 64])).unwrap();
            block_on(store.write(item, &[item as u8; 10])).unwrap();
        }
    }
    let mut store = store(&path).unwrap();
    for item in Item::ALL {
        assert_eq!(block_on(store.read(item, &mut buffer)), Ok(Some(10)));
        assert_eq!(buffer[..10], [item as u8; 10]);
        let mode = fs::metadata(path.join(item.name())).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", item.name());
        assert_eq!(block_on(store.read(item, &mut buffer[..9])), Err(StoreError::TooLong));
        block_on(store.erase(item)).unwrap();
        block_on(store.erase(item)).unwrap();
        assert_eq!(block_on(store.read(item, &mut buffer)), Ok(None));
    }
    assert_eq!(
        block_on(store.write(Item::Delta, &vec![0; LONGEST + 1])),
        Err(StoreError::TooLong)
    );
}

#[test]
fn two_kiosks_do_not_share_keys() {
    let folder = tempfile::tempdir().unwrap();
    let first = store(folder.path()).unwrap();
    assert!(matches!(store(folder.path()), Err(OpenError::InUse)));
    drop(first);
    assert!(store(folder.path()).is_ok());
}

/// Root reads the kiosk's folder: a link would show it another's file, and a pipe would hold it for good.
#[test]
fn a7_a_link_a_pipe_or_a_folder_is_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("file"), b"text").unwrap();
    std::os::unix::fs::symlink(at("file"), at("link")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, at("pipe"), rustix::fs::Mode::RUSR).unwrap();
    fs::create_dir(at("folder")).unwrap();
    assert_eq!(read(&at("file"), 4).unwrap().unwrap().as_slice(), b"text");
    assert!(read(&at("none"), 4).unwrap().is_none());
    for name in ["link", "pipe", "folder"] {
        assert!(read(&at(name), 4).is_err(), "{name}");
    }
}

/// A cut before the rename leaves the old item, whatever lies in the new file.
#[test]
fn f2_a_half_written_item_is_not_the_item() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(folder.path()).unwrap();
    block_on(store.write(Item::Progress, b"old")).unwrap();
    fs::write(folder.path().join("progress.new"), b"ne").unwrap();
    let mut buffer = [0; 8];
    assert_eq!(block_on(store.read(Item::Progress, &mut buffer)), Ok(Some(3)));
    block_on(store.write(Item::Progress, b"newer")).unwrap();
    assert_eq!(block_on(store.read(Item::Progress, &mut buffer)), Ok(Some(5)));
}
