//! A PIV card (NIST SP 800-73-4 Part 2) as an interpreter of APDUs.

use anyhow::{Context, Result, bail, ensure};
use card::{CardPublicKey, Date, Pin, Slot, TransmitError, tlv};
use p256::ecdsa::signature::hazmat::PrehashSigner;
use p256::ecdsa::{Signature, SigningKey};
use p256::elliptic_curve::point::AffineCoordinates;
use p256::{AffinePoint, ProjectivePoint, PublicKey, SecretKey};

use super::Chip;

const AID: [u8; 11] = [0xA0, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x10, 0x00, 0x01, 0x00];
const ISSUER_DOMAIN: [u8; 8] = [0xA0, 0x00, 0x00, 0x01, 0x51, 0x00, 0x00, 0x00];

/// Longest command data the card collects from a chain.
const MAX_CHAIN: usize = 4096;

const SUCCESS: [u8; 2] = [0x90, 0x00];
const WRONG_LENGTH: [u8; 2] = [0x67, 0x00];
const SECURITY_STATUS: [u8; 2] = [0x69, 0x82];
const BLOCKED: [u8; 2] = [0x69, 0x83];
const CONDITIONS: [u8; 2] = [0x69, 0x85];
const WRONG_DATA: [u8; 2] = [0x6A, 0x80];
const NOT_FOUND: [u8; 2] = [0x6A, 0x82];
const WRONG_PARAMETERS: [u8; 2] = [0x6A, 0x86];
const UNKNOWN_REFERENCE: [u8; 2] = [0x6A, 0x88];
const UNKNOWN_INSTRUCTION: [u8; 2] = [0x6D, 0x00];
const UNKNOWN_CLASS: [u8; 2] = [0x6E, 0x00];

/// In what honest cards differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quirks {
    /// Longest form of the application identifier that is accepted: 11, 9 or 5.
    pub longest_aid: usize,
    /// Whether SELECT answers with the `61` template.
    pub template: bool,
    /// Whether VERIFY with P1 = FF makes the card forget the PIN (newer cards).
    pub verify_reset: bool,
    /// Most data bytes in one response.
    pub page: usize,
}

impl Default for Quirks {
    fn default() -> Self {
        Self {
            longest_aid: 11,
            template: true,
            verify_reset: true,
            page: 256,
        }
    }
}

/// A key and the certificate that belongs to it.
pub(super) struct Credential {
    pub(super) key: SecretKey,
    pub(super) certificate: Vec<u8>,
}

/// What a card keeps without power.
pub(super) struct Memory {
    pub(super) guid: [u8; 16],
    pub(super) expires: Date,
    pub(super) pin: [u8; 8],
    pub(super) tries: u8,
    pub(super) tries_left: u8,
    pub(super) authentication: Credential,
    pub(super) management: Credential,
    pub(super) quirks: Quirks,
}

/// What a card forgets without power.
#[derive(Default)]
struct Session {
    selected: bool,
    verified: bool,
    /// A chained command so far: instruction, P1, P2, and its data.
    chain: Option<([u8; 3], Vec<u8>)>,
    /// Data that waits for GET RESPONSE.
    pending: Vec<u8>,
}

/// A PIV card with keys in 9A and 9D, both usable only after the PIN.
///
/// Signatures are deterministic (RFC 6979); a real card's are not, but nothing may depend on that.
pub struct VirtualPiv {
    pub(super) memory: Memory,
    session: Session,
}

impl VirtualPiv {
    pub(super) fn from_memory(memory: Memory) -> Self {
        Self {
            memory,
            session: Session::default(),
        }
    }

    /// The same card with other habits.
    #[must_use]
    pub fn with_quirks(mut self, quirks: Quirks) -> Self {
        self.memory.quirks = quirks;
        self
    }

    /// The same card with another number of PIN tries, 1 to 15.
    ///
    /// # Errors
    /// If no card could have that many.
    pub fn with_tries(mut self, tries: u8) -> Result<Self> {
        ensure!((1..=15).contains(&tries), "a card has 1 to 15 PIN tries, not {tries}");
        self.memory.tries = tries;
        self.memory.tries_left = tries;
        Ok(self)
    }

    /// The certificate in `slot`, DER.
    #[must_use]
    pub fn certificate(&self, slot: Slot) -> &[u8] {
        &self.credential(slot).certificate
    }

    /// The public key in `slot`.
    #[must_use]
    pub fn public_key(&self, slot: Slot) -> CardPublicKey {
        CardPublicKey::from(&self.credential(slot).key.public_key())
    }

