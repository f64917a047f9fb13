//! The desk's line to a kiosk without files: what an exchange folder is to others, over [`crate::line`].
//!
//! It is open only while the kiosk does not run: a board starts it instead of the loop, when its service button is held. The desk asks, the kiosk
//! answers. What may leave is what the kiosk made for the desk, what may come is what the desk made for the kiosk; everything else in
//! the store, keys above all, has no way in or out here, and what comes is judged by the loop at its next start as ever.
//!
//! ```text
//! question: 0                     who is there?
//!           1 || item             give it
//!           2 || item || bytes    keep it
//! answer:   0 || station u16 || version u16 = 1
//!           0 || bytes            of an item
//!           0                     kept
//!           code                  refused (ServiceError)
//! ```

use core::fmt;

use crate::ports::{Item, Store, StoreError};

/// Version of these questions.
pub const VERSION: u16 = 1;
/// Bytes of a question or an answer beside an item's own.
pub const HEAD: usize = 2;

/// What leaves.
pub const OUT: [Item; 2] = [Item::Request, Item::Registration];
/// What comes.
pub const IN: [Item; 2] = [Item::Secret, Item::Delta];

/// Why a question was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ServiceError {
    /// None of the questions above.
    Question = 1,
    /// The item does not go this way.
    Item = 2,
    /// The kiosk does not have it (yet).
    Absent = 3,
    /// It is longer than there is room for.
    TooLong = 4,
    /// The store fails.
    Store = 5,
}

impl ServiceError {
    const ALL: [Self; 5] = [Self::Question, Self::Item, Self::Absent, Self::TooLong, Self::Store];
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Question => "the kiosk does not know this question: program and desk are of different versions",
            Self::Item => "this item does not leave a kiosk, or does not come to one",
            Self::Absent => {
                "the kiosk does not have it yet: start it with its package, and sign it in with two staff cards"
            }
            Self::TooLong => "it is longer than the kiosk has room for",
            Self::Store => "the kiosk's internal memory fails: take it out of service",
        })
    }
}

impl core::error::Error for ServiceError {}

impl From<StoreError> for ServiceError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::TooLong => Self::TooLong,
            StoreError::Device | StoreError::Sealed => Self::Store,
        }
    }
}

/// What an answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer<'a> {
    /// Done; what there is of it.
    Done(&'a [u8]),
    /// Refused.
    Refused(ServiceError),
}

/// Reads an answer; `None` if it is none.
#[must_use]
pub fn read_answer(answer: &[u8]) -> Option<Answer<'_>> {
    match answer.split_first()? {
        (0, bytes) => Some(Answer::Done(bytes)),
        (code, []) => ServiceError::ALL
            .into_iter()
            .find(|error| *error as u8 == *code)
            .map(Answer::Refused),
        _ => None,
    }
}

/// Answers one question. `answer` takes [`HEAD`] bytes and the longest item that leaves; gives how many it got.
pub async fn answer<S: Store>(store: &mut S, station: u16, question: &[u8], answer: &mut [u8]) -> usize {
    match given(store, station, question, answer).await {
        Ok(length) => length,
        Err(error) => match answer.first_mut() {
            Some(first) => {
                *first = error as u8;
                1
            }
            None => 0,
        },
    }
}

async fn given<S: Store>(
    store: &mut S,
    station: u16,
    question: &[u8],
    answer: &mut [u8],
) -> Result<usize, ServiceError> {
    let (first, rest) = answer.split_first_mut().ok_or(ServiceError::TooLong)?;
    *first = 0;
    match *question {
        [0] => {
            let [a, b] = station.to_be_bytes();
            let [c, d] = VERSION.to_be_bytes();
            let place = rest.first_chunk_mut::<4>().ok_or(ServiceError::TooLong)?;
            *place = [a, b, c, d];
            Ok(5)
        }
        [1, item] => {
            let item = which(item, &OUT)?;
            let length = store.read(item, rest).await?.ok_or(ServiceError::Absent)?;
            Ok(length.saturating_add(1))
        }
        [2, item, ref bytes @ ..] => {
            store.write(which(item, &IN)?, bytes).await?;
            Ok(1)
        }
        _ => Err(ServiceError::Question),
    }
}

