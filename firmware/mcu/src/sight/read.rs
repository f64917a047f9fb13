//! Bytes into screens.

use super::*;

/// Bytes that say no screen of this package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unseen;

impl core::fmt::Display for Unseen {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the board says a screen that nobody knows: board and host are of different versions")
    }
}

impl core::error::Error for Unseen {}

struct In<'i>(&'i [u8]);

impl<'i> In<'i> {
    fn array<const N: usize>(&mut self) -> Result<&'i [u8; N], Unseen> {
        let (array, rest) = self.0.split_first_chunk().ok_or(Unseen)?;
        self.0 = rest;
        Ok(array)
    }

    fn byte(&mut self) -> Result<u8, Unseen> {
        self.array().map(|[byte]| *byte)
    }

    fn flag(&mut self) -> Result<bool, Unseen> {
        Ok(self.byte()? == 1)
    }

    fn word(&mut self) -> Result<u32, Unseen> {
        self.array().map(|bytes| u32::from_le_bytes(*bytes))
    }

    fn long(&mut self) -> Result<u64, Unseen> {
        self.array().map(|bytes| u64::from_le_bytes(*bytes))
    }

    fn list(&mut self) -> Result<&'i [u8], Unseen> {
        let length = usize::try_from(self.word()?).map_err(|_| Unseen)?;
        let (list, rest) = self.0.split_at_checked(length).ok_or(Unseen)?;
        self.0 = rest;
        Ok(list)
    }

    fn one<T: Copy>(&mut self, list: &[T]) -> Result<T, Unseen> {
        list.get(usize::from(self.byte()?)).copied().ok_or(Unseen)
    }

    fn selected(&mut self) -> Result<Selected, Unseen> {
        let bits = self.long()?;
        let mut selected = Selected::NONE;
        for index in (0..64_u8).filter(|index| bits >> index & 1 == 1) {
            selected = selected.toggled(index);
        }
        Ok(selected)
    }

    fn pin_of(&mut self) -> Result<PinOf, Unseen> {
        Ok(match self.byte()? {
            0 => PinOf::Voter,
            number => PinOf::Staff(number),
        })
    }

    fn counts(&mut self) -> Result<Counts, Unseen> {
        Ok(Counts {
            admitted: self.word()?,
            recorded: self.word()?,
            abandoned: self.word()?,
            interrupted: self.word()?,
            spoiled: self.word()?,
            void: self.word()?,
        })
    }

    fn medium(&mut self) -> Result<Result<u64, MediumError>, Unseen> {
        Ok(if self.flag()? {
            Ok(self.long()?)
        } else {
            Err(self.one(ERRORS)?)
        })
    }

    fn contest<'p>(&mut self, package: &Package<'p>) -> Result<ContestScreen<'p>, Unseen>
    where
        'i: 'p,
    {
        let id = self.list()?;
        let contest = package.manifest.contests().find(|contest| contest.id.as_bytes() == id);
        Ok(ContestScreen {
            contest: contest.ok_or(Unseen)?,
            order: self.list()?,
            index: self.byte()?,
            count: self.byte()?,
            votes_left: self.byte()?,
            selected: self.selected()?,
        })
    }

    fn fault(&mut self) -> Result<Fault, Unseen> {
        Ok(match self.byte()? {
            100 => Fault::Medium(self.one(ROLES)?, self.one(ERRORS)?),
            101 => Fault::ReadBack(self.one(ROLES)?),
            102 => Fault::Deficit {
                missing: i64::from_le_bytes(*self.array()?),
            },
            // One that the list does not tell apart: the board's log has its words.
            place => FAULTS.get(usize::from(place)).copied().unwrap_or(Fault::Defect),
        })
    }

    fn staff<'p>(&mut self, kind: u8, package: &Package<'p>) -> Result<StaffScreen<'p>, Unseen>
    where
        'i: 'p,
    {
        Ok(match kind {
            kind::MENU => {
                let phase = self.one(PHASES)?;
                let known = self.flag()?;
                let counts = self.counts()?;
                let health = Health {
                    counts: known.then_some(counts),
                    free: self.word()?,
                    free_spoiled: self.word()?,
                    room: self.one(ROOMS)?,
                    unsent: self.word()?,
                    online: match self.byte()? {
                        0 => Some(false),
                        1 => Some(true),
                        _ => None,
                    },
                    height: self.long()?,
                    seconds: self.long()?,
                    media: [self.medium()?, self.medium()?],
                    reader: self.one(READER)?,
                    disk: if self.flag()? {
                        Some(Space {
                            free: self.long()?,
                            size: self.long()?,
                        })
                    } else {
                        None
                    },
                    celsius: {
                        let known = self.flag()?;
                        let celsius = i16::from_le_bytes(*self.array()?);
                        known.then_some(celsius)
                    },
                };
                StaffScreen::Menu { phase, health }
            }
            kind::PROVISION => StaffScreen::Provision {
                kiosk: self.array()?,
                software: self.array()?,
            },
            kind::AWAIT => StaffScreen::AwaitSecret { refused: self.flag()? },
            kind::EPOCH => StaffScreen::ChooseEpoch {
                epochs: package.manifest.epochs,
                wrong: self.flag()?,
            },
            kind::INSERT => StaffScreen::InsertCard {
                action: self.one(ACTIONS)?,
                number: self.byte()?,
            },
            kind::REFUSED => StaffScreen::CardRefused {
                why: match self.byte()? {
                    100 => WrongStaffCard::Certificate(self.one(CERTIFICATE)?),
                    place => *WRONG_STAFF.get(usize::from(place)).ok_or(Unseen)?,
                },
            },
            kind::TAKE => StaffScreen::TakeCard,
            kind::ZERO => StaffScreen::ZeroReport(ZeroReport {
                election: package.manifest.name,
                station: package.station.name,
                epoch: self.byte()?,
                hash: self.array()?,
                package: self.array()?,
                software: self.array()?,
                kiosk: self.array()?,
                recorded: self.word()?,
                capacity: self.word()?,
                voters: self.word()?,
                key_unprotected: self.flag()?,
            }),
            kind::RESTARTED => StaffScreen::Restarted(Restarted {
                voter: self.one(RECORDED)?,
                taken_over: self.flag()?,
                copied: self.flag()?,
                void: self.word()?,
            }),
            kind::TAKE_OVER => StaffScreen::TakeOver {
                old: self.array()?,
                recorded: self.word()?,
            },
            kind::CONFIRM_CLOSE => StaffScreen::ConfirmClose {
                counts: self.counts()?,
                few: Some(self.word()?).filter(|few| *few > 0),
            },
            _ => return Err(Unseen),
        })
    }
}

