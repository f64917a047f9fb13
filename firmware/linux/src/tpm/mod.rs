//! The kiosk's keys at rest, sealed by the machine's TPM 2.0 to what was started: the disk alone, the disk in another machine, or this machine started
//! with something else do not open them.
//!
//! ```text
//! register 4   the program that the firmware started (the image: kernel, initramfs, root hash), before it ran
//! register 7   the firmware's rules for starting programs (secure boot)
//! register 11  the image's kernel, initramfs and command line once more, by the image's own loader
//! register 12  what somebody added to the command line
//! ```
//! A machine that was not started through UEFI has nothing measured there: the keys are bound to the TPM alone then.
//!
//! Not done: the line between processor and TPM is not encrypted; one can listen to a TPM that is a chip of its own.
//!
//! It must never know what it seals.

mod command;
#[cfg(test)]
mod tests;

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use kiosk::ports::StoreError;
use zeroize::Zeroizing;

use crate::log::Log;
use crate::store::Protection;
use command::{Answer, AnswerError, Command, Kind};

/// The registers that have to be as they were.
const REGISTERS: [u8; 4] = [4, 7, 11, 12];
/// How a sealed item begins.
pub const MAGIC: &[u8] = b"ippyo/1/tpm\0";
/// The TPM: this policy does not hold (`TPM_RC_POLICY_FAIL`, any session).
const POLICY_FAIL: u32 = 0x09D;
/// The TPM: this was not sealed here (`TPM_RC_INTEGRITY`, any parameter).
const INTEGRITY: u32 = 0x09F;
/// What of a code says which error it is, without session, handle or parameter.
const ERROR: u32 = 0x0BF;

/// A way to a TPM: one command, one answer.
pub trait Channel: Send + 'static {
    /// Sends a command and gives the answer, at most [`command::LONGEST`] bytes.
    ///
    /// # Errors
    /// What the operating system says.
    fn exchange(&mut self, command: &[u8]) -> io::Result<Zeroizing<Vec<u8>>>;
}

/// The kernel's device, `/dev/tpmrm0`.
pub struct Device(File);

impl Channel for Device {
    fn exchange(&mut self, command: &[u8]) -> io::Result<Zeroizing<Vec<u8>>> {
        self.0.write_all(command)?;
        let mut answer = Zeroizing::new(vec![0; command::LONGEST]);
        let length = self.0.read(&mut answer)?;
        answer.truncate(length);
        Ok(answer)
    }
}

/// Why something cannot be sealed or opened.
#[derive(Debug)]
pub enum TpmError {
    /// The device fails.
    Io(io::Error),
    /// Not an answer of a TPM.
    Malformed,
    /// The TPM refuses with this code.
    Refused(u32),
    /// The machine was started with something else than when it was sealed.
    OtherSoftware,
    /// Sealed by another TPM.
    OtherMachine,
    /// Not something sealed.
    NotSealed,
}

impl std::fmt::Display for TpmError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Malformed => f.write_str("its answers are not those of a TPM 2.0"),
            Self::Refused(code) => write!(f, "it refuses with code {code:#x}"),
            Self::OtherSoftware => f.write_str(
                "the keys were sealed when this machine was started with other software or other settings of its firmware: start that, or erase the state \
                 partition and provision this kiosk again",
            ),
            Self::OtherMachine => f.write_str(
                "the keys were sealed by another machine's TPM: put the disk back, or erase the state partition and provision this kiosk again",
            ),
            Self::NotSealed => f.write_str("the stored keys are not sealed: erase the state partition and provision this kiosk again"),
        }
    }
}

impl std::error::Error for TpmError {}

impl From<AnswerError> for TpmError {
    fn from(error: AnswerError) -> Self {
        match error {
            AnswerError::Malformed => Self::Malformed,
            // Errors of the first format name a session, handle or parameter in other bits.
            AnswerError::Refused(code) if code & ERROR == POLICY_FAIL => Self::OtherSoftware,
            AnswerError::Refused(code) if code & ERROR == INTEGRITY => Self::OtherMachine,
            AnswerError::Refused(code) => Self::Refused(code),
        }
    }
}

/// A TPM.
pub struct Tpm<C> {
    channel: C,
}

impl Tpm<Device> {
    /// The TPM behind the kernel's device with a resource manager (`/dev/tpmrm0`).
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        Ok(Self { channel: Device(file) })
    }
}

impl<C: Channel> Tpm<C> {
    fn ask(&mut self, command: Command) -> Result<Zeroizing<Vec<u8>>, TpmError> {
        let answer = self.channel.exchange(&command.finish()).map_err(TpmError::Io)?;
        Answer::new(&answer)?;
        Ok(answer)
    }

    /// Asks for something that the answer names by a handle, lends it, and has the TPM forget it in any case.
    fn with<R>(
        &mut self,
        command: Command,
        job: impl FnOnce(&mut Self, u32) -> Result<R, TpmError>,
    ) -> Result<R, TpmError> {
        let answer = self.ask(command)?;
        let handle = Answer::new(&answer)?.u32().ok_or(TpmError::Malformed)?;
        let done = job(self, handle);
        let forgotten = self.ask(command::flush(handle));
        let done = done?;
        forgotten?;
        Ok(done)
    }

