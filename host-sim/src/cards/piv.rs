//! A PIV card (NIST SP 800-73-4 Part 2) as an interpreter of APDUs. What issuers do with one is in `piv_issuing.rs`.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use card::{CardPublicKey, Date, Pin, Slot, TransmitError, tlv};
use p256::ecdsa::signature::hazmat::PrehashSigner;
use p256::ecdsa::{Signature, SigningKey};
use p256::elliptic_curve::point::AffineCoordinates;
use p256::{AffinePoint, ProjectivePoint, PublicKey, SecretKey};

use super::Chip;
use super::piv_issuing::Manager;

const AID: [u8; 11] = [0xA0, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x10, 0x00, 0x01, 0x00];
const ISSUER_DOMAIN: [u8; 8] = [0xA0, 0x00, 0x00, 0x01, 0x51, 0x00, 0x00, 0x00];

/// Longest command data the card collects from a chain.
const MAX_CHAIN: usize = 4096;

pub(super) const SUCCESS: [u8; 2] = [0x90, 0x00];
pub(super) const WRONG_LENGTH: [u8; 2] = [0x67, 0x00];
pub(super) const SECURITY_STATUS: [u8; 2] = [0x69, 0x82];
pub(super) const BLOCKED: [u8; 2] = [0x69, 0x83];
pub(super) const CONDITIONS: [u8; 2] = [0x69, 0x85];
pub(super) const WRONG_DATA: [u8; 2] = [0x6A, 0x80];
pub(super) const NOT_FOUND: [u8; 2] = [0x6A, 0x82];
pub(super) const WRONG_PARAMETERS: [u8; 2] = [0x6A, 0x86];
pub(super) const UNKNOWN_REFERENCE: [u8; 2] = [0x6A, 0x88];
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

/// The names of the data objects that the card itself looks into (Part 1 Table 3).
pub(super) const fn certificate_object(slot: Slot) -> [u8; 3] {
    match slot {
        Slot::Authentication => [0x5F, 0xC1, 0x05],
        Slot::KeyManagement => [0x5F, 0xC1, 0x0B],
    }
}
pub(super) const CARD_HOLDER_IDENTIFIER: [u8; 3] = [0x5F, 0xC1, 0x02];
pub(super) const CAPABILITIES: [u8; 3] = [0x5F, 0xC1, 0x07];

/// A PIN or PUK with its counter.
pub(super) struct Secret {
    pub(super) padded: [u8; 8],
    pub(super) tries: u8,
    pub(super) tries_left: u8,
}

impl Secret {
    pub(super) const fn new(padded: [u8; 8], tries: u8) -> Self {
        Self {
            padded,
            tries,
            tries_left: tries,
        }
    }

    /// Compares. The counter goes down before the comparison: a card pulled out in between has lost the try, and nobody guesses for
    /// nothing.
    pub(super) fn check(&mut self, data: &[u8]) -> Result<(), [u8; 2]> {
        if self.tries_left == 0 {
            return Err(BLOCKED);
        }
        self.tries_left -= 1;
        if data != self.padded {
            return Err(self.word());
        }
        self.tries_left = self.tries;
        Ok(())
    }

    pub(super) const fn word(&self) -> [u8; 2] {
        match self.tries_left {
            0 => BLOCKED,
            left => [0x63, 0xC0 | left],
        }
    }
}

/// What a card keeps without power.
pub(super) struct Memory {
    pub(super) pin: Secret,
    /// The key that unblocks the PIN.
    pub(super) puk: Secret,
    /// The issuer's key.
    pub(super) manager: Manager,
    /// 9A and 9D.
    pub(super) keys: [Option<SecretKey>; 2],
    /// Name of a data object -> what is in its `53`.
    pub(super) objects: BTreeMap<[u8; 3], Vec<u8>>,
    /// Where the card's own random numbers come from: a real card's are nobody's, these can be had again from a seed.
    pub(super) entropy: [u8; 32],
    pub(super) quirks: Quirks,
}

