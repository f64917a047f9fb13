//! The engine's questions and this chain's answers.
//!
//! Every answer is given after what it rests on is durable, and none is held back but one: the start of the next height. It waits until
//! something waits for a block (or for [`Pace::empty`]), so that an idle chain makes few empty blocks and a busy one is not slowed.
//!
//! What comes from another validator is a stranger's word until it is checked: only the leader's blocks are taken ([`Parts`]), only transactions
//! that hold make this node hurry.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use election::ledger::{Block, Certificate, CommitSignature, Decided, Validators};
use election::wire::{self, Bytes as Fixed};
use eyre::{Result, eyre};
use malachite::app::engine::host::{HeightParams, Next, SyncedValueOutcome};
use malachite::app::engine::util::events::Event;
use malachite::app::events::RxEvent;
use malachite::app::streaming::{StreamContent, StreamId, StreamMessage};
use malachite::app::types::{LocallyProposedValue, PeerId, ProposedValue};
use malachite::{AppMsg, Channels, NetworkMsg, Reply};
use malachite_sync::RawDecidedValue;
use malachite_types::{
    CommitCertificate, Context as _, ExtendedCommitCertificate, ExtendedCommitSignature, LinearTimeouts, Round,
    Validator as _, ValidatorSet as _, Validity,
};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;

use super::context::{Address, BlockId, Consortium, Height, Members, Part, Signature};
use super::node::SharedNode;
use super::parts::{Parts, Whole};
use super::passed::{self, Passed};
use super::signer::{Judge, Pen};
use super::store::Undecided;
use crate::validator::OwnedCertificate;

mod blocks;

/// Bytes of transactions in a block this node makes, if the oldest one is not longer by itself: what travels within a propose timeout.
const OWN_BLOCK: usize = 3 << 20;
/// Bytes of blocks in one answer to a node that catches up.
const SYNC_ANSWER: usize = 8 << 20;
/// Between blocks that other validators want and this node knows no reason for: no single one of them drives the chain faster.
const FLOOR: Duration = Duration::from_secs(1);

/// How fast the chain goes when nothing drives it.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Between empty blocks. They show that two thirds are alive, and nothing else.
    pub empty: Duration,
    /// How long a leader has for its proposal in the first round.
    pub propose: Duration,
}

/// The loop.
pub struct App {
    node: SharedNode,
    judge: Judge,
    pen: Pen,
    pace: Pace,
    /// The engine waits to be told to start the next height.
    held: Option<(Reply<Next<Consortium>>, Instant)>,
    /// The height that another validator has started, as far as is known.
    wanted: u64,
    /// The height for which a block with somebody's transactions is here.
    hurry: u64,
    /// The height and round that run.
    running: (u64, u32),
    /// The height of the newest block that came from a node that was further. While such blocks are decided this node is behind: the others
    /// wait for nothing, so it waits for nothing either.
    fetched: u64,
    parts: Parts,
    passed: Passed<PeerId>,
    /// Blocks of the height after the next, until it is their turn.
    parked: Vec<Whole>,
    stream: u64,
    bend: fn(&[u8]) -> Option<Vec<u8>>,
}