    /// What an honest card proves: its 9D key times `base`. For tests and for the simulator's own
    /// books; nothing on the way of a vote calls it.
    #[must_use]
    pub fn shared_point(&self, base: &AffinePoint) -> AffinePoint {
        let key = self.memory.management.key.to_nonzero_scalar();
        (ProjectivePoint::from(*base) * *key).to_affine()
    }

    /// PIN tries left, 0 if blocked.
    #[must_use]
    pub const fn tries_left(&self) -> u8 {
        self.memory.tries_left
    }

    /// Uses up all tries, as somebody who forgot the PIN would.
    pub const fn block_pin(&mut self) {
        self.memory.tries_left = 0;
        self.session.verified = false;
    }

    /// What the issuer's counter does for a blocked card: a new PIN and all tries.
    ///
    /// # Errors
    /// If `pin` cannot be a PIN.
    pub fn unblock(&mut self, pin: &str) -> Result<()> {
        self.memory.pin = padded(pin)?;
        self.memory.tries_left = self.memory.tries;
        self.session.verified = false;
        Ok(())
    }

    const fn credential(&self, slot: Slot) -> &Credential {
        match slot {
            Slot::Authentication => &self.memory.authentication,
            Slot::KeyManagement => &self.memory.management,
        }
    }

    /// The status, and data that still has to be cut into pages.
    fn run(&mut self, header: [u8; 4], data: &[u8]) -> Result<Vec<u8>, [u8; 2]> {
        let [_, instruction, p1, p2] = header;
        match (instruction, p1, p2) {
            (0xA4, 0x04, _) => self.select_by_name(data),
            (0xA4, 0x00, _) => {
                // The card has no file tree beside its applications, but the master file exists.
                if !data.is_empty() && data != [0x3F, 0x00] {
                    return Err(NOT_FOUND);
                }
                self.session = Session::default();
                Ok(vec![])
            }
            _ if !self.session.selected => Err(UNKNOWN_INSTRUCTION),
            (0x20, _, _) => self.verify(p1, p2, data),
            (0xCB, 0x3F, 0xFF) => self.get_data(data),
            (0x87, _, _) => self.general_authenticate(p1, p2, data),
            (0xCB, _, _) => Err(WRONG_PARAMETERS),
            _ => Err(UNKNOWN_INSTRUCTION),
        }
    }

    /// SELECT by name (Part 2 section 3.1.1). An unknown name leaves everything as it was, and so does
    /// selecting PIV again: that is why a kiosk has to select something else to lock the card.
    fn select_by_name(&mut self, name: &[u8]) -> Result<Vec<u8>, [u8; 2]> {
        if name.is_empty() || name == ISSUER_DOMAIN {
            self.session = Session::default();
            return Ok(vec![]);
        }
        if name.len() < 5 || name.len() > self.memory.quirks.longest_aid || !AID.starts_with(name) {
            return Err(NOT_FOUND);
        }
        self.session.selected = true;
        if !self.memory.quirks.template {
            return Ok(vec![]);
        }
        let authority = wrap(0x4F, &AID[..5]);
        Ok(wrap(0x61, &[wrap(0x4F, &AID[5..]), wrap(0x79, &authority)].concat()))
    }

    /// VERIFY (Part 2 section 3.2.1).
    fn verify(&mut self, p1: u8, p2: u8, data: &[u8]) -> Result<Vec<u8>, [u8; 2]> {
        if p2 != 0x80 {
            return Err(UNKNOWN_REFERENCE);
        }
        match (p1, data) {
            (0xFF, []) if self.memory.quirks.verify_reset => {
                self.session.verified = false;
                Ok(vec![])
            }
            (0x00, []) if self.session.verified => Ok(vec![]),
            (0x00, []) => Err(self.tries_word()),
            (0x00, _) => {
                if self.memory.tries_left == 0 {
                    return Err(BLOCKED);
                }
                if data.len() != 8 {
                    return Err(WRONG_DATA);
                }
                // The counter goes down before the comparison: a card pulled out in between has
                // lost the try, and nobody guesses for nothing.
                self.memory.tries_left -= 1;
                if data != self.memory.pin {
                    self.session.verified = false;
                    return Err(self.tries_word());
                }
                self.memory.tries_left = self.memory.tries;
                self.session.verified = true;
                Ok(vec![])
            }
            _ => Err(WRONG_PARAMETERS),
        }
    }

    fn tries_word(&self) -> [u8; 2] {
        match self.memory.tries_left {
            0 => BLOCKED,
            left => [0x63, 0xC0 | left],
        }
    }

