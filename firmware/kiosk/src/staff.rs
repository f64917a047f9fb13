//! Two different staff cards with their PINs sign an act (A7, V11): provisioning, opening, closing, takeover.
//!
//! Only the signatures and the cards' roster keys leave this module. A staff card is not a voter card: it is asked for by name, on its own screen.

use card::{CertificateVerifier, KeyUse, MAX_OBJECT, Piv, Slot, Transmit};
use election::hash::Digest;
use election::ledger::{StaffSignature, role};
use election::package::Package;
use election::sign::{self, PublicKey};
use election::wire::Bytes;
use embassy_futures::select::{Either, Either3, select, select3};

use crate::admission::certified;
use crate::ports::{CardReader, Clock, Panel, Platform, Ports, Signals, Sound};
use crate::screen::{PinOf, Screen, StaffAction, StaffScreen, Touch, WrongStaffCard};
use crate::session::{PinDigits, PinEntry};

/// The ports that staff procedures use, borrowed apart from the media.
pub struct Desk<'d, P: Platform> {
    /// The panel.
    pub panel: &'d mut P::Panel,
    /// The reader.
    pub reader: &'d mut P::Reader,
    /// Lamp and sound.
    pub signals: &'d mut P::Signals,
    /// Time.
    pub clock: &'d P::Clock,
    /// Judge of certificates.
    pub certificates: &'d P::Certificates,
}

/// The rest of the ports.
pub struct Rest<'d, P: Platform> {
    /// Randomness.
    pub entropy: &'d mut P::Entropy,
    /// Media.
    pub original: &'d mut P::Medium,
    /// Media.
    pub duplicate: &'d mut P::Medium,
    /// Internal store.
    pub store: &'d mut P::Store,
    /// Network.
    pub uplink: Option<&'d mut P::Uplink>,
}

/// Splits the ports into what people touch and the rest.
pub fn split<P: Platform>(ports: &mut Ports<P>) -> (Desk<'_, P>, Rest<'_, P>) {
    (
        Desk {
            panel: &mut ports.panel,
            reader: &mut ports.reader,
            signals: &mut ports.signals,
            clock: &ports.clock,
            certificates: &ports.certificates,
        },
        Rest {
            entropy: &mut ports.entropy,
            original: &mut ports.original,
            duplicate: &mut ports.duplicate,
            store: &mut ports.store,
            uplink: ports.uplink.as_mut(),
        },
    )
}

/// An act to be signed.
pub struct Act<'a> {
    /// What it is, for the screen.
    pub action: StaffAction,
    /// Label of the signature.
    pub label: &'a str,
    /// Message.
    pub message: &'a [u8],
}

impl Act<'_> {
    const fn role(&self) -> u8 {
        match self.action {
            StaffAction::Open | StaffAction::Close | StaffAction::CloseAgain => role::POLLS,
            StaffAction::Provision | StaffAction::TakeOver | StaffAction::Update => role::PROVISIONS,
        }
    }
}

/// Nobody touches anything for so long: the act is called off.
const PATIENCE: u32 = 180_000;