impl App {
    /// Answers for a node. `bend` changes the blocks it proposes, in tests of the others only.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn new(
        node: SharedNode,
        judge: Judge,
        pen: Pen,
        pace: Pace,
        bend: fn(&[u8]) -> Option<Vec<u8>>,
    ) -> std::io::Result<Self> {
        Ok(Self {
            passed: Passed::start(node.clone())?,
            node,
            judge,
            pen,
            pace,
            held: None,
            wanted: 0,
            hurry: 0,
            running: (0, 0),
            fetched: 0,
            parts: Parts::default(),
            parked: Vec::new(),
            stream: 0,
            bend,
        })
    }

    /// Who decides the block of this height, as far as this node knows.
    fn members(&self, height: u64) -> Members {
        Members::new(self.node.ledger().sets().at(height))
    }

    /// Who leads a round, as far as this node knows.
    fn leader(&self, height: u64, round: u32) -> Address {
        let members = self.members(height);
        *Consortium
            .select_proposer(&members, Height(height), Round::new(round))
            .address()
    }

    fn params(&self) -> HeightParams<Consortium> {
        let short = Duration::from_millis(500);
        let timeouts = LinearTimeouts {
            propose: self.pace.propose,
            propose_delta: short,
            prevote: short,
            prevote_delta: short,
            precommit: short,
            precommit_delta: short,
            rebroadcast: Duration::from_secs(2),
            max_timeout: Duration::from_secs(10),
        };
        HeightParams::new(self.members(self.tip().saturating_add(1)), timeouts, None)
    }

    fn tip(&self) -> u64 {
        self.node.ledger().height()
    }

    /// Answers until the engine ends.
    ///
    /// # Errors
    /// What makes it wrong to go on: the store does not keep, or a decided block does not hold. A supervisor starts the node again.
    pub async fn run(&mut self, channels: &mut Channels<Consortium>) -> Result<()> {
        let mut events: RxEvent<Consortium> = channels.events.subscribe();
        let mut tick = tokio::time::interval(Duration::from_millis(100));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let node = self.node.clone();
        loop {
            tokio::select! {
                biased;
                message = channels.consensus.recv() => {
                    let Some(message) = message else { return Err(eyre!("the consensus engine has stopped")) };
                    self.answer(message, channels).await?;
                }
                () = node.wake.notified() => self.start_if_wanted(),
                event = events.recv() => match event {
                    // A vote or proposal for the next height: somebody has started it. The engine has not looked at its signature yet.
                    Ok(Event::Received(message)) => {
                        let next = self.tip().saturating_add(1);
                        if self.wanted != next && message.height().0 == next
                            && self.judge.message_holds(&message, &self.members(next)) {
                            self.want();
                        }
                    }
                    Err(RecvError::Closed) => return Err(eyre!("the consensus engine has stopped")),
                    Ok(_) | Err(RecvError::Lagged(_)) => {}
                },
                _ = tick.tick() => {
                    self.start_if_wanted();
                    self.pass_on(channels).await?;
                }
            }
        }
    }

    /// Another validator has started the next height: so does this one, but not at any pace that the other likes.
    fn want(&mut self) {
        self.wanted = self.tip().saturating_add(1);
        self.start_if_wanted();
    }

    fn start_if_wanted(&mut self) {
        let Some((_, since)) = &self.held else { return };
        let waited = since.elapsed();
        let next = self.tip().saturating_add(1);
        let late = waited >= self.pace.empty || (self.wanted == next && waited >= FLOOR);
        if late || self.hurry == next || !self.node.pool().is_empty() {
            self.start();
        }
    }

    fn start(&mut self) {
        if let Some((reply, _)) = self.held.take() {
            let next = Height(self.tip().saturating_add(1));
            let _ = reply.send(Next::Start(next, self.params()));
        }
    }

    async fn publish(&mut self, part: Part, channels: &Channels<Consortium>) -> Result<()> {
        self.stream = self.stream.wrapping_add(1);
        let id = StreamId::new(Bytes::copy_from_slice(&self.stream.to_be_bytes()));
        let message = StreamMessage::new(id, 0, StreamContent::Data(part));
        channels
            .network
            .send(NetworkMsg::PublishProposalPart(message))
            .await
            .map_err(|_| eyre!("the network of the engine has stopped"))
    }

    /// Passes transactions on that wait for long: the leader may not have them.
    async fn pass_on(&mut self, channels: &Channels<Consortium>) -> Result<()> {
        let list = self.node.pool().to_pass_on(passed::COUNT, passed::BYTES);
        if list.is_empty() {
            return Ok(());
        }
        self.publish(Part::Transactions(list), channels).await
    }

    async fn answer(&mut self, message: AppMsg<Consortium>, channels: &Channels<Consortium>) -> Result<()> {
        match message {
            AppMsg::ConsensusReady { reply } => {
                let next = Height(self.tip().saturating_add(1));
                tracing::info!(height = next.0, "consensus is ready");
                let _ = reply.send((next, self.params()));
            }
            AppMsg::StartedRound {
                height,
                round,
                proposer,
                reply_value,
                ..
            } => {
                let round = round.as_u32().unwrap_or(0);
                self.running = (height.0, round);
                if round > 0 {
                    self.node.counters.rounds.fetch_add(1, Ordering::Relaxed);
                    tracing::info!(height = height.0, round, leader = %proposer, "a new round");
                }
                let values = self.started(height.0, round)?;
                let _ = reply_value.send(values);
            }
            AppMsg::GetValue {
                height, round, reply, ..
            } => {
                let round = round.as_u32().unwrap_or(0);
                let (id, whole) = self.own_block(height.0, round)?;
                let id = BlockId(id);
                if self.pen.may_propose(height.0, round, &id.0)? {
                    let _ = reply.send(LocallyProposedValue::new(height, Round::new(round), id));
                    self.publish_block(&whole, channels).await?;
                } else {
                    // The database was thrown away since, and with it the block. The engine wants an answer, and passes over one for no height:
                    // the others go on with the next round.
                    tracing::error!(
                        height = height.0,
                        round,
                        "this key has proposed another block here: it proposes none"
                    );
                    let _ = reply.send(LocallyProposedValue::new(Height(0), Round::new(round), id));
                }
            }
            AppMsg::ReceivedProposalPart { from, part, reply, .. } => {
                let value = match part.content {
                    StreamContent::Data(Part::Block(part)) => self.received(part)?,
                    StreamContent::Data(Part::Transactions(list)) => {
                        self.passed.take(from, list);
                        None
                    }
                    StreamContent::Fin => None,
                };
                let _ = reply.send(value);
            }
            AppMsg::RestreamProposal {
                height,
                round,
                valid_round,
                value_id,
                ..
            } => {
                if let Some(whole) = self.again(height.0, round.as_u32().unwrap_or(0), valid_round, &value_id)? {
                    self.publish_block(&whole, channels).await?;
                }
            }
            AppMsg::Decided { certificate, reply, .. } => {
                self.decided(&certificate)?;
                let _ = reply.send(());
            }
            AppMsg::Finalized { evidence, reply, .. } => {
                if !evidence.is_empty() {
                    self.node.counters.equivocations.fetch_add(1, Ordering::Relaxed);
                    tracing::error!(
                        ?evidence,
                        "ALARM: a validator signed two different things for one height and round"
                    );
                }
                self.held = Some((reply, Instant::now()));
                self.unpark()?;
                if self.fetched == self.tip() {
                    self.start();
                } else {
                    self.start_if_wanted();
                }
            }
            AppMsg::GetDecidedValues { range, reply } => {
                let values = self.values(range.start().0, range.end().0)?;
                let _ = reply.send(values);
            }
            AppMsg::ProcessSyncedValue {
                height,
                round,
                proposer,
                value_bytes,
                reply,
            } => {
                let outcome = self.synced(height, round, proposer, &value_bytes)?;
                let _ = reply.send(outcome);
            }
            AppMsg::GetHistoryMinHeight { reply } => {
                let _ = reply.send(Height(1));
            }
            AppMsg::ExtendVote { reply, .. } => {
                let _ = reply.send(None);
            }
            AppMsg::VerifyVoteExtensions { extensions, reply, .. } => {
                let _ = reply.send(extensions.into_iter().map(|(address, ())| (address, Ok(()))).collect());
            }
        }
        Ok(())
    }

    fn value(height: u64, round: u32, undecided: &Undecided) -> ProposedValue<Consortium> {
        ProposedValue {
            height: Height(height),
            round: Round::new(round),
            valid_round: Round::from(undecided.valid_round),
            proposer: Address(undecided.proposer.0),
            value: BlockId(undecided.block),
            validity: Validity::from_bool(undecided.valid),
        }
    }

    /// What is known for a round that starts: blocks kept over a restart, and those that came too early.
    fn started(&mut self, height: u64, round: u32) -> Result<Vec<ProposedValue<Consortium>>> {
        self.unpark()?;
        let known = self.node.store().undecided(height, round)?;
        Ok(known
            .iter()
            .map(|undecided| Self::value(height, round, undecided))
            .collect())
    }

    async fn publish_block(&mut self, whole: &Whole, channels: &Channels<Consortium>) -> Result<()> {
        for piece in whole.pieces() {
            self.publish(Part::Block(piece), channels).await?;
        }
        Ok(())
    }

    fn decided(&mut self, certificate: &CommitCertificate<Consortium>) -> Result<()> {
        let (height, id) = (certificate.height.0, certificate.value_id.0);
        let body = self
            .node
            .store()
            .body(height, &id)?
            .ok_or_else(|| eyre!("block {height} is decided, but its body was never seen"))?;
        let header = Block::read(&body)
            .map_err(|error| eyre!("block {height} is decided: {error}"))?
            .header;
        let members = self.members(height);
        let votes = certificate
            .commit_signatures
            .iter()
            .filter_map(|signature| {
                Some(CommitSignature {
                    validator: members.number(signature.address)?,
                    signature: Fixed(signature.signature.0),
                })
            })
            .collect();
        let round = certificate.round.as_u32().unwrap_or(0);
        let owned = OwnedCertificate::assemble(&header, round, votes)
            .map_err(|error| eyre!("the certificate of block {height}: {error}"))?;
        self.node.commit(&body, &owned.view())?;
        self.parts.forget(height.saturating_add(1));
        if self.members(height.saturating_add(1)) != members {
            let after = self.members(height.saturating_add(1));
            let inside = after.number(self.pen.address()).is_some();
            tracing::info!(
                height,
                validators = after.count(),
                inside,
                "other validators decide from the next block on"
            );
        }
        let count = Block::read(&body).map_or(0, |block| block.transactions.iter().count());
        tracing::info!(height, round, transactions = count, block = %certificate.value_id, "decided");
        Ok(())
    }

    /// Decided blocks for a node that catches up, as many as fit an answer.
    fn values(&self, first: u64, last: u64) -> Result<Vec<RawDecidedValue<Consortium>>> {
        let mut values = Vec::new();
        let mut bytes = 0usize;
        for height in first..=last.min(self.tip()) {
            let Some(item) = self.node.store().decided(height)? else {
                break;
            };
            bytes = bytes.saturating_add(item.len());
            if !values.is_empty() && bytes > SYNC_ANSWER {
                break;
            }
            let decided: Decided<'_> =
                wire::decode(&item).map_err(|error| eyre!("chain.redb is damaged at block {height}: {error}"))?;
            values.push(RawDecidedValue::new(
                Bytes::copy_from_slice(decided.block.0),
                extended(&decided.certificate, self.node.ledger().sets().at(height)),
            ));
        }
        Ok(values)
    }

    /// A block from a node that is further; the engine has checked its certificate. No clock is asked: the same block is judged alike
    /// whenever it comes.
    fn synced(
        &mut self,
        height: Height,
        round: Round,
        proposer: Address,
        bytes: &Bytes,
    ) -> Result<SyncedValueOutcome<Consortium>> {
        if height.0 != self.tip().saturating_add(1) {
            return Ok(SyncedValueOutcome::LocalTransientError);
        }
        let Ok(id) = self.node.ledger().validate(bytes) else {
            return Ok(SyncedValueOutcome::PeerFault);
        };
        let undecided = Undecided {
            block: id,
            valid_round: None,
            proposer: Fixed(proposer.0),
            valid: true,
            signatures: Vec::new(),
        };
        let at = round.as_u32().unwrap_or(0);
        self.node.store().keep(height.0, at, &undecided, bytes)?;
        self.fetched = height.0;
        self.node.counters.synced.fetch_add(1, Ordering::Relaxed);
        Ok(SyncedValueOutcome::Verdict(Self::value(height.0, at, &undecided)))
    }
}

fn extended(certificate: &Certificate<'_>, validators: Validators<'_>) -> ExtendedCommitCertificate<Consortium> {
    ExtendedCommitCertificate {
        height: Height(certificate.height),
        round: Round::new(certificate.round),
        value_id: BlockId(certificate.block),
        commit_signatures: certificate
            .signatures
            .iter()
            .flatten()
            .filter_map(|vote| {
                let address = Address(validators.key(vote.validator)?);
                Some(ExtendedCommitSignature::new(address, Signature(vote.signature.0), None))
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests;