    /// GET DATA (Part 2 section 3.1.2; objects: Part 1 Appendix A).
    fn get_data(&self, data: &[u8]) -> Result<Vec<u8>, [u8; 2]> {
        let name = tlv::only(data, 0x5C).ok_or(WRONG_DATA)?;
        let certificate = |slot| {
            let certificate = wrap(0x70, self.certificate(slot));
            wrap(0x53, &[certificate, wrap(0x71, &[0]), wrap(0xFE, &[])].concat())
        };
        match name {
            [0x5F, 0xC1, 0x05] => Ok(certificate(Slot::Authentication)),
            [0x5F, 0xC1, 0x0B] => Ok(certificate(Slot::KeyManagement)),
            [0x5F, 0xC1, 0x02] => Ok(self.card_holder_identifier()),
            [0x5F, 0xC1, 0x07] => Ok(self.capabilities()),
            [0x7E] => Ok([
                &[0x7E, 0x12, 0x4F, 0x0B][..],
                &AID,
                // Usage policy: the application PIN alone satisfies every access condition.
                &[0x5F, 0x2F, 0x02, 0x40, 0x00],
            ]
            .concat()),
            _ => Err(NOT_FOUND),
        }
    }

    /// CHUID (Part 1 section 3.1.2): a FASC-N of nines for issuers outside the federal scheme, the
    /// GUID, the expiry date, an empty signature.
    fn card_holder_identifier(&self) -> Vec<u8> {
        const FASC_N: [u8; 25] = [
            0xD4, 0xE7, 0x39, 0xDA, 0x73, 0x9C, 0xED, 0x39, 0xCE, 0x73, 0x9D, 0x83, 0x68, 0x58, 0x21, 0x08, 0x42, 0x10,
            0x84, 0x21, 0xC8, 0x42, 0x10, 0xC3, 0xEB,
        ];
        let expires = self.memory.expires.yyyymmdd().to_string();
        let contents = [
            wrap(0x30, &FASC_N),
            wrap(0x34, &self.memory.guid),
            wrap(0x35, expires.as_bytes()),
            wrap(0x3E, &[]),
            wrap(0xFE, &[]),
        ];
        wrap(0x53, &contents.concat())
    }

    /// CCC (Part 1 Appendix A, Table 8) with what readers ask for and nothing in it.
    fn capabilities(&self) -> Vec<u8> {
        let mut identifier = vec![0xA0, 0x00, 0x00, 0x01, 0x16, 0xFF, 0x02];
        identifier.extend_from_slice(&self.memory.guid[..14]);
        let contents = [
            wrap(0xF0, &identifier),
            wrap(0xF1, &[0x21]),
            wrap(0xF2, &[0x21]),
            wrap(0xF3, &[]),
            wrap(0xF4, &[0x00]),
            wrap(0xF5, &[0x10]),
            wrap(0xF6, &[]),
            wrap(0xF7, &[]),
            wrap(0xFA, &[]),
            wrap(0xFB, &[]),
            wrap(0xFC, &[]),
            wrap(0xFD, &[]),
            wrap(0xFE, &[]),
        ];
        wrap(0x53, &contents.concat())
    }

    /// GENERAL AUTHENTICATE (Part 2 section 3.2.4): ECDSA with 9A, ECDH with 9D, P-256 only.
    fn general_authenticate(&self, algorithm: u8, reference: u8, data: &[u8]) -> Result<Vec<u8>, [u8; 2]> {
        if algorithm != 0x11 {
            return Err(WRONG_PARAMETERS);
        }
        let slot = match reference {
            0x9A => Slot::Authentication,
            0x9D => Slot::KeyManagement,
            _ => return Err(UNKNOWN_REFERENCE),
        };
        if !self.session.verified {
            return Err(SECURITY_STATUS);
        }
        let template = tlv::only(data, 0x7C).ok_or(WRONG_DATA)?;
        if tlv::find(template, 0x82) != Ok(Some(&[])) {
            return Err(WRONG_DATA);
        }
        let key = &self.credential(slot).key;
        let answer = match slot {
            Slot::Authentication => {
                let hash = tlv::find(template, 0x81).ok().flatten();
                let hash = hash.filter(|hash| hash.len() == 32).ok_or(WRONG_DATA)?;
                let signature: Signature = SigningKey::from(key).sign_prehash(hash).map_err(|_| CONDITIONS)?;
                signature.to_der().as_bytes().to_vec()
            }
            Slot::KeyManagement => {
                let point = tlv::find(template, 0x85).ok().flatten().ok_or(WRONG_DATA)?;
                agree(key, point).ok_or(WRONG_DATA)?.to_vec()
            }
        };
        Ok(wrap(0x7C, &wrap(0x82, &answer)))
    }