/// What a card forgets without power.
#[derive(Default)]
pub(super) struct Session {
    pub(super) selected: bool,
    verified: bool,
    /// The issuer has shown its key.
    pub(super) managed: bool,
    /// What the issuer has to decrypt.
    pub(super) witness: Option<Vec<u8>>,
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
    pub(super) session: Session,
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
        self.memory.pin.tries = tries;
        self.memory.pin.tries_left = tries;
        Ok(self)
    }

    /// The certificate in `slot`, DER; empty if there is none.
    #[must_use]
    pub fn certificate(&self, slot: Slot) -> &[u8] {
        self.memory
            .objects
            .get(&certificate_object(slot))
            .and_then(|object| tlv::find(object, 0x70).ok().flatten())
            .unwrap_or_default()
    }

    /// The public key in `slot`; none on a blank card.
    #[must_use]
    pub fn public_key(&self, slot: Slot) -> Option<CardPublicKey> {
        self.key(slot).map(|key| CardPublicKey::from(&key.public_key()))
    }

    /// What an honest card proves: its 9D key times `base`. For tests and for the simulator's own
    /// books; nothing on the way of a vote calls it.
    #[must_use]
    pub fn shared_point(&self, base: &AffinePoint) -> Option<AffinePoint> {
        let key = self.key(Slot::KeyManagement)?.to_nonzero_scalar();
        Some((ProjectivePoint::from(*base) * *key).to_affine())
    }

    /// PIN tries left, 0 if blocked.
    #[must_use]
    pub const fn tries_left(&self) -> u8 {
        self.memory.pin.tries_left
    }

    /// Uses up all tries, as somebody who forgot the PIN would.
    pub const fn block_pin(&mut self) {
        self.memory.pin.tries_left = 0;
        self.session.verified = false;
    }

    /// What the issuer's counter does for a blocked card: a new PIN and all tries.
    ///
    /// # Errors
    /// If `pin` cannot be a PIN.
    pub fn unblock(&mut self, pin: &str) -> Result<()> {
        self.memory.pin = Secret::new(padded(pin)?, self.memory.pin.tries);
        self.session.verified = false;
        Ok(())
    }

    pub(super) const fn key(&self, slot: Slot) -> Option<&SecretKey> {
        let [authentication, management] = &self.memory.keys;
        match slot {
            Slot::Authentication => authentication.as_ref(),
            Slot::KeyManagement => management.as_ref(),
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
            (0x87, _, 0x9B) => self.authenticate_manager(p1, data),
            (0x87, _, _) => self.general_authenticate(p1, p2, data),
            (0x47, 0x00, _) => self.generate(p2, data),
            (0xDB, 0x3F, 0xFF) => self.put_data(data),
            (0x24, 0x00, _) => self.change_reference(p2, data),
            (0x2C, 0x00, 0x80) => self.reset_retry_counter(data),
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
            (0x00, []) => Err(self.memory.pin.word()),
            (0x00, _) => {
                if self.memory.pin.tries_left == 0 {
                    return Err(BLOCKED);
                }
                if data.len() != 8 {
                    return Err(WRONG_DATA);
                }
                self.session.verified = false;
                self.memory.pin.check(data)?;
                self.session.verified = true;
                Ok(vec![])
            }
            _ => Err(WRONG_PARAMETERS),
        }
    }

    /// GET DATA (Part 2 section 3.1.2; objects: Part 1 Appendix A).
    fn get_data(&self, data: &[u8]) -> Result<Vec<u8>, [u8; 2]> {
        let name = tlv::only(data, 0x5C).ok_or(WRONG_DATA)?;
        if name == [0x7E] {
            return Ok([
                &[0x7E, 0x12, 0x4F, 0x0B][..],
                &AID,
                // Usage policy: the application PIN alone satisfies every access condition.
                &[0x5F, 0x2F, 0x02, 0x40, 0x00],
            ]
            .concat());
        }
        let object = name
            .try_into()
            .ok()
            .and_then(|name: [u8; 3]| self.memory.objects.get(&name));
        object.map(|contents| wrap(0x53, contents)).ok_or(NOT_FOUND)
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
        let key = self.key(slot).ok_or(UNKNOWN_REFERENCE)?;
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

/// The contents of a certificate's data object.
pub(super) fn certificate_contents(certificate: &[u8]) -> Vec<u8> {
    [wrap(0x70, certificate), wrap(0x71, &[0]), wrap(0xFE, &[])].concat()
}

/// CHUID (Part 1 section 3.1.2): a FASC-N of nines for issuers outside the federal scheme, the
/// GUID, the expiry date, an empty signature.
pub(super) fn card_holder_identifier(guid: &[u8; 16], expires: Date) -> Vec<u8> {
    const FASC_N: [u8; 25] = [
        0xD4, 0xE7, 0x39, 0xDA, 0x73, 0x9C, 0xED, 0x39, 0xCE, 0x73, 0x9D, 0x83, 0x68, 0x58, 0x21, 0x08, 0x42, 0x10,
        0x84, 0x21, 0xC8, 0x42, 0x10, 0xC3, 0xEB,
    ];
    let expires = expires.yyyymmdd().to_string();
    [
        wrap(0x30, &FASC_N),
        wrap(0x34, guid),
        wrap(0x35, expires.as_bytes()),
        wrap(0x3E, &[]),
        wrap(0xFE, &[]),
    ]
    .concat()
}

/// CCC (Part 1 Appendix A, Table 8) with what readers ask for and nothing in it.
pub(super) fn capabilities(guid: &[u8; 16]) -> Vec<u8> {
    let mut identifier = vec![0xA0, 0x00, 0x00, 0x01, 0x16, 0xFF, 0x02];
    identifier.extend_from_slice(&guid[..14]);
    let mut contents = [
        wrap(0xF0, &identifier),
        wrap(0xF1, &[0x21]),
        wrap(0xF2, &[0x21]),
        wrap(0xF3, &[]),
        wrap(0xF4, &[0x00]),
        wrap(0xF5, &[0x10]),
    ]
    .concat();
    for tag in [0xF6, 0xF7, 0xFA, 0xFB, 0xFC, 0xFD, 0xFE] {
        contents.extend(wrap(tag, &[]));
    }
    contents
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
