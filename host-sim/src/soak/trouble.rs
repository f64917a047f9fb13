//! What goes wrong at a station, when, and how the seed draws it.
//!
//! The bound of what a ballot box can bear is drawn in here: of a pair only one medium is ever bad. The other one is cut, torn and
//! reordered like it, but keeps what it has synced. Two media that lose what they swore to keep lose votes, by whatever protocol.

use chacha20::ChaCha20Rng;
use kiosk::ballot_box::Role;
use serde::{Deserialize, Serialize};

use crate::world::seed::Draw as _;
use crate::world::time::{HOUR, MINUTE, SECOND};

/// One thing that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// Which station of the district, from 0.
    pub station: usize,
    /// When.
    pub when: When,
    /// What.
    pub what: What,
}

/// When it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum When {
    /// Milliseconds after polls open.
    At(u64),
    /// As the vote with this number, from 0, is about to be written to that medium.
    Vote(u32),
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// The plug is pulled, wherever the kiosk is.
    Cut,
    /// A medium gets ill.
    Medium(Side, Illness),
    /// The clock jumps by so many seconds.
    Clock(i64),
    /// No network for so many milliseconds.
    Network(u64),
    /// The random source fails for so many milliseconds.
    Entropy(u64),
    /// The internal memory refuses writes for so many milliseconds.
    Store(u64),
    /// Somebody pushes a postcard into the card reader before the next voter.
    Postcard,
    /// After the next restart staff first put in these media.
    WrongMedia(Wrong),
    /// Staff take the kiosk out and a spare takes over, with nothing wrong.
    TakeOver(Side),
}

/// Which medium of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Side {
    /// The original.
    Original,
    /// The duplicate.
    Duplicate,
}

impl Side {
    /// As the kiosk calls it.
    #[must_use]
    pub const fn role(self) -> Role {
        match self {
            Self::Original => Role::Original,
            Self::Duplicate => Role::Duplicate,
        }
    }
}

/// What is wrong with a medium.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Illness {
    /// Neither read nor written, for good.
    Dies,
    /// Not written, for good.
    ReadOnly,
    /// Neither read nor written for so many milliseconds.
    Faints(u64),
    /// Writes fail for so many milliseconds.
    WritesFail(u64),
    /// Reads fail for so many milliseconds.
    ReadsFail(u64),
    /// Says "synced" and is not, for good.
    Lies,
    /// Flips bits as it writes, for so many milliseconds.
    FlipsWrites(u64),
    /// Flips bits as it reads, for so many milliseconds.
    FlipsReads(u64),
    /// Bits that lie there flip: so many places.
    Rots(u8),
    /// Has room for so many sectors more.
    FillsUp(u16),
    /// Every operation takes so many milliseconds, for so many milliseconds.
    Stalls(u64, u64),
}

impl Illness {
    /// Whether the kiosk can go on only with another medium.
    #[must_use]
    pub const fn needs_spare(self) -> bool {
        matches!(self, Self::Dies | Self::ReadOnly | Self::FillsUp(_))
    }
}

/// Media that are not the right ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wrong {
    /// Never formatted: a stray medium in the original's slot.
    Stray,
    /// Each in the other's slot.
    Swapped,
    /// A copy of the original in both slots.
    Twice,
    /// The original of another station's kiosk.
    Foreign,
    /// As they were some voters ago.
    Older,
    /// None at all in the duplicate's slot.
    Missing,
}

impl What {
    /// Its kind in reports and in `--faults`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Cut => "cut",
            Self::Medium(_, illness) => match illness {
                Illness::Dies | Illness::ReadOnly => "death",
                Illness::Faints(_) | Illness::WritesFail(_) | Illness::ReadsFail(_) => "faint",
                Illness::Lies => "lie",
                Illness::FlipsWrites(_) | Illness::FlipsReads(_) | Illness::Rots(_) => "flip",
                Illness::FillsUp(_) => "full",
                Illness::Stalls(..) => "stall",
            },
            Self::Clock(_) => "clock",
            Self::Network(_) => "network",
            Self::Entropy(_) => "entropy",
            Self::Store(_) => "store",
            Self::Postcard => "postcard",
            Self::WrongMedia(_) => "wrong_media",
            Self::TakeOver(_) => "takeover",
        }
    }
}

