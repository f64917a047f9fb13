//! What there is: two media, voters, one kiosk at a time; and what can befall a medium. No rule of the protocol stands here.

/// Cells of the log, and slots for votes behind them.
pub const LOG: usize = 8;
pub const SLOTS: usize = 4;
pub const CELLS: usize = LOG + SLOTS;
pub const VOTERS: usize = 2;
/// Times a voter may be let in, and so ballots of one voter: one that was lost in a cut, and another.
pub const TRIES: u8 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum What {
    Admitted,
    Abandoned,
    Interrupted,
    Closed,
}

/// A place of a medium. The CRC is taken for granted: torn bytes never look whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cell {
    Free,
    Torn,
    Entry {
        number: u8,
        what: What,
    },
    /// A ballot: whose, and which of theirs.
    Record {
        voter: u8,
        ballot: u8,
    },
    /// Only in the two-phase scheme: written, and not yet marked as recorded.
    Pending {
        voter: u8,
        ballot: u8,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Health {
    Good,
    /// Every write and sync fails from now on.
    NoWrites,
    /// Nor can it be read; perhaps later, at the tally.
    Dead,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Medium {
    pub cells: [Cell; CELLS],
    /// Written, and not durable.
    pub volatile: u16,
    pub health: Health,
    /// Says synced and is not.
    pub lies: bool,
}

impl Medium {
    pub const BLANK: Self = Self {
        cells: [Cell::Free; CELLS],
        volatile: 0,
        health: Health::Good,
        lies: false,
    };

    #[must_use]
    pub fn write(&mut self, place: usize, cell: Cell) -> bool {
        if self.health != Health::Good {
            return false;
        }
        self.cells[place] = cell;
        self.volatile |= 1 << place;
        true
    }

    #[must_use]
    pub fn sync(&mut self) -> bool {
        if !self.lies {
            self.volatile = 0;
        }
        self.health == Health::Good
    }

    pub fn durable(&self, place: usize) -> Cell {
        if self.volatile >> place & 1 == 1 {
            Cell::Free
        } else {
            self.cells[place]
        }
    }

    /// What a cut may leave: each volatile cell lost, kept or torn. With more than two of them (only a medium that lies has so many): all
    /// lost, all kept, and each of the two with one torn.
    pub fn after_cut(&self) -> Vec<Self> {
        let places: Vec<usize> = (0..CELLS).filter(|at| self.volatile >> at & 1 == 1).collect();
        let apply = |fates: &[u8]| {
            let mut after = *self;
            after.volatile = 0;
            for (at, fate) in places.iter().zip(fates) {
                after.cells[*at] = match (fate, self.cells[*at]) {
                    (0, Cell::Record { voter, ballot }) if self.marks() => Cell::Pending { voter, ballot },
                    (0, _) => Cell::Free,
                    (1, cell) => cell,
                    _ => Cell::Torn,
                };
            }
            after
        };
        let count = places.len();
        let mut fates: Vec<Vec<u8>> = Vec::new();
        if count <= 2 {
            for mut code in 0..3usize.pow(u32::try_from(count).unwrap()) {
                fates.push(
                    (0..count)
                        .map(|_| {
                            let fate = u8::try_from(code % 3).unwrap();
                            code /= 3;
                            fate
                        })
                        .collect(),
                );
            }
        } else {
            for all in 0..2 {
                fates.push(vec![all; count]);
                for at in 0..count {
                    let mut one = vec![all; count];
                    one[at] = 2;
                    fates.push(one);
                }
            }
        }
        fates.iter().map(|fates| apply(fates)).collect()
    }

    /// Two-phase media: a record is a pending one that was marked, so what is lost of it is the mark.
    fn marks(&self) -> bool {
        self.volatile & TWO_PHASE != 0
    }
}

/// A bit of `volatile` that no cell has: set while a mark of the two-phase scheme is being written.
pub const TWO_PHASE: u16 = 1 << 15;

/// A voter as they know themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Knows {
    /// Not there; without a vote as far as they know.
    Away,
    /// Let in, or about to be.
    Inside,
    /// Has said "cast", and waits.
    Casting(u8),
    /// Read "done", or was told by screen or staff that this ballot is recorded.
    Recorded(u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Voter {
    pub knows: Knows,
    /// Times they were let in; a ballot has the number of its visit.
    pub visits: u8,
}

/// What follows when both media have what is being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Then {
    Started,
    Booth(u8),
    Left(u8),
    Done(u8, u8),
    Closed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kiosk {
    Off,
    /// Reads both media and looks for the next thing to repair.
    Mounting,
    /// Writes (step 0) and syncs (step 1) on one medium.
    Repair {
        medium: u8,
        place: u8,
        cell: Cell,
        step: u8,
    },
    Idle,
    Booth(u8),
    /// Steps 0 to 3: write and sync one medium, write and sync the other. The two-phase scheme has four more.
    Write {
        place: u8,
        cell: Cell,
        step: u8,
        then: Then,
    },
    Closed,
    /// Out of order until somebody restarts it.
    Halted,
}

/// What a running kiosk has in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Memory {
    /// A bit a voter whose tag it has read.
    pub voted: u8,
    pub number: u8,
    pub end: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub media: [Medium; 2],
    /// A medium that was taken out in a takeover, to be read at the tally if it can be.
    pub drawer: Option<Medium>,
    pub kiosk: Kiosk,
    pub memory: Memory,
    pub voters: [Voter; VOTERS],
    /// Ballots in the closing set: bit voter * TRIES + ballot - 1.
    pub closing: Option<u8>,
    pub cuts: u8,
    /// How many different voters may come at all, and whether media may go bad and be taken over.
    pub voters_in_all: u8,
    pub visits: u8,
    pub faults: bool,
    /// Whether a medium may still go bad. One may, in all; and to put a sound one away in a takeover counts as that one.
    pub may_fail: bool,
    /// The medium that went bad.
    pub bad: Option<u8>,
    /// What a law says was broken by the move that led here.
    pub broken: Option<&'static str>,
}

/// What a search is about.
#[derive(Clone, Copy, Debug)]
pub struct Scope {
    /// Voters who come.
    pub voters: u8,
    /// Times each of them may be let in.
    pub visits: u8,
    /// Power cuts, besides restarts after a fault.
    pub cuts: u8,
    /// Whether a medium goes bad, and a spare takes over.
    pub faults: bool,
}

impl State {
    /// Polls are open, nobody was there.
    pub fn start(lying: Option<usize>, scope: Scope) -> Self {
        let mut media = [Medium::BLANK; 2];
        if let Some(medium) = lying {
            media[medium].lies = true;
        }
        Self {
            media,
            drawer: None,
            kiosk: Kiosk::Off,
            memory: Memory::default(),
            voters: [Voter {
                knows: Knows::Away,
                visits: 0,
            }; VOTERS],
            closing: None,
            cuts: scope.cuts,
            visits: scope.visits,
            voters_in_all: scope.voters,
            faults: scope.faults,
            may_fail: scope.faults && lying.is_none(),
            bad: lying.map(|medium| u8::try_from(medium).unwrap()),
            broken: None,
        }
    }
}

pub const fn bit(voter: u8, ballot: u8) -> u8 {
    1 << (voter * TRIES + ballot - 1)
}
