//! A day of polls: opening, voters one after the other, closing.

use election::ballot::{Ahead, Election, Layout, Secret};
use election::closing::{LABEL_STAFF_CLOSE, LABEL_STAFF_OPEN, staff_close_message, staff_open_message};
use election::hash::Digest;
use election::opening;
use election::package::Package;
use election::roll::Delta;
use election::sign::Signer;
use election::tag::ElectionSecret;
use embassy_futures::select::{Either, Either4, select, select4};
use embassy_futures::yield_now;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::mutex::Mutex;
use zeroize::Zeroize as _;

use super::ahead::{Reading, fault};
use super::judge::shapes;
use super::render::screen;
use super::vault::{About, Vault, housekeeping};
use super::{Config, Stop};
use crate::admission::{self, Gate, Refusal};
use crate::audit::Event;
use crate::ballot_box::{Counts, MediaFault, RECORD_HEADER, Role};
use crate::form::Form;
use crate::ports::{CardReader, Clock, Item, Lamp, Panel, Platform, ReaderError, Signals, Store as _};
use crate::random::Random;
use crate::screen::{
    Fault, Phase as KioskPhase, Recorded, Room, Screen, StaffAction, StaffScreen, StaffTouch, Touch, ZeroReport,
};
use crate::session::{
    Aside, CHALLENGES, Effect, Input, MAX_CONTESTS, Phase, PinDigits, Place, Record, Selected, State, Tag, WrongCard,
};
use crate::staff::{Act, Desk};
use crate::update::Refused;

/// Tags that challenged lately, so that leaving and coming back does not give more challenges. Only in memory; the quota on the media bounds the rest.
const CHALLENGED: usize = 32;
/// The staff menu closes when nobody touches it.
const MENU_TIMEOUT: u32 = 60_000;
/// So often what stands on it is looked at again: a clock that stands still, or a cable that was put right, would be a false sentence.
const MENU_REFRESH: u32 = 10_000;

pub(crate) struct Polls<'d, 'v, 'm, 't, P: Platform> {
    pub desk: &'d mut Desk<'v, P>,
    pub entropy: &'d mut P::Entropy,
    pub vault: &'d Mutex<NoopRawMutex, Vault<'m, &'m mut P::Medium, P::Store>>,
    pub package: &'d Package<'d>,
    pub delta: Option<&'d Delta<'d>>,
    pub secret: ElectionSecret,
    pub election: &'d Election<'t>,
    pub signer: &'d Signer,
    pub random: &'d mut Random,
    pub config: &'d Config<'d>,
    pub epoch: u8,
    pub slot: &'d mut [u8],
    pub secrets: &'d mut [Secret],
    pub ahead: Ahead<'d>,
    pub opening: &'d mut [u8],
    /// How long the PIN of the card is that was looked at last.
    pub digits: PinDigits,
    /// Bytes of the ballot in `slot`.
    pub ballot: usize,
    pub challenged: heapless::Deque<(Tag, u8), CHALLENGED>,
}

/// However polls end, also by a fault or a cut in the middle of a vote: the buffers are lent and outlive this run, and the nonces of the ballot
/// in the booth would tell a choice.
impl<P: Platform> Drop for Polls<'_, '_, '_, '_, P> {
    fn drop(&mut self) {
        self.wipe();
    }
}

/// A fault while somebody stands there: their vote is recorded, or is not.
const fn during(stop: Stop, recorded: Option<Recorded>) -> Stop {
    match stop {
        Stop::Fault(fault, None) => Stop::Fault(fault, recorded),
        other => other,
    }
}

impl<P: Platform> Polls<'_, '_, '_, '_, P> {
    /// From opening (or a restart in the middle) to the event that closes polls. The secret is wiped with `self`.
    pub(crate) async fn day(mut self) -> Result<(), Stop> {
        let open = self.vault.lock().await.ballot_box.log().is_open();
        if !open {
            self.open().await?;
        }
        self.voters().await
    }

