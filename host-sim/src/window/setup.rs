//! One station for the window, made by the same desk and the same provisioning as a headless run's: it stands ten minutes before
//! polls open, with its media in and its secret sealed to it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use anyhow::{Context as _, Result};
use election::manifest::{CheckedManifest, Manifest, Mode};
use kiosk::ports::Item;

use super::deck::{self, Held};
use crate::day::{Citizen, Evening};
use crate::office::Office;
use crate::play::{Count, Played, reception, seconds};
use crate::report::ContestNames;
use crate::scenario::Scenario;
use crate::stations::Stations;
use crate::town::Town;
use crate::voters::choices::{self, Paper};
use crate::voters::staff::Crew;
use crate::world::executor::Executor;
use crate::world::machine::{Machine, World};
use crate::world::network::SharedChain;
use crate::world::notify::Notify;
use crate::world::seed::Seed;
use crate::world::time::{MINUTE, Timeline};

use super::witness::Witness;

/// The station and the desk behind it.
pub struct Station {
    /// Number.
    pub number: u16,
    /// The world.
    pub world: World,
    /// The kiosk.
    pub machine: Rc<Machine>,
    /// The chain; without an uplink in statutory mode.
    pub chain: SharedChain,
    /// The cards.
    pub deck: Vec<Held>,
    /// The election's name.
    pub name: String,
    /// Two of staff.
    pub crew: Rc<Crew>,
    /// Ballot styles.
    pub papers: Vec<Paper>,
    names: Vec<ContestNames>,
    town: Town,
    office: Option<Office<'static>>,
    registration: Vec<u8>,
}

impl Station {
    /// Everything up to the morning of the election.
    ///
    /// # Errors
    /// As a headless run.
    pub fn new(scenario: &Scenario, speech: Option<Vec<u8>>) -> Result<Self> {
        let imported = scenario.import()?;
        // Once a program: the desk's work goes to another thread at the end, and needs it there.
        let bytes: &'static [u8] = imported.manifest.leak();
        let manifest = Manifest::parse(bytes).map_err(|error| anyhow::anyhow!("the manifest: {error}"))?;
        let manifest: &'static CheckedManifest<'static> = Box::leak(Box::new(manifest));
        let papers = choices::papers(&imported.definition);
        let seed = Seed::new(&scenario.seed);
        let people = deck::people(&papers, scenario.voters);
        let town = Town::new(manifest, &people, 1, scenario.cards, seed, || {})?;
        let roll = town.roll(manifest, &people)?.section();
        let (office, mut chain) = Office::new(manifest, &town, scenario.validators, seed)?;
        let office = office.with_pictures().with_fonts(&scenario.fonts).with_speech(speech);
        if scenario.processes {
            chain = office.validators(scenario.validators)?;
        }
        let chain: SharedChain = Rc::new(RefCell::new(chain));
        let world = World {
            executor: Executor::new(Timeline::new()),
            seed,
            begin: seconds(manifest.first_day).saturating_sub(17 * 3600),
            chain: (scenario.mode == Mode::Consultation).then(|| chain.clone()),
            trace: None,
            board: scenario.board.clone(),
        };
        let stations = Stations {
            scenario,
            office: &office,
            world: &world,
            roll: &roll,
            certificates: &town.certificates,
            crews: town.crews(),
        };
        let line = people
            .iter()
            .zip(&town.cards)
            .enumerate()
            .map(|(number, (person, issued))| {
                let citizen = Citizen {
                    number,
                    style: person.style,
                    card: issued.card.clone(),
                    pin: issued.pin.clone(),
                    visited: Cell::new(0),
                    free: Notify::default(),
                };
                (Rc::new(citizen), 0, deck::visit())
            })
            .collect();
        let post = stations.posts(0, vec![line])?.pop().context("there is no station")?;
        let morning = Stations::opens(0) - 10 * MINUTE;
        let time = world.executor.time().clone();
        world.executor.run(async move { time.until(morning).await })?;
        let registration = post
            .machine
            .items
            .get(Item::Registration)
            .context("the kiosk is not registered")?;
        Ok(Self {
            number: post.station,
            machine: post.machine,
            crew: post.crew,
            deck: deck::deal(&town, &people, manifest.first_day, seed)?,
            name: manifest
                .text(manifest.name, manifest.fallback())
                .unwrap_or_default()
                .to_owned(),
            names: ContestNames::of(&imported.definition),
            papers,
            registration,
            chain,
            world,
            town,
            office: Some(office),
        })
    }

    /// The media come to the desk: what is to be counted. Once.
    ///
    /// # Errors
    /// If nobody closed, or the media cannot be read.
    pub fn count(&mut self, scenario: &Scenario, witness: &mut Witness) -> Result<Count<'static>> {
        let office = self.office.take().context("this election is counted already")?;
        // A kiosk that was made ready for another epoch has forgotten it; the desk has not.
        self.machine.items.put(Item::Registration, &self.registration);
        let mut played = Played::default();
        let evening = Evening {
            station: self.number,
            media: [self.machine.slots[0].put(None), self.machine.slots[1].put(None)],
            machine: self.machine.clone(),
            replaced: None,
            notes: vec![witness.notes().clone()],
            visits: witness.take_visits(),
            // The first one was the morning's, when the kiosk was switched on in front of the real panel.
            cuts: self.machine.cuts().saturating_sub(1),
        };
        let boxes = vec![played.evening(evening, 0, &office, scenario, &self.chain)?];
        let chain = self
            .chain
            .borrow_mut()
            .export()
            .map_err(|error| anyhow::anyhow!("the chain: {error}"))?;
        let truth = played.truth(&chain, scenario.policy, &self.papers)?;
        let reception = reception(&self.town, &office.election, &truth)?;
        Ok(Count {
            names: self.names.clone(),
            office,
            chain,
            boxes,
            played,
            truth,
            reception,
        })
    }
}
