//! Every screen of an election, as files: for looking, for translators, for tests.

use std::boxed::Box;
use std::format;
use std::path::Path;
use std::string::{String, ToString as _};
use std::vec::Vec;

use election::hash::Digest;
use election::pictures::Pictures;
use election::wire::Seq;
use kiosk::ballot_box::{Counts, MediaFault, Role};
use kiosk::form::Form;
use kiosk::ports::{MediumError, ReaderError, Space};
use kiosk::screen::{
    ClosedScreen, ContestScreen, Fault, Health, OpeningScreen, Phase, PinOf, Recorded, Restarted, Review, Room, Screen,
    StaffAction, StaffScreen, UpdateScreen, WrongStaffCard, ZeroReport,
};
use kiosk::session::{PinDigits, Selected, WrongCard};
use kiosk::update::{Offer, Refused};
use slint::Rgb8Pixel;

use super::headless::{Headless, write_png};
use super::measure::{Measured, measure};
use crate::audio::Key;
use crate::compose::Settings;
use crate::metrics::Config;
use crate::panel::Panel;
use crate::practice::{Place, Practice};

/// A rendered page of a screen.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// Screen and page: `contest-0-page-2`.
    pub screen: String,
    /// The file's name in the folder.
    pub png: String,
    /// Its measures.
    pub measured: Measured,
    /// Something on it has no room on this panel, in no text size.
    pub overflow: bool,
}

impl Rendered {
    /// One object of the list.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        let round = |value: f64| (value * 100.0).round() / 100.0;
        serde_json::json!({
            "screen": self.screen,
            "png": self.png,
            "touch_mm": self.measured.touch_mm.iter().map(|[w, h]| [round(*w), round(*h)]).collect::<Vec<_>>(),
            "gap_mm": self.measured.gap_mm.map(round),
            "text_mm": self.measured.text_mm.map(round),
            "contrast": self.measured.contrast.map(round),
            "overflow": self.overflow,
        })
    }
}