    async fn open(&mut self) -> Result<(), Stop> {
        loop {
            // Before polls open staff may leave the menu standing as long as they like.
            let touch = loop {
                if let Some(touch) = self.menu(KioskPhase::NotOpened).await {
                    break touch;
                }
            };
            if touch == Touch::Staff(StaffTouch::Update) {
                self.update().await?;
                continue;
            }
            if !self.name_epoch().await || !self.zero_report().await? {
                continue;
            }
            let kiosk = self.vault.lock().await.ballot_box.label().kiosk;
            let message = staff_open_message(self.package.election(), &kiosk, self.epoch, self.config.software);
            let act = Act {
                action: StaffAction::Open,
                label: LABEL_STAFF_OPEN,
                message: &message,
            };
            let Some(staff) = self.desk.sign(self.package, &act).await else {
                continue;
            };
            let mut vault = self.vault.lock().await;
            // Software that goes back takes the keys of the box with it.
            if !super::update::kept(self.desk, vault.store).await {
                continue;
            }
            let opened = Event::Opened {
                seconds: self.desk.clock.seconds(),
                epoch: self.epoch,
                software: *self.config.software,
                package: self.package.hash,
                staff,
            };
            vault.ballot_box.append(&opened).await.map_err(housekeeping)?;
            return vault.remember().await;
        }
    }

    /// The staff menu with how the kiosk is now, for [`MENU_REFRESH`]; the touch, if one came.
    async fn menu(&mut self, phase: KioskPhase) -> Option<Touch> {
        let about = About {
            seconds: self.desk.clock.seconds(),
            reader: self.desk.reader.look().await,
            celsius: self.desk.signals.celsius(),
        };
        // A14: no count while polls are open.
        let counts = phase != KioskPhase::Open;
        let health = self.vault.lock().await.health(counts, about).await;
        let menu = StaffScreen::Menu { phase, health };
        self.desk.ask_for(&menu, MENU_REFRESH).await
    }

    /// An update takes the keys with it: not where a box with votes was taken over, which only they close.
    async fn update(&mut self) -> Result<(), Stop> {
        let mut vault = self.vault.lock().await;
        if !vault.store.updates() {
            return Ok(());
        }
        let taken = vault.ballot_box.label().takeover.is_some() || vault.ballot_box.counts() != Counts::default();
        if taken {
            super::update::refuse(self.desk, Refused::Open, false).await;
            return Ok(());
        }
        super::update::update(self.desk, vault.store, self.package, self.config.software).await
    }

    /// Staff name the epoch; it must be the one of the media.
    async fn name_epoch(&mut self) -> bool {
        let mut wrong = false;
        loop {
            let screen = StaffScreen::ChooseEpoch {
                epochs: self.package.manifest.epochs,
                wrong,
            };
            match self.desk.ask(&screen).await {
                Touch::Staff(StaffTouch::Epoch(epoch)) if epoch == self.epoch => return true,
                Touch::Staff(StaffTouch::Epoch(_)) => wrong = true,
                _ => return false,
            }
        }
    }

    /// The zero check (A14): nothing stands on the media, or what a takeover brought.
    async fn zero_report(&mut self) -> Result<bool, Stop> {
        let (counts, label, free) = {
            let vault = self.vault.lock().await;
            let ballot_box = &vault.ballot_box;
            (ballot_box.counts(), *ballot_box.label(), ballot_box.free())
        };
        let report = StaffScreen::ZeroReport(ZeroReport {
            election: self.package.manifest.name,
            station: self.package.station.name,
            epoch: self.epoch,
            hash: self.package.election(),
            package: &self.package.hash,
            software: self.config.software,
            kiosk: &label.kiosk,
            recorded: counts.recorded,
            capacity: free,
            voters: u32::try_from(self.package.roll.len()).unwrap_or(u32::MAX),
            key_unprotected: self.config.key_unprotected,
        });
        if label.takeover.is_none() && counts != Counts::default() {
            return Err(Fault::NotZero.into());
        }
        // A journal that runs out before the slots do would stop the polls in the middle of the day.
        if label.takeover.is_none() && free < label.layout.cast {
            return Err(Fault::Media(MediaFault::TooSmall(Role::Original)).into());
        }
        Ok(self.desk.ask(&report).await == Touch::Confirm)
    }

    async fn voters(&mut self) -> Result<(), Stop> {
        let mut state = State::new();
        self.desk.signals.lamp(Lamp::Ready);
        let mut changed = true;
        loop {
            if changed {
                let length = self.write_opening(&state)?;
                let opening = self.opening.get(..length).unwrap_or(&[]);
                self.desk.panel.show(&screen(&state, self.package, opening));
            }
            if state.voting().is_none() && !matches!(state.phase(), Phase::Done) {
                // The card is out: whoever was in the booth has read what became of the vote.
                self.vault.lock().await.told().await?;
            }
            let input = self.next(&state).await?;
            // Who is only there changes nothing that is shown, unless it answers "are you still there?".
            changed = !(matches!(input, Input::Touch(Touch::Here))
                && state.voting().is_some_and(|voting| voting.aside() == Aside::None));
            let (next, staff) = self.step(state, input).await?;
            state = next;
            if staff && self.staff_menu().await? {
                return Ok(());
            }
            if matches!(state.phase(), Phase::Idle) {
                let mut vault = self.vault.lock().await;
                vault
                    .batches(usize::from(self.package.manifest.batch), self.signer, self.random)
                    .await?;
                // Full in the middle of the day: nobody is admitted, and staff see it from across the room.
                if vault.ballot_box.room_left() == Room::Full {
                    self.desk.signals.lamp(Lamp::Call);
                }
            }
        }
    }

