//! Screens into bytes.

use super::*;

/// Bytes that grow, up to the end of their place; what does not fit is not there, and the reader says so.
struct Out<'o> {
    place: &'o mut [u8],
    at: usize,
}

impl Out<'_> {
    fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if let Some(place) = self.place.get_mut(self.at) {
                *place = *byte;
            }
            self.at = self.at.saturating_add(1);
        }
    }

    fn byte(&mut self, byte: u8) {
        self.bytes(&[byte]);
    }

    fn flag(&mut self, flag: bool) {
        self.byte(u8::from(flag));
    }

    fn word(&mut self, word: u32) {
        self.bytes(&word.to_le_bytes());
    }

    fn long(&mut self, long: u64) {
        self.bytes(&long.to_le_bytes());
    }

    /// Bytes behind their length.
    fn list(&mut self, bytes: &[u8]) {
        self.word(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        self.bytes(bytes);
    }

    fn place_of<T: PartialEq>(&mut self, list: &[T], value: &T) {
        let index = list.iter().position(|one| one == value);
        self.byte(index.and_then(|index| u8::try_from(index).ok()).unwrap_or(u8::MAX));
    }

    fn pin_of(&mut self, who: PinOf) {
        self.byte(match who {
            PinOf::Voter => 0,
            PinOf::Staff(number) => number,
        });
    }

    fn counts(&mut self, counts: &Counts) {
        for count in [
            counts.admitted,
            counts.recorded,
            counts.abandoned,
            counts.interrupted,
            counts.spoiled,
            counts.void,
        ] {
            self.word(count);
        }
    }

    fn contest(&mut self, screen: &ContestScreen<'_>) {
        self.list(screen.contest.id.as_bytes());
        self.list(screen.order);
        for byte in [screen.index, screen.count, screen.votes_left] {
            self.byte(byte);
        }
        self.long(screen.selected.bits());
    }

    fn fault(&mut self, why: &Fault) {
        match why {
            Fault::Medium(role, error) => {
                self.byte(100);
                self.place_of(ROLES, role);
                self.place_of(ERRORS, error);
            }
            Fault::ReadBack(role) => {
                self.byte(101);
                self.place_of(ROLES, role);
            }
            Fault::Deficit { missing } => {
                self.byte(102);
                self.bytes(&missing.to_le_bytes());
            }
            other => self.place_of(FAULTS, other),
        }
    }

    fn staff(&mut self, screen: &StaffScreen<'_>) {
        match screen {
            StaffScreen::Menu { phase, health } => {
                self.byte(kind::MENU);
                self.place_of(PHASES, phase);
                self.flag(health.counts.is_some());
                self.counts(&health.counts.unwrap_or_default());
                self.word(health.free);
                self.word(health.free_spoiled);
                self.place_of(ROOMS, &health.room);
                self.word(health.unsent);
                self.byte(health.online.map_or(2, u8::from));
                self.long(health.height);
                self.long(health.seconds);
                for medium in &health.media {
                    self.flag(medium.is_ok());
                    match medium {
                        Ok(size) => self.long(*size),
                        Err(error) => self.place_of(ERRORS, error),
                    }
                }
                self.place_of(READER, &health.reader);
                self.flag(health.disk.is_some());
                if let Some(Space { free, size }) = health.disk {
                    self.long(free);
                    self.long(size);
                }
                self.flag(health.celsius.is_some());
                self.bytes(&health.celsius.unwrap_or(0).to_le_bytes());
            }
            StaffScreen::Provision { kiosk, software } => {
                self.byte(kind::PROVISION);
                self.bytes(*kiosk);
                self.bytes(*software);
            }
            StaffScreen::AwaitSecret { refused } => {
                self.byte(kind::AWAIT);
                self.flag(*refused);
            }
            StaffScreen::ChooseEpoch { wrong, .. } => {
                self.byte(kind::EPOCH);
                self.flag(*wrong);
            }
            StaffScreen::InsertCard { action, number } => {
                self.byte(kind::INSERT);
                self.place_of(ACTIONS, action);
                self.byte(*number);
            }
            StaffScreen::CardRefused { why } => {
                self.byte(kind::REFUSED);
                if let WrongStaffCard::Certificate(error) = why {
                    self.byte(100);
                    self.place_of(CERTIFICATE, error);
                } else {
                    self.place_of(WRONG_STAFF, why);
                }
            }
            StaffScreen::TakeCard => self.byte(kind::TAKE),
            StaffScreen::ZeroReport(report) => {
                self.byte(kind::ZERO);
                self.byte(report.epoch);
                for digest in [report.hash, report.package, report.software, report.kiosk] {
                    self.bytes(digest);
                }
                for word in [report.recorded, report.capacity, report.voters] {
                    self.word(word);
                }
                self.flag(report.key_unprotected);
            }
            StaffScreen::Restarted(found) => {
                self.byte(kind::RESTARTED);
                self.place_of(RECORDED, &found.voter);
                self.flag(found.taken_over);
                self.flag(found.copied);
                self.word(found.void);
            }
            StaffScreen::TakeOver { old, recorded } => {
                self.byte(kind::TAKE_OVER);
                self.bytes(*old);
                self.word(*recorded);
            }
            StaffScreen::ConfirmClose { counts, few } => {
                self.byte(kind::CONFIRM_CLOSE);
                self.counts(counts);
                self.word(few.unwrap_or(0));
            }
            StaffScreen::Closed(closed) => {
                self.byte(kind::CLOSED);
                self.bytes(closed.hash);
                self.counts(&closed.counts);
                self.word(closed.void);
                self.byte(closed.lost.map_or(2, |role| role as u8));
                self.word(closed.unsent);
                self.flag(closed.retire);
            }
            _ => self.byte(kind::UNKNOWN),
        }
    }

    fn screen(&mut self, screen: &Screen<'_>) {
        match screen {
            Screen::Blank => self.byte(kind::BLANK),
            Screen::Starting => self.byte(kind::STARTING),
            Screen::Idle { .. } => self.byte(kind::IDLE),
            Screen::WrongCard { why } => {
                self.byte(kind::WRONG_CARD);
                if let WrongCard::Certificate(error) = why {
                    self.byte(100);
                    self.place_of(CERTIFICATE, error);
                } else {
                    self.place_of(WRONG, why);
                }
            }
            Screen::Pin {
                digits,
                tries_left,
                wrong,
                who,
                length,
            } => {
                self.bytes(&[kind::PIN, *digits, *tries_left, length.fewest, length.most]);
                self.flag(*wrong);
                self.pin_of(*who);
            }
            Screen::LastTry { who } => {
                self.byte(kind::LAST_TRY);
                self.pin_of(*who);
            }
            Screen::Admitting => self.byte(kind::ADMITTING),
            Screen::Contest(contest) => {
                self.byte(kind::CONTEST);
                self.contest(contest);
            }
            Screen::Overvote(contest) => {
                self.byte(kind::OVERVOTE);
                self.contest(contest);
            }
            Screen::Review(review) => {
                self.byte(kind::REVIEW);
                self.list(review.form.style().id.as_bytes());
                self.word(u32::try_from(review.selected.len()).unwrap_or(u32::MAX));
                for selected in review.selected {
                    self.long(selected.bits());
                }
            }
            Screen::Encrypting => self.byte(kind::ENCRYPTING),
            Screen::CastOrChallenge { code, challenges_left } => {
                self.byte(kind::CODE);
                self.bytes(*code);
                self.byte(*challenges_left);
            }
            Screen::ChallengesUsedUp => self.byte(kind::USED_UP),
            Screen::Recording => self.byte(kind::RECORDING),
            Screen::Opening(opening) => {
                self.byte(kind::OPENING);
                self.list(opening.contest.id.as_bytes());
                self.byte(opening.index);
                self.byte(opening.count);
                self.long(opening.selected.bits());
                self.bytes(opening.code);
                self.list(opening.payload);
            }
            Screen::EndWithoutVote => self.byte(kind::WITHOUT),
            Screen::Done => self.byte(kind::DONE),
            Screen::Abandoned => self.byte(kind::ABANDONED),
            Screen::StillThere => self.byte(kind::STILL_THERE),
            Screen::Locked => self.byte(kind::LOCKED),
            Screen::CallStaff => self.byte(kind::CALL),
            Screen::Fault { why, recorded } => {
                self.byte(kind::FAULT);
                self.place_of(RECORDED, recorded);
                self.fault(why);
            }
            Screen::Staff(staff) => self.staff(staff),
            _ => self.byte(kind::UNKNOWN),
        }
    }
}

/// Writes what is on a screen; how many bytes that are. [`MOST`] are enough.
pub fn write(screen: &Screen<'_>, place: &mut [u8]) -> usize {
    let most = place.len();
    let mut out = Out { place, at: 0 };
    out.screen(screen);
    out.at.min(most)
}
