//! A voter who sees nothing: headphones, a card, a PIN, three keys. Knows what was heard, and nothing else: neither screen nor view.

use std::collections::BTreeSet;
use std::rc::Rc;

use anyhow::{Result, bail, ensure};
use panel::Panel;
use panel::audio::{Key, Speech, pieces};
use panel::render::Headless;
use panel::words::{Language, Word};

use super::recorder::Recorder;
use crate::world::booth::Booth;
use crate::world::reader::Card;
use crate::world::time::Timeline;

/// Keys pressed at most: no ballot needs so many.
const MOST: u32 = 4_000;
/// Longest wait for something to be said, in milliseconds.
const PATIENCE: u64 = 60_000;

/// What a voter by ear did and heard.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Diary {
    /// Names that were said to be chosen, in order.
    pub chosen: Vec<String>,
    /// Names heard again in the review (A3).
    pub reviewed: Vec<String>,
    /// The tracking code as it was spelled.
    pub code: String,
    /// Keys pressed.
    pub keys: u32,
    /// Clips heard.
    pub clips: usize,
    /// Seconds from headphones in to card out.
    pub seconds: u64,
}

/// What goes through a voter's mind: names to choose.
pub struct Mind {
    /// Names as they are said, each chosen once.
    pub wishes: Vec<String>,
    /// The card's PIN.
    pub pin: String,
    /// Pulls the headphones out in the middle of the ballot, and puts them in again.
    pub slips: bool,
}

/// Hands and ears.
pub struct Voter {
    /// The panel in memory.
    pub headless: Rc<Headless>,
    /// The headphones.
    pub recorder: Recorder,
    /// The world's time, with which the panel's goes.
    pub time: Rc<Timeline>,
    /// Where the voter stands: only for the card slot.
    pub booth: Booth,
    /// Language that is heard.
    pub language: &'static Language,
    /// What is said since the last key.
    pub diary: Diary,
    synced: u64,
}

impl Voter {
    /// Somebody who has not begun.
    #[must_use]
    pub fn new(
        headless: Rc<Headless>,
        recorder: Recorder,
        time: Rc<Timeline>,
        booth: Booth,
        language: &'static Language,
    ) -> Self {
        Self {
            synced: time.now(),
            headless,
            recorder,
            time,
            booth,
            language,
            diary: Diary::default(),
        }
    }

    fn panel(&self) -> &Panel {
        &self.headless.panel
    }

    /// The panel's clock goes with the world's.
    fn sync(&mut self) {
        let now = self.time.now();
        self.headless.advance(now - self.synced);
        self.synced = now;
    }

    fn word(&self, word: Word) -> String {
        let said = pieces(&Speech::from(word), self.language, &|_| true);
        said.first().map(|piece| piece.text.clone()).unwrap_or_default()
    }

    /// Waits until something was said and it is silent again; what was said.
    async fn listen(&mut self) -> Result<Vec<String>> {
        let mut said = Vec::new();
        let end = self.time.now() + PATIENCE;
        let mut quiet = 0;
        loop {
            self.time.sleep(100).await;
            self.sync();
            let rest = self.recorder.rest();
            self.time.sleep(rest).await;
            self.sync();
            let now: Vec<String> = self.recorder.heard().into_iter().map(|heard| heard.text).collect();
            quiet = if now.is_empty() && rest == 0 { quiet + 1 } else { 0 };
            said.extend(now);
            // What is answered later (a ballot is sealed, a record is written) comes within a second.
            if quiet >= 10 && !said.is_empty() {
                self.diary.clips += said.len();
                return Ok(said);
            }
            ensure!(self.time.now() < end, "nothing is said for a minute, after {said:?}");
        }
    }

    async fn press(&mut self, key: Key) -> Result<Vec<String>> {
        self.diary.keys += 1;
        ensure!(self.diary.keys < MOST, "no end is heard");
        self.time.sleep(600).await;
        self.sync();
        self.panel().key(key);
        self.listen().await
    }

    /// Onward until this is said; what was said with it.
    async fn find(&mut self, wanted: &str) -> Result<Vec<String>> {
        let last = self.word(Word::AudioLast);
        for key in [Key::Next, Key::Previous] {
            loop {
                let said = self.press(key).await?;
                if said.iter().any(|text| text == wanted) {
                    return Ok(said);
                }
                if said.contains(&last) || said.contains(&self.word(Word::AudioFirst)) {
                    break;
                }
            }
        }
        bail!("{wanted} is not heard")
    }

