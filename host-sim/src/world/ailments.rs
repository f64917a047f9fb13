//! What can be wrong with a medium, besides that it is the wrong one: it tears and reorders at every cut (see
//! [`Memory::cut`](super::media::Memory::cut)); it may also refuse, lie, flip bits, fill up and be slow.

/// For good.
pub const FOR_EVER: u64 = u64::MAX;

/// What is wrong with a medium. Moments are in milliseconds since the world began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ailments {
    /// Every read fails until then.
    pub reads_fail_until: u64,
    /// Every write and sync fails until then.
    pub writes_fail_until: u64,
    /// Says "synced" while what was written is only in its cache; sectors trickle out of it in no order.
    pub lies: bool,
    /// Sectors that can still be written; then it is full.
    pub room: Option<u64>,
    /// Milliseconds every operation takes longer, until then.
    pub slow: (u64, u64),
    /// So many writes in a thousand have one bit flipped.
    pub flips_writes: u16,
    /// So many reads in a thousand have one bit flipped on their way.
    pub flips_reads: u16,
}

impl Ailments {
    /// A good medium.
    pub const NONE: Self = Self {
        reads_fail_until: 0,
        writes_fail_until: 0,
        lies: false,
        room: None,
        slow: (0, 0),
        flips_writes: 0,
        flips_reads: 0,
    };
}

/// Small randomness that a medium carries with it: not for anything but faults.
#[derive(Clone, Copy, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Dice that always fall the same way for the same number.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits (SplitMix64: Steele, Lea, Flood 2014).
    pub const fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// 0 to `end` - 1; 0 if `end` is 0.
    pub const fn below(&mut self, end: u64) -> u64 {
        match self.roll().checked_rem(end) {
            Some(value) => value,
            None => 0,
        }
    }

    /// True `part` times in a thousand.
    pub const fn chance(&mut self, part: u16) -> bool {
        part > 0 && self.below(1000) < part as u64
    }

    /// Flips one bit.
    pub fn flip(&mut self, bytes: &mut [u8]) {
        let bits = bytes.len() as u64 * 8;
        let bit = self.below(bits);
        if let Some(byte) = usize::try_from(bit / 8).ok().and_then(|at| bytes.get_mut(at)) {
            *byte ^= 1 << (bit % 8);
        }
    }
}