    /// The next page of what is pending, with its status word.
    fn page(&mut self, expected: usize) -> Vec<u8> {
        let pending = &mut self.session.pending;
        let length = expected.min(self.memory.quirks.page).min(pending.len());
        let mut answer: Vec<u8> = pending.drain(..length).collect();
        answer.extend(match u8::try_from(pending.len()) {
            Ok(0) => SUCCESS,
            Ok(left) => [0x61, left],
            Err(_) => [0x61, 0x00],
        });
        answer
    }
}

impl Chip for VirtualPiv {
    fn reset(&mut self) {
        self.session = Session::default();
    }

    fn apdu(&mut self, command: &[u8]) -> Result<Vec<u8>, TransmitError> {
        let Some((header, data, expected)) = parse(command) else {
            return Ok(WRONG_LENGTH.to_vec());
        };
        let [class, instruction, p1, p2] = header;
        if instruction == 0xC0 && class == 0x00 {
            if self.session.pending.is_empty() {
                return Ok(CONDITIONS.to_vec());
            }
            return Ok(self.page(expected.unwrap_or(256)));
        }
        self.session.pending.clear();

        // A chain goes on only with the same command (ISO 7816-4 section 5.1.1); else it is dropped.
        let name = [instruction, p1, p2];
        let mut collected = match self.session.chain.take() {
            Some((earlier, data)) if earlier == name => data,
            _ => vec![],
        };
        if collected.len() + data.len() > MAX_CHAIN {
            return Ok(WRONG_LENGTH.to_vec());
        }
        collected.extend_from_slice(data);
        match class {
            0x10 => {
                self.session.chain = Some((name, collected));
                return Ok(SUCCESS.to_vec());
            }
            0x00 => {}
            _ => return Ok(UNKNOWN_CLASS.to_vec()),
        }
        match self.run(header, &collected) {
            Err(word) => Ok(word.to_vec()),
            Ok(answer) => {
                self.session.pending = answer;
                Ok(self.page(expected.unwrap_or(0)))
            }
        }
    }
}

/// A short command APDU: header, data, and how many bytes are expected.
pub(super) fn parse(command: &[u8]) -> Option<([u8; 4], &[u8], Option<usize>)> {
    let (header, body) = command.split_first_chunk::<4>()?;
    let le = |le: u8| Some(if le == 0 { 256 } else { usize::from(le) });
    match body {
        [] => Some((*header, &[], None)),
        [expected] => Some((*header, &[], le(*expected))),
        [length, rest @ ..] => {
            let (data, rest) = rest.split_at_checked(usize::from(*length).max(1))?;
            match rest {
                _ if *length == 0 => None, // An extended length.
                [] => Some((*header, data, None)),
                [expected] => Some((*header, data, le(*expected))),
                _ => None,
            }
        }
    }
}

/// A BER-TLV element with a tag of one byte.
pub(super) fn wrap(tag: u8, value: &[u8]) -> Vec<u8> {
    let mut element = vec![tag];
    match u16::try_from(value.len()).map(u16::to_be_bytes) {
        Ok([0, length @ 0..=0x7F]) => element.push(length),
        Ok([0, length]) => element.extend([0x81, length]),
        Ok([high, low]) => element.extend([0x82, high, low]),
        Err(_) => unreachable!("objects of a virtual card are below 64 KiB"),
    }
    element.extend_from_slice(value);
    element
}

/// The x coordinate of `key` times the SEC 1 point; `None` if it is no point.
pub(super) fn agree(key: &SecretKey, point: &[u8]) -> Option<[u8; 32]> {
    let point = PublicKey::from_sec1_bytes(point).ok()?.to_projective();
    let product = (point * *key.to_nonzero_scalar()).to_affine();
    Some(product.x().into())
}

/// A PIN as a card stores it.
pub(super) fn padded(pin: &str) -> Result<[u8; 8]> {
    // The kiosk's own rule, so that no card exists whose PIN cannot be typed.
    if let Err(error) = Pin::new(pin.as_bytes()) {
        bail!("{error}");
    }
    let mut padded = [0xFF; 8];
    padded
        .get_mut(..pin.len())
        .context("a PIN has at most 8 digits")?
        .copy_from_slice(pin.as_bytes());
    Ok(padded)
}