/// Renders every page of every screen of an election's ballot forms to `out` (PNG files, `screens.json`, `contact-sheet.png`). Of all
/// forms but the first only what they have that no form before had: their contests, and then their review. With `pictures` the
/// definition's texts are drawn from these, as on a kiosk whose package has them.
///
/// # Errors
/// No headless panel, or what the file system says.
pub fn render_all(
    forms: &[Form<'_>],
    pictures: Option<&Pictures<'_>>,
    config: Config,
    settings: Settings,
    out: &Path,
) -> Result<Vec<Rendered>, Box<dyn std::error::Error>> {
    std::fs::create_dir_all(out)?;
    let headless = Headless::new(config)?;
    if let Some(pictures) = pictures {
        headless.panel.pictures(pictures)?;
    }
    let mut list = Vec::new();
    let mut sheet: Vec<Vec<Rgb8Pixel>> = Vec::new();
    let mut result = Ok(());
    let mut size = (0, 0);
    let mut draw_with = |name: &str, show: &dyn Fn(&Panel)| {
        // Of a dark panel nothing is left for the next voter, and of that nothing on a blank one.
        headless.panel.show(&Screen::Idle {
            election: Seq::default(),
            station: Seq::default(),
        });
        headless.panel.show(&Screen::Blank);
        show(&headless.panel);
        headless.panel.set(settings);
        let mut number = 0;
        loop {
            headless.panel.turn(number);
            let page = headless.panel.page();
            if page.index != number || result.is_err() {
                break;
            }
            let (width, height, pixels) = headless.pixels();
            size = (width, height);
            let screen = if page.count > 1 {
                format!("{name}-page-{}", number + 1)
            } else {
                name.to_string()
            };
            let png = format!("{screen}.png");
            if let Err(error) = write_png(&out.join(&png), width, height, &pixels) {
                result = Err(error);
            }
            list.push(Rendered {
                screen,
                png,
                measured: measure(&page, headless.panel.metrics(), width, &pixels),
                overflow: page.overflow,
            });
            sheet.push(small(&pixels, width, height));
            number += 1;
        }
    };
    let mut draw = |name: &str, screen: &Screen<'_>| draw_with(name, &|panel| panel.show(screen));
    let mut seen: Vec<u16> = Vec::new();
    for (number, form) in forms.iter().enumerate() {
        let contests: Vec<u16> = form.contests().map(|item| item.number).collect();
        let fresh: Vec<bool> = contests.iter().map(|contest| !seen.contains(contest)).collect();
        if number == 0 {
            every(form, &mut draw);
        } else if fresh.contains(&true) {
            ballot(form, &mut |name, screen| {
                let place = match screen {
                    Screen::Contest(contest) | Screen::Overvote(contest) => Some(contest.index),
                    Screen::Opening(opening) => Some(opening.index),
                    _ => None,
                };
                if place.is_none_or(|place| fresh.get(usize::from(place)) == Some(&true)) {
                    draw(&format!("style-{}-{name}", number + 1), screen);
                }
            });
        }
        seen.extend(contests);
    }
    for practice in Practice::every() {
        let name = match practice.place {
            Place::Contest(index) => format!("{}-{index}", crate::compose::practice(&practice).name),
            _ => crate::compose::practice(&practice).name.to_string(),
        };
        draw_with(&name, &|panel| panel.practise(Some(practice)));
    }
    if let Some(form) = forms.first() {
        own(form, settings, &mut draw_with);
    }
    result?;
    let json: Vec<_> = list.iter().map(Rendered::json).collect();
    std::fs::write(out.join("screens.json"), serde_json::to_vec_pretty(&json)?)?;
    contact_sheet(&out.join("contact-sheet.png"), &sheet, size)?;
    Ok(list)
}

/// Pixels of a picture on the contact sheet are so many of the screen, each way.
const SHRINK: usize = 3;

fn small(pixels: &[Rgb8Pixel], width: usize, height: usize) -> Vec<Rgb8Pixel> {
    let mut out = Vec::new();
    for y in 0..height / SHRINK {
        for x in 0..width / SHRINK {
            let mut sum = [0_u32; 3];
            for row in pixels.chunks(width).skip(y * SHRINK).take(SHRINK) {
                for pixel in row.iter().skip(x * SHRINK).take(SHRINK) {
                    for (total, channel) in sum.iter_mut().zip([pixel.r, pixel.g, pixel.b]) {
                        *total += u32::from(channel);
                    }
                }
            }
            let [r, g, b] = sum.map(|total| u8::try_from(total / 9).unwrap_or(u8::MAX));
            out.push(Rgb8Pixel::new(r, g, b));
        }
    }
    out
}

fn contact_sheet(path: &Path, sheet: &[Vec<Rgb8Pixel>], (width, height): (usize, usize)) -> std::io::Result<()> {
    let (width, height) = (width / SHRINK, height / SHRINK);
    let (columns, margin) = (5, 8);
    let rows = sheet.len().div_ceil(columns);
    let (full_width, full_height) = (columns * (width + margin) + margin, rows * (height + margin) + margin);
    let mut pixels = std::vec![Rgb8Pixel::new(120, 120, 120); full_width * full_height];
    for (number, picture) in sheet.iter().enumerate() {
        let (left, top) = (
            margin + number % columns * (width + margin),
            margin + number / columns * (height + margin),
        );
        for (row, line) in picture.chunks(width).enumerate() {
            let start = (top + row) * full_width + left;
            if let Some(target) = pixels.get_mut(start..start + line.len()) {
                target.copy_from_slice(line);
            }
        }
    }
    write_png(path, full_width, full_height, &pixels)
}

const CODE: Digest = [
    0x5a, 0x91, 0x07, 0xc3, 0x11, 0xee, 0x42, 0x68, 0xb0, 0x2d, 0x77, 0x19, 0xfa, 0x03, 0x8c, 0xd4, 0x65, 0x20, 0x9b,
    0x3e, 0x14, 0xa7, 0x58, 0xc1, 0x36, 0xdf, 0x82, 0x4b, 0x99, 0x0e, 0x6d, 0xf2,
];

const COUNTS: Counts = Counts {
    admitted: 119,
    recorded: 117,
    abandoned: 1,
    interrupted: 1,
    spoiled: 3,
    void: 0,
};

/// Gets a page of the panel's own: its name, and what shows it.
pub type Own<'f> = &'f mut dyn FnMut(&str, &dyn Fn(&Panel));

/// The panel's own pages, over the first contest of the form: language, size and colours; the buttons that had no room in the column;
/// a panel that a key has made dark. Each is given a name and what shows it, in these settings, on a panel that shows nothing.
pub fn own(form: &Form<'_>, settings: Settings, show: Own<'_>) {
    let count = u8::try_from(form.contests().count()).unwrap_or(u8::MAX);
    let Some(item) = form.contest(0) else { return };
    let contest = ContestScreen {
        contest: item.contest,
        order: item.order,
        index: 0,
        count,
        selected: Selected::NONE,
        votes_left: item.contest.votes,
    };
    let under = |panel: &Panel| {
        panel.show(&Screen::Contest(contest));
        panel.set(settings);
    };
    show("settings", &|panel| {
        under(panel);
        panel.open_settings();
    });
    show("other", &|panel| {
        under(panel);
        panel.open_other();
    });
    show("dark", &|panel| {
        under(panel);
        panel.key(Key::Blank);
    });
}

/// Shows every kind of screen once, and every contest of the form: empty, full, too many.
pub fn every(form: &Form<'_>, show: &mut dyn FnMut(&str, &Screen<'_>)) {
    let name = form.manifest().name;
    let station = form
        .manifest()
        .units
        .iter()
        .find_map(Result::ok)
        .map_or(name, |unit| unit.name);
    show("starting", &Screen::Starting);
    show(
        "idle",
        &Screen::Idle {
            election: name,
            station,
        },
    );
    for (name, why) in [
        ("wrong-card-mute", WrongCard::Mute),
        ("wrong-card-reader", WrongCard::ReaderGone),
        ("wrong-card-unsuitable", WrongCard::Unsuitable),
        ("wrong-card-unreadable", WrongCard::Unreadable),
        ("wrong-card-blocked", WrongCard::Blocked),
        (
            "wrong-card-expired",
            WrongCard::Certificate(card::CertificateError::Expired),
        ),
        (
            "wrong-card-not-yet",
            WrongCard::Certificate(card::CertificateError::NotYetValid),
        ),
        (
            "wrong-card-issuer",
            WrongCard::Certificate(card::CertificateError::UnknownIssuer),
        ),
        (
            "wrong-card-signature",
            WrongCard::Certificate(card::CertificateError::BadSignature),
        ),
        ("wrong-card-not-proven", WrongCard::NotProven),
        ("wrong-card-not-on-roll", WrongCard::NotOnRoll),
        ("wrong-card-voted", WrongCard::Voted),
        ("wrong-card-full", WrongCard::Full),
    ] {
        show(name, &Screen::WrongCard { why });
    }
    let four = PinDigits { fewest: 4, most: 4 };
    let pin = |digits, tries_left, wrong, who, length| Screen::Pin {
        digits,
        tries_left,
        wrong,
        who,
        length,
    };
    show("pin", &pin(0, 3, false, PinOf::Voter, four));
    show("pin-wrong", &pin(3, 2, true, PinOf::Voter, PinDigits::ANY));
    show("pin-staff", &pin(8, 1, true, PinOf::Staff(2), PinDigits::ANY));
    show("last-try", &Screen::LastTry { who: PinOf::Voter });
    show("last-try-staff", &Screen::LastTry { who: PinOf::Staff(1) });
    show("admitting", &Screen::Admitting);
    ballot(form, show);
    show("encrypting", &Screen::Encrypting);
    for (name, challenges_left) in [("cast-or-challenge", 3), ("cast-only", 0)] {
        show(
            name,
            &Screen::CastOrChallenge {
                code: &CODE,
                challenges_left,
            },
        );
    }
    show("challenges-used-up", &Screen::ChallengesUsedUp);
    show("recording", &Screen::Recording);
    show("end-without-vote", &Screen::EndWithoutVote);
    show("done", &Screen::Done);
    show("abandoned", &Screen::Abandoned);
    show("still-there", &Screen::StillThere);
    show("locked", &Screen::Locked);
    show("call-staff", &Screen::CallStaff);
    faults(show);
    staff(form, show);
}