    async fn choose(&mut self, wanted: Word) -> Result<Vec<String>> {
        let wanted = self.word(wanted);
        self.find(&wanted).await?;
        self.press(Key::Select).await
    }

    /// From headphones in to card out; `pulls` is called when the card is about to be pulled.
    ///
    /// # Errors
    /// Something that has to be heard is not.
    pub async fn vote(&mut self, mind: &Mind, card: Card, pulls: impl Fn()) -> Result<()> {
        let began = self.time.now();
        self.sync();
        self.panel().headphones(true);
        let said = self.listen().await?;
        self.must(&said, Word::IdleTitle)?;
        if self.booth.slot.insert(card).is_some() {
            bail!("there is a card in the slot");
        }
        let mut said = self.listen().await?;
        self.must(&said, Word::PinTitle)?;
        for digit in mind.pin.chars() {
            let label = digit.to_string();
            self.find(&label).await?;
            let answer = self.press(Key::Select).await?;
            ensure!(
                answer.iter().all(|text| *text != label),
                "the digit is said: {answer:?}"
            );
        }
        said = self.choose(Word::PinEnter).await?;
        let mut wishes: Vec<String> = mind.wishes.clone();
        let mut slips = mind.slips;
        let review = self.word(Word::ReviewTitle);
        while !said.contains(&review) {
            said = self.contest(&mut wishes, &mut slips).await?;
        }
        ensure!(wishes.is_empty(), "not heard on the ballot: {wishes:?}");
        let (go, button) = (self.word(Word::ReviewGo), self.word(Word::AudioButton));
        let mut reviewed = BTreeSet::new();
        loop {
            let said = self.press(Key::Next).await?;
            if said.contains(&go) {
                break;
            }
            let names = said
                .into_iter()
                .filter(|text| mind.wishes.contains(text) && *text != button);
            reviewed.extend(names);
        }
        self.diary.reviewed = reviewed.into_iter().collect();
        let said = self.press(Key::Select).await?;
        self.must(&said, Word::CastTitle)?;
        self.diary.code = said.iter().filter(|text| text.chars().count() == 1).cloned().collect();
        let said = self.choose(Word::CastGo).await?;
        self.must(&said, Word::DoneTitle)?;
        pulls();
        self.booth.slot.pull();
        self.diary.seconds = (self.time.now() - began) / 1_000;
        let said = self.listen().await?;
        self.must(&said, Word::IdleTitle)?;
        self.panel().headphones(false);
        Ok(())
    }

    /// Through one contest; what is said of the next screen.
    async fn contest(&mut self, wishes: &mut Vec<String>, slips: &mut bool) -> Result<Vec<String>> {
        let onward = self.word(Word::Next);
        loop {
            let mut said = self.press(Key::Next).await?;
            if std::mem::take(slips) {
                self.slip().await?;
                said = self.press(Key::Repeat).await?;
            }
            if said.contains(&onward) {
                return self.press(Key::Select).await;
            }
            if let Some(at) = wishes.iter().position(|wish| said.contains(wish)) {
                let wish = wishes.remove(at);
                let answer = self.press(Key::Select).await?;
                ensure!(answer.contains(&wish), "{wish} is not confirmed: {answer:?}");
                self.must(&answer, Word::AudioNowChosen)?;
                self.diary.chosen.push(wish);
            }
        }
    }

    /// The headphones fall out: silence, whatever is pressed. In again, one hears where one is.
    async fn slip(&mut self) -> Result<()> {
        self.panel().headphones(false);
        let _ = self.recorder.heard();
        self.time.sleep(5_000).await;
        self.sync();
        self.panel().key(Key::Repeat);
        self.time.sleep(5_000).await;
        self.sync();
        let heard = self.recorder.heard();
        ensure!(heard.is_empty(), "without headphones one hears {heard:?}");
        self.panel().headphones(true);
        self.listen().await?;
        // Back to what one was on.
        self.press(Key::Previous).await?;
        self.press(Key::Next).await?;
        Ok(())
    }

    fn must(&self, said: &[String], word: Word) -> Result<()> {
        let wanted = self.word(word);
        ensure!(
            said.contains(&wanted),
            "{wanted:?} is not among what is heard: {said:?}"
        );
        Ok(())
    }
}
