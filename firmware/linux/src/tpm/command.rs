//! The few TPM 2.0 commands that sealing needs, as bytes (TCG, Trusted Platform Module Library, parts 2 and 3). Big-endian, lengths before contents.
//!
//! Nothing here knows what is sealed.

use zeroize::Zeroizing;

/// Longest command and answer.
pub const LONGEST: usize = 4_096;

const SESSIONS: u16 = 0x8002;
const NO_SESSIONS: u16 = 0x8001;
const OWNER: u32 = 0x4000_0001;
const NULL: u32 = 0x4000_0007;
const PASSWORD: u32 = 0x4000_0009;
const SHA256: u16 = 0x000B;
const NONE: u16 = 0x0010;

const CREATE_PRIMARY: u32 = 0x131;
const CREATE: u32 = 0x153;
const LOAD: u32 = 0x157;
const UNSEAL: u32 = 0x15E;
const FLUSH: u32 = 0x165;
const START_SESSION: u32 = 0x176;
const POLICY_PCR: u32 = 0x17F;
const POLICY_DIGEST: u32 = 0x189;

/// Attributes of the parent: fixed to this TPM, restricted to decrypting, made from the TPM's own seed.
const PARENT: u32 = 0x0003_0472;
/// Attributes of what is sealed: fixed to this TPM and this parent; only the policy opens it, no password.
const SEALED: u32 = 0x0000_0012;

/// A session that only computes a policy's digest, or one that opens.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Opens.
    Policy,
    /// Computes.
    Trial,
}

/// A command being put together. Bytes of secrets go through it: overwritten when dropped.
pub struct Command(Zeroizing<Vec<u8>>);

impl Command {
    fn new(tag: u16, code: u32) -> Self {
        // All at once: a growing vector would leave copies of what is sealed behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST));
        bytes.extend_from_slice(&tag.to_be_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&code.to_be_bytes());
        Self(bytes)
    }

    fn u16(mut self, value: u16) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    fn u32(mut self, value: u32) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    fn u8(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }

    fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// Length and bytes; nothing here is longer than [`LONGEST`].
    fn sized(self, bytes: &[u8]) -> Self {
        self.u16(u16::try_from(bytes.len()).unwrap_or(u16::MAX)).raw(bytes)
    }

    /// One authorization: `session` with an empty password.
    fn authorized(self, session: u32) -> Self {
        // Its length, session, no nonce, attributes (continue), no password.
        self.u32(9).u32(session).u16(0).u8(1).u16(0)
    }

    /// The bytes with their length in the header.
    pub fn finish(mut self) -> Zeroizing<Vec<u8>> {
        let length = u32::try_from(self.0.len()).unwrap_or(u32::MAX).to_be_bytes();
        if let Some(place) = self.0.get_mut(2..6) {
            place.copy_from_slice(&length);
        }
        self.0
    }
}

/// A selection of registers of the SHA-256 bank.
fn selection(registers: &[u8]) -> [u8; 10] {
    let mut bits = [0_u8; 3];
    for register in registers {
        if let Some(byte) = bits.get_mut(usize::from(register / 8)) {
            *byte |= 1 << (register % 8);
        }
    }
    let [one, two, three] = bits;
    [0, 0, 0, 1, 0, 0x0B, 3, one, two, three]
}

/// The parent under which things are sealed: the same every time, derived by the TPM from its own seed.
pub fn create_primary() -> Command {
    let public = Command(Zeroizing::new(Vec::new()))
        .u16(0x0023) // ECC
        .u16(SHA256)
        .u32(PARENT)
        .u16(0) // no policy
        .u16(0x0006)
        .u16(128)
        .u16(0x0043) // AES-128 in CFB mode for what lies outside
        .u16(NONE)
        .u16(0x0003) // P-256
        .u16(NONE)
        .u16(0)
        .u16(0);
    Command::new(SESSIONS, CREATE_PRIMARY)
        .u32(OWNER)
        .authorized(PASSWORD)
        .u16(4)
        .u16(0)
        .u16(0)
        .sized(&public.0)
        .u16(0)
        .u32(0)
}

/// Seals `data` (at most 128 bytes) under a parent and a policy.
pub fn create(parent: u32, policy: &[u8], data: &[u8]) -> Command {
    let public = Command(Zeroizing::new(Vec::new()))
        .u16(0x0008) // data under a key of the TPM
        .u16(SHA256)
        .u32(SEALED)
        .sized(policy)
        .u16(NONE)
        .u16(0);
    let sensitive = u16::try_from(data.len()).unwrap_or(u16::MAX).saturating_add(4);
    Command::new(SESSIONS, CREATE)
        .u32(parent)
        .authorized(PASSWORD)
        .u16(sensitive)
        .u16(0)
        .sized(data)
        .sized(&public.0)
        .u16(0)
        .u32(0)
}

/// Loads what [`create`] gave.
pub fn load(parent: u32, private: &[u8], public: &[u8]) -> Command {
    Command::new(SESSIONS, LOAD)
        .u32(parent)
        .authorized(PASSWORD)
        .sized(private)
        .sized(public)
}

/// Opens what is sealed, with a session whose policy holds.
pub fn unseal(object: u32, session: u32) -> Command {
    Command::new(SESSIONS, UNSEAL).u32(object).authorized(session)
}

/// Forgets an object or session.
pub fn flush(handle: u32) -> Command {
    Command::new(NO_SESSIONS, FLUSH).u32(handle)
}

/// Starts a session.
pub fn start_session(kind: Kind) -> Command {
    Command::new(NO_SESSIONS, START_SESSION)
        .u32(NULL)
        .u32(NULL)
        .sized(&[0; 16])
        .u16(0)
        .u8(if kind == Kind::Policy { 1 } else { 3 })
        .u16(NONE)
        .u16(SHA256)
}

/// Binds a session to what these registers hold now.
pub fn policy_pcr(session: u32, registers: &[u8]) -> Command {
    Command::new(NO_SESSIONS, POLICY_PCR)
        .u32(session)
        .u16(0)
        .raw(&selection(registers))
}

/// The digest of a session's policy.
pub fn policy_digest(session: u32) -> Command {
    Command::new(NO_SESSIONS, POLICY_DIGEST).u32(session)
}

/// What is left of an answer. Reads from a hostile TPM end in `None`.
pub struct Answer<'a>(&'a [u8]);

/// Why an answer is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerError {
    /// Not of the format.
    Malformed,
    /// The TPM refuses, with this code (part 2, section 6.6).
    Refused(u32),
}

impl<'a> Answer<'a> {
    /// Checks the header.
    ///
    /// # Errors
    /// [`AnswerError`].
    pub fn new(bytes: &'a [u8]) -> Result<Self, AnswerError> {
        let length = u32::try_from(bytes.len()).map_err(|_| AnswerError::Malformed)?;
        let mut answer = Self(bytes);
        let header = (answer.u16(), answer.u32(), answer.u32());
        match header {
            (Some(_), Some(said), Some(0)) if said == length => Ok(answer),
            (Some(_), Some(said), Some(code)) if said == length => Err(AnswerError::Refused(code)),
            _ => Err(AnswerError::Malformed),
        }
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, left) = self.0.split_at_checked(length)?;
        self.0 = left;
        Some(taken)
    }

    /// The next two bytes.
    pub fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    /// The next four bytes.
    pub fn u32(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    /// The next bytes with their length before them.
    pub fn sized(&mut self) -> Option<&'a [u8]> {
        let length = self.u16()?;
        self.take(length.into())
    }
}
