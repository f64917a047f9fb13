//! Who the processor worked for, and what happened meanwhile: a record an event, in memory that somebody outside reads. For a board inside an
//! emulator that counts instructions; a board that one can buy has none of it.
//!
//! The program says when it begins to work for somebody else ([`switch`](Counts::switch)); what the counter moved until then is put to whoever it
//! worked for before. So parts that call one another are told apart, and nothing is counted twice.
//!
//! What this must never know: what was chosen, typed or drawn.

/// Who the processor works for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Work {
    /// Nobody: it rests, or an interrupt is looked at.
    Rest = 0,
    /// The kiosk's loop: session, cards, cryptography, media.
    Kiosk = 1,
    /// The presenter: what stands where on a page.
    Page = 2,
    /// The renderer.
    Picture = 3,
    /// What only an emulated board does: telling the host what it shows. In no sum.
    Stand = 4,
}

/// How many.
pub const WORKS: usize = 5;

/// Something that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A screen is shown; the first byte of [`crate::sight`].
    Screen(u8),
    /// A finger came down (1), moved (2) or left (3).
    Finger(u8),
    /// A picture is drawn; so many pixels were drawn anew.
    Picture(u32),
}

/// Bytes of a record: what, which, two zeros, the pixels; then what was used for [`Work`]s 1 to 4 since the start, and the longest turn
/// of [`Work::Kiosk`], or stretch of one, since the record before, in ticks of the counter. Numbers are little-endian and wrap.
pub const RECORD: usize = 32;

/// A record as it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// What happened.
    pub event: Event,
    /// Ticks used for each [`Work`] since the start.
    pub used: [u32; WORKS],
    /// The longest turn of the kiosk's loop since the record before.
    pub turn: u32,
}

/// What is counted.
#[derive(Debug)]
pub struct Counts {
    used: [u32; WORKS],
    now: Work,
    since: u32,
    turn: u32,
    longest: u32,
}

impl Default for Counts {
    fn default() -> Self {
        Self::new()
    }
}

impl Counts {
    /// At rest.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            used: [0; WORKS],
            now: Work::Rest,
            since: 0,
            turn: 0,
            longest: 0,
        }
    }

    /// From now on the processor works for somebody else. `ticks`: the counter, upwards, wrapping. Gives who it worked for before.
    pub fn switch(&mut self, work: Work, ticks: u32) -> Work {
        let spent = ticks.wrapping_sub(self.since);
        if let Some(used) = self.used.get_mut(self.now as usize) {
            *used = used.wrapping_add(spent);
        }
        if self.now == Work::Kiosk {
            self.turn = self.turn.wrapping_add(spent);
            self.longest = self.longest.max(self.turn);
        }
        if matches!(work, Work::Rest | Work::Picture) {
            self.turn = 0;
        }
        self.since = ticks;
        core::mem::replace(&mut self.now, work)
    }

    /// A record of what happens now.
    pub fn record(&mut self, event: Event, ticks: u32) -> [u8; RECORD] {
        self.switch(self.now, ticks);
        let (what, which, pixels) = match event {
            Event::Screen(kind) => (1, kind, 0),
            Event::Finger(phase) => (2, phase, 0),
            Event::Picture(pixels) => (3, 0, pixels),
        };
        self.turn = 0;
        let [_, kiosk, page, picture, stand] = self.used;
        let words = [
            u32::from_le_bytes([what, which, 0, 0]),
            pixels,
            kiosk,
            page,
            picture,
            stand,
            core::mem::take(&mut self.longest),
            0,
        ];
        let mut bytes = [0; RECORD];
        for (to, from) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(words) {
            *to = from.to_le_bytes();
        }
        bytes
    }
}

/// Reads a record.
#[must_use]
pub fn read(bytes: &[u8; RECORD]) -> Option<Record> {
    let mut words = bytes.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word));
    let [what, which, ..] = words.next()?.to_le_bytes();
    let pixels = words.next()?;
    let event = match what {
        1 => Event::Screen(which),
        2 => Event::Finger(which),
        3 => Event::Picture(pixels),
        _ => return None,
    };
    let used = [0, words.next()?, words.next()?, words.next()?, words.next()?];
    let turn = words.next()?;
    Some(Record { event, used, turn })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_is_put_to_whoever_used_it_also_when_the_counter_wraps() {
        let mut counts = Counts::new();
        let begin = u32::MAX - 10;
        counts.switch(Work::Rest, begin);
        let at = |ticks: u32| begin.wrapping_add(ticks);
        counts.switch(Work::Kiosk, at(5));
        // Inside the kiosk's turn a page is made, and the host told of it.
        let before = counts.switch(Work::Page, at(12));
        let inner = counts.switch(Work::Stand, at(15));
        assert_eq!((before, inner), (Work::Kiosk, Work::Page));
        counts.switch(inner, at(115));
        counts.switch(before, at(118));
        let record = read(&counts.record(Event::Screen(7), at(120))).unwrap();
        assert_eq!(record.event, Event::Screen(7));
        assert_eq!(record.used, [0, 9, 6, 0, 100]);
        assert_eq!(record.turn, 9, "a turn goes on behind what it calls");
        counts.switch(Work::Picture, at(121));
        let record = read(&counts.record(Event::Picture(800), at(130))).unwrap();
        assert_eq!((record.event, record.used), (Event::Picture(800), [0, 10, 6, 9, 100]));
        counts.switch(Work::Kiosk, at(140));
        let record = read(&counts.record(Event::Finger(3), at(143))).unwrap();
        assert_eq!((record.event, record.turn), (Event::Finger(3), 3));
        assert_eq!(read(&[0; RECORD]), None, "nothing was written there");
    }
}