    /// Waits for what the state waits for, and prepares the voter's ballot meanwhile.
    async fn next(&mut self, state: &State) -> Result<Input, Stop> {
        let Self {
            desk,
            entropy,
            vault,
            package,
            election,
            random,
            ahead,
            ..
        } = self;
        let desk = &mut **desk;
        Ok(match state.phase() {
            Phase::Idle => match select(desk.reader.wait_insert(), desk.panel.next()).await {
                Either::First(Ok(())) => Input::Inserted,
                Either::First(Err(ReaderError::Mute)) => Input::Unreadable(WrongCard::Mute),
                Either::First(Err(_)) => Input::Unreadable(WrongCard::ReaderGone),
                Either::Second(touch) => Input::Touch(touch),
            },
            // A reader that is gone says "removed" at once; these phases pass by time.
            Phase::Abandoned | Phase::Leaving | Phase::Blank | Phase::Refused(WrongCard::ReaderGone) => {
                let timeout = state.timeout().unwrap_or(1_000);
                match select(desk.panel.next(), desk.clock.sleep(timeout)).await {
                    Either::First(touch) => Input::Touch(touch),
                    Either::Second(()) => Input::Timeout,
                }
            }
            _ => {
                let timeout = async {
                    match state.timeout() {
                        Some(timeout) => desk.clock.sleep(timeout).await,
                        None => core::future::pending().await,
                    }
                };
                let idle = async {
                    let reading = Reading {
                        package,
                        election,
                        vault,
                    };
                    let Err(stop) = reading.prepare(state, ahead, *entropy, random).await else {
                        return core::future::pending().await;
                    };
                    stop
                };
                match select4(desk.reader.wait_removed(), desk.panel.next(), timeout, idle).await {
                    Either4::First(()) => Input::Removed,
                    Either4::Second(touch) => Input::Touch(touch),
                    Either4::Third(()) => Input::Timeout,
                    Either4::Fourth(stop) => return Err(stop),
                }
            }
        })
    }

    /// One input and all that follows from it at once. Gives the next state and whether staff want in.
    async fn step(&mut self, mut state: State, input: Input) -> Result<(State, bool), Stop> {
        let mut staff = false;
        let mut input = Some(input);
        // A card passes at most: inserted, probed; or admitted, refused; or encrypted, recorded.
        while let Some(now) = input.take() {
            // Whoever was just admitted stands there too, if the log of it fails.
            let standing = state.voting().is_some() || matches!(now, Input::Admitted { .. });
            let outcome = state.step(now);
            if matches!(outcome.record(), Some(Record::Cast(_) | Record::Spoiled)) {
                self.desk.panel.show(&Screen::Recording);
                yield_now().await;
            }
            let ended = match outcome.record() {
                Some(Record::Cast(_)) => Some(Recorded::Yes),
                Some(Record::Abandoned) => Some(Recorded::No),
                Some(Record::Admitted | Record::Spoiled) | None => None,
            };
            let then = {
                let mut vault = self.vault.lock().await;
                let then = vault
                    .ballot_box
                    .commit(outcome, self.slot, self.ballot, self.random)
                    .await
                    .map_err(|broken| Stop::Fault(broken.fault, standing.then_some(broken.recorded)))?;
                if ended.is_some() {
                    // Before the voter reads anything: no older copy of the media can take back what a screen said (F6).
                    vault.remember().await.map_err(|stop| during(stop, ended))?;
                }
                then
            };
            state = then.state;
            for effect in then.effects {
                if matches!(effect, Effect::StaffMenu) {
                    staff = true;
                }
                if let Some(next) = self.act(effect, &state).await? {
                    input = Some(next);
                }
            }
        }
        Ok((state, staff))
    }

