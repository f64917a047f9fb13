//! A validator node as the program it is (`chain-node`, named by `IPPYO_CHAIN_NODE`): this room knows it by its frames and its files only.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::Town;

/// Longest wait for a program that starts or ends.
const PATIENCE: Duration = Duration::from_secs(120);

/// The validators' program.
pub fn program() -> PathBuf {
    std::env::var_os("IPPYO_CHAIN_NODE")
        .expect("IPPYO_CHAIN_NODE names the validators' program")
        .into()
}

/// One validator that decides alone, on this machine.
pub struct ValidatorNode {
    pub gateway: String,
    folder: PathBuf,
    child: Child,
    /// It ends when this closes.
    input: Option<ChildStdin>,
}

impl ValidatorNode {
    /// Starts the validator that the genesis of `town` names.
    pub fn start(folder: &Path, town: &Town) -> Self {
        let net = folder.join("net");
        fs::create_dir_all(net.join("v0")).unwrap();
        let key = hex::encode(*town.validator.to_bytes());
        fs::write(net.join("v0/validator.key"), key).unwrap();
        let mut child = Command::new(program())
            .arg("local")
            .arg(&net)
            .args(["--validators", "1", "--genesis"])
            .arg(folder.join("genesis.bin"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let places: Value = serde_json::from_str(&line).unwrap();
        let node = Self {
            gateway: places[0]["gateway"].as_str().unwrap().to_owned(),
            folder: net.join("v0"),
            child,
            input,
        };
        node.until(true);
        node
    }

    fn until(&self, answers: bool) {
        let start = Instant::now();
        while TcpStream::connect(&self.gateway).is_ok() != answers {
            let log = || fs::read_to_string(self.folder.join("node.log")).unwrap_or_default();
            assert!(start.elapsed() < PATIENCE, "answers: {}\n{}", !answers, log());
            sleep(Duration::from_millis(20));
        }
    }

    fn say(&mut self, word: &str) {
        let input = self.input.as_mut().unwrap();
        writeln!(input, "{word} 0").and_then(|()| input.flush()).unwrap();
    }

    /// kill -9, and waits until nobody answers.
    pub fn kill(&mut self) {
        self.say("kill");
        self.until(false);
    }

    pub fn start_again(&mut self) {
        self.say("start");
        self.until(true);
    }

    /// Ends it in order, and gives chain.bin as its own program writes it.
    pub fn export(&mut self) -> Vec<u8> {
        drop(self.input.take());
        assert!(self.child.wait().unwrap().success());
        let out = self.folder.join("exported.bin");
        let done = Command::new(program())
            .arg("export")
            .arg(&self.folder)
            .arg(&out)
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        fs::read(out).unwrap()
    }
}

impl Drop for ValidatorNode {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}
