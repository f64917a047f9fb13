//! Instructions of the whole kiosk, as a board counts them that runs one a nanosecond (`-icount shift=0`): the table of what a touch, a picture,
//! an admission and a ballot take.
//!
//! A touch is followed up to the picture that answers it, and everything that runs until then is in the sum: the loop, the presenter, the
//! renderer, also what happens to be prepared meanwhile. Only what the board tells the simulator is left out ([`mcu::count::Work::Stand`]).

use std::collections::BTreeMap;
use std::fmt;

use mcu::count::{self, Event, RECORD, Record, Work};
use mcu::sight::kind;
use mcu::stand::{COUNTS_LEN, HEIGHT, WIDTH};

/// Instructions a tick: the board's timer runs at 20 MHz, one instruction is a nanosecond.
const TICK: u64 = 50;
/// Instructions of 50 ms at 160 MHz.
const FIFTY: u64 = 8_000_000;

/// Something that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// A finger came down or left, and the button it is on looks otherwise.
    Answer,
    /// A finger left, and the next screen stands there.
    Next,
    /// Of it: the presenter's, who says what stands where.
    Page,
    /// A picture drawn anew, at least nine tenths of it.
    Full,
    /// A picture of which only a part was drawn.
    Part,
    /// From the PIN to the first contest: the card, its certificate and what that rests on, the roll, the box.
    Admission,
    /// All the work of the loop from the first contest to the tracking code: the ballot's whole cryptography is in it.
    Ballot,
    /// Of it: from the end of the review to the code.
    After,
    /// The longest turn of the loop from the first contest to the code: so long a touch may have to wait before it is looked at, and a screen
    /// before it is drawn.
    Turn,
    /// From "cast" until the vote stands on both media.
    Recording,
}

impl What {
    /// All.
    const ALL: [Self; 10] = [
        Self::Answer,
        Self::Next,
        Self::Page,
        Self::Full,
        Self::Part,
        Self::Admission,
        Self::Ballot,
        Self::After,
        Self::Turn,
        Self::Recording,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Answer => "touch to the button that answers",
            Self::Next => "touch to the next screen's picture",
            Self::Page => "of it what stands where",
            Self::Full => "a picture, nearly all of it",
            Self::Part => "a picture, what has changed",
            Self::Admission => "admission: PIN to first contest",
            Self::Ballot => "a ballot, first contest to code",
            Self::After => "of it after the choice",
            Self::Turn => "longest turn, first contest to code",
            Self::Recording => "cast to recorded on both media",
        }
    }

    /// The number to reach, in instructions, where one was set. A ballot's is that of one contest of five options.
    const fn wanted(self) -> Option<u64> {
        match self {
            Self::Answer | Self::Next => Some(FIFTY),
            Self::Full | Self::Part => Some(12_000_000),
            Self::Ballot => Some(45_000_000),
            Self::After => Some(2_000_000),
            Self::Page | Self::Admission | Self::Turn | Self::Recording => None,
        }
    }

    /// Above this a run fails: the number to reach or, where none was set, what was reached and a quarter more. Counts do not depend on the machine,
    /// so this is a law.
    const fn bound(self) -> u64 {
        if let Some(wanted) = self.wanted() {
            return wanted;
        }
        match self {
            Self::Page => 2_200_000,
            Self::Admission => 87_000_000,
            Self::Turn => 5_000_000,
            _ => 1_000_000,
        }
    }
}

/// What boards counted, and on which screen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    found: BTreeMap<What, Vec<(u64, u8)>>,
    /// By the screen that a touch led to: what loop, presenter and renderer took.
    by_screen: BTreeMap<u8, Vec<[u64; 3]>>,
    /// Whether a board counted more than there is room for.
    full: bool,
}

impl Counts {
    /// With what one start of a board counted: its records, as they lie in its memory.
    pub fn add(&mut self, counted: u32, bytes: &[u8]) {
        let counted = usize::try_from(counted).unwrap_or(usize::MAX);
        self.full |= counted > COUNTS_LEN / RECORD;
        let records: Vec<Record> = bytes
            .as_chunks::<RECORD>()
            .0
            .iter()
            .take(counted)
            .map_while(count::read)
            .collect();
        self.follow(&records);
    }

    fn put(&mut self, what: What, ticks: u32, screen: u8) {
        self.found
            .entry(what)
            .or_default()
            .push((u64::from(ticks) * TICK, screen));
    }