    async fn act(&mut self, effect: Effect, state: &State) -> Result<Option<Input>, Stop> {
        match effect {
            Effect::Probe => {
                self.desk.panel.show(&Screen::Admitting);
                return Ok(Some(match admission::probe(self.desk.reader.link()).await {
                    Ok((tries_left, digits)) => {
                        self.digits = digits;
                        Input::Ready { tries_left, digits }
                    }
                    Err(why) => Input::Refused(why),
                }));
            }
            Effect::Admit { pin, last_try_accepted } => {
                self.desk.panel.show(&Screen::Admitting);
                yield_now().await;
                return self.admit(&pin, last_try_accepted).await.map(Some);
            }
            Effect::Forget => self.desk.reader.power_down().await,
            Effect::Encrypt => {
                self.desk.panel.show(&Screen::Encrypting);
                let reading = Reading {
                    package: self.package,
                    election: self.election,
                    vault: self.vault,
                };
                let style = state.voting().ok_or(Fault::Defect)?.style();
                reading
                    .finish(style, &mut self.ahead, self.entropy, self.random)
                    .await?;
                // The log has grown since whatever was encrypted before, also before a restart.
                let head = *self.vault.lock().await.ballot_box.log().head();
                return self.encrypt(state, &head).map(Some);
            }
            Effect::Wipe => self.wipe(),
            Effect::CountChallenge(tag) => self.count_challenge(tag),
            Effect::Lamp(lamp) => self.desk.signals.lamp(lamp),
            Effect::Sound(sound) => self.desk.signals.sound(sound),
            Effect::StaffMenu => {}
        }
        Ok(None)
    }

    async fn admit(&mut self, pin: &card::Pin, last_try_accepted: bool) -> Result<Input, Stop> {
        self.random.reseed(self.entropy)?;
        let gate = Gate {
            package: self.package,
            delta: self.delta,
            secret: &self.secret,
            certificates: self.desk.certificates,
        };
        let admitted = admission::admit(self.desk.reader.link(), &gate, pin, last_try_accepted, self.random).await;
        let admission = match admitted {
            // The card keeps its power for the next try.
            Err(Refusal::WrongPin { tries_left }) => {
                let digits = self.digits;
                return Ok(Input::WrongPin { tries_left, digits });
            }
            Err(Refusal::LastTry) => {
                let digits = self.digits;
                return Ok(Input::Ready { tries_left: 1, digits });
            }
            Err(Refusal::Card(why)) => return Ok(Input::Refused(why)),
            Ok(admission) => admission,
        };
        self.desk.reader.power_down().await;
        let vault = self.vault.lock().await;
        if vault.ballot_box.has_voted(&admission.tag) {
            return Ok(Input::Refused(WrongCard::Voted));
        }
        if vault.ballot_box.free() == 0 {
            return Ok(Input::Refused(WrongCard::Full));
        }
        let shape = Form::new(self.package.manifest, admission.style).and_then(|form| form.shape());
        let shape = shape.ok_or(Fault::Defect)?;
        let used = self
            .challenged
            .iter()
            .find(|(tag, _)| *tag == admission.tag)
            .map_or(0, |(_, count)| *count);
        let room = u8::try_from(vault.ballot_box.free_spoiled()).unwrap_or(u8::MAX);
        Ok(Input::Admitted {
            challenges_left: CHALLENGES.saturating_sub(used).min(room),
            admission,
            shape,
        })
    }

    fn count_challenge(&mut self, tag: Tag) {
        if let Some((_, count)) = self.challenged.iter_mut().find(|(known, _)| *known == tag) {
            *count = count.saturating_add(1);
            return;
        }
        if self.challenged.is_full() {
            let _ = self.challenged.pop_front();
        }
        let _ = self.challenged.push_back((tag, 1));
    }

    fn encrypt(&mut self, state: &State, head: &Digest) -> Result<Input, Stop> {
        let during = |fault| Stop::Fault(fault, Some(Recorded::No));
        let voting = state.voting().ok_or(Fault::Defect)?;
        self.random.reseed(self.entropy).map_err(|_| during(Fault::Entropy))?;
        self.random.bind(head);
        let shapes = shapes(&self.package.manifest, voting.style()).ok_or(during(Fault::Defect))?;
        let layout = Layout::new(voting.style(), &shapes).map_err(|_| during(Fault::Defect))?;
        let mut choices = heapless::Vec::<u64, MAX_CONTESTS>::new();
        choices.extend(voting.selected().iter().copied().map(Selected::bits));
        let end = RECORD_HEADER.saturating_add(layout.ballot_len());
        let out = self.slot.get_mut(RECORD_HEADER..end).ok_or(during(Fault::Buffers))?;
        let secrets = self
            .secrets
            .get_mut(..layout.selections())
            .ok_or(during(Fault::Buffers))?;
        let encrypted = self.ahead.encrypt(
            self.election,
            self.config.station,
            &layout,
            &choices,
            self.random,
            out,
            secrets,
        );
        choices.as_mut_slice().zeroize();
        let code = encrypted.map_err(|error| during(fault(error)))?;
        self.ballot = layout.ballot_len();
        Ok(Input::Encrypted { code })
    }

