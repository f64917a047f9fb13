//! One voter's visit, however often the kiosk stops in front of them.

use anyhow::{Result, bail};
use kiosk::screen::Recorded;

use super::{Current, Shift, TRIES};
use crate::day::Citizen;
use crate::soak::laws::Law;
use crate::truth::Visited;
use crate::voters::plan::Visit;
use crate::voters::staff::Task;
use crate::voters::voter::{Standing, Voter};

impl Shift {
    pub(super) async fn visit(&mut self, citizen: &Citizen, visit: &Visit) -> Result<Visited> {
        let name = format!("voter {}", citizen.number);
        let rng = self.world.seed.rng(&name, citizen.visited.get() as u64);
        let mut voter = Voter::new(name, citizen.card.clone(), &citizen.pin, visit.script.clone(), rng);
        let mut interrupted = 0;
        for _ in 0..TRIES {
            self.machine.booth.attend(&mut voter).await?;
            let fault = voter.diary.fault.take();
            if !self.machine.power.is_out() && fault.is_none() {
                return Ok(citizen.went(visit, (self.station, 0), voter, interrupted));
            }
            let standing = voter.standing();
            let found = self.settle(Task::Restart).await?;
            let told = found.and_then(|found| found.voter);
            let stands = self.stands();
            self.note(&format!(
                "stopped with {fault:?} when they stood at {standing:?}; staff read {told:?}"
            ));
            // What the kiosk said when it stopped and what the restart says must not be each other's opposite (F3).
            let said = fault.and_then(|(_, said)| said);
            if standing == Standing::Booth && matches!(said, Some(Recorded::Yes | Recorded::No)) {
                self.check(Law::StaffLearnWhatStands, said == told, || {
                    format!("the kiosk stopped with {fault:?}, but staff read {told:?}")
                });
            }
            match (standing, told) {
                (Standing::Booth, Some(Recorded::Yes)) => voter.stands(),
                (Standing::Booth | Standing::Leaving, Some(Recorded::No)) => {
                    interrupted += 1;
                    voter.comes_back();
                }
                (Standing::Leaving, None) => voter.has_left(),
                (Standing::Door | Standing::Outside, _) => {
                    let current = Current {
                        voter: &voter,
                        interrupted,
                    };
                    // Whether the kiosk had let them in, only its log can tell.
                    let let_in = stands.count(1) > self.truth(Some(&current)).0[0];
                    if let_in {
                        self.check(Law::StaffLearnWhatStands, told == Some(Recorded::No), || {
                            format!("somebody was let in and cut off, and staff read {told:?}")
                        });
                        voter.diary.admitted += 1;
                        interrupted += 1;
                    }
                    if !voter.is_finished() {
                        voter.comes_back();
                    }
                }
                (standing, told) => {
                    self.check(Law::StaffLearnWhatStands, false, || {
                        format!("the kiosk stopped when they stood at {standing:?}, and staff read {told:?}")
                    });
                    voter.comes_back();
                }
            }
            self.check(Law::StaffLearnWhatStands, true, String::new);
            let current = Current {
                voter: &voter,
                interrupted,
            };
            self.compare(&stands, Some(&current));
            if voter.is_finished() {
                return Ok(citizen.went(visit, (self.station, 0), voter, interrupted));
            }
        }
        bail!("the kiosk stops again and again in front of voter {}", citizen.number)
    }
}
