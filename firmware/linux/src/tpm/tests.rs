//! Sealing against a TPM in software (swtpm; `tests/run tools` installs it).

use std::os::unix::net::UnixStream;
use std::process::{Child, Command as Process, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::*;

/// A TPM with a state of its own; stopped, by its process id, when dropped.
struct Machine {
    process: Child,
    folder: TempDir,
}

impl Machine {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let process = Self::start(&folder);
        Self { process, folder }
    }

    fn start(folder: &TempDir) -> Child {
        let path = folder.path().display();
        let _ = std::fs::remove_file(folder.path().join("line"));
        Process::new("swtpm")
            .args(["socket", "--tpm2", "--flags", "not-need-init,startup-clear"])
            .args(["--server", &format!("type=unixio,path={path}/line")])
            .args(["--tpmstate", &format!("dir={path}")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("swtpm is missing: run `tests/run tools`")
    }

    /// Off and on: the registers are empty again.
    fn switch(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.process = Self::start(&self.folder);
    }

    fn tpm(&self) -> Tpm<UnixStream> {
        let start = Instant::now();
        loop {
            if let Ok(channel) = UnixStream::connect(self.folder.path().join("line")) {
                return Tpm { channel };
            }
            assert!(start.elapsed() < Duration::from_secs(60), "swtpm does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Channel for UnixStream {
    fn exchange(&mut self, command: &[u8]) -> io::Result<Zeroizing<Vec<u8>>> {
        self.write_all(command)?;
        let mut answer = Zeroizing::new(vec![0; 10]);
        self.read_exact(&mut answer)?;
        let length = u32::from_be_bytes(answer[2..6].try_into().unwrap()) as usize;
        answer.resize(length, 0);
        self.read_exact(&mut answer[10..])?;
        Ok(answer)
    }
}

impl<C: Channel> Tpm<C> {
    /// What a start measures: a register is extended with a hash (part 3, section 22.2).
    fn measure(&mut self, register: u8, what: u8) {
        let mut command = vec![0x80, 2, 0, 0, 0, 0, 0, 0, 1, 0x82, 0, 0, 0, register];
        command.extend([0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 1, 0, 0]);
        command.extend([0, 0, 0, 1, 0, 0x0B]);
        command.extend([what; 32]);
        command[5] = u8::try_from(command.len()).unwrap();
        let answer = self.channel.exchange(&command).unwrap();
        Answer::new(&answer).map(|_| ()).unwrap();
    }
}

const KEYS: [u8; 64] = [0x5A; 64];

#[test]
fn sealed_keys_open_after_the_same_start_and_after_no_other() {
    let mut machine = Machine::new();
    let mut tpm = machine.tpm();
    for register in REGISTERS {
        tpm.measure(register, 1);
    }
    let sealed = tpm.seal(&KEYS).unwrap();
    assert!(!sealed.windows(8).any(|part| part == [0x5A; 8]), "the keys lie open");
    assert_eq!(*tpm.unseal(&sealed).unwrap(), KEYS);
    // Registers that are not looked at may change.
    tpm.measure(10, 9);
    for round in 0..20 {
        // A TPM has place for three objects and a few sessions: none may be left behind.
        assert_eq!(*tpm.unseal(&sealed).unwrap(), KEYS, "{round}");
    }
    machine.switch();
    let mut tpm = machine.tpm();
    assert!(matches!(tpm.unseal(&sealed), Err(TpmError::OtherSoftware)));
    for register in REGISTERS {
        tpm.measure(register, 1);
    }
    assert_eq!(*tpm.unseal(&sealed).unwrap(), KEYS);
    // Each of the registers matters.
    for other in REGISTERS {
        machine.switch();
        let mut tpm = machine.tpm();
        for register in REGISTERS {
            tpm.measure(register, if register == other { 2 } else { 1 });
        }
        for _ in 0..5 {
            assert!(matches!(tpm.unseal(&sealed), Err(TpmError::OtherSoftware)), "{other}");
        }
    }
}

#[test]
fn keys_that_another_machine_sealed_or_nobody_are_refused_by_name() {
    let (one, other) = (Machine::new(), Machine::new());
    let sealed = one.tpm().seal(&KEYS).unwrap();
    assert!(matches!(other.tpm().unseal(&sealed), Err(TpmError::OtherMachine)));
    let mut tpm = one.tpm();
    assert!(matches!(tpm.unseal(&KEYS), Err(TpmError::NotSealed)));
    assert!(matches!(
        tpm.unseal(&sealed[..sealed.len() - 1]),
        Err(TpmError::NotSealed)
    ));
    let mut longer = sealed.clone();
    longer.push(0);
    assert!(matches!(tpm.unseal(&longer), Err(TpmError::NotSealed)));
    for at in (MAGIC.len()..sealed.len()).step_by(7) {
        let mut damaged = sealed.clone();
        damaged[at] ^= 1;
        assert!(tpm.unseal(&damaged).is_err(), "byte {at} does not matter");
    }
    assert_eq!(*tpm.unseal(&sealed).unwrap(), KEYS);
}

/// Answers what it is told.
struct Liar(Vec<u8>);

impl Channel for Liar {
    fn exchange(&mut self, _: &[u8]) -> io::Result<Zeroizing<Vec<u8>>> {
        Ok(Zeroizing::new(self.0.clone()))
    }
}

#[test]
fn answers_of_no_tpm_are_refused() {
    let sealed = [MAGIC, &[0, 1, 7, 0, 1, 7]].concat();
    for answer in [
        vec![],
        vec![0x80, 1, 0, 0, 0, 10],
        vec![0x80, 1, 0, 0, 0, 11, 0, 0, 0, 0],
        vec![0x80, 1, 0, 0, 0, 10, 0, 0, 0, 0],
        vec![0x80, 1, 0, 0, 0, 14, 0, 0, 0, 0, 1, 2, 3, 4],
        vec![0x80, 2, 0, 0, 0, 18, 0, 0, 0, 0, 0, 0, 0, 9, 0xFF, 0xFF, 1, 2],
        vec![0x80, 1, 0, 0, 0, 10, 0, 0, 1, 1],
    ] {
        let mut tpm = Tpm {
            channel: Liar(answer.clone()),
        };
        assert!(tpm.seal(&KEYS).is_err(), "{answer:?}");
        assert!(tpm.unseal(&sealed).is_err(), "{answer:?}");
    }
}

#[test]
fn without_a_tpm_the_keys_are_unprotected_and_sealed_ones_are_no_keys() {
    let mut none = AtRest::new(Some(Path::new("/nowhere/tpm")), Log::silent());
    assert!(!none.protects());
    assert_eq!(*none.seal(&KEYS).unwrap(), KEYS);
    assert_eq!(*none.open(&KEYS).unwrap(), KEYS);
    assert_eq!(none.open(&[MAGIC, &[1]].concat()), Err(StoreError::Device));
    let machine = Machine::new();
    let mut sealing = AtRest::Sealed(machine.tpm(), Log::silent());
    assert!(sealing.protects());
    let sealed = sealing.seal(&KEYS).unwrap();
    assert_ne!(*sealed, KEYS);
    assert_eq!(*sealing.open(&sealed).unwrap(), KEYS);
    // For these keys may be given up; for nothing else that a TPM says or does not say.
    if let AtRest::Sealed(tpm, _) = &mut sealing {
        tpm.measure(4, 1);
    }
    assert_eq!(sealing.open(&sealed), Err(StoreError::Sealed));
    for answer in [vec![], vec![0x80, 1, 0, 0, 0, 10, 0, 0, 1, 1]] {
        let channel = Liar(answer);
        let mut dead = AtRest::Sealed(Tpm { channel }, Log::silent());
        assert_eq!(dead.open(&sealed), Err(StoreError::Device));
    }
    let other = Machine::new();
    let mut moved = AtRest::Sealed(other.tpm(), Log::silent());
    assert_eq!(moved.open(&sealed), Err(StoreError::Device));
    // Keys that somebody has put there in the clear are not taken by a machine that seals.
    assert_eq!(sealing.open(&KEYS), Err(StoreError::Device));
}