    fn wipe(&mut self) {
        self.ahead.burn();
        self.secrets.iter_mut().zeroize();
        self.opening.zeroize();
        self.slot.zeroize();
        self.ballot = 0;
    }

    /// Fills the QR code's content while a spoiled ballot is shown, and gives its length; the ballot's record stands, or the state
    /// could not be reached.
    fn write_opening(&mut self, state: &State) -> Result<usize, Stop> {
        let Some(voting) = state.voting() else { return Ok(0) };
        let Place::Opening { code, page } = voting.place() else {
            return Ok(0);
        };
        let shapes = shapes(&self.package.manifest, voting.style()).ok_or(Fault::Defect)?;
        let layout = Layout::new(voting.style(), &shapes).map_err(|_| Fault::Defect)?;
        let first = layout.first_selection(usize::from(page)).ok_or(Fault::Defect)?;
        let count = shapes
            .get(usize::from(page))
            .map(election::manifest::ContestShape::selections)
            .ok_or(Fault::Defect)?;
        let secrets = self
            .secrets
            .get(first..first.saturating_add(count))
            .ok_or(Fault::Buffers)?;
        self.opening.zeroize();
        let out = self
            .opening
            .get_mut(..opening::opening_len(count))
            .ok_or(Fault::Buffers)?;
        opening::write(&code, page, secrets, out).map_err(|_| Fault::Defect)?;
        Ok(opening::opening_len(count))
    }

    /// The staff menu while polls are open; true if they are closed now. Whatever is left alone goes back to the idle screen.
    async fn staff_menu(&mut self) -> Result<bool, Stop> {
        for _ in 0..MENU_TIMEOUT / MENU_REFRESH {
            match self.menu(KioskPhase::Open).await {
                None => {}
                Some(Touch::Staff(StaffTouch::Close)) => return self.close().await,
                Some(_) => break,
            }
        }
        Ok(false)
    }

    /// One card, then the counts and the question, then the second card. The first signature is worth nothing alone and is dropped.
    async fn close(&mut self) -> Result<bool, Stop> {
        let kiosk = self.vault.lock().await.ballot_box.label().kiosk;
        let message = staff_close_message(self.package.election(), &kiosk, self.epoch);
        let act = Act {
            action: StaffAction::Close,
            label: LABEL_STAFF_CLOSE,
            message: &message,
        };
        let Some(first) = self.desk.first(self.package, &act).await else {
            return Ok(false);
        };
        let counts = self.vault.lock().await.ballot_box.counts();
        let k = u32::from(self.package.manifest.batch);
        let few = (1..k).contains(&counts.recorded).then_some(k);
        let confirm = StaffScreen::ConfirmClose { counts, few };
        let answer = self.desk.ask_for(&confirm, MENU_TIMEOUT).await;
        if answer != Some(Touch::Confirm) {
            return Ok(false);
        }
        let Some(staff) = self.desk.second(self.package, &act, first).await else {
            return Ok(false);
        };
        let closed = Event::Closed {
            seconds: self.desk.clock.seconds(),
            staff,
        };
        // From here on the media are written to, which may take a while on slow ones: nobody is to take it for a kiosk that hangs.
        self.desk.panel.show(&Screen::Starting);
        yield_now().await;
        let mut vault = self.vault.lock().await;
        vault
            .batches(usize::from(self.package.manifest.batch), self.signer, self.random)
            .await?;
        let appended = vault.ballot_box.append(&closed).await;
        // Nobody can vote any more: E goes now, and not after the closing batch, which may fail (DESIGN, invariant 5); nor does it wait for a
        // duplicate that has just died, because what the original alone has stands.
        if appended.is_ok() || vault.ballot_box.closed_on_one().await {
            vault.store.erase(Item::Secret).await?;
        }
        appended.map_err(housekeeping)?;
        vault.remember().await?;
        Ok(true)
    }
}
