//! The panel: shows the kiosk's screens and gives touches, through any [`Surface`]. Language, text size, colours and paging are
//! its own, and gone when the next voter comes. It never sees a PIN, a card or a key, and keeps nothing of a screen that is
//! no longer shown.

use alloc::boxed::Box;
use alloc::rc::{Rc, Weak};
use core::cell::RefCell;
use core::future::poll_fn;
use core::task::{Poll, Waker};
use core::time::Duration;

use election::clips::Clips;
use election::manifest::Texts;
use election::pictures::Pictures;
use heapless::Deque;
use kiosk::ports::TooLarge;
use kiosk::screen::{Screen, Touch};

use crate::audio::{self, Ear, Key, Sound, Voice};
use crate::compose::{self, Settings, kind};
use crate::layout::{self, Area, Page, Style};
use crate::metrics::{Config, ConfigError, Metrics};
use crate::pen;
use crate::pictures::Set;
use crate::practice::Practice;
use crate::scene::{Act, Block, Button, Part, Scene, Shape};
use crate::surface::{PEN, Surface};
use crate::touch::{Filter, KEY, QUEUE};
use crate::words::{LANGUAGES, Say, Word};

/// Settings made at the idle screen, and a practice, are forgotten after so long: whoever made them has walked away.
const FORGET: Duration = Duration::from_secs(90);

/// So many characters of names are drawn beforehand in a turn, some 0.1 million instructions each; a finger waits for one turn at most, and a board's
/// watchdog sees each.
const TURN: usize = 4;

/// A panel. Clones are the same panel.
#[derive(Clone)]
pub struct Panel {
    inner: Rc<Inner>,
}

struct Inner {
    surface: Box<dyn Surface>,
    metrics: Metrics,
    clock: Box<dyn Fn() -> u64>,
    state: RefCell<State>,
    forget: slint::Timer,
    prepare: slint::Timer,
}

struct State {
    scene: Scene,
    /// Somebody practises over a screen of staff's (U10).
    practice: Option<Practice>,
    over: Option<Over>,
    settings: Settings,
    /// What a voter meets first.
    home: Settings,
    page: usize,
    over_page: usize,
    shown: Page,
    filter: Filter,
    queue: Deque<Touch, QUEUE>,
    /// How the names of the election look.
    pictures: Set,
    /// Bytes they may take.
    pictures_room: usize,
    /// Whether staff are offered an update of the software.
    updates: bool,
    /// Whoever listens and presses keys.
    ear: Ear,
    /// The picture follows a key to what it is on; a finger may turn away from it.
    follow: bool,
    waker: Option<Waker>,
}

