//! What the consensus engine decides on, in this chain's terms.
//!
//! A value is a block hash and nothing else: bodies travel beside it as proposal parts and are kept by [`super::store`], so that the engine's
//! own log stays small and what it signs is what a kiosk verifies.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use election::hash::Digest;
use election::ledger::Validators;
use election::sign::{PublicKey as KeyBytes, SignatureBytes, Signer};
use malachite_types::{
    Context, Height as EngineHeight, LinearTimeouts, NilOrVal, Proposal as EngineProposal,
    ProposalPart as EngineProposalPart, Round, SignedExtension, SigningScheme, Validator as EngineValidator,
    ValidatorSet as EngineValidatorSet, Value as EngineValue, Vote as EngineVote, VoteType,
};

/// Heights one leader proposes before the next one does: a dead leader delays blocks of its turn by a timeout each, and no leader can
/// keep a transaction out for longer than its turn.
pub const TURN: u64 = 16;

/// The engine's types for this chain.
#[derive(Clone, Copy, Debug)]
pub struct Consortium;

/// Height of a block; 1 is the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Height(pub u64);

impl fmt::Display for Height {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl EngineHeight for Height {
    const ZERO: Self = Self(0);
    const INITIAL: Self = Self(1);

    fn increment_by(&self, n: u64) -> Self {
        Self(self.0.saturating_add(n))
    }

    fn decrement_by(&self, n: u64) -> Option<Self> {
        self.0.checked_sub(n).map(Self)
    }

    fn as_u64(&self) -> u64 {
        self.0
    }
}

/// A validator's key. Not its number: that is another one in another set, and what validators say about each other must not be.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(pub KeyBytes);

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("validator ")?;
        self.0.iter().take(6).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl malachite_types::Address for Address {}

/// A block hash.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockId(pub Digest);

impl fmt::Display for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(6).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl EngineValue for BlockId {
    type Id = Self;

    fn id(&self) -> Self {
        *self
    }
}

/// What travels beside the engine's own messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// A piece of a proposed block.
    Block(BlockPart),
    /// Transactions that wait for a block, for whoever leads. Each is judged like one from a kiosk.
    Transactions(Vec<Bytes>),
}

/// A piece of a proposed block, signed by who proposes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockPart {
    /// Height it is for.
    pub height: u64,
    /// Round it is for.
    pub round: u32,
    /// The round in which it had two thirds of the prevotes, for one proposed again.
    pub valid_round: Option<u32>,
    /// Who proposes it.
    pub proposer: Address,
    /// SHA-256 of the whole block's encoding.
    pub hash: Digest,
    /// Which piece this is, from 0 on.
    pub index: u8,
    /// Of so many.
    pub count: u8,
    /// Its bytes of the encoding.
    pub bytes: Bytes,
    /// Over a statement of kind 4, the two numbers, and the bytes' hash.
    pub signature: Signature,
}

impl EngineProposalPart<Consortium> for Part {
    fn is_first(&self) -> bool {
        true
    }

    fn is_last(&self) -> bool {
        true
    }
}

/// A proposal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// Height.
    pub height: Height,
    /// Round.
    pub round: Round,
    /// Block.
    pub value: BlockId,
    /// Round of an earlier polka.
    pub pol_round: Round,
    /// Proposer.
    pub validator: Address,
}

impl EngineProposal<Consortium> for Proposal {
    fn height(&self) -> Height {
        self.height
    }

    fn round(&self) -> Round {
        self.round
    }

    fn value(&self) -> &BlockId {
        &self.value
    }

    fn take_value(self) -> BlockId {
        self.value
    }

    fn pol_round(&self) -> Round {
        self.pol_round
    }

    fn validator_address(&self) -> &Address {
        &self.validator
    }
}

/// A vote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vote {
    /// Prevote or precommit.
    pub kind: VoteType,
    /// Height.
    pub height: Height,
    /// Round.
    pub round: Round,
    /// Block, or none.
    pub value: NilOrVal<BlockId>,
    /// Who votes.
    pub validator: Address,
}

impl EngineVote<Consortium> for Vote {
    fn height(&self) -> Height {
        self.height
    }

    fn round(&self) -> Round {
        self.round
    }

    fn value(&self) -> &NilOrVal<BlockId> {
        &self.value
    }

    fn take_value(self) -> NilOrVal<BlockId> {
        self.value
    }

