//! The booth of one kiosk: its panel, its card slot, its lamp, and whoever stands in front of them.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;

use anyhow::{Result, bail};
use election::clips::Clips;
use election::pictures::Pictures;
use embassy_futures::select::{Either, select};
use kiosk::ports::{Lamp, Panel, Signals, Sound, TooLarge};
use kiosk::screen::{Screen, Touch};

use super::media::Slot;
use super::notify::Notify;
use super::reader::{Card, CardSlot};
use super::time::{MINUTE, SECOND, Timeline};
use super::view::View;
use super::watch::Watching;

/// Touches a panel keeps.
const QUEUE: usize = 16;
/// How long somebody waits for the kiosk to react before trying again.
const TRY_AGAIN: u64 = 5 * SECOND;
/// How often somebody tries the same on the same screen.
const TRIES: u32 = 6;
/// Looks and moves of one visit: the longest ballot has 64 contests of 60 options, and may be challenged three times.
const MOVES: u32 = 50_000;
/// How long somebody waits for a screen that changes by itself. Longer than the kiosk's own longest waits, and than storage that stalls
/// (83 minutes in Kani).
const PATIENCE: u64 = 180 * MINUTE;

/// The booth. Clones are the same one.
#[derive(Clone)]
pub struct Booth {
    inner: Rc<Inner>,
    /// The card slot.
    pub slot: CardSlot,
    time: Rc<Timeline>,
    trace: Option<Trace>,
}

/// Gets a line for every move: milliseconds, who, what they see, what they do. No digit of a PIN is in it.
pub type Trace = Rc<dyn Fn(&str)>;

/// A real panel in the booth: glass that a hand can touch, beside the people of the simulator.
pub trait Glass {
    /// Draws a screen.
    fn show(&self, screen: &Screen<'_>);
    /// How the names of the election look.
    ///
    /// # Errors
    /// [`TooLarge`].
    fn pictures(&self, pictures: &Pictures<'_>) -> Result<(), TooLarge>;
    /// What of the election can be heard.
    fn clips(&self, clips: Option<&Clips<'_>>) {
        let _ = clips;
    }

    /// The next touch. Dropping the future loses none.
    fn next(&self) -> Pin<Box<dyn Future<Output = Touch> + '_>>;
}

/// What somebody who stands in the booth notices.
pub enum Noticed<'n> {
    /// Another picture.
    View(&'n View),
    /// The kiosk takes a touch; what was on the panel then.
    Touch(Touch, &'n View),
    /// The lamp.
    Lamp(Lamp),
    /// A sound.
    Sound(Sound),
}

/// Gets what can be noticed in a booth, as it happens.
pub type Watcher = Rc<dyn Fn(Noticed<'_>)>;

struct Inner {
    glass: RefCell<Option<Rc<dyn Glass>>>,
    watcher: RefCell<Option<Watcher>>,
    view: RefCell<Rc<View>>,
    shown: Cell<u64>,
    changed: Notify,
    touches: RefCell<VecDeque<Touch>>,
    touched: Notify,
    lamp: Cell<Lamp>,
    done_sounds: Cell<u64>,
    celsius: Cell<Option<i16>>,
}

/// What a person does.
pub enum Move {
    /// Touches the panel.
    Touch(Touch),
    /// Puts a card in.
    Insert(Card),
    /// Pulls the card out.
    Pull,
    /// Waits for the screen to change by itself.
    Wait,
    /// Goes away.
    Leave,
}

impl fmt::Debug for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Touch(Touch::Digit(_)) => f.write_str("Digit"),
            Self::Touch(touch) => touch.fmt(f),
            Self::Insert(_) => f.write_str("Insert"),
            Self::Pull => f.write_str("Pull"),
            Self::Wait => f.write_str("Wait"),
            Self::Leave => f.write_str("Leave"),
        }
    }
}

impl Move {
    /// After so many milliseconds.
    #[must_use]
    pub const fn after(self, milliseconds: u64) -> Next {
        Next {
            after: milliseconds,
            then: self,
        }
    }
}

/// A move, and how many milliseconds of looking and thinking come before it.
pub struct Next {
    /// Milliseconds.
    pub after: u64,
    /// Then this.
    pub then: Move,
}

/// Somebody in front of a kiosk. Knows what is on the screen and what is in their own head, nothing else.
pub trait Person {
    /// Looks at the screen, and whether a card is in the slot, and decides. Asked again whenever the screen has changed, and
    /// when a move had no effect. A move that was decided may still not be made: the screen can change before.
    fn look(&mut self, view: &View, card_in: bool) -> Next;