impl State {
    /// To the kiosk. Full: the newest is dropped, and the voter touches again.
    fn send(&mut self, touch: Touch) {
        let _ = self.queue.push_back(touch);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// The panel's own pages over a screen.
enum Over {
    Settings,
    Other(alloc::vec::Vec<Button>),
}

impl Panel {
    /// A panel on a surface. `clock` gives milliseconds since some moment, never backwards; it only tells one tap from two.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn new(
        surface: impl Surface + 'static,
        config: Config,
        clock: impl Fn() -> u64 + 'static,
    ) -> Result<Self, ConfigError> {
        let metrics = Metrics::new(config)?;
        let inner = Rc::new(Inner {
            surface: Box::new(surface),
            metrics,
            clock: Box::new(clock),
            state: RefCell::new(State {
                scene: Scene::new(kind::BLANK, "blank", Shape::Blank, Say::plain("")),
                practice: None,
                over: None,
                settings: Settings::default(),
                home: Settings::default(),
                page: 0,
                over_page: 0,
                shown: Page::default(),
                filter: Filter::default(),
                queue: Deque::new(),
                pictures: Set::default(),
                pictures_room: usize::MAX,
                updates: false,
                ear: Ear::default(),
                follow: false,
                waker: None,
            }),
            forget: slint::Timer::default(),
            prepare: slint::Timer::default(),
        });
        let with = |f: fn(&Rc<Inner>, i32, bool)| {
            let weak = Rc::downgrade(&inner);
            move |id: i32, near: bool| {
                if let Some(inner) = Weak::upgrade(&weak) {
                    f(&inner, id, near);
                }
            }
        };
        let (pressed, released, activated) = (with(Inner::pressed), with(Inner::released), with(Inner::activated));
        inner.surface.connect(
            Box::new(move |id| pressed(id, true)),
            Box::new(released),
            Box::new(move |id| activated(id, true)),
        );
        inner.draw();
        Ok(Self { inner })
    }

    /// Shows a screen. Touches queued for a screen of another kind are dropped.
    pub fn show(&self, screen: &Screen<'_>) {
        let mut scene = compose::scene(screen);
        {
            let mut state = self.inner.state.borrow_mut();
            if scene.name == "staff-menu"
                && let Some(voice) = state.ear.voice()
            {
                scene = scene.block(Block::Pair(Word::StaffVoice.into(), voice_word(voice).into()));
            }
            if state.updates {
                scene = compose::with_update(screen, scene);
            }
            if scene.kind != state.scene.kind {
                state.queue.clear();
                state.over = None;
                state.practice = None;
                state.page = 0;
                state.filter.changed((self.inner.clock)());
                if scene.kind == kind::IDLE {
                    state.settings = state.home;
                    state.ear.reset();
                }
            }
            if scene == state.scene {
                return;
            }
            if scene.kind == kind::STAFF && before_rows(&scene) != before_rows(&state.scene) {
                // An alarm has come or gone, and moved what a finger aims at.
                state.filter.turned((self.inner.clock)());
            }
            state.scene = scene;
        }
        self.inner.draw();
    }

    /// Shows what keeps a machine from beginning, instead of a screen of a kiosk.
    pub fn repair(&self, repair: &compose::Repair<'_>) {
        self.inner.state.borrow_mut().scene = compose::repair(repair);
        self.inner.draw();
    }

    /// From now on the election's names are drawn from these pictures. Those of an earlier package are let go first: a board has not room for two.
    /// Their characters are drawn beforehand in the sizes that a voter meets first, a few a turn of whoever runs Slint's timers.
    ///
    /// # Errors
    /// [`TooLarge`]: they need more memory than [`Panel::limit_pictures`] gives them.
    pub fn pictures(&self, pictures: &Pictures<'_>) -> Result<(), TooLarge> {
        self.inner.state.borrow_mut().pictures = Set::default();
        // Names in a font, for a moment that nobody sees: what another package says in the same words is a line that has changed.
        self.inner.draw();
        let taken = {
            let mut state = self.inner.state.borrow_mut();
            Set::new(pictures, state.pictures_room).map(|set| state.pictures = set)
        };
        let weak = Rc::downgrade(&self.inner);
        let every = Duration::from_millis(1);
        self.inner.prepare.start(slint::TimerMode::Repeated, every, move || {
            if let Some(inner) = weak.upgrade()
                && !inner.prepare()
            {
                inner.prepare.stop();
            }
        });
        self.inner.draw();
        taken
    }

    /// Whether every language's text of these can be shown with the pictures that were given last. A host has the font's outlines, and its desk has refused
    /// what they lack; on a board, what has neither pictures nor letters would be blank, and nobody would be told.
    #[must_use]
    pub fn draws(&self, texts: Texts<'_>) -> bool {
        !PEN || self.draws_from_fields(texts)
    }

    fn draws_from_fields(&self, texts: Texts<'_>) -> bool {
        let say = Say::from(texts);
        let state = self.inner.state.borrow();
        LANGUAGES
            .iter()
            .flat_map(|language| [Some(say.text(language)), say.reading(language)])
            .flatten()
            .all(|text| state.pictures.covers(&text) || pen::covers(&text))
    }

    /// Pictures and what is drawn of them beforehand may take so many bytes of memory from now on: for whoever has not as much as a package may need.
    pub fn limit_pictures(&self, bytes: usize) {
        self.inner.state.borrow_mut().pictures_room = bytes;
    }

    /// From now on there is somebody who plays clips. `by_keys`: headphones cannot be felt, so the first key of a visit begins to speak.
    pub fn connect_sound(&self, sound: Box<dyn Sound>, by_keys: bool) {
        self.inner.state.borrow_mut().ear.connect(sound, by_keys);
    }

    /// What the package has to be heard, if anything.
    pub fn clips(&self, clips: Option<&Clips<'_>>) {
        self.inner.state.borrow_mut().ear.clips(clips);
    }

    /// Whether the machine takes updates: told at each start.
    pub fn updates(&self, takes: bool) {
        self.inner.state.borrow_mut().updates = takes;
    }

    /// Headphones go in or out.
    pub fn headphones(&self, plugged: bool) {
        self.inner.state.borrow_mut().ear.headphones(plugged);
    }

    /// A key of the keypad goes down. It does what a tap on the same thing does, through the same filter. A keypad may do so at any
    /// time, fingers too.
    pub fn key(&self, key: Key) {
        self.inner.key(key);
    }

    /// The next touch, as soon as there is one. Dropping the future loses none.
    pub async fn next(&self) -> Touch {
        poll_fn(|context| {
            let mut state = self.inner.state.borrow_mut();
            match state.queue.pop_front() {
                Some(touch) => Poll::Ready(touch),
                None => {
                    state.waker = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// The touch that waits, if there is one.
    #[must_use]
    pub fn try_next(&self) -> Option<Touch> {
        self.inner.state.borrow_mut().queue.pop_front()
    }

    /// The voter's settings: for a program that renders screens. The next idle screen resets them.
    pub fn set(&self, settings: Settings) {
        self.inner.state.borrow_mut().settings = settings;
        self.inner.draw();
    }

    /// What a voter meets first, instead of the first language in normal size: idle screens return to it.
    pub fn set_home(&self, settings: Settings) {
        self.inner.state.borrow_mut().home = settings;
        self.set(settings);
    }

    /// Settings now.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.inner.state.borrow().settings
    }

    /// Practice, or its end: for a program that renders screens; at a kiosk staff start it from their menu.
    pub fn practise(&self, practice: Option<Practice>) {
        {
            let mut state = self.inner.state.borrow_mut();
            (state.practice, state.page) = (practice, 0);
        }
        self.inner.draw();
    }

    /// Turns to a page of the screen shown, as the voter's touch does.
    pub fn turn(&self, page: usize) {
        {
            let mut state = self.inner.state.borrow_mut();
            if state.over.is_some() {
                state.over_page = page;
            } else {
                state.page = page;
            }
        }
        self.inner.draw();
    }

    /// Opens the page for language, size and colours over the screen shown, as the voter's touch does.
    pub fn open_settings(&self) {
        self.open(Over::Settings);
    }

    /// Opens the page with the buttons that had no room; on a panel that has room for all of them, with those that are always there.
    pub fn open_other(&self) {
        let buttons = {
            let state = self.inner.state.borrow();
            let mut buttons = state.shown.rest.clone();
            if buttons.is_empty() {
                let always = state.scene.buttons.iter().filter(|button| button.part == Part::Always);
                buttons.extend(always.cloned());
            }
            buttons
        };
        self.open(Over::Other(buttons));
    }

    fn open(&self, over: Over) {
        {
            let mut state = self.inner.state.borrow_mut();
            (state.over, state.over_page) = (Some(over), 0);
        }
        self.inner.draw();
    }

    /// What a key is on, if somebody uses keys: for tests.
    #[must_use]
    pub fn focus(&self) -> Option<Act> {
        self.inner.state.borrow().ear.focus()
    }

    /// What is drawn now, without a copy of it: for whoever writes the letters.
    pub fn with_page(&self, f: impl FnOnce(&Page)) {
        f(&self.inner.state.borrow().shown);
    }

    /// What is drawn now: for tests, and for rendered lists.
    #[must_use]
    pub fn page(&self) -> Page {
        self.inner.state.borrow().shown.clone()
    }

    /// Name of the scene that is drawn now.
    #[must_use]
    pub fn name(&self) -> &'static str {
        let state = self.inner.state.borrow();
        match state.over {
            None => state
                .practice
                .map_or(state.scene.name, |practice| compose::practice(&practice).name),
            Some(Over::Settings) => "settings",
            Some(Over::Other(_)) => "other",
        }
    }

    /// The panel's numbers.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.inner.metrics
    }
}

impl kiosk::ports::Panel for Panel {
    fn show(&mut self, screen: &Screen<'_>) {
        Self::show(self, screen);
    }

    fn pictures(&mut self, pictures: &Pictures<'_>) -> Result<(), TooLarge> {
        Self::pictures(self, pictures)
    }

    fn draws(&self, texts: Texts<'_>) -> bool {
        Self::draws(self, texts)
    }

    fn clips(&mut self, clips: Option<&Clips<'_>>) {
        Self::clips(self, clips);
    }

    fn updates(&mut self, takes: bool) {
        Self::updates(self, takes);
    }

    async fn next(&mut self) -> Touch {
        Self::next(self).await
    }
}

impl Inner {
    /// A turn of drawing names' characters beforehand; whether there is more to do.
    fn prepare(&self) -> bool {
        let mut state = self.state.borrow_mut();
        let kinds = self.metrics.type_of(state.home.size);
        state.pictures.prepare([kinds.body, kinds.small, kinds.title], TURN)
    }

    fn draw(&self) {
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        let practice = state.practice.as_ref().map(compose::practice);
        let mut over = match &state.over {
            None => None,
            Some(Over::Settings) => {
                let under = practice.as_ref().unwrap_or(&state.scene);
                Some(compose::settings_over(under, state.settings))
            }
            Some(Over::Other(buttons)) => Some(compose::other(state.scene.kind, buttons.clone())),
        };
        if let (Some(over), Some(practice)) = (&mut over, &practice) {
            over.banner.clone_from(&practice.banner);
        }
        let (scene, number) = match (&over, &practice) {
            (Some(scene), _) => (scene, state.over_page),
            (None, Some(scene)) => (scene, state.page),
            (None, None) => (&state.scene, state.page),
        };
        let mut page = layout::page(scene, state.settings, &self.metrics, number);
        if let Some(language) = LANGUAGES.get(state.settings.language) {
            state.pictures.dress(&mut page, &scene.definition(language));
        }
        // Only this picture is lit: what comes behind it may be the ballot, and is as dark as the voter has made it (U9).
        let lit = practice.is_none() && compose::for_staff(state.scene.kind);
        state.ear.shown(scene, state.settings, lit);
        if let Some(focus) = state.ear.focus() {
            let there = |page: &Page| page.areas.iter().position(|area| area.act == Some(focus));
            if state.follow && there(&page).is_none() {
                // A screen has a few pages: the one with what the key is on is looked for.
                let found = (0..page.count)
                    .map(|number| layout::page(scene, state.settings, &self.metrics, number))
                    .find(|page| there(page).is_some());
                if let Some(found) = found {
                    page = found;
                    // Nobody whose finger is on the glass has read this page.
                    state.filter.turned((self.clock)());
                    if let Some(language) = LANGUAGES.get(state.settings.language) {
                        state.pictures.dress(&mut page, &scene.definition(language));
                    }
                }
            }
            if let Some(area) = there(&page).and_then(|at| page.areas.get(at)) {
                // Behind all others, so that no finger's place changes.
                page.areas.push(frame(area, &self.metrics));
            }
        }
        state.follow = false;
        if over.is_some() {
            state.over_page = page.index;
        } else {
            state.page = page.index;
        }
        let theme = if state.ear.blank() {
            page = dark(&page, &self.metrics, state.settings);
            BLACK
        } else {
            state.settings.theme
        };
        self.surface.draw(&page, theme, &self.metrics);
        state.shown = page;
    }

    fn key(self: &Rc<Self>, key: Key) {
        let begins = self.state.borrow_mut().ear.begin();
        if begins {
            self.draw();
        }
        let (reaction, present) = {
            let mut state = self.state.borrow_mut();
            if state.practice.is_none() && state.over.is_none() && !audio::listens(&state.scene) {
                return;
            }
            let reaction = state.ear.key(key);
            state.follow = true;
            let present = state.practice.is_none() && compose::voting(state.scene.kind) && state.queue.is_empty();
            (reaction, present)
        };
        match reaction.act {
            Some(act) if self.passes(KEY, act) => self.act(act),
            // Who listens for long is there all the same (A20): the kiosk's patience begins anew.
            None if present => self.send(Touch::Here),
            _ => {}
        }
        // What is set by keys where nobody votes ends with time, too.
        self.forget_later();
        if reaction.draw {
            self.draw();
        }
    }

    fn act_of(&self, id: i32) -> Option<(usize, Act)> {
        let index = usize::try_from(id).ok()?;
        let act = self.state.borrow().shown.areas.get(index)?.act?;
        Some((index, act))
    }

    fn pressed(self: &Rc<Self>, id: i32, _: bool) {
        if let Some((index, _)) = self.act_of(id) {
            self.state.borrow_mut().filter.pressed(index, (self.clock)());
        }
    }

    fn released(self: &Rc<Self>, id: i32, near: bool) {
        if let Some((index, act)) = self.act_of(id) {
            let counts = self
                .state
                .borrow_mut()
                .filter
                .released(index, near, act, (self.clock)());
            if counts {
                self.act(act);
            }
        }
    }

    /// A screen reader's or a keypad's action: no finger, so nothing to forgive; but never on a picture that has just come.
    fn activated(self: &Rc<Self>, id: i32, _: bool) {
        if let Some((index, act)) = self.act_of(id)
            && self.passes(index, act)
        {
            self.act(act);
        }
    }

    fn send(&self, touch: Touch) {
        self.state.borrow_mut().send(touch);
    }

    fn passes(&self, index: usize, act: Act) -> bool {
        let now = (self.clock)();
        let filter = &mut self.state.borrow_mut().filter;
        filter.pressed(index, now);
        let held = if act.held() { crate::touch::HOLD } else { 0 };
        filter.released(index, true, act, now + held)
    }

    fn act(self: &Rc<Self>, act: Act) {
        {
            let mut state = self.state.borrow_mut();
            let now = (self.clock)();
            match act {
                Act::Send(touch) | Act::Hold(touch) => {
                    state.send(touch);
                    if touch == Touch::CallStaff && compose::holds_choice(state.scene.kind) {
                        // What covers the choice goes on covering it until the kiosk's own screen does (U9).
                        return;
                    }
                    if state.over.take().is_none() {
                        return;
                    }
                    state.filter.changed(now);
                }
                Act::Practice(touch) => {
                    let closed = state.over.take().is_some();
                    let Some(practice) = state.practice else { return };
                    let next = practice.touched(touch);
                    if practice.moved(&next) || closed {
                        state.page = 0;
                        state.filter.changed(now);
                    }
                    if next.place == crate::practice::Place::Start {
                        state.settings = state.home;
                        state.ear.reset();
                    }
                    state.practice = Some(next);
                }
                Act::StartPractice | Act::EndPractice => {
                    state.practice = (act == Act::StartPractice).then(Practice::default);
                    (state.over, state.page, state.settings) = (None, 0, state.home);
                    // Whoever practised in the dark has gone.
                    state.ear.lighten();
                    state.filter.changed(now);
                }
                Act::NextPage | Act::PreviousPage => {
                    let turned = |page: usize| {
                        if act == Act::NextPage {
                            page + 1
                        } else {
                            page.saturating_sub(1)
                        }
                    };
                    if state.over.is_some() {
                        state.over_page = turned(state.over_page);
                    } else {
                        state.page = turned(state.page);
                    }
                    state.filter.changed(now);
                }
                Act::Settings => {
                    (state.over, state.over_page) = (Some(Over::Settings), 0);
                    state.filter.changed(now);
                }
                Act::Other => {
                    (state.over, state.over_page) = (Some(Over::Other(state.shown.rest.clone())), 0);
                    state.filter.changed(now);
                }
                Act::Close => {
                    state.over = None;
                    state.filter.changed(now);
                }
                // What stands under the finger may have moved.
                Act::Language(language) => {
                    state.settings.language = language;
                    state.filter.changed(now);
                }
                Act::Size(size) => {
                    state.settings.size = size;
                    state.filter.changed(now);
                }
                Act::Theme(theme) => {
                    state.settings.theme = theme;
                    state.filter.changed(now);
                }
                Act::Wake => {
                    state.ear.wake();
                    // Whoever touched the dark panel saw no button.
                    state.filter.changed(now);
                }
            }
        }
        let present = {
            let state = self.state.borrow();
            state.practice.is_none() && compose::voting(state.scene.kind) && state.queue.is_empty()
        };
        if present {
            // Who turns pages or changes the text's size is there (A20), though the kiosk is told nothing else of it.
            self.send(Touch::Here);
        }
        self.forget_later();
        self.draw();
    }

    /// At the idle screen nobody's voting ends the settings, so time does.
    fn forget_later(self: &Rc<Self>) {
        let weak = Rc::downgrade(self);
        self.forget.start(slint::TimerMode::SingleShot, FORGET, move || {
            if let Some(inner) = weak.upgrade() {
                {
                    let mut state = inner.state.borrow_mut();
                    if state.practice.is_some() {
                        state.practice = Some(Practice::default());
                    } else if state.scene.kind != kind::IDLE {
                        return;
                    }
                    state.settings = state.home;
                    state.ear.reset();
                    state.over = None;
                    state.page = 0;
                }
                inner.draw();
            }
        });
    }
}

/// Black ground.
const BLACK: u8 = 2;

const fn voice_word(voice: Voice) -> Word {
    match voice {
        Voice::Ready => Word::StaffVoiceReady,
        Voice::NoClips => Word::StaffVoiceNoClips,
        Voice::NoDevice => Word::StaffVoiceNoDevice,
    }
}

/// What stands before the first thing that can be done.
fn before_rows(scene: &Scene) -> &[Block] {
    let row = scene.body.iter().position(|block| matches!(block, Block::Row { .. }));
    scene.body.get(..row.unwrap_or(0)).unwrap_or_default()
}

/// A frame around what a key is on.
fn frame(area: &Area, metrics: &Metrics) -> Area {
    let out = metrics.stroke * 3;
    let (x, y) = ((area.x - out).max(0), (area.y - out).max(0));
    Area {
        x,
        y,
        width: (area.x + area.width + out).min(metrics.width) - x,
        height: (area.y + area.height + out).min(metrics.height) - y,
        style: Style::Alarm,
        act: None,
        mark: 0,
        chosen: false,
        says: alloc::string::String::new(),
    }
}

/// Nothing to be seen; a touch anywhere brings the picture back, and is told in the headphones.
fn dark(page: &Page, metrics: &Metrics, settings: Settings) -> Page {
    let language = LANGUAGES.get(settings.language).or(LANGUAGES.first());
    let anywhere = Area {
        x: 0,
        y: 0,
        width: metrics.width,
        height: metrics.height,
        style: Style::Invisible,
        act: Some(Act::Wake),
        mark: 0,
        chosen: false,
        says: language.map_or_else(Default::default, |language| language.word(Word::AudioWake).into()),
    };
    Page {
        areas: alloc::vec![anywhere],
        index: page.index,
        count: page.count,
        size: page.size,
        ..Page::default()
    }
}

#[cfg(test)]
mod tests;
