//! The hashes of the election (SPEC.md, section 1): domain-separated SHA-256 and hash to scalar.
//!
//! Every hash names what it is for, and every part carries its length: two different lists of parts never
//! give the same input. If a label is used for two purposes, a value made for one can be shown as the other.

use p256::Scalar;
use p256::elliptic_curve::array::Array;
use p256::elliptic_curve::consts::U48;
use p256::elliptic_curve::ops::Reduce;
use sha2::{Digest as _, Sha256};

/// A SHA-256 value.
pub type Digest = [u8; 32];

/// `H(label, parts...)` of SPEC.md, section 1.
#[must_use]
pub fn hash(label: &str, parts: &[&[u8]]) -> Digest {
    let mut hasher = Hasher::new(label);
    for part in parts {
        hasher.part(part);
    }
    hasher.finish()
}

/// `SHA-256` of bytes as they are: file and section hashes only, never a protocol value.
#[must_use]
pub fn sha256(bytes: &[u8]) -> Digest {
    Sha256::digest(bytes).into()
}

/// `H(label, ...)` fed part by part, for what does not lie in memory in one piece.
#[derive(Clone)]
pub struct Hasher {
    sha: Sha256,
    /// Bytes that the part begun last still expects.
    open: u32,
    /// Set when parts were fed against their announced length; such a hash is poisoned, see `finish`.
    broken: bool,
}

impl Hasher {
    /// Starts `H(label, ...)`. Labels are ASCII and shorter than 256 bytes.
    #[must_use]
    pub fn new(label: &str) -> Self {
        let mut sha = Sha256::new();
        sha.update([u8::try_from(label.len()).unwrap_or(u8::MAX)]);
        sha.update(label.as_bytes());
        Self {
            sha,
            open: 0,
            broken: label.len() > 255,
        }
    }

    /// Feeds one whole part.
    pub fn part(&mut self, part: &[u8]) -> &mut Self {
        match u32::try_from(part.len()) {
            Ok(length) => self.begin_part(length).chunk(part),
            Err(_) => {
                self.broken = true;
                self
            }
        }
    }

    /// Announces a part of `length` bytes that arrives in chunks.
    pub fn begin_part(&mut self, length: u32) -> &mut Self {
        self.broken |= self.open != 0;
        self.sha.update(length.to_be_bytes());
        self.open = length;
        self
    }

    /// Feeds bytes of the part begun last.
    pub fn chunk(&mut self, bytes: &[u8]) -> &mut Self {
        match u32::try_from(bytes.len())
            .ok()
            .and_then(|length| self.open.checked_sub(length))
        {
            Some(open) => self.open = open,
            None => self.broken = true,
        }
        self.sha.update(bytes);
        self
    }

    /// The hash. A stream that broke its announced lengths gives a value that equals no honest hash (it is
    /// hashed once more under a label of its own): a programming error shows as a refusal, never as a collision.
    #[must_use]
    pub fn finish(self) -> Digest {
        let broken = self.broken || self.open != 0;
        let digest: Digest = self.sha.finalize().into();
        if broken {
            Sha256::new()
                .chain_update(b"\xffippyo/broken stream")
                .chain_update(digest)
                .finalize()
                .into()
        } else {
            digest
        }
    }
}

/// Bytes that `expand_message_xmd` gives for one scalar: 256 + 128 bits, so that the reduction's bias is below 2^-128.
const EXPANDED: usize = 48;

/// `S(label, parts...)`: RFC 9380, 5.3.1 `expand_message_xmd` with SHA-256 and the label as DST, reduced mod n.
#[must_use]
pub fn hash_to_scalar(label: &str, parts: &[&[u8]]) -> Scalar {
    let mut hasher = ScalarHasher::new(label);
    for part in parts {
        hasher.part(part);
    }
    hasher.finish()
}

/// `S(label, ...)` fed part by part. A clone shares the work on a common prefix.
#[derive(Clone)]
pub struct ScalarHasher<'l> {
    label: &'l str,
    sha: Sha256,
}