    /// A session that is bound to what the registers hold now.
    fn session<R>(
        &mut self,
        kind: Kind,
        job: impl FnOnce(&mut Self, u32) -> Result<R, TpmError>,
    ) -> Result<R, TpmError> {
        self.with(command::start_session(kind), |tpm, session| {
            tpm.ask(command::policy_pcr(session, &REGISTERS))?;
            job(tpm, session)
        })
    }

    /// Seals at most 128 bytes.
    ///
    /// # Errors
    /// [`TpmError`].
    pub fn seal(&mut self, data: &[u8]) -> Result<Vec<u8>, TpmError> {
        let policy = self.session(Kind::Trial, |tpm, session| {
            let answer = tpm.ask(command::policy_digest(session))?;
            let digest = Answer::new(&answer)?.sized().ok_or(TpmError::Malformed)?;
            Ok(digest.to_vec())
        })?;
        self.with(command::create_primary(), |tpm, parent| {
            let answer = tpm.ask(command::create(parent, &policy, data))?;
            let mut answer = Answer::new(&answer)?;
            // The length of what follows.
            answer.u32().ok_or(TpmError::Malformed)?;
            let mut sealed = MAGIC.to_vec();
            for _ in 0..2 {
                let part = answer.sized().ok_or(TpmError::Malformed)?;
                let length = u16::try_from(part.len()).map_err(|_| TpmError::Malformed)?;
                sealed.extend_from_slice(&length.to_be_bytes());
                sealed.extend_from_slice(part);
            }
            Ok(sealed)
        })
    }

    /// Opens what [`Self::seal`] gave.
    ///
    /// # Errors
    /// [`TpmError`].
    pub fn unseal(&mut self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, TpmError> {
        let (private, public) = parts(sealed).ok_or(TpmError::NotSealed)?;
        self.with(command::create_primary(), |tpm, parent| {
            tpm.with(command::load(parent, private, public), |tpm, object| {
                // A session ends with the command that it authorizes unless it is told to continue; it is, so that one place forgets it.
                tpm.session(Kind::Policy, |tpm, session| {
                    let answer = tpm.ask(command::unseal(object, session))?;
                    let mut answer = Answer::new(&answer)?;
                    answer.u32().ok_or(TpmError::Malformed)?;
                    Ok(Zeroizing::new(answer.sized().ok_or(TpmError::Malformed)?.to_vec()))
                })
            })
        })
    }
}

fn parts(sealed: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut rest = sealed.strip_prefix(MAGIC)?;
    let mut part = || {
        let (length, after) = rest.split_first_chunk::<2>()?;
        let (part, after) = after.split_at_checked(u16::from_be_bytes(*length).into())?;
        rest = after;
        Some(part)
    };
    let parts = (part()?, part()?);
    rest.is_empty().then_some(parts)
}

/// What the kiosk's keys are protected by: the TPM if there is one.
pub enum AtRest<C = Device> {
    /// The TPM; the log says why it refuses.
    Sealed(Tpm<C>, Log),
    /// Nothing but the file's mode. Keys that a TPM has sealed are not taken for keys.
    Plain(Log),
}

impl AtRest {
    /// The TPM at `path`, if one is wanted and there; the log and [`Protection::protects`] say what it is.
    #[must_use]
    pub fn new(path: Option<&Path>, log: Log) -> Self {
        let Some(path) = path else { return Self::Plain(log) };
        match Tpm::open(path) {
            Ok(tpm) => Self::Sealed(tpm, log),
            Err(error) => {
                log.say(&format!(
                    "the keys are not sealed: no TPM at {}: {error}",
                    path.display()
                ));
                Self::Plain(log)
            }
        }
    }
}

impl<C: Channel> Protection for AtRest<C> {
    fn protects(&self) -> bool {
        matches!(self, Self::Sealed(..))
    }

    fn seal(&mut self, keys: &[u8]) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        match self {
            Self::Plain(_) => Ok(Zeroizing::new(keys.to_vec())),
            Self::Sealed(tpm, log) => tpm.seal(keys).map(Zeroizing::new).map_err(|error| told(log, &error)),
        }
    }

    fn open(&mut self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        match self {
            Self::Plain(log) if sealed.starts_with(MAGIC) => {
                log.say("the keys are sealed by a TPM, and there is none now");
                Err(StoreError::Device)
            }
            Self::Plain(_) => Ok(Zeroizing::new(sealed.to_vec())),
            Self::Sealed(tpm, log) => tpm.unseal(sealed).map_err(|error| told(log, &error)),
        }
    }
}

fn told(log: &Log, error: &TpmError) -> StoreError {
    log.say(&format!("TPM: {error}"));
    match error {
        TpmError::OtherSoftware => StoreError::Sealed,
        _ => StoreError::Device,
    }
}