/// All kinds that `--faults` knows.
pub const KINDS: [&str; 13] = [
    "cut",
    "death",
    "faint",
    "lie",
    "flip",
    "full",
    "stall",
    "clock",
    "network",
    "entropy",
    "store",
    "postcard",
    "wrong_media",
];

/// Media of a station that may die.
const SPARES: usize = 2;

/// Spares a station has at most: a medium has room for seven takeovers.
pub const TAKEOVERS: usize = 7;

/// Draws the troubles of a district: each station gets a few of the kinds allowed.
#[must_use]
pub fn draw(stations: usize, hours: u32, kinds: &[&str], rng: &mut ChaCha20Rng) -> Vec<Trouble> {
    let day = u64::from(hours) * HOUR;
    let mut troubles = Vec::new();
    for station in 0..stations {
        // Every illness of this station hits the same slot: see the head of this file.
        let side = if rng.chance(1, 2) {
            Side::Original
        } else {
            Side::Duplicate
        };
        let mut spares = 0;
        let mut lies = false;
        for kind in kinds {
            for _ in 0..rng.below(3) {
                let Some(what) = one(kind, side, day, rng) else {
                    continue;
                };
                let deadly = matches!(what, What::TakeOver(_))
                    || matches!(what, What::Medium(_, illness) if illness.needs_spare());
                if deadly && spares == SPARES {
                    continue;
                }
                spares += usize::from(deadly);
                lies |= matches!(what, What::Medium(_, Illness::Lies));
                let at = rng.between(MINUTE, day.saturating_sub(MINUTE).max(MINUTE));
                let when = match what {
                    What::Medium(..) if rng.chance(1, 3) => When::Vote(u32::try_from(rng.below(20)).unwrap_or(0)),
                    _ => When::At(at),
                };
                troubles.push(Trouble { station, when, what });
            }
        }
        // An older copy can be told from a medium that lied only by what the kiosk itself remembers of both.
        if lies {
            troubles.retain(|one| one.station != station || one.what != What::WrongMedia(Wrong::Older));
        }
    }
    troubles
}

fn one(kind: &str, side: Side, day: u64, rng: &mut ChaCha20Rng) -> Option<What> {
    let ill = |illness| Some(What::Medium(side, illness));
    let short = rng.between(SECOND, 20 * MINUTE);
    match kind {
        "cut" => Some(What::Cut),
        "death" if rng.chance(1, 2) => ill(Illness::Dies),
        "death" => ill(Illness::ReadOnly),
        "faint" => ill(match rng.below(3) {
            0 => Illness::Faints(short),
            1 => Illness::WritesFail(short),
            _ => Illness::ReadsFail(short),
        }),
        "lie" if rng.chance(1, 2) => ill(Illness::Lies),
        "flip" => ill(match rng.below(3) {
            0 => Illness::FlipsWrites(short),
            1 => Illness::FlipsReads(short),
            _ => Illness::Rots(u8::try_from(rng.between(1, 3)).unwrap_or(1)),
        }),
        "full" if rng.chance(1, 2) => ill(Illness::FillsUp(u16::try_from(rng.between(1, 200)).unwrap_or(1))),
        "stall" => ill(Illness::Stalls(rng.between(200, 10 * SECOND), short)),
        "clock" => {
            let seconds = i64::try_from(rng.between(1, 40 * 24 * 3600)).unwrap_or(1);
            Some(What::Clock(if rng.chance(1, 2) { seconds } else { -seconds }))
        }
        "network" => Some(What::Network(rng.between(MINUTE, day))),
        "entropy" if rng.chance(1, 3) => Some(What::Entropy(short)),
        "store" if rng.chance(1, 3) => Some(What::Store(short)),
        "postcard" => Some(What::Postcard),
        "wrong_media" => Some(What::WrongMedia(match rng.below(6) {
            0 => Wrong::Stray,
            1 => Wrong::Swapped,
            2 => Wrong::Twice,
            3 => Wrong::Foreign,
            4 => Wrong::Older,
            _ => Wrong::Missing,
        })),
        _ => None,
    }
}
