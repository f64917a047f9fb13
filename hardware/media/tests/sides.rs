//! Linux's media and a board's are one format: what one has written the other reads and goes on with, to the byte, also after a cut.
//!
//! A file and a chip of NOR flash are paired directly. Between them an image is carried as the desk carries it: byte by byte.

#[path = "common/chip.rs"]
mod chip;
mod common;

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use chip::{BLOCK, Chip, PAGE, Power};
use common::*;
use election::sign::Signer;
use kiosk::ballot_box::{Counts, Role};
use kiosk::ports::{Geometry, Medium, MediumError};
use media::{Device, FileMedium, NorMedium, SECTOR};

const ROLES: [Role; 2] = [Role::Original, Role::Duplicate];

type Image = Vec<u8>;

fn size() -> usize {
    usize::try_from(layout(SECTOR).size()).unwrap()
}

/// What a file's bytes are to the driver of files.
#[derive(Clone)]
struct Disk(Rc<RefCell<Image>>);

impl Device for Disk {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let offset = usize::try_from(offset).unwrap();
        buffer.copy_from_slice(&self.0.borrow()[offset..offset + buffer.len()]);
        Ok(())
    }
    fn write_all_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        let offset = usize::try_from(offset).unwrap();
        self.0.borrow_mut()[offset..offset + data.len()].copy_from_slice(data);
        Ok(())
    }
    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }
    fn is_there(&self) -> bool {
        true
    }
}

/// A medium on mains that may go in the middle of a write: a part of it, in whole pages, stands then, and of the next page some bits.
struct Plugged<M>(M, Rc<RefCell<Power>>);

impl<M: Medium> Medium for Plugged<M> {
    async fn geometry(&mut self) -> Result<Geometry, MediumError> {
        self.0.geometry().await
    }
    async fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), MediumError> {
        self.0.read(offset, buffer).await
    }
    async fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), MediumError> {
        if !self.1.borrow_mut().goes() {
            return self.0.write(offset, data).await;
        }
        let mut torn = vec![0; data.len()];
        self.0.read(offset, &mut torn).await?;
        let whole = usize::from(self.1.borrow_mut().byte()) * data.len() / 256 / PAGE * PAGE;
        torn[..whole].copy_from_slice(&data[..whole]);
        for (cell, byte) in torn[whole..].iter_mut().zip(&data[whole..]).take(PAGE) {
            *cell &= *byte | self.1.borrow_mut().byte();
        }
        self.0.write(offset, &torn).await?;
        std::future::pending().await
    }
    async fn sync(&mut self) -> Result<(), MediumError> {
        self.0.sync().await
    }
}

/// A kiosk of one kind or the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Linux,
    Board,
}

impl Side {
    const fn other(self) -> Self {
        match self {
            Self::Linux => Self::Board,
            Self::Board => Self::Linux,
        }
    }

    /// A stretch of a day on these images, until all have voted or the power goes; and how many writes that were.
    fn goes_on(
        self,
        images: &mut [Image; 2],
        left: Option<u32>,
        voters: &mut Voters,
        rng: &mut Lcg,
    ) -> (Option<Counts>, u32) {
        let power = Rc::new(RefCell::new(Power {
            left,
            chance: u64::from(left.unwrap_or(0)) * 7 + 1,
            ..Power::default()
        }));
        let counts = match self {
            Self::Linux => {
                let disks = [0, 1].map(|at| Disk(Rc::new(RefCell::new(images[at].clone()))));
                let [one, two] = disks
                    .clone()
                    .map(|disk| Plugged(FileMedium::over(disk, size() as u64), power.clone()));
                let counts = day(one, two, SECTOR, voters, rng);
                *images = disks.map(|disk| disk.0.borrow().clone());
                counts
            }
            Self::Board => {
                let chips = [0, 1].map(|at| Chip::holding(&images[at], &power));
                let counts = day(nor(&chips[0]), nor(&chips[1]), SECTOR, voters, rng);
                *images = chips.map(|chip| chip.cells.borrow().bytes.clone());
                counts
            }
        };
        let steps = power.borrow().steps;
        (counts, steps)
    }