    /// The move was made.
    fn made(&mut self, _: &Move) {}

    /// Who it is, for messages.
    fn name(&self) -> String;
}

impl Booth {
    /// A booth whose kiosk has no power yet.
    #[must_use]
    pub fn new(time: Rc<Timeline>, trace: Option<Trace>) -> Self {
        Self {
            inner: Rc::new(Inner {
                glass: RefCell::default(),
                watcher: RefCell::default(),
                view: RefCell::new(Rc::new(View::Dark)),
                shown: Cell::new(0),
                changed: Notify::default(),
                touches: RefCell::default(),
                touched: Notify::default(),
                lamp: Cell::new(Lamp::Off),
                done_sounds: Cell::new(0),
                celsius: Cell::new(Some(41)),
            }),
            slot: CardSlot::default(),
            time,
            trace,
        }
    }

    /// Fits a real panel, and somebody who watches.
    pub fn fit(&self, glass: Rc<dyn Glass>, watcher: Watcher) {
        *self.inner.glass.borrow_mut() = Some(glass);
        self.watch(watcher);
    }

    /// Somebody watches; whatever shows the screens is not of this process.
    pub fn watch(&self, watcher: Watcher) {
        *self.inner.watcher.borrow_mut() = Some(watcher);
    }

    /// The kiosk takes a touch that did not come through here.
    pub fn felt(&self, touch: Touch) {
        self.tell(Noticed::Touch(touch, &self.view()));
    }

    fn tell(&self, noticed: Noticed<'_>) {
        let watcher = self.inner.watcher.borrow().clone();
        if let Some(watcher) = watcher {
            watcher(noticed);
        }
    }

    fn draw(&self, screen: &Screen<'_>) {
        let glass = self.inner.glass.borrow().clone();
        if let Some(glass) = glass {
            glass.show(screen);
        }
    }

    /// The next touch of the people, or of a hand on the real panel.
    pub(crate) async fn next_touch(&self) -> Touch {
        let inner = &self.inner;
        let people = inner.touched.wait_for(|| inner.touches.borrow_mut().pop_front());
        let glass = inner.glass.borrow().clone();
        let touch = match &glass {
            None => people.await,
            Some(glass) => match select(people, glass.next()).await {
                Either::First(touch) | Either::Second(touch) => touch,
            },
        };
        self.tell(Noticed::Touch(touch, &self.view()));
        touch
    }

    /// What is on the panel.
    #[must_use]
    pub fn view(&self) -> Rc<View> {
        self.inner.view.borrow().clone()
    }

    /// The lamp.
    #[must_use]
    pub fn lamp(&self) -> Lamp {
        self.inner.lamp.get()
    }

    /// Makes the machine so warm inside; `None`: nothing measures.
    pub fn warm(&self, celsius: Option<i16>) {
        self.inner.celsius.set(celsius);
    }

    /// How often the sound of a recorded vote was played.
    #[must_use]
    pub fn done_sounds(&self) -> u64 {
        self.inner.done_sounds.get()
    }

    /// Puts a picture on the panel.
    pub fn put(&self, view: View) {
        let kind = self.inner.view.borrow().kind();
        if kind != view.kind() {
            self.inner.touches.borrow_mut().clear();
        }
        if view == View::Dark {
            self.draw(&Screen::Blank);
        }
        let view = Rc::new(view);
        *self.inner.view.borrow_mut() = view.clone();
        self.inner.shown.set(self.inner.shown.get() + 1);
        self.inner.changed.notify();
        self.tell(Noticed::View(&view));
    }

