//! A spare in the place of a kiosk that has failed: with the surviving medium, and with nothing else.

use election::batch::Kind;
use election::ledger::Transaction;
use election::manifest::Mode;

use super::kiosks::*;
use super::machine::{Machine, Ran};
use super::people::{How, Visit};
use crate::ballot_box::{MediaFault, Role, SPARE_ROLE, media_for_tests as media};
use crate::ports::Item;
use crate::run::Exit;
use crate::screen::{Fault, Recorded};
use crate::session::WrongCard;

#[test]
fn f4_a_spare_goes_on_with_the_surviving_medium() {
    for survivor in [0, 1] {
        let first = machine(Mode::Consultation);
        let some = [
            voter(0, [0b001, 0b0011], How::Cast),
            voter(1, [0b010, 0b1000], How::ChallengeFirst),
            voter(2, [0b100, 0], How::PullCard),
            voter(3, [0, 0b0110], How::Cast),
            voter(4, [0b010, 0b0101], How::Cast),
            voter(5, [0b100, 0b1001], How::Cast),
        ];
        first.come(some);
        assert_eq!(first.run(), Ran::Waiting);
        first.power_cycle();

        let spare = kiosk(Mode::Consultation, 2);
        let mut media = spare.media.clone();
        media[survivor] = first.media[survivor].clone();
        // The surviving medium hangs on the spare's power now.
        media[survivor].power = media[1 - survivor].power.clone();
        let spare = Machine { media, ..spare };
        spare
            .world
            .ledger
            .borrow_mut()
            .extend(first.world.ledger.borrow().iter().cloned());
        {
            let mut people = spare.world.people.borrow_mut();
            people.done = first.world.people.borrow().done.clone();
            people.visits.push_back(casts(0));
            people.visits.push_back(voter(6, [0b001, 0], How::Cast));
            people.visits.push_back(Visit::Close);
        }
        assert_eq!(
            spare.run(),
            Ran::Ended(Exit::Restart),
            "the takeover is signed and written"
        );
        let ended = spare.run();
        assert!(matches!(ended, Ran::Ended(Exit::Closed { unsent: 0, .. })), "{ended:?}");
        {
            let people = spare.world.people.borrow();
            assert_eq!(people.refused, [(0, WrongCard::Voted)], "A1 holds over the takeover");
            assert_eq!(people.done.len(), 6);
        }
        judge(&spare, Mode::Consultation);
        // On the ledger: the takeover names the old kiosk's last proven batch, and the spare's row follows it.
        let ledger = spare.world.ledger.borrow();
        let mut newest = [0; 32];
        let mut taken = None;
        let mut leaves = std::collections::BTreeSet::new();
        for transaction in ledger.iter() {
            match Transaction::read(transaction).unwrap() {
                Transaction::Batch(batch) => {
                    if batch.header.number == 0 && taken.is_some() {
                        assert_eq!(Some(batch.header.previous), taken);
                    }
                    newest = batch.header.hash();
                    for entry in batch
                        .entries
                        .iter()
                        .map(Result::unwrap)
                        .filter(|entry| entry.kind == Kind::Cast)
                    {
                        assert!(leaves.insert(entry.leaf), "what was proven does not leave again");
                    }
                }
                Transaction::Takeover { body, .. } => {
                    assert_eq!(body.predecessor, newest);
                    assert_ne!(newest, [0; 32], "a batch of the first kiosk was proven");
                    assert_eq!(body.count, 5);
                    taken = Some(newest);
                }
                _ => {}
            }
        }
        assert!(taken.is_some());
        assert_eq!(leaves.len(), 6, "every vote has left once");
        // The first kiosk does not go on with the medium that was taken.
        let refused = first.run();
        assert!(
            matches!(
                refused,
                Ran::Ended(Exit::Fault {
                    fault: Fault::Media(_),
                    recorded: None
                })
            ),
            "{refused:?}"
        );
    }
}

/// A spare's media fit nothing but a takeover; in one they take whichever place is free.
#[test]
fn f4_a_spare_starts_only_with_the_surviving_medium() {
    for survivor in [0, 1] {
        let first = machine(Mode::Statutory);
        first.world.online.set(false);
        for card in 0..3 {
            first.come([casts(card)]);
        }
        assert_eq!(first.run(), Ran::Waiting);
        first.power_cycle();
        let spare = kiosk(Mode::Statutory, 2);
        spare.world.online.set(false);
        let power = spare.media[0].power.clone();
        let blank = |name: u8| {
            let medium = media::Faulty::new(spare.layout.size(), name, &power);
            label(&spare, &medium, 9, SPARE_ROLE);
            medium
        };
        // By itself it is no ballot box, however the two are put in.
        let alone = with_media(&spare, [blank(0), blank(1)]);
        assert_eq!(
            alone.run(),
            fault(Fault::Media(MediaFault::Spare(Role::Original)), None)
        );
        let mut half = [spare.media[0].clone(), spare.media[1].clone()];
        half[survivor] = blank(u8::try_from(survivor).unwrap());
        assert!(matches!(
            with_media(&spare, half).run(),
            Ran::Ended(Exit::Fault {
                fault: Fault::Media(MediaFault::Spare(_)),
                ..
            })
        ));
        // With the surviving medium it takes over; also if the power goes between its two labels.
        for cut in [None, Some(0), Some(1), Some(2), Some(3)] {
            let mut media = [blank(0), blank(1)];
            media[survivor] = first.media[survivor].image();
            media[survivor].power = power.clone();
            spare.world.items.borrow_mut().remove(&(Item::Progress as u8));
            let machine = with_media(&spare, media);
            power.borrow_mut().left = cut;
            spare.world.people.borrow_mut().restarted.clear();
            let ran = machine.run();
            if cut.is_some() {
                assert_eq!(ran, Ran::Cut);
                machine.power_cycle();
                // The cut may have come after the label that hands over; else the takeover is signed once more.
                let again = machine.run();
                assert!(
                    again == Ran::Ended(Exit::Restart) || again == Ran::Waiting,
                    "{cut:?} {again:?}"
                );
            } else {
                assert_eq!(ran, Ran::Ended(Exit::Restart));
            }
            machine.power_cycle();
            assert_eq!(machine.run(), Ran::Waiting, "{cut:?}");
            let people = machine.world.people.borrow();
            let found = people.restarted.first().unwrap();
            assert!(found.taken_over, "{cut:?}");
            assert_eq!(found.voter, Some(Recorded::Yes), "the last whom the old kiosk let in");
            assert_eq!(votes(&machine, 1 - survivor, Mode::Statutory).len(), 3);
            drop(people);
            machine.power_cycle();
        }
    }
}
