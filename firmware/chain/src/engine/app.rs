//! The engine's questions and this chain's answers.
//!
//! Every answer is given after what it rests on is durable, and none is held back but one: the start of the next height. It waits until
//! something waits for a block (or for [`Pace::empty`]), so that an idle chain makes few empty blocks and a busy one is not slowed.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use election::ledger::{Block, Certificate, CommitSignature, Decided, Validators};
use election::wire::{self, Bytes as Fixed};
use eyre::{Result, eyre};
use malachite::app::engine::host::{HeightParams, Next, SyncedValueOutcome};
use malachite::app::events::RxEvent;
use malachite::app::streaming::{StreamContent, StreamId, StreamMessage};
use malachite::app::types::{LocallyProposedValue, ProposedValue};
use malachite::{AppMsg, Channels, NetworkMsg, Reply};
use malachite_sync::RawDecidedValue;
use malachite_types::{
    CommitCertificate, ExtendedCommitCertificate, ExtendedCommitSignature, LinearTimeouts, Round, ValidatorSet as _,
    Validity,
};
use tokio::time::Instant;

use super::context::{Address, BlockId, BlockPart, Consortium, Height, Members, Part, Signature};
use super::node::SharedNode;
use super::signer::{Judge, Pen};
use super::store::Undecided;
use crate::ledger::Verdict;
use crate::validator::OwnedCertificate;

/// Bytes of transactions in a block this node makes: small enough to travel within a propose timeout, large enough for any batch.
const OWN_BLOCK: usize = 5 << 20;
/// Bytes of transactions passed on in one message.
const PASSED_ON: usize = 2 << 20;
/// Bytes of blocks in one answer to a node that catches up.
const SYNC_ANSWER: usize = 8 << 20;
/// Blocks of later heights that are kept until their turn.
const PARKED: usize = 8;

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
    /// The height of the newest block that came from a node that was further. While such blocks are decided this node is behind: the others
    /// wait for nothing, so it waits for nothing either.
    fetched: u64,
    /// Blocks of later heights by (height, round, proposer).
    parked: BTreeMap<(u64, u32, Address), BlockPart>,
    stream: u64,
    bend: fn(&[u8]) -> Option<Vec<u8>>,
}

impl App {
    /// Answers for a node. `bend` changes the blocks it proposes, in tests of the others only.
    #[must_use]
    pub fn new(node: SharedNode, judge: Judge, pen: Pen, pace: Pace, bend: fn(&[u8]) -> Option<Vec<u8>>) -> Self {
        Self {
            node,
            judge,
            pen,
            pace,
            held: None,
            fetched: 0,
            parked: BTreeMap::new(),
            stream: 0,
            bend,
        }
    }

