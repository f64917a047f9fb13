//! Packages and media that are older than what the kiosk remembers are refused; media that are ahead of it are taken.

use election::manifest::Mode;

use super::desk;
use super::kiosks::*;
use super::machine::{Machine, Ran};
use super::people::Visit;
use crate::ballot_box::MediaFault;
use crate::run::Exit;
use crate::screen::Fault;

#[test]
fn packages_that_are_older_or_changed_are_refused() {
    use crate::identity::PackageFault;
    use election::package::PackageError;
    let mut machine = machine(Mode::Consultation);
    machine.package = desk::package(Mode::Consultation, 3);
    assert_eq!(machine.run(), Ran::Waiting);
    assert_eq!(machine.world.pictures.get(), (1, 2), "the panel is told how names look");
    machine.power_cycle();
    machine.package = desk::package(Mode::Consultation, 2);
    let refused = |machine: &Machine| match machine.run() {
        Ran::Ended(Exit::Fault {
            fault: Fault::Package(PackageFault::Refused(error)),
            ..
        }) => error,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(&machine), PackageError::Older { held: 3, given: 2 });
    machine.package = desk::package(Mode::Statutory, 4);
    assert_eq!(refused(&machine), PackageError::OtherElection);
    // Another picture under a name: the panel never hears of it.
    machine.package = desk::package(Mode::Consultation, 5);
    *machine.package.last_mut().unwrap() ^= 0x10;
    assert_eq!(
        refused(&machine),
        PackageError::SectionHash(election::package::Kind::Pictures)
    );
    assert_eq!(machine.world.pictures.get(), (1, 2));
}

#[test]
fn f6_an_older_copy_of_the_media_is_refused() {
    let machine = machine(Mode::Consultation);
    let mut early = None;
    machine.come([casts(0)]);
    assert_eq!(machine.run(), Ran::Waiting);
    machine.power_cycle();
    early.replace([machine.media[0].image(), machine.media[1].image()]);
    machine.come((1..6).map(casts));
    assert_eq!(machine.run(), Ran::Waiting);
    machine.power_cycle();
    let [original, duplicate] = early.unwrap();
    let older = with_media(&machine, [original, duplicate]);
    assert_eq!(older.run(), fault(Fault::Media(MediaFault::Older), None));
}

/// Copies of both media, taken at any write of the day, are given to the kiosk of the same day after its end: no vote can be made to be missing.
#[test]
fn f6_an_older_copy_of_both_media_between_two_batches_is_refused() {
    let day = || {
        let machine = machine(Mode::Statutory);
        machine.come(few());
        machine
    };
    let machine = day();
    assert_eq!(machine.run(), Ran::Waiting);
    let all = votes(&machine, 0, Mode::Statutory);
    assert_eq!(all.len(), 3);
    let steps = machine.media[0].power.borrow().steps;
    let items = machine.world.items.borrow().clone();
    let mut between = 0;
    for cut in 0..steps {
        // The same kiosk, the same day, up to a cut.
        let copied = day();
        copied.media[0].power.borrow_mut().left = Some(cut);
        assert_eq!(copied.run(), Ran::Cut, "{cut}");
        let [one, two] = [copied.media[0].image(), copied.media[1].image()];
        let fewer = votes(&with_media(&machine, [one.clone(), two.clone()]), 1, Mode::Statutory).len();
        between += u32::from(fewer > 0 && fewer < 3);
        for medium in [&one, &two] {
            medium.power.borrow_mut().left = None;
            medium.power.borrow_mut().gone = false;
        }
        *machine.world.items.borrow_mut() = items.clone();
        machine.world.pull();
        let older = with_media(&machine, [one, two]);
        let ran = older.run();
        let refused = ran == fault(Fault::Media(MediaFault::Older), None);
        // The last step is the duplicate's sync of the last vote: the original alone has it, and that is enough.
        assert!(refused || votes(&older, 0, Mode::Statutory) == all, "{cut}: {ran:?}");
    }
    assert!(between > 10, "{between}");
}

/// A cut between the box's write and the store's: the media are ahead, by a whole session or half of one.
#[test]
fn f6_media_ahead_of_what_is_remembered_are_taken() {
    let machine = machine(Mode::Statutory);
    machine.world.online.set(false);
    machine.come(few().into_iter().take(1));
    assert_eq!(machine.run(), Ran::Waiting);
    machine.power_cycle();
    let before = machine.world.items.borrow().clone();
    machine.come(few().into_iter().skip(1));
    assert_eq!(machine.run(), Ran::Waiting);
    machine.power_cycle();
    assert_ne!(before, *machine.world.items.borrow());
    *machine.world.items.borrow_mut() = before;
    machine.come([Visit::Close]);
    assert!(matches!(machine.run(), Ran::Ended(Exit::Closed { .. })));
    judge(&machine, Mode::Statutory);
}