/// As many of the first options as there are votes, or fewer.
fn first(votes: u8) -> Selected {
    (0..votes).fold(Selected::NONE, Selected::toggled)
}

fn ballot(form: &Form<'_>, show: &mut dyn FnMut(&str, &Screen<'_>)) {
    let count = u8::try_from(form.contests().count()).unwrap_or(u8::MAX);
    let mut full = Vec::new();
    for (index, item) in (0_u8..).zip(form.contests()) {
        let votes = item.contest.votes;
        let screen = |selected: Selected| ContestScreen {
            contest: item.contest,
            order: item.order,
            index,
            count,
            selected,
            votes_left: votes.saturating_sub(selected.count()),
        };
        show(&format!("contest-{index}"), &Screen::Contest(screen(Selected::NONE)));
        show(
            &format!("contest-{index}-chosen"),
            &Screen::Contest(screen(first(votes))),
        );
        show(&format!("overvote-{index}"), &Screen::Overvote(screen(first(votes))));
        full.push(first(votes));
        let selections = item.contest.options.count() + usize::from(votes);
        let mut payload = b"IPO1".to_vec();
        payload.extend(CODE);
        payload.extend([index, u8::try_from(selections).unwrap_or(u8::MAX)]);
        payload.extend((0_u8..=255).cycle().take(selections * 33));
        show(
            &format!("opening-{index}"),
            &Screen::Opening(OpeningScreen {
                contest: item.contest,
                index,
                count,
                selected: first(votes),
                code: &CODE,
                payload: &payload,
            }),
        );
    }
    show(
        "review",
        &Screen::Review(Review {
            form: *form,
            selected: &full,
        }),
    );
    let none: Vec<Selected> = full.iter().map(|_| Selected::NONE).collect();
    show(
        "review-empty",
        &Screen::Review(Review {
            form: *form,
            selected: &none,
        }),
    );
}