    /// Who decides the block of this height, as far as this node knows.
    fn members(&self, height: u64) -> Members {
        Members::new(self.node.ledger().sets().at(height))
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
                event = events.recv() => {
                    // A vote or proposal for the next height: somebody has started it.
                    if let Ok(malachite::app::engine::util::events::Event::Received(message)) = event
                        && message.height().0 > self.tip() {
                        self.start();
                    }
                }
                _ = tick.tick() => {
                    self.start_if_wanted();
                    self.pass_on(channels).await?;
                }
            }
        }
    }

    fn start_if_wanted(&mut self) {
        let late = self
            .held
            .as_ref()
            .is_some_and(|(_, since)| since.elapsed() >= self.pace.empty);
        if late || !self.node.pool().is_empty() {
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
        let list = self.node.pool().to_pass_on(PASSED_ON);
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
                let (undecided, body) = self.own_block(height.0, round)?;
                let value = LocallyProposedValue::new(height, Round::new(round), BlockId(undecided.block));
                let _ = reply.send(value);
                self.publish_block(height.0, round, None, body, channels).await?;
            }
            AppMsg::ReceivedProposalPart { part, reply, .. } => {
                let value = match part.content {
                    StreamContent::Data(Part::Block(part)) => self.received(part)?,
                    StreamContent::Data(Part::Transactions(list)) => {
                        for bytes in list {
                            let _ = self.node.submit(&bytes, false);
                        }
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
                if let Some(body) = self.node.store().body(height.0, &value_id.0)? {
                    let round = round.as_u32().unwrap_or(0);
                    self.publish_block(height.0, round, valid_round.as_u32(), body.into(), channels)
                        .await?;
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
                let next = self.tip().saturating_add(1);
                let behind = self.fetched == self.tip();
                if behind || self.parked.keys().any(|(height, _, _)| *height == next) {
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
        let due: Vec<_> = self.parked.keys().filter(|(at, _, _)| *at <= height).copied().collect();
        for key in due {
            if let Some(part) = self.parked.remove(&key)
                && key.0 == height
            {
                self.judge_block(&part)?;
            }
        }
        let known = self.node.store().undecided(height, round)?;
        Ok(known
            .iter()
            .map(|undecided| Self::value(height, round, undecided))
            .collect())
    }

    /// The block this node proposes: the same one again after a restart.
    fn own_block(&self, height: u64, round: u32) -> Result<(Undecided, Bytes)> {
        let store = self.node.store();
        let own = Fixed(self.pen.address().0);
        for undecided in store.undecided(height, round)? {
            if undecided.proposer == own
                && undecided.valid
                && let Some(body) = store.body(height, &undecided.block)?
            {
                return Ok((undecided, body.into()));
            }
        }
        let candidates = self.node.pool().oldest(OWN_BLOCK);
        let proposal = self
            .node
            .ledger()
            .propose(candidates.iter().map(|(_, bytes)| &bytes[..]))
            .map_err(|error| eyre!("no block can be encoded: {error}"))?;
        for ((hash, bytes), verdict) in candidates.iter().zip(&proposal.verdicts) {
            if matches!(verdict, Verdict::Refused(_) | Verdict::Known) {
                self.node.pool().remove(hash);
                self.node.note_fork(bytes, *verdict);
            }
        }
        let block = (self.bend)(&proposal.block).unwrap_or(proposal.block);
        let header = Block::read(&block)
            .map_err(|error| eyre!("no block can be made: {error}"))?
            .header;
        let undecided = Undecided {
            block: header.hash(),
            valid_round: None,
            proposer: own,
            valid: true,
        };
        store.keep(height, round, &undecided, &block)?;
        Ok((undecided, block.into()))
    }

    async fn publish_block(
        &mut self,
        height: u64,
        round: u32,
        valid_round: Option<u32>,
        block: Bytes,
        channels: &Channels<Consortium>,
    ) -> Result<()> {
        let mut part = BlockPart {
            height,
            round,
            valid_round,
            proposer: self.pen.address(),
            block,
            signature: Signature([0; 64]),
        };
        self.pen
            .part(&mut part)
            .map_err(|error| eyre!("the key does not sign: {error}"))?;
        self.publish(Part::Block(part), channels).await
    }

    /// A block from another validator: judged now, or kept until its height comes.
    fn received(&mut self, part: BlockPart) -> Result<Option<ProposedValue<Consortium>>> {
        let next = self.tip().saturating_add(1);
        let member = self.members(part.height).number(part.proposer).is_some();
        if part.height < next || !member || !self.judge.part_holds(&part) {
            return Ok(None);
        }
        if part.height > next {
            // Its height has been started elsewhere; this node is about to catch up.
            if self.parked.len() < PARKED {
                self.parked.insert((part.height, part.round, part.proposer), part);
            }
            self.start();
            return Ok(None);
        }
        let (height, round) = (part.height, part.round);
        let undecided = self.judge_block(&part)?;
        self.start();
        Ok(undecided.map(|undecided| Self::value(height, round, &undecided)))
    }

    /// Judges a block for the next height and keeps it.
    fn judge_block(&self, part: &BlockPart) -> Result<Option<Undecided>> {
        let Ok(block) = Block::read(&part.block) else {
            self.node.counters.invalid_blocks.fetch_add(1, Ordering::Relaxed);
            tracing::error!(from = %part.proposer, "a proposal is no block");
            return Ok(None);
        };
        let verdict = self.node.ledger().validate(&part.block);
        if let Err(error) = &verdict {
            self.node.counters.invalid_blocks.fetch_add(1, Ordering::Relaxed);
            tracing::error!(from = %part.proposer, height = part.height, %error, "ALARM: a validator proposes a block that does not hold");
        }
        let undecided = Undecided {
            block: block.header.hash(),
            valid_round: part.valid_round,
            proposer: Fixed(part.proposer.0),
            valid: verdict.is_ok(),
        };
        self.node
            .store()
            .keep(part.height, part.round, &undecided, &part.block)?;
        Ok(Some(undecided))
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
