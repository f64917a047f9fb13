//! The engine's messages as bytes: own mirrors in postcard, because the engine's certificates have no serde. What comes in is hostile: sizes
//! are bounded by the frames of the network, numbers by their types.

use bytes::Bytes;
use election::hash::Digest;
use election::wire::Bytes as Fixed;
use malachite::app::consensus::{LivenessMsg, ProposedValue, SignedConsensusMsg};
use malachite::app::streaming::{StreamContent, StreamId, StreamMessage};
use malachite::app::types::PeerId;
use malachite::app::types::codec::{Codec, HasEncodedLen};
use malachite_sync::{RawDecidedValue, Request, Response, Status, ValueRequest, ValueResponse};
use malachite_types::{
    ExtendedCommitCertificate, ExtendedCommitSignature, NilOrVal, PolkaCertificate, PolkaSignature, Round,
    RoundCertificate, RoundCertificateType, RoundSignature, SignedMessage, ValidatorProof, Validity, VoteType,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::context::{Address, BlockId, BlockPart, Consortium, Height, Part, Proposal, Signature, Vote};

/// The codec of the log, the network and the sync protocol.
#[derive(Clone, Copy, Debug)]
pub struct Postcard;

type Error = postcard::Error;

fn encode<T: Serialize>(value: &T) -> Result<Bytes, Error> {
    postcard::to_allocvec(value).map(Bytes::from)
}

fn decode<T: DeserializeOwned>(bytes: &Bytes) -> Result<T, Error> {
    match postcard::take_from_bytes(bytes)? {
        (value, []) => Ok(value),
        _ => Err(Error::DeserializeUnexpectedEnd),
    }
}

/// Bytes of any length, as one run.
#[derive(Serialize, Deserialize)]
struct Run(#[serde(with = "run")] Bytes);

mod run {
    use super::{Bytes, Deserialize};

    pub(super) fn serialize<S: serde::Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        <&[u8]>::deserialize(deserializer).map(Bytes::copy_from_slice)
    }
}

type Block = Option<Digest>;
type Sig = Fixed<64>;
type Key = Fixed<33>;
type Rounded = Option<u32>;

const fn round_in(round: Round) -> Rounded {
    match round {
        Round::Nil => None,
        Round::Some(round) => Some(round),
    }
}

fn round_out(round: Rounded) -> Round {
    Round::from(round)
}

const fn block_in(value: &NilOrVal<BlockId>) -> Block {
    match value {
        NilOrVal::Nil => None,
        NilOrVal::Val(id) => Some(id.0),
    }
}

fn block_out(block: Block) -> NilOrVal<BlockId> {
    block.map_or(NilOrVal::Nil, |id| NilOrVal::Val(BlockId(id)))
}

const fn kind_in(kind: VoteType) -> bool {
    matches!(kind, VoteType::Precommit)
}

const fn kind_out(precommit: bool) -> VoteType {
    if precommit {
        VoteType::Precommit
    } else {
        VoteType::Prevote
    }
}

/// precommit, height, round, block, validator, signature.
type VoteWire = (bool, u64, Rounded, Block, Key, Sig);

type SignedVote = SignedMessage<Consortium, Vote>;

fn vote_in(vote: &SignedVote) -> VoteWire {
    let Vote {
        kind,
        height,
        round,
        value,
        validator,
    } = &vote.message;
    let signature = Fixed(vote.signature.0);
    (
        kind_in(*kind),
        height.0,
        round_in(*round),
        block_in(value),
        Fixed(validator.0),
        signature,
    )
}

fn vote_out((precommit, height, round, block, validator, signature): VoteWire) -> SignedVote {
    SignedMessage::new(
        Vote {
            kind: kind_out(precommit),
            height: Height(height),
            round: round_out(round),
            value: block_out(block),
            validator: Address(validator.0),
        },
        Signature(signature.0),
    )
}

#[derive(Serialize, Deserialize)]
enum MessageWire {
    Vote(VoteWire),
    /// height, round, block, earlier round, validator, signature.
    Proposal((u64, Rounded, Digest, Rounded, Key, Sig)),
}

impl Codec<SignedConsensusMsg<Consortium>> for Postcard {
    type Error = Error;

    fn encode(&self, message: &SignedConsensusMsg<Consortium>) -> Result<Bytes, Error> {
        encode(&match message {
            SignedConsensusMsg::Vote(vote) => MessageWire::Vote(vote_in(vote)),
            SignedConsensusMsg::Proposal(proposal) => MessageWire::Proposal((
                proposal.message.height.0,
                round_in(proposal.message.round),
                proposal.message.value.0,
                round_in(proposal.message.pol_round),
                Fixed(proposal.message.validator.0),
                Fixed(proposal.signature.0),
            )),
        })
    }

    fn decode(&self, bytes: Bytes) -> Result<SignedConsensusMsg<Consortium>, Error> {
        Ok(match decode(&bytes)? {
            MessageWire::Vote(vote) => SignedConsensusMsg::Vote(vote_out(vote)),
            MessageWire::Proposal((height, round, value, pol_round, validator, signature)) => {
                SignedConsensusMsg::Proposal(SignedMessage::new(
                    Proposal {
                        height: Height(height),
                        round: round_out(round),
                        value: BlockId(value),
                        pol_round: round_out(pol_round),
                        validator: Address(validator.0),
                    },
                    Signature(signature.0),
                ))
            }
        })
    }
}

/// height, round, block, signatures.
type PolkaWire = (u64, Rounded, Digest, Vec<(Key, Sig)>);

fn polka_in(polka: &PolkaCertificate<Consortium>) -> PolkaWire {
    let signatures = polka.polka_signatures.iter();
    (
        polka.height.0,
        round_in(polka.round),
        polka.value_id.0,
        signatures.map(|s| (Fixed(s.address.0), Fixed(s.signature.0))).collect(),
    )
}

fn polka_out((height, round, block, signatures): PolkaWire) -> PolkaCertificate<Consortium> {
    PolkaCertificate {
        height: Height(height),
        round: round_out(round),
        value_id: BlockId(block),
        polka_signatures: signatures
            .into_iter()
            .map(|(address, signature)| PolkaSignature::new(Address(address.0), Signature(signature.0)))
            .collect(),
    }
}

impl Codec<PolkaCertificate<Consortium>> for Postcard {
    type Error = Error;

    fn encode(&self, polka: &PolkaCertificate<Consortium>) -> Result<Bytes, Error> {
        encode(&polka_in(polka))
    }

    fn decode(&self, bytes: Bytes) -> Result<PolkaCertificate<Consortium>, Error> {
        decode(&bytes).map(polka_out)
    }
}

/// precommit, block, validator, signature.
type RoundVote = (bool, Block, Key, Sig);

#[derive(Serialize, Deserialize)]
enum LivenessWire {
    Vote(VoteWire),
    Polka(PolkaWire),
    /// height, round, whether of precommits, signatures (precommit, block, validator, signature).
    Round((u64, Rounded, bool, Vec<RoundVote>)),
}

impl Codec<LivenessMsg<Consortium>> for Postcard {
    type Error = Error;

    fn encode(&self, message: &LivenessMsg<Consortium>) -> Result<Bytes, Error> {
        encode(&match message {
            LivenessMsg::Vote(vote) => LivenessWire::Vote(vote_in(vote)),
            LivenessMsg::PolkaCertificate(polka) => LivenessWire::Polka(polka_in(polka)),
            LivenessMsg::SkipRoundCertificate(certificate) => LivenessWire::Round((
                certificate.height.0,
                round_in(certificate.round),
                certificate.cert_type == RoundCertificateType::Precommit,
                certificate
                    .round_signatures
                    .iter()
                    .map(|s| {
                        (
                            kind_in(s.vote_type),
                            block_in(&s.value_id),
                            Fixed(s.address.0),
                            Fixed(s.signature.0),
                        )
                    })
                    .collect(),
            )),
        })
    }

    fn decode(&self, bytes: Bytes) -> Result<LivenessMsg<Consortium>, Error> {
        Ok(match decode(&bytes)? {
            LivenessWire::Vote(vote) => LivenessMsg::Vote(vote_out(vote)),
            LivenessWire::Polka(polka) => LivenessMsg::PolkaCertificate(polka_out(polka)),
            LivenessWire::Round((height, round, precommits, signatures)) => {
                LivenessMsg::SkipRoundCertificate(RoundCertificate {
                    height: Height(height),
                    round: round_out(round),
                    cert_type: if precommits {
                        RoundCertificateType::Precommit
                    } else {
                        RoundCertificateType::Skip
                    },
                    round_signatures: signatures
                        .into_iter()
                        .map(|(precommit, block, address, signature)| {
                            RoundSignature::new(
                                kind_out(precommit),
                                block_out(block),
                                Address(address.0),
                                Signature(signature.0),
                            )
                        })
                        .collect(),
                })
            }
        })
    }
}

#[derive(Serialize, Deserialize)]
enum PartWire {
    /// height, round, earlier round, proposer, hash of the block, number and count of pieces, bytes, signature.
    Block((u64, u32, Rounded, Key, Digest, u8, u8, Run, Sig)),
    Transactions(Vec<Run>),
}

fn part_in(part: &Part) -> PartWire {
    match part {
        Part::Block(part) => PartWire::Block((
            part.height,
            part.round,
            part.valid_round,
            Fixed(part.proposer.0),
            part.hash,
            part.index,
            part.count,
            Run(part.bytes.clone()),
            Fixed(part.signature.0),
        )),
        Part::Transactions(list) => PartWire::Transactions(list.iter().cloned().map(Run).collect()),
    }
}

fn part_out(part: PartWire) -> Part {
    match part {
        PartWire::Block((height, round, valid_round, proposer, hash, index, count, Run(bytes), signature)) => {
            Part::Block(BlockPart {
                height,
                round,
                valid_round,
                proposer: Address(proposer.0),
                hash,
                index,
                count,
                bytes,
                signature: Signature(signature.0),
            })
        }
        PartWire::Transactions(list) => Part::Transactions(list.into_iter().map(|Run(bytes)| bytes).collect()),
    }
}

impl Codec<Part> for Postcard {
    type Error = Error;

    fn encode(&self, part: &Part) -> Result<Bytes, Error> {
        encode(&part_in(part))
    }

    fn decode(&self, bytes: Bytes) -> Result<Part, Error> {
        decode(&bytes).map(part_out)
    }
}

impl Codec<StreamMessage<Part>> for Postcard {
    type Error = Error;

    fn encode(&self, message: &StreamMessage<Part>) -> Result<Bytes, Error> {
        let content = match &message.content {
            StreamContent::Data(part) => Some(part_in(part)),
            StreamContent::Fin => None,
        };
        encode(&(Run(message.stream_id.to_bytes()), message.sequence, content))
    }

    fn decode(&self, bytes: Bytes) -> Result<StreamMessage<Part>, Error> {
        let (Run(id), sequence, content): (Run, u64, Option<PartWire>) = decode(&bytes)?;
        let content = content.map_or(StreamContent::Fin, |part| StreamContent::Data(part_out(part)));
        Ok(StreamMessage::new(StreamId::new(id), sequence, content))
    }
}

impl Codec<ValidatorProof<Consortium>> for Postcard {
    type Error = Error;

    fn encode(&self, proof: &ValidatorProof<Consortium>) -> Result<Bytes, Error> {
        encode(&(&proof.public_key, &proof.peer_id, Fixed(proof.signature.0)))
    }

    fn decode(&self, bytes: Bytes) -> Result<ValidatorProof<Consortium>, Error> {
        let (public_key, peer_id, signature): (Vec<u8>, Vec<u8>, Sig) = decode(&bytes)?;
        Ok(ValidatorProof::new(public_key, peer_id, Signature(signature.0)))
    }
}

impl Codec<ProposedValue<Consortium>> for Postcard {
    type Error = Error;

    fn encode(&self, value: &ProposedValue<Consortium>) -> Result<Bytes, Error> {
        encode(&(
            value.height.0,
            round_in(value.round),
            round_in(value.valid_round),
            Fixed(value.proposer.0),
            value.value.0,
            value.validity.is_valid(),
        ))
    }

    fn decode(&self, bytes: Bytes) -> Result<ProposedValue<Consortium>, Error> {
        let (height, round, valid_round, proposer, block, valid): (u64, Rounded, Rounded, Key, Digest, bool) =
            decode(&bytes)?;
        Ok(ProposedValue {
            height: Height(height),
            round: round_out(round),
            valid_round: round_out(valid_round),
            proposer: Address(proposer.0),
            value: BlockId(block),
            validity: Validity::from_bool(valid),
        })
    }
}

impl Codec<Status<Consortium>> for Postcard {
    type Error = Error;

    fn encode(&self, status: &Status<Consortium>) -> Result<Bytes, Error> {
        encode(&(
            status.peer_id.to_bytes(),
            status.tip_height.0,
            status.history_min_height.0,
        ))
    }

    fn decode(&self, bytes: Bytes) -> Result<Status<Consortium>, Error> {
        let (peer, tip, least): (Vec<u8>, u64, u64) = decode(&bytes)?;
        Ok(Status {
            peer_id: PeerId::from_bytes(&peer).map_err(|_| Error::DeserializeBadEncoding)?,
            tip_height: Height(tip),
            history_min_height: Height(least),
        })
    }
}

impl Codec<Request<Consortium>> for Postcard {
    type Error = Error;

    fn encode(&self, request: &Request<Consortium>) -> Result<Bytes, Error> {
        let Request::ValueRequest(request) = request;
        encode(&(request.range.start().0, request.range.end().0))
    }

    fn decode(&self, bytes: Bytes) -> Result<Request<Consortium>, Error> {
        let (first, last): (u64, u64) = decode(&bytes)?;
        Ok(Request::ValueRequest(ValueRequest::new(Height(first)..=Height(last))))
    }
}

/// block, height, round, block hash, signatures.
type DecidedWire = (Run, u64, Rounded, Digest, Vec<(Key, Sig)>);

fn response_in(response: &Response<Consortium>) -> (u64, Vec<DecidedWire>) {
    let Response::ValueResponse(response) = response;
    let values = response.values.iter().map(|value| {
        let certificate = &value.certificate;
        (
            Run(value.value_bytes.clone()),
            certificate.height.0,
            round_in(certificate.round),
            certificate.value_id.0,
            certificate
                .commit_signatures
                .iter()
                .map(|s| (Fixed(s.address.0), Fixed(s.signature.0)))
                .collect(),
        )
    });
    (response.start_height.0, values.collect())
}

impl Codec<Response<Consortium>> for Postcard {
    type Error = Error;

    fn encode(&self, response: &Response<Consortium>) -> Result<Bytes, Error> {
        encode(&response_in(response))
    }

    fn decode(&self, bytes: Bytes) -> Result<Response<Consortium>, Error> {
        let (start, values): (u64, Vec<DecidedWire>) = decode(&bytes)?;
        let values = values
            .into_iter()
            .map(|(Run(block), height, round, id, signatures)| {
                let certificate = ExtendedCommitCertificate {
                    height: Height(height),
                    round: round_out(round),
                    value_id: BlockId(id),
                    commit_signatures: signatures
                        .into_iter()
                        .map(|(address, signature)| {
                            ExtendedCommitSignature::new(Address(address.0), Signature(signature.0), None)
                        })
                        .collect(),
                };
                RawDecidedValue::new(block, certificate)
            })
            .collect();
        Ok(Response::ValueResponse(ValueResponse::new(Height(start), values)))
    }
}

impl HasEncodedLen<Response<Consortium>> for Postcard {
    fn encoded_len(&self, response: &Response<Consortium>) -> Result<usize, Error> {
        postcard::experimental::serialized_size(&response_in(response))
    }
}