    /// A finger on the panel.
    pub fn touch(&self, touch: Touch) {
        let mut touches = self.inner.touches.borrow_mut();
        if touches.len() < QUEUE {
            touches.push_back(touch);
        }
        drop(touches);
        self.inner.touched.notify();
    }

    /// Waits until the panel shows something for which `wanted` holds.
    pub async fn wait_for(&self, mut wanted: impl FnMut(&View) -> bool) {
        self.inner
            .changed
            .wait_for(|| wanted(&self.inner.view.borrow()).then_some(()))
            .await;
    }

    async fn next_picture(&self, after: u64) {
        self.inner
            .changed
            .wait_for(|| (self.inner.shown.get() != after).then_some(()))
            .await;
    }

    /// Lets a person act until they leave.
    ///
    /// # Errors
    /// If the kiosk does not react to the same move tried several times, or a screen that should change by itself does not.
    pub async fn attend(&self, person: &mut dyn Person) -> Result<()> {
        let mut tries = 0;
        for _ in 0..MOVES {
            let shown = self.inner.shown.get();
            let view = self.view();
            let Next { after, then } = person.look(&view, self.slot.occupied());
            if let Move::Wait = then {
                match select(self.next_picture(shown), self.time.sleep(PATIENCE)).await {
                    Either::First(()) => tries = 0,
                    Either::Second(()) => bail!("{} waits for ever in front of {view:?}", person.name()),
                }
                continue;
            }
            if let Either::First(()) = select(self.next_picture(shown), self.time.sleep(after)).await {
                // Something else is on the screen: look again before acting.
                continue;
            }
            if let Some(trace) = &self.trace {
                trace(&format!("{} {}: {view:?} -> {then:?}", self.time.now(), person.name()));
            }
            person.made(&then);
            match then {
                Move::Touch(touch) => self.touch(touch),
                Move::Insert(card) => {
                    if self.slot.insert(card).is_some() {
                        bail!("{} finds a card in the slot", person.name());
                    }
                }
                Move::Pull => {
                    self.slot.pull();
                }
                Move::Leave => return Ok(()),
                Move::Wait => {}
            }
            match select(self.next_picture(shown), self.time.sleep(TRY_AGAIN)).await {
                Either::First(()) => tries = 0,
                Either::Second(()) => tries += 1,
            }
            if tries > TRIES {
                bail!("{} gets no reaction in front of {view:?}", person.name());
            }
        }
        bail!(
            "{} does not come to an end in front of {:?}",
            person.name(),
            self.view()
        )
    }
}

/// The kiosk's port to the panel, its lamp and its loudspeaker.
pub struct BoothPort {
    pub(super) booth: Booth,
    pub(super) slots: [Slot; 2],
    pub(super) watching: Watching,
}

impl Panel for BoothPort {
    fn show(&mut self, screen: &Screen<'_>) {
        self.booth.draw(screen);
        let view = View::of(screen);
        if let Some(watch) = self.watching.get() {
            watch.shown(&self.slots, &view);
        }
        self.booth.put(view);
    }

    fn pictures(&mut self, pictures: &Pictures<'_>) -> Result<(), TooLarge> {
        let glass = self.booth.inner.glass.borrow().clone();
        glass.map_or(Ok(()), |glass| glass.pictures(pictures))
    }

    fn clips(&mut self, clips: Option<&Clips<'_>>) {
        let glass = self.booth.inner.glass.borrow().clone();
        if let Some(glass) = glass {
            glass.clips(clips);
        }
    }

    async fn next(&mut self) -> Touch {
        self.booth.next_touch().await
    }
}

impl Signals for BoothPort {
    fn lamp(&mut self, lamp: Lamp) {
        self.booth.inner.lamp.set(lamp);
        self.booth.tell(Noticed::Lamp(lamp));
    }

    fn sound(&mut self, sound: Sound) {
        self.booth.tell(Noticed::Sound(sound));
        let sounds = &self.booth.inner.done_sounds;
        if sound == Sound::Done {
            sounds.set(sounds.get() + 1);
        }
    }

    fn celsius(&mut self) -> Option<i16> {
        self.booth.inner.celsius.get()
    }
}