    /// The laws, as the desk reads them with this side's driver.
    fn judges(self, images: &[Image; 2], voters: &Voters, context: &str) {
        for image in images {
            match self {
                Self::Linux => {
                    let file = || FileMedium::over(Disk(Rc::new(RefCell::new(image.clone()))), size() as u64);
                    judge(file(), voters, context);
                    assert_eq!(batches(file(), voters, context), [2], "{context}");
                }
                Self::Board => {
                    let chip = Chip::holding(image, &Rc::default());
                    judge(nor(&chip), voters, context);
                    assert_eq!(batches(nor(&chip), voters, context), [2], "{context}");
                }
            }
        }
    }
}

fn nor(chip: &Chip) -> NorMedium<Chip> {
    NorMedium::new(chip.clone(), 0, u32::try_from(size()).unwrap()).unwrap()
}

fn people() -> Voters {
    Voters {
        batches: Some(Signer::from_bytes(&[7; 32]).unwrap()),
        ..Voters::default()
    }
}

/// Media as the desk prepares them, in real files.
fn prepared() -> [Image; 2] {
    let folder = tempfile::tempdir().unwrap();
    ROLES.map(|role| {
        let path = folder.path().join(format!("{role:?}"));
        let mut medium = FileMedium::create(&path, size() as u64).unwrap();
        formatted(&mut medium, role, SECTOR).unwrap();
        drop(medium);
        std::fs::read(path).unwrap()
    })
}

#[test]
fn f6_a8_a_day_leaves_the_same_bytes_in_files_and_in_chips() {
    let blank = prepared();
    for (image, role) in blank.iter().zip(ROLES) {
        // Prepared in a chip they are the same too.
        assert!(size().is_multiple_of(BLOCK));
        let chip = Chip::new(size(), 0xFF, &Rc::default());
        formatted(&mut nor(&chip), role, SECTOR).unwrap();
        assert!(*image == chip.cells.borrow().bytes, "{role:?}");
    }
    let [linux, board] = [Side::Linux, Side::Board].map(|side| {
        let (mut images, mut voters) = (blank.clone(), people());
        let (counts, _) = side.goes_on(&mut images, None, &mut voters, &mut Lcg(1));
        assert_eq!(counts.unwrap().recorded, u32::from(VOTERS));
        for reads in [Side::Linux, Side::Board] {
            reads.judges(&images, &voters, &format!("written by {side:?}, read by {reads:?}"));
        }
        images
    });
    assert!(linux == board, "ballots, batches, log: to the byte");
    assert!(linux != blank);
}

#[test]
fn f2_f6_after_a_cut_at_any_write_the_other_side_goes_on() {
    let blank = prepared();
    for first in [Side::Linux, Side::Board] {
        let writes = first.goes_on(&mut blank.clone(), None, &mut people(), &mut Lcg(1)).1;
        assert!(writes >= 20, "{writes}");
        let mut cuts = 0;
        for cut in 0..writes {
            let context = format!("{first:?}, cut {cut}");
            let (mut images, mut voters, mut rng) = (blank.clone(), people(), Lcg(u64::from(cut)));
            let (done, _) = first.goes_on(&mut images, Some(cut), &mut voters, &mut rng);
            assert!(done.is_none(), "{context}");
            // Once more in the recovery, then to the end; and back again, where nothing is left to do.
            let (done, _) = first.other().goes_on(&mut images, Some(cut % 7), &mut voters, &mut rng);
            cuts += 1 + u32::from(done.is_none());
            let (done, _) = first.other().goes_on(&mut images, None, &mut voters, &mut rng);
            let counts = done.unwrap();
            assert_eq!(voters.done.len(), usize::from(VOTERS), "{context}");
            first.other().judges(&images, &voters, &context);
            let (again, _) = first.goes_on(&mut images, None, &mut voters, &mut rng);
            assert_eq!(again, Some(counts), "{context}");
            first.judges(&images, &voters, &context);
        }
        println!("{first:?}: {writes} writes in a day, {cuts} cuts");
    }
}