impl<'l> ScalarHasher<'l> {
    /// Starts `S(label, ...)`. Labels are ASCII and shorter than 256 bytes.
    #[must_use]
    pub fn new(label: &'l str) -> Self {
        // Z_pad: one zero block of SHA-256 (RFC 9380, 5.3.1, step 4).
        Self {
            label,
            sha: Sha256::new().chain_update([0; 64]),
        }
    }

    /// Feeds one whole part. Parts are below 4 GiB by the formats' bounds.
    pub fn part(&mut self, part: &[u8]) -> &mut Self {
        let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
        self.sha.update(length.to_be_bytes());
        self.sha.update(part);
        self
    }

    /// The scalar.
    #[must_use]
    pub fn finish(self) -> Scalar {
        <Scalar as Reduce<Array<u8, U48>>>::reduce(&Array(self.expand()))
    }

    fn expand(self) -> [u8; EXPANDED] {
        let dst = self.label.as_bytes();
        let dst_length = [u8::try_from(dst.len()).unwrap_or(u8::MAX)];
        let b0: Digest = self
            .sha
            .chain_update([0, 48])
            .chain_update([0])
            .chain_update(dst)
            .chain_update(dst_length)
            .finalize()
            .into();
        let block = |input: &Digest, index: u8| -> Digest {
            Sha256::new()
                .chain_update(input)
                .chain_update([index])
                .chain_update(dst)
                .chain_update(dst_length)
                .finalize()
                .into()
        };
        let b1 = block(&b0, 1);
        let mut mixed = b0;
        for (m, b) in mixed.iter_mut().zip(b1) {
            *m ^= b;
        }
        let b2 = block(&mixed, 2);
        let mut out = [0; EXPANDED];
        for (o, b) in out.iter_mut().zip(b1.iter().chain(b2.iter())) {
            *o = *b;
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9380, K.1: expand_message_xmd(SHA-256), DST "QUUX-V01-CS02-with-expander-SHA256-128". The published
    /// vectors ask for 32 and 128 bytes; ours is always 48, so the reference here is the RustCrypto implementation.
    #[test]
    fn p13_hash_to_scalar_is_rfc_9380_expand() {
        use p256::hash2curve::{ExpandMsg, ExpandMsgXmd, Expander};
        for message in [&b""[..], b"abc", &[7u8; 200]] {
            let label = "ippyo/1/test";
            let mut expected = [0u8; EXPANDED];
            let length = u32::try_from(message.len()).unwrap().to_be_bytes();
            <ExpandMsgXmd<Sha256> as ExpandMsg<p256::elliptic_curve::consts::U16>>::expand_message(
                &[&length, message],
                &[label.as_bytes()],
                core::num::NonZero::new(48).unwrap(),
            )
            .unwrap()
            .fill_bytes(&mut expected)
            .unwrap();
            let mut hasher = ScalarHasher::new(label);
            hasher.part(message);
            assert_eq!(hasher.expand(), expected);
        }
    }

    #[test]
    fn parts_cannot_be_shifted() {
        assert_ne!(
            hash("ippyo/1/test", &[b"ab", b"c"]),
            hash("ippyo/1/test", &[b"a", b"bc"])
        );
        assert_ne!(hash("ippyo/1/test", &[b"ab"]), hash("ippyo/1/test", &[b"ab", b""]));
        assert_ne!(hash("ippyo/1/tes", &[b"tab"]), hash("ippyo/1/test", &[b"ab"]));
    }

    #[test]
    fn a_stream_equals_the_whole_and_a_broken_stream_equals_nothing() {
        let whole = hash("ippyo/1/test", &[b"abcd", b"e"]);
        let mut stream = Hasher::new("ippyo/1/test");
        stream.begin_part(4).chunk(b"ab").chunk(b"cd").part(b"e");
        assert_eq!(stream.finish(), whole);
        let mut short = Hasher::new("ippyo/1/test");
        short.begin_part(4).chunk(b"ab");
        assert_ne!(short.finish(), whole);
        let mut long = Hasher::new("ippyo/1/test");
        long.begin_part(1).chunk(b"ab");
        assert_ne!(long.finish(), hash("ippyo/1/test", &[b"ab"]));
    }
}