/// Reads a screen and shows it.
///
/// # Errors
/// [`Unseen`].
pub fn show<T>(bytes: &[u8], package: Option<&Package<'_>>, show: impl FnOnce(&Screen<'_>) -> T) -> Result<T, Unseen> {
    let mut from = In(bytes);
    // Before a package is accepted there are screens without any name.
    let known = package.ok_or(Unseen);
    let kind = from.byte()?;
    let screen = match kind {
        kind::BLANK => Screen::Blank,
        kind::STARTING => Screen::Starting,
        kind::IDLE => Screen::Idle {
            election: known?.manifest.name,
            station: known?.station.name,
        },
        kind::WRONG_CARD => Screen::WrongCard {
            why: match from.byte()? {
                100 => WrongCard::Certificate(from.one(CERTIFICATE)?),
                place => *WRONG.get(usize::from(place)).ok_or(Unseen)?,
            },
        },
        kind::PIN => {
            let [digits, tries_left, fewest, most] = *from.array()?;
            Screen::Pin {
                digits,
                tries_left,
                wrong: from.flag()?,
                who: from.pin_of()?,
                length: PinDigits { fewest, most },
            }
        }
        kind::LAST_TRY => Screen::LastTry { who: from.pin_of()? },
        kind::ADMITTING => Screen::Admitting,
        kind::CONTEST => Screen::Contest(from.contest(known?)?),
        kind::OVERVOTE => Screen::Overvote(from.contest(known?)?),
        kind::REVIEW => {
            let id = from.list()?;
            let style = known?.manifest.styles().position(|style| style.id.as_bytes() == id);
            let style = style.and_then(|style| u16::try_from(style).ok()).ok_or(Unseen)?;
            let form = Form::new(known?.manifest, style).ok_or(Unseen)?;
            let mut selected = [Selected::NONE; election::manifest::MAX_STYLE_CONTESTS];
            let count = usize::try_from(from.word()?).map_err(|_| Unseen)?;
            let selected = selected.get_mut(..count).ok_or(Unseen)?;
            for place in selected.iter_mut() {
                *place = from.selected()?;
            }
            return Ok(show(&Screen::Review(Review { form, selected })));
        }
        kind::ENCRYPTING => Screen::Encrypting,
        kind::CODE => Screen::CastOrChallenge {
            code: from.array()?,
            challenges_left: from.byte()?,
        },
        kind::USED_UP => Screen::ChallengesUsedUp,
        kind::RECORDING => Screen::Recording,
        kind::OPENING => {
            let id = from.list()?;
            let contest = known?.manifest.contests().find(|contest| contest.id.as_bytes() == id);
            Screen::Opening(OpeningScreen {
                contest: contest.ok_or(Unseen)?,
                index: from.byte()?,
                count: from.byte()?,
                selected: from.selected()?,
                code: from.array()?,
                payload: from.list()?,
            })
        }
        kind::WITHOUT => Screen::EndWithoutVote,
        kind::DONE => Screen::Done,
        kind::ABANDONED => Screen::Abandoned,
        kind::STILL_THERE => Screen::StillThere,
        kind::LOCKED => Screen::Locked,
        kind::CALL => Screen::CallStaff,
        kind::FAULT => {
            let recorded = from.one(RECORDED)?;
            Screen::Fault {
                why: from.fault()?,
                recorded,
            }
        }
        kind::CLOSED => {
            let hash: &Digest = from.array()?;
            let mut words = [""; election::words::WORDS];
            for (place, word) in words.iter_mut().zip(ClosingWords::of(hash).words()) {
                *place = word;
            }
            let closed = ClosedScreen {
                hash,
                words: &words,
                counts: from.counts()?,
                void: from.word()?,
                lost: ROLES.get(usize::from(from.byte()?)).copied(),
                unsent: from.word()?,
                retire: from.flag()?,
            };
            return Ok(show(&Screen::Staff(StaffScreen::Closed(closed))));
        }
        staff => Screen::Staff(from.staff(staff, known?)?),
    };
    Ok(show(&screen))
}