    fn follow(&mut self, records: &[Record]) {
        let pixels = u32::try_from(WIDTH * HEIGHT).unwrap_or(u32::MAX);
        let mut now = kind::UNKNOWN;
        let mut drawn = 0_u32;
        // The finger that nobody has answered yet, and the one that no screen has answered.
        let (mut touched, mut left) = (None::<Record>, None::<Record>);
        let mut shown = false;
        let (mut admitting, mut reading, mut sealing, mut casting) =
            (None::<Record>, None::<Record>, None::<Record>, None::<Record>);
        for record in records {
            if reading.is_some() {
                self.put(What::Turn, record.turn, now);
            }
            match record.event {
                Event::Finger(phase) => {
                    touched = (phase != 2).then_some(*record);
                    left = (phase == 3).then_some(*record);
                    shown = false;
                }
                Event::Picture(count) => {
                    let what = if count >= pixels / 10 * 9 {
                        What::Full
                    } else {
                        What::Part
                    };
                    let spent = used(record, Work::Picture).wrapping_sub(drawn);
                    self.put(what, spent, now);
                    drawn = used(record, Work::Picture);
                    if let Some(finger) = touched.take() {
                        self.put(What::Answer, between(&finger, record), now);
                    }
                    if shown && let Some(finger) = left.take() {
                        self.put(What::Next, between(&finger, record), now);
                        let parts = [Work::Kiosk, Work::Page, Work::Picture]
                            .map(|work| u64::from(used(record, work).wrapping_sub(used(&finger, work))) * TICK);
                        self.by_screen.entry(now).or_default().push(parts);
                        let page = used(record, Work::Page).wrapping_sub(used(&finger, Work::Page));
                        self.put(What::Page, page, now);
                    }
                }
                Event::Screen(screen) => {
                    let kiosk = |from: &Record| used(record, Work::Kiosk).wrapping_sub(used(from, Work::Kiosk));
                    match screen {
                        kind::ADMITTING => admitting = Some(*record),
                        kind::CONTEST => {
                            if let Some(from) = admitting.take() {
                                self.put(What::Admission, kiosk(&from), screen);
                                reading = Some(*record);
                            }
                        }
                        kind::ENCRYPTING => sealing = Some(*record),
                        kind::CODE => {
                            if let Some(from) = sealing.take() {
                                self.put(What::After, kiosk(&from), screen);
                            }
                            if let Some(from) = reading.take() {
                                self.put(What::Ballot, kiosk(&from), screen);
                            }
                        }
                        kind::RECORDING => casting = Some(*record),
                        kind::DONE => {
                            if let Some(from) = casting.take() {
                                self.put(What::Recording, kiosk(&from), screen);
                            }
                        }
                        // Whoever sees these is not reading a ballot any more.
                        kind::PIN | kind::IDLE | kind::WRONG_CARD | kind::ABANDONED => {
                            (admitting, reading, sealing, casting) = (None, None, None, None);
                        }
                        _ => {}
                    }
                    if screen == kind::IDLE {
                        // Behind staff's screens, of which no records are made.
                        drawn = used(record, Work::Picture);
                        (touched, left) = (None, None);
                    }
                    now = screen;
                    shown = true;
                }
            }
        }
    }

    /// What is above its bound, or was not counted at all.
    #[must_use]
    pub fn wrong(&self) -> Vec<String> {
        let mut wrong: Vec<String> = What::ALL
            .into_iter()
            .filter_map(|what| {
                let most = self.found.get(&what).and_then(|found| found.iter().max());
                let bound = what.bound();
                match most {
                    None => Some(format!("{}: never counted", what.name())),
                    Some((most, screen)) if *most > bound => Some(format!(
                        "{}: {} instructions, more than {bound} (screen: {})",
                        what.name(),
                        most,
                        name(*screen)
                    )),
                    _ => None,
                }
            })
            .collect();
        if self.full {
            wrong.push("more was counted than there is room for: fewer voters".into());
        }
        wrong
    }
}

fn used(record: &Record, work: Work) -> u32 {
    record.used.get(work as usize).copied().unwrap_or(0)
}

/// A screen's name.
const fn name(screen: u8) -> &'static str {
    match screen {
        kind::IDLE => "idle",
        kind::WRONG_CARD => "wrong card",
        kind::PIN => "PIN",
        kind::LAST_TRY => "last try",
        kind::ADMITTING => "admitting",
        kind::CONTEST => "contest",
        kind::OVERVOTE => "too many chosen",
        kind::REVIEW => "review",
        kind::ENCRYPTING => "encrypting",
        kind::CODE => "code",
        kind::USED_UP => "challenges used up",
        kind::RECORDING => "recording",
        kind::OPENING => "opening",
        kind::WITHOUT => "end without a vote",
        kind::DONE => "done",
        kind::ABANDONED => "abandoned",
        kind::STILL_THERE => "still there",
        kind::LOCKED => "locked",
        kind::CALL => "call staff",
        kind::FAULT => "out of order",
        _ => "another",
    }
}