impl<P: Platform> Desk<'_, P> {
    /// Shows a screen until a touch comes that it takes.
    pub async fn ask(&mut self, screen: &StaffScreen<'_>) -> Touch {
        self.panel.show(&Screen::Staff(*screen));
        loop {
            let touch = self.panel.next().await;
            if screen.takes(touch) {
                return touch;
            }
        }
    }

    /// As [`Desk::ask`], for so many milliseconds in all, whatever else is touched.
    pub async fn ask_for(&mut self, screen: &StaffScreen<'_>, milliseconds: u32) -> Option<Touch> {
        let clock = self.clock;
        match select(self.ask(screen), clock.sleep(milliseconds)).await {
            Either::First(touch) => Some(touch),
            Either::Second(()) => None,
        }
    }

    /// Has an act signed by two cards, ascending by key; `None` if it was called off.
    pub async fn sign(&mut self, package: &Package<'_>, act: &Act<'_>) -> Option<[StaffSignature; 2]> {
        let first = self.first(package, act).await?;
        self.second(package, act, first).await
    }

    /// The first card of two; `None` if it was called off.
    pub async fn first(&mut self, package: &Package<'_>, act: &Act<'_>) -> Option<StaffSignature> {
        self.one(package, act, 1, None).await
    }

    /// The second card, another one; both signatures, ascending by key.
    pub async fn second(
        &mut self,
        package: &Package<'_>,
        act: &Act<'_>,
        first: StaffSignature,
    ) -> Option<[StaffSignature; 2]> {
        let second = self.one(package, act, 2, Some(&first.key.0)).await?;
        let mut pair = [first, second];
        pair.sort_unstable_by_key(|card| card.key);
        Some(pair)
    }

    /// One card; asked for again until one does or the act is called off.
    async fn one(
        &mut self,
        package: &Package<'_>,
        act: &Act<'_>,
        number: u8,
        not: Option<&PublicKey>,
    ) -> Option<StaffSignature> {
        loop {
            let screen = Screen::Staff(StaffScreen::InsertCard {
                action: act.action,
                number,
            });
            self.panel.show(&screen);
            loop {
                match select3(self.reader.wait_insert(), self.panel.next(), self.clock.sleep(PATIENCE)).await {
                    Either3::First(Ok(())) => break,
                    // The reader may come back.
                    Either3::First(Err(_)) => self.clock.sleep(1_000).await,
                    Either3::Second(Touch::Back) | Either3::Third(()) => return None,
                    Either3::Second(_) => {}
                }
            }
            let result = self.with_card(package, act, number, not).await;
            let _ = async { Piv::select(self.reader.link()).await?.forget().await }.await;
            self.reader.power_down().await;
            match result {
                Ok(signature) => {
                    self.panel.show(&Screen::Staff(StaffScreen::TakeCard));
                    self.reader.wait_removed().await;
                    return Some(signature);
                }
                Err(None) => {}
                Err(Some(why)) => {
                    self.signals.sound(Sound::Refused);
                    self.panel.show(&Screen::Staff(StaffScreen::CardRefused { why }));
                    self.reader.wait_removed().await;
                }
            }
        }
    }

    /// Err(None): the card was taken out.
    async fn with_card(
        &mut self,
        package: &Package<'_>,
        act: &Act<'_>,
        number: u8,
        not: Option<&PublicKey>,
    ) -> Result<StaffSignature, Option<WrongStaffCard>> {
        let unreadable = |_| Some(WrongStaffCard::Unreadable);
        let mut buffer = [0; MAX_OBJECT];
        let mut tries_left = {
            let mut piv = Piv::select(self.reader.link()).await.map_err(unreadable)?;
            piv.tries_left().await.map_err(unreadable)?
        };
        let mut wrong = false;
        // A card has a handful of tries; each wrong one costs one.
        for _ in 0..16 {
            if tries_left == 0 {
                return Err(Some(WrongStaffCard::Blocked));
            }
            let entry = self
                .pin(PinEntry::new(tries_left, wrong, PinDigits::ANY), number)
                .await
                .ok_or(None)?;
            self.panel.show(&Screen::Admitting);
            let pin = entry.pin().ok_or(Some(WrongStaffCard::Unreadable))?;
            let mut piv = Piv::select(self.reader.link()).await.map_err(unreadable)?;
            match piv.verify(&pin).await {
                Ok(()) => {}
                Err(card::CardError::WrongPin { tries_left: left }) => {
                    tries_left = left;
                    wrong = true;
                    self.signals.sound(Sound::Refused);
                    continue;
                }
                Err(card::CardError::Blocked) => return Err(Some(WrongStaffCard::Blocked)),
                Err(_) => return Err(Some(WrongStaffCard::Unreadable)),
            }
            let certificate = piv
                .certificate(Slot::Authentication, &mut buffer)
                .await
                .map_err(unreadable)?;
            return Self::signed(&mut piv, certificate, self.certificates, package, act, not).await;
        }
        Err(Some(WrongStaffCard::Blocked))
    }

    async fn signed<T: Transmit>(
        piv: &mut Piv<'_, T>,
        certificate: &[u8],
        certificates: &impl CertificateVerifier,
        package: &Package<'_>,
        act: &Act<'_>,
        not: Option<&PublicKey>,
    ) -> Result<StaffSignature, Option<WrongStaffCard>> {
        let key = certified(certificates, package, certificate, KeyUse::Sign)
            .map_err(|error| Some(WrongStaffCard::Certificate(error)))?;
        let key: PublicKey = key
            .as_bytes()
            .try_into()
            .map_err(|_| Some(WrongStaffCard::Unreadable))?;
        let roster = package.genesis.card(&key).ok_or(Some(WrongStaffCard::NotStaff))?;
        if roster.roles & act.role() == 0 {
            return Err(Some(WrongStaffCard::NoRight));
        }
        if not == Some(&key) {
            return Err(Some(WrongStaffCard::SameCard));
        }
        let digest: Digest = sign::prehash(act.label, &key, act.message);
        let signature = piv.sign(&digest).await.map_err(|_| Some(WrongStaffCard::Unreadable))?;
        sign::verify(&key, act.label, act.message, &signature).map_err(|_| Some(WrongStaffCard::BadSignature))?;
        Ok(StaffSignature {
            key: Bytes(key),
            signature: Bytes(signature),
        })
    }

    /// The PIN pad; `None` if the card was taken out.
    async fn pin(&mut self, mut entry: PinEntry, number: u8) -> Option<PinEntry> {
        let who = PinOf::Staff(number);
        loop {
            self.panel.show(&pin_screen(&entry, who));
            match select(self.reader.wait_removed(), self.panel.next()).await {
                Either::First(()) => return None,
                Either::Second(touch) => match touch {
                    Touch::Confirm if entry.warns() => entry.accept(),
                    Touch::Digit(digit) if !entry.warns() => entry.type_digit(digit),
                    Touch::Clear => entry.clear(),
                    Touch::Enter if entry.complete() => return Some(entry),
                    _ => {}
                },
            }
        }
    }
}

/// The PIN pad's screen.
pub(crate) fn pin_screen(entry: &PinEntry, who: PinOf) -> Screen<'static> {
    if entry.warns() {
        Screen::LastTry { who }
    } else {
        Screen::Pin {
            digits: entry.typed(),
            tries_left: entry.tries_left(),
            wrong: entry.wrong(),
            who,
            length: entry.length(),
        }
    }
}