    fn vote_type(&self) -> VoteType {
        self.kind
    }

    fn validator_address(&self) -> &Address {
        &self.validator
    }

    fn extension(&self) -> Option<&SignedExtension<Consortium>> {
        None
    }

    fn take_extension(&mut self) -> Option<SignedExtension<Consortium>> {
        None
    }

    fn extend(self, _: SignedExtension<Consortium>) -> Self {
        self
    }
}

/// A validator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Also its key.
    address: Address,
    key: PublicKey,
}

impl EngineValidator<Consortium> for Member {
    fn address(&self) -> &Address {
        &self.address
    }

    fn public_key(&self) -> &PublicKey {
        &self.key
    }

    fn voting_power(&self) -> u64 {
        1
    }
}

/// The validators of a height, each with one vote, in the order of their numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Members(Arc<[Member]>);

impl Members {
    /// The members of a checked set.
    #[must_use]
    pub fn new(validators: Validators<'_>) -> Self {
        Self(
            (0..=u8::MAX)
                .map_while(|index| {
                    let key = validators.key(index)?;
                    Some(Member {
                        address: Address(key),
                        key: PublicKey(key),
                    })
                })
                .collect(),
        )
    }

    /// The number of a member.
    #[must_use]
    pub fn number(&self, address: Address) -> Option<u8> {
        let place = self.0.iter().position(|member| member.address == address)?;
        u8::try_from(place).ok()
    }
}

impl EngineValidatorSet<Consortium> for Members {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn total_voting_power(&self) -> u64 {
        self.0.len().try_into().unwrap_or(u64::MAX)
    }

    fn get_by_address(&self, address: &Address) -> Option<&Member> {
        self.0.iter().find(|member| member.address == *address)
    }

    fn get_by_index(&self, index: usize) -> Option<&Member> {
        self.0.get(index)
    }
}

/// A compressed P-256 key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey(pub KeyBytes);

/// A P-256 signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Signature(pub SignatureBytes);

/// P-256 as the ledger has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct P256;

impl SigningScheme for P256 {
    type DecodingError = &'static str;
    type Signature = Signature;
    type PublicKey = PublicKey;
    type PrivateKey = Arc<Signer>;

    fn decode_signature(bytes: &[u8]) -> Result<Signature, &'static str> {
        bytes.try_into().map(Signature).map_err(|_| "a signature has 64 bytes")
    }

    fn encode_signature(signature: &Signature) -> Vec<u8> {
        signature.0.to_vec()
    }

    fn decode_public_key(bytes: &[u8]) -> Result<PublicKey, &'static str> {
        bytes.try_into().map(PublicKey).map_err(|_| "a public key has 33 bytes")
    }

    fn encode_public_key(key: &PublicKey) -> Vec<u8> {
        key.0.to_vec()
    }
}

impl Context for Consortium {
    type Address = Address;
    type Height = Height;
    type ProposalPart = Part;
    type Proposal = Proposal;
    type Validator = Member;
    type ValidatorSet = Members;
    type Timeouts = LinearTimeouts;
    type Value = BlockId;
    type Vote = Vote;
    type Extension = ();
    type SigningScheme = P256;

    fn select_proposer<'a>(&self, validators: &'a Members, height: Height, round: Round) -> &'a Member {
        let count = u64::try_from(validators.0.len()).unwrap_or(1).max(1);
        let turn = (height.0 / TURN).wrapping_add(u64::from(round.as_u32().unwrap_or(0)));
        let index = usize::try_from(turn % count).unwrap_or(0);
        // A checked genesis has at least one validator, and the index is below their number.
        #[allow(clippy::indexing_slicing)]
        &validators.0[index]
    }

    fn new_proposal(
        &self,
        height: Height,
        round: Round,
        value: BlockId,
        pol_round: Round,
        validator: Address,
    ) -> Proposal {
        Proposal {
            height,
            round,
            value,
            pol_round,
            validator,
        }
    }

    fn new_prevote(&self, height: Height, round: Round, value: NilOrVal<BlockId>, validator: Address) -> Vote {
        Vote {
            kind: VoteType::Prevote,
            height,
            round,
            value,
            validator,
        }
    }

    fn new_precommit(&self, height: Height, round: Round, value: NilOrVal<BlockId>, validator: Address) -> Vote {
        Vote {
            kind: VoteType::Precommit,
            height,
            round,
            value,
            validator,
        }
    }
}