fn which(code: u8, among: &[Item]) -> Result<Item, ServiceError> {
    among
        .iter()
        .copied()
        .find(|item| *item as u8 == code)
        .ok_or(ServiceError::Item)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use std::vec::Vec;

    /// A store that knows who touched what.
    #[derive(Default)]
    struct Kept(BTreeMap<Item, Vec<u8>>);

    impl Store for Kept {
        async fn read(&mut self, item: Item, buffer: &mut [u8]) -> Result<Option<usize>, StoreError> {
            let Some(bytes) = self.0.get(&item) else {
                return Ok(None);
            };
            buffer
                .get_mut(..bytes.len())
                .ok_or(StoreError::TooLong)?
                .copy_from_slice(bytes);
            Ok(Some(bytes.len()))
        }
        async fn write(&mut self, item: Item, bytes: &[u8]) -> Result<(), StoreError> {
            self.0.insert(item, bytes.to_vec());
            Ok(())
        }
        async fn erase(&mut self, item: Item) -> Result<(), StoreError> {
            self.0.remove(&item);
            Ok(())
        }
    }

    fn ask(store: &mut Kept, question: &[u8]) -> Vec<u8> {
        let mut bytes = [0xEE; 100];
        let length = embassy_futures::block_on(answer(store, 7, question, &mut bytes));
        bytes[..length].to_vec()
    }

    #[test]
    fn a7_only_what_was_made_for_the_other_side_goes_through_the_desks_line() {
        let mut store = Kept::default();
        for item in Item::ALL {
            store.0.insert(item, std::vec![item as u8; 9]);
        }
        assert_eq!(ask(&mut store, &[0]), [0, 0, 7, 0, 1]);
        for item in Item::ALL {
            let before = store.0.clone();
            let given = ask(&mut store, &[1, item as u8]);
            if matches!(item, Item::Request | Item::Registration) {
                assert_eq!(read_answer(&given), Some(Answer::Done(&[item as u8; 9])));
            } else {
                assert_eq!(
                    read_answer(&given),
                    Some(Answer::Refused(ServiceError::Item)),
                    "{item:?}"
                );
            }
            let kept = ask(&mut store, &[2, item as u8, 1, 2, 3]);
            if matches!(item, Item::Secret | Item::Delta) {
                assert_eq!(read_answer(&kept), Some(Answer::Done(&[])));
                assert_eq!(store.0[&item], [1, 2, 3]);
            } else {
                assert_eq!(
                    read_answer(&kept),
                    Some(Answer::Refused(ServiceError::Item)),
                    "{item:?}"
                );
                assert_eq!(store.0, before);
            }
        }
        store.0.clear();
        let absent = ask(&mut store, &[1, Item::Request as u8]);
        assert_eq!(read_answer(&absent), Some(Answer::Refused(ServiceError::Absent)));
        store.0.insert(Item::Request, std::vec![0; 100]);
        let long = ask(&mut store, &[1, Item::Request as u8]);
        assert_eq!(read_answer(&long), Some(Answer::Refused(ServiceError::TooLong)));
    }

    proptest! {
        #[test]
        fn a7_no_question_brings_a_secret_out(question in proptest::collection::vec(any::<u8>(), 0..6)) {
            let mut store = Kept::default();
            for item in [Item::Identity, Item::Secret, Item::Accepted, Item::Progress, Item::Delta] {
                store.0.insert(item, std::vec![0xA5; 40]);
            }
            let before = store.0.clone();
            let given = ask(&mut store, &question);
            prop_assert!(!given.windows(8).any(|bytes| bytes == [0xA5; 8]));
            prop_assert!(read_answer(&given).is_some());
            for item in [Item::Identity, Item::Accepted, Item::Progress] {
                prop_assert_eq!(&store.0[&item], &before[&item]);
            }
        }

        #[test]
        fn a7_any_bytes_are_an_answer_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..20)) {
            let _ = read_answer(&bytes);
        }
    }
}