fn faults(show: &mut dyn FnMut(&str, &Screen<'_>)) {
    for (name, why, recorded) in [
        (
            "fault-medium",
            Fault::Medium(Role::Duplicate, MediumError::Write),
            Some(Recorded::Unknown),
        ),
        ("fault-read-back", Fault::ReadBack(Role::Original), Some(Recorded::No)),
        ("fault-swapped", Fault::Media(MediaFault::Swapped), None),
        (
            "fault-other-kiosk",
            Fault::Media(MediaFault::OtherKiosk(Role::Original)),
            None,
        ),
        ("fault-older", Fault::Media(MediaFault::Older), None),
        ("fault-deficit", Fault::Deficit { missing: 2 }, None),
        ("fault-no-room", Fault::NoRoom, Some(Recorded::Yes)),
        ("fault-entropy", Fault::Entropy, Some(Recorded::No)),
        ("fault-uplink", Fault::UplinkInStatutory, None),
        (
            "fault-package",
            Fault::Package(kiosk::identity::PackageFault::Refused(
                election::package::PackageError::Authority,
            )),
            None,
        ),
    ] {
        show(name, &Screen::Fault { why, recorded });
    }
}

fn staff(form: &Form<'_>, show: &mut dyn FnMut(&str, &Screen<'_>)) {
    let mut staff = |name: &str, screen: StaffScreen<'_>| show(name, &Screen::Staff(screen));
    let health = Health {
        counts: Some(COUNTS),
        free: 1_931,
        free_spoiled: 61,
        room: Room::Enough,
        unsent: 2,
        online: Some(false),
        height: 20_741,
        seconds: 1_795_305_600,
        media: [Ok(64 << 20); 2],
        reader: Ok(false),
        disk: Some(Space {
            free: 6_100 << 20,
            size: 7_800 << 20,
        }),
        celsius: Some(41),
    };
    for (name, phase, health) in [
        (
            "staff-menu-new",
            Phase::Unprovisioned,
            Health {
                counts: None,
                online: None,
                ..health
            },
        ),
        ("staff-menu-before", Phase::NotOpened, health),
        // A14: what the kiosk gives while polls are open.
        (
            "staff-menu-open",
            Phase::Open,
            Health {
                counts: None,
                free: 0,
                free_spoiled: 0,
                unsent: 0,
                ..health
            },
        ),
        (
            "staff-menu-full",
            Phase::Open,
            Health {
                counts: None,
                free: 0,
                free_spoiled: 0,
                room: Room::Full,
                unsent: 0,
                ..health
            },
        ),
        // Everything that can fail while polls are open, on a board that measures nothing.
        (
            "staff-menu-faults",
            Phase::Open,
            Health {
                counts: None,
                free: 0,
                free_spoiled: 0,
                unsent: 0,
                media: [Ok(64 << 20), Err(MediumError::Missing)],
                reader: Err(ReaderError::Gone),
                disk: Some(Space {
                    free: 30 << 20,
                    size: 7_800 << 20,
                }),
                celsius: Some(Health::HOT + 6),
                ..health
            },
        ),
        (
            "staff-menu-closed",
            Phase::Closed,
            Health {
                online: Some(true),
                disk: None,
                celsius: None,
                ..health
            },
        ),
    ] {
        staff(name, StaffScreen::Menu { phase, health });
    }
    staff(
        "staff-provision",
        StaffScreen::Provision {
            kiosk: &CODE,
            software: &CODE,
        },
    );
    staff("staff-await-secret", StaffScreen::AwaitSecret { refused: true });
    staff(
        "staff-choose-epoch",
        StaffScreen::ChooseEpoch {
            epochs: form.manifest().epochs,
            wrong: true,
        },
    );
    for (name, action, number) in [
        ("staff-insert-card", StaffAction::Open, 1),
        ("staff-insert-card-2", StaffAction::Close, 2),
    ] {
        staff(name, StaffScreen::InsertCard { action, number });
    }
    staff(
        "staff-card-refused",
        StaffScreen::CardRefused {
            why: WrongStaffCard::SameCard,
        },
    );
    staff("staff-take-card", StaffScreen::TakeCard);
    staff(
        "staff-zero-report",
        StaffScreen::ZeroReport(ZeroReport {
            election: form.manifest().name,
            station: form
                .manifest()
                .units
                .iter()
                .find_map(Result::ok)
                .map_or_else(Seq::default, |unit| unit.name),
            epoch: 0,
            hash: &CODE,
            package: &CODE,
            software: &CODE,
            kiosk: &CODE,
            recorded: 0,
            capacity: 2_048,
            voters: 3_120,
            key_unprotected: true,
        }),
    );
    staff(
        "staff-restarted",
        StaffScreen::Restarted(Restarted {
            voter: Some(Recorded::No),
            taken_over: false,
            copied: true,
            void: 1,
        }),
    );
    staff(
        "staff-take-over",
        StaffScreen::TakeOver {
            old: &CODE,
            recorded: 87,
        },
    );
    staff(
        "staff-confirm-close",
        StaffScreen::ConfirmClose {
            counts: COUNTS,
            few: Some(8),
        },
    );
    let offer = Offer {
        version: 7,
        running: 6,
        software: CODE,
        image: CODE,
        nonce: CODE,
    };
    for (name, way) in [
        ("staff-update", UpdateScreen::Offer { offer: &offer }),
        (
            "staff-update-writing",
            UpdateScreen::Writing {
                offer: &offer,
                percent: 42,
            },
        ),
        ("staff-update-done", UpdateScreen::Done { offer: &offer }),
        ("staff-update-stuck", UpdateScreen::Stuck { offer: &offer }),
        (
            "staff-update-refused",
            UpdateScreen::Refused {
                why: Refused::Unsigned,
                retired: false,
            },
        ),
        (
            "staff-update-retired",
            UpdateScreen::Refused {
                why: Refused::Disk,
                retired: true,
            },
        ),
    ] {
        staff(name, StaffScreen::Update(way));
    }
    staff(
        "staff-closed",
        StaffScreen::Closed(ClosedScreen {
            hash: &CODE,
            words: &[
                "abandon", "ability", "captain", "drift", "elephant", "fabric", "garment", "harvest", "inspire",
                "journey", "kangaroo", "umbrella",
            ],
            counts: COUNTS,
            void: 0,
            lost: None,
            unsent: 4,
            retire: true,
        }),
    );
}
