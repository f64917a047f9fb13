//! The desk's program on a real pair of terminals, against the answers of the kiosk's own room.
#![cfg(unix)]

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::process::{Command, Output};
use std::time::Duration;

use kiosk::line::{Frames, wrap};
use kiosk::ports::{Item, Store, StoreError};
use kiosk::service;
use serialport::{SerialPort as _, TTYPort};

#[derive(Default)]
struct Kept(BTreeMap<Item, Vec<u8>>);

impl Store for Kept {
    async fn read(&mut self, item: Item, buffer: &mut [u8]) -> Result<Option<usize>, StoreError> {
        let Some(bytes) = self.0.get(&item) else {
            return Ok(None);
        };
        buffer[..bytes.len()].copy_from_slice(bytes);
        Ok(Some(bytes.len()))
    }
    async fn write(&mut self, item: Item, bytes: &[u8]) -> Result<(), StoreError> {
        self.0.insert(item, bytes.to_vec());
        Ok(())
    }
    async fn erase(&mut self, item: Item) -> Result<(), StoreError> {
        self.0.remove(&item);
        Ok(())
    }
}

/// Answers `questions` questions as a kiosk does, after noise and the answer to somebody else's question, then gives back its store.
fn kiosk(mut line: TTYPort, mut store: Kept, questions: usize) -> std::thread::JoinHandle<Kept> {
    line.set_timeout(Duration::from_secs(60)).unwrap();
    std::thread::spawn(move || {
        let mut frames = Frames::default();
        let mut question = vec![0; 70_000];
        let mut answered = 0;
        let mut byte = [0];
        while answered < questions {
            line.read_exact(&mut byte).unwrap();
            let Some((number, length)) = frames.push(byte[0], &mut question) else {
                continue;
            };
            let mut answer = vec![0; 70_000];
            let asked = question[..length].to_vec();
            let length = embassy_futures::block_on(service::answer(&mut store, 12, &asked, &mut answer));
            for (number, answer) in [(number.wrapping_sub(1), &[0, 9, 9][..]), (number, &answer[..length])] {
                let (head, tail) = wrap(number, answer).unwrap();
                line.write_all(&[b"\x00I\xFFnoise", &head[..], answer, &tail].concat())
                    .unwrap();
            }
            line.flush().unwrap();
            answered += 1;
        }
        store
    })
}

fn staff(port: &str, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_staff"))
        .args(["line", "--json", "--port", port])
        .args(arguments)
        .output()
        .unwrap()
}

#[test]
fn a7_the_desk_fetches_and_brings_what_is_the_others_over_a_serial_line() {
    let (line, far) = TTYPort::pair().unwrap();
    let port = far.name().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let mut store = Kept::default();
    let request: Vec<u8> = (0..700_u32).flat_map(u32::to_be_bytes).collect();
    store.0.insert(Item::Request, request.clone());
    let delta: Vec<u8> = (0..12_000_u32).flat_map(u32::to_le_bytes).collect();
    std::fs::write(at("delta"), &delta).unwrap();
    let running = kiosk(line, store, 7);

    let out = staff(&port, &["who"]);
    assert_eq!(out.status.code(), Some(0), "{out:?}");
    assert!(String::from_utf8_lossy(&out.stdout).contains("\"station\": 12"));
    assert_eq!(
        staff(&port, &["get", "request", "--out", &at("request")]).status.code(),
        Some(0)
    );
    assert_eq!(std::fs::read(at("request")).unwrap(), request);
    let out = staff(&port, &["get", "registration", "--out", &at("registration")]);
    assert_eq!(out.status.code(), Some(1), "it has none");
    assert!(
        String::from_utf8_lossy(&out.stderr).contains("two staff cards"),
        "{out:?}"
    );
    assert!(!std::path::Path::new(&at("registration")).exists());
    assert_eq!(staff(&port, &["put", "delta", &at("delta")]).status.code(), Some(0));
    drop(far);
    assert_eq!(running.join().unwrap().0[&Item::Delta], delta);
    assert_eq!(staff(&at("no-port"), &["who"]).status.code(), Some(2));
}