/// All work for the kiosk between two records.
fn between(from: &Record, to: &Record) -> u32 {
    [Work::Kiosk, Work::Page, Work::Picture]
        .into_iter()
        .fold(0, |sum: u32, work| {
            sum.wrapping_add(used(to, work).wrapping_sub(used(from, work)))
        })
}

impl fmt::Display for Counts {
    /// A table in Markdown, in millions of instructions.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millions = |instructions: u64| {
            let tens = instructions / 10_000;
            format!("{}.{:02}", tens / 100, tens % 100)
        };
        writeln!(
            f,
            "| million instructions | of | half take less than | most | on screen | at 160 MHz, ms | wanted |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|")?;
        for what in What::ALL {
            let screen = self
                .found
                .get(&what)
                .and_then(|found| found.iter().max())
                .map_or(0, |found| found.1);
            let mut found: Vec<u64> = self
                .found
                .get(&what)
                .into_iter()
                .flatten()
                .map(|(count, _)| *count)
                .collect();
            found.sort_unstable();
            let most = found.last().copied().unwrap_or(0);
            let half = found.get(found.len() / 2).copied().unwrap_or(0);
            writeln!(
                f,
                "| {} | {} | {} | {} | {} | {} | {} |",
                what.name(),
                found.len(),
                millions(half),
                millions(most),
                name(screen),
                most / 160_000,
                what.wanted().map_or_else(|| "-".to_owned(), millions)
            )?;
        }
        writeln!(
            f,
            "\n| touch to this screen | of | loop | presenter | renderer | the longest, in all |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|")?;
        for (screen, found) in &self.by_screen {
            let most = |part: &dyn Fn(&[u64; 3]) -> u64| found.iter().map(part).max().unwrap_or(0);
            writeln!(
                f,
                "| {} | {} | {} | {} | {} | {} |",
                name(*screen),
                found.len(),
                millions(most(&|[kiosk, _, _]| *kiosk)),
                millions(most(&|[_, page, _]| *page)),
                millions(most(&|[_, _, picture]| *picture)),
                millions(most(&|parts| parts.iter().sum()))
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mcu::count::Counts as Counter;

    /// A visit, written by the board's own code: where it puts what, and what becomes of it here.
    #[test]
    fn a_visit_is_taken_apart_into_what_was_asked() {
        let mut counter = Counter::new();
        let mut bytes = Vec::new();
        let mut ticks = 0;
        counter.switch(Work::Rest, ticks);
        let mut does = |work: Work, spent: u32, event: Event| {
            counter.switch(work, ticks);
            ticks += spent;
            bytes.extend(counter.record(event, ticks));
            counter.switch(Work::Rest, ticks);
            ticks += 1_000_000;
        };
        let whole = (WIDTH * HEIGHT) as u32;
        does(Work::Kiosk, 5, Event::Screen(kind::ADMITTING));
        does(Work::Kiosk, 700_000, Event::Screen(kind::CONTEST));
        does(Work::Picture, 200_000, Event::Picture(whole));
        does(Work::Kiosk, 100_000, Event::Finger(1));
        does(Work::Picture, 9_000, Event::Picture(500));
        does(Work::Picture, 0, Event::Finger(3));
        does(Work::Picture, 8_000, Event::Picture(500));
        does(Work::Stand, 999_999, Event::Screen(kind::ENCRYPTING));
        does(Work::Page, 1_000, Event::Screen(kind::ENCRYPTING));
        does(Work::Picture, 6_000, Event::Picture(whole));
        does(Work::Kiosk, 20_000, Event::Screen(kind::CODE));
        let mut counts = Counts::default();
        counts.add(u32::try_from(bytes.len() / RECORD).unwrap(), &bytes);
        let most = |what| {
            counts
                .found
                .get(&what)
                .and_then(|found| found.iter().max())
                .map(|found| found.0 / TICK)
        };
        assert_eq!(most(What::Admission), Some(700_000));
        assert_eq!(most(What::Ballot), Some(120_000));
        assert_eq!(most(What::After), Some(20_000));
        assert_eq!(most(What::Turn), Some(100_000));
        assert_eq!(most(What::Answer), Some(9_000));
        assert_eq!(most(What::Next), Some(15_000), "both pictures and the page");
        assert_eq!(most(What::Full), Some(200_000));
        assert_eq!(most(What::Recording), None);
        let wrong = counts.wrong();
        // 6 million for the ballot, 10 for the picture, 1 after the choice: all within; nobody cast.
        assert!(
            wrong.len() == 1 && wrong.concat().contains("never counted"),
            "{wrong:?}"
        );
        counts.add(u32::MAX, &[]);
        assert_eq!(counts.wrong().len(), 2, "more than there is room for");
    }
}
