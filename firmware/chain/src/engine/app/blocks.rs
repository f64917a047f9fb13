//! Blocks: those of others, taken in pieces and judged; this node's own; and those that others have not seen, sent again.

use std::sync::atomic::Ordering;

use election::hash::Digest;
use election::ledger::Block;
use election::wire::Bytes as Fixed;
use eyre::{Result, eyre};
use malachite::app::types::ProposedValue;
use malachite_types::Round;

use super::super::context::{Address, BlockId, BlockPart, Consortium, Signature};
use super::super::parts::{BODIES, Whole};
use super::super::store::Undecided;
use super::{App, OWN_BLOCK};

impl App {
    /// Judges the blocks whose turn has come.
    pub(super) fn unpark(&mut self) -> Result<()> {
        let next = self.tip().saturating_add(1);
        for whole in std::mem::take(&mut self.parked) {
            if whole.height > next {
                self.parked.push(whole);
            // Who leads may be known better by now: the block before may have changed the validators.
            } else if whole.height == next && self.leader(next, whole.round) == whole.proposer {
                self.judge_block(&whole)?;
            }
        }
        Ok(())
    }

    /// A block as it was kept, with its proposer's signatures.
    fn kept(&self, height: u64, round: u32, undecided: &Undecided) -> Result<Option<Whole>> {
        let body = self.node.store().body(height, &undecided.block)?;
        Ok(body.map(|body| Whole {
            height,
            round,
            valid_round: undecided.valid_round,
            proposer: Address(undecided.proposer.0),
            block: body.into(),
            signatures: undecided.signatures.iter().map(|one| Signature(one.0)).collect(),
        }))
    }

    /// Signs the pieces of a block this node proposes, and keeps it.
    fn sign_and_keep(&self, id: Digest, mut whole: Whole) -> Result<Whole> {
        let mut signatures = Vec::new();
        for mut piece in whole.pieces() {
            let signed = self.pen.part(&mut piece);
            signed.map_err(|error| eyre!("the key does not sign: {error}"))?;
            signatures.push(piece.signature);
        }
        whole.signatures = signatures;
        let undecided = Self::row(id, &whole, true);
        let store = self.node.store();
        store.keep(whole.height, whole.round, &undecided, &whole.block)?;
        Ok(whole)
    }

    pub(super) fn row(id: Digest, whole: &Whole, valid: bool) -> Undecided {
        Undecided {
            block: id,
            valid_round: whole.valid_round,
            proposer: Fixed(whole.proposer.0),
            valid,
            signatures: whole.signatures.iter().map(|one| Fixed(one.0)).collect(),
        }
    }

    /// A block that others may not have seen, for them: this node's own proposal of a block that was locked before, or another leader's block
    /// in the pieces that the other has signed. Any round's will do: what was signed for it tells who led it.
    pub(super) fn again(&self, height: u64, round: u32, valid_round: Round, id: &BlockId) -> Result<Option<Whole>> {
        let store = self.node.store();
        let seen = store.seen(height, 0, u32::MAX)?;
        let known = seen
            .iter()
            .filter(|(_, one)| one.block == id.0 && one.valid && !one.signatures.is_empty());
        let best = known.max_by_key(|(at, _)| (*at == round, *at));
        let own = self.pen.address();
        match best {
            Some((at, one)) if *at == round || self.leader(height, round) != own => self.kept(height, *at, one),
            _ if self.leader(height, round) == own => {
                let Some(body) = store.body(height, &id.0)? else {
                    return Ok(None);
                };
                let whole = Whole {
                    height,
                    round,
                    valid_round: valid_round.as_u32(),
                    proposer: own,
                    block: body.into(),
                    signatures: Vec::new(),
                };
                self.sign_and_keep(id.0, whole).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// The block this node proposes: the same one again after a restart.
    pub(super) fn own_block(&self, height: u64, round: u32) -> Result<(Digest, Whole)> {
        let own = self.pen.address();
        for undecided in self.node.store().undecided(height, round)? {
            if undecided.proposer.0 == own.0
                && undecided.valid
                && let Some(whole) = self.kept(height, round, &undecided)?
            {
                return Ok((undecided.block, whole));
            }
        }
        let block = self
            .node
            .propose(OWN_BLOCK)
            .map_err(|error| eyre!("no block can be encoded: {error}"))?;
        let block = (self.bend)(&block).unwrap_or(block);
        let id = Block::read(&block)
            .map_err(|error| eyre!("no block can be made: {error}"))?
            .header
            .hash();
        let whole = Whole {
            height,
            round,
            valid_round: None,
            proposer: own,
            block: block.into(),
            signatures: Vec::new(),
        };
        Ok((id, self.sign_and_keep(id, whole)?))
    }

    /// A piece of a block from another validator: the block is judged when it is whole, or kept until its height comes.
    pub(super) fn received(&mut self, part: BlockPart) -> Result<Option<ProposedValue<Consortium>>> {
        let next = self.tip().saturating_add(1);
        let running = if self.running.0 == next { self.running.1 } else { 0 };
        let leader = self.leader(part.height, part.round);
        if !self.parts.wants(&part, next, running, leader) || !self.judge.part_holds(&part) {
            return Ok(None);
        }
        let Some(whole) = self.parts.take(part) else {
            return Ok(None);
        };
        if whole.height > next {
            // Its height has been started elsewhere; this node is about to catch up.
            self.parked.push(whole);
            self.want();
            return Ok(None);
        }
        let (height, round) = (whole.height, whole.round);
        let undecided = self.judge_block(&whole)?;
        Ok(undecided.map(|undecided| Self::value(height, round, &undecided)))
    }

    /// Judges a block for the next height and keeps it.
    fn judge_block(&mut self, whole: &Whole) -> Result<Option<Undecided>> {
        let Ok(block) = Block::read(&whole.block) else {
            self.node.counters.invalid_blocks.fetch_add(1, Ordering::Relaxed);
            tracing::error!(from = %whole.proposer, "a proposal is no block");
            return Ok(None);
        };
        let id = block.header.hash();
        // Two a round also over restarts: the third one is not judged, and not kept.
        let known = self.node.store().undecided(whole.height, whole.round)?;
        if let Some(known) = known.iter().find(|known| known.block == id) {
            self.want();
            return Ok(Some(known.clone()));
        }
        let others = known.iter().filter(|known| known.proposer.0 == whole.proposer.0);
        if others.count() >= BODIES {
            return Ok(None);
        }
        let verdict = self.node.ledger().validate(&whole.block);
        if let Err(error) = &verdict {
            self.node.counters.invalid_blocks.fetch_add(1, Ordering::Relaxed);
            tracing::error!(from = %whole.proposer, height = whole.height, %error, "ALARM: a validator proposes a block that does not hold");
        }
        let undecided = Self::row(id, whole, verdict.is_ok());
        self.node
            .store()
            .keep(whole.height, whole.round, &undecided, &whole.block)?;
        if undecided.valid && block.transactions.iter().next().is_some() {
            // Somebody's transactions: no need to know them from elsewhere.
            self.hurry = whole.height;
        }
        self.want();
        Ok(Some(undecided))
    }
}
