//! postcard with two additions of ours (SPEC.md, section 1): `Seq`, a list that is read without memory, and the
//! rule that only the encoder's own bytes are accepted.
//!
//! A second encoding of the same value would be a second hash of it, and so a second ballot, batch or record.

use core::fmt;
use core::marker::PhantomData;

use serde::de::Deserialize;
use serde::ser::Serialize;

/// Why bytes were refused, or could not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireError {
    /// The bytes end early, or hold a value the type does not have.
    Malformed,
    /// Bytes are left over behind the value.
    Trailing,
    /// The value was read, but an encoder would have written other bytes for it.
    NotCanonical,
    /// The output buffer is too small.
    BufferTooSmall,
    /// A value is beyond what the format holds (a bound of SPEC.md).
    OutOfBounds,
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the bytes are cut off or hold an impossible value",
            Self::Trailing => "there are bytes behind the end of the value",
            Self::NotCanonical => "the value is not in its one allowed encoding",
            Self::BufferTooSmall => "the buffer is too small for the encoding",
            Self::OutOfBounds => "a value is outside the bounds of the format",
        })
    }
}

impl core::error::Error for WireError {}

/// Encodes into `out` and gives back the part used.
///
/// # Errors
/// [`WireError::BufferTooSmall`].
pub fn encode<'o, T: Serialize + ?Sized>(value: &T, out: &'o mut [u8]) -> Result<&'o mut [u8], WireError> {
    postcard::to_slice(value, out).map_err(|error| match error {
        postcard::Error::SerializeBufferFull => WireError::BufferTooSmall,
        _ => WireError::OutOfBounds,
    })
}

/// Length of the encoding.
///
/// # Errors
/// [`WireError::OutOfBounds`] where a value cannot be encoded at all.
pub fn encoded_len<T: Serialize + ?Sized>(value: &T) -> Result<usize, WireError> {
    postcard::experimental::serialized_size(value).map_err(|_| WireError::OutOfBounds)
}

/// Decodes a whole value; nothing may follow, and the bytes must be what [`encode`] writes.
///
/// # Errors
/// [`WireError::Malformed`], [`WireError::Trailing`], [`WireError::NotCanonical`].
pub fn decode<'b, T: Deserialize<'b> + Serialize>(bytes: &'b [u8]) -> Result<T, WireError> {
    let (value, rest) = take(bytes)?;
    if rest.is_empty() {
        Ok(value)
    } else {
        Err(WireError::Trailing)
    }
}

/// Decodes a value from the front and gives the rest. The bytes used must be what [`encode`] writes.
///
/// # Errors
/// [`WireError::Malformed`], [`WireError::NotCanonical`].
pub fn take<'b, T: Deserialize<'b> + Serialize>(bytes: &'b [u8]) -> Result<(T, &'b [u8]), WireError> {
    let (value, rest) = postcard::take_from_bytes::<T>(bytes).map_err(|_| WireError::Malformed)?;
    let used = bytes
        .len()
        .checked_sub(rest.len())
        .and_then(|used| bytes.get(..used))
        .ok_or(WireError::Malformed)?;
    let comparison =
        postcard::serialize_with_flavor(&value, Compare { left: used }).map_err(|_| WireError::NotCanonical)?;
    if comparison.is_empty() {
        Ok((value, rest))
    } else {
        Err(WireError::NotCanonical)
    }
}

/// A postcard output that compares instead of writing: canonicity without a second buffer.
struct Compare<'b> {
    left: &'b [u8],
}

impl<'b> postcard::ser_flavors::Flavor for Compare<'b> {
    type Output = &'b [u8];

    fn try_push(&mut self, data: u8) -> postcard::Result<()> {
        self.try_extend(&[data])
    }

    fn try_extend(&mut self, data: &[u8]) -> postcard::Result<()> {
        match self.left.split_at_checked(data.len()) {
            Some((head, tail)) if head == data => {
                self.left = tail;
                Ok(())
            }
            _ => Err(postcard::Error::SerializeBufferFull),
        }
    }

    fn finalize(self) -> postcard::Result<Self::Output> {
        Ok(self.left)
    }
}

/// A list of `T` as borrowed bytes: a postcard `bytes` value whose content is the items one after the other.
///
/// Items are decoded as they are walked; [`Seq::check`] walks them all once, after which `iter` cannot meet an error.
pub struct Seq<'b, T> {
    bytes: &'b [u8],
    item: PhantomData<fn() -> T>,
}

impl<'b, T> Seq<'b, T> {
    /// A list over bytes that somebody else checks; see [`Seq::check`].
    #[must_use]
    pub const fn from_bytes(bytes: &'b [u8]) -> Self {
        Self {
            bytes,
            item: PhantomData,
        }
    }

    /// The items' bytes, one after the other.
    #[must_use]
    pub const fn as_bytes(&self) -> &'b [u8] {
        self.bytes
    }

    /// Whether the list has no item.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

impl<'b, T: Deserialize<'b> + Serialize> Seq<'b, T> {
    /// Walks the items; the first error ends the walk.
    #[must_use]
    pub const fn iter(&self) -> SeqIter<'b, T> {
        SeqIter {
            bytes: self.bytes,
            item: PhantomData,
        }
    }

    /// Walks everything once and counts.
    ///
    /// # Errors
    /// The first item's error.
    pub fn check(&self) -> Result<usize, WireError> {
        let mut count = 0usize;
        for item in self.iter() {
            item?;
            count = count.checked_add(1).ok_or(WireError::OutOfBounds)?;
        }
        Ok(count)
    }

    /// The item at `index`, by walking.
    ///
    /// # Errors
    /// An item's error on the way.
    pub fn get(&self, index: usize) -> Result<Option<T>, WireError> {
        self.iter().nth(index).transpose()
    }

    /// The number of items that decode, up to the first that does not.
    #[must_use]
    pub fn count(&self) -> usize {
        self.iter().map_while(Result::ok).count()
    }
}

impl<T> Clone for Seq<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Seq<'_, T> {}

impl<T> PartialEq for Seq<'_, T> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}
impl<T> Eq for Seq<'_, T> {}

impl<T> fmt::Debug for Seq<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seq({} bytes)", self.bytes.len())
    }
}

impl<T> Default for Seq<'_, T> {
    fn default() -> Self {
        Self::from_bytes(&[])
    }
}

impl<T> Serialize for Seq<'_, T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.bytes)
    }
}

impl<'de: 'b, 'b, T> Deserialize<'de> for Seq<'b, T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&'b [u8]>::deserialize(deserializer).map(Self::from_bytes)
    }
}

/// See [`Seq::iter`].
pub struct SeqIter<'b, T> {
    bytes: &'b [u8],
    item: PhantomData<fn() -> T>,
}

impl<'b, T: Deserialize<'b> + Serialize> Iterator for SeqIter<'b, T> {
    type Item = Result<T, WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.bytes.is_empty() {
            return None;
        }
        match take::<T>(self.bytes) {
            // An item of no bytes would repeat for ever.
            Ok((_, rest)) if rest.len() == self.bytes.len() => {
                self.bytes = &[];
                Some(Err(WireError::Malformed))
            }
            Ok((item, rest)) => {
                self.bytes = rest;
                Some(Ok(item))
            }
            Err(error) => {
                self.bytes = &[];
                Some(Err(error))
            }
        }
    }
}

/// Writes the items of a [`Seq`] into a buffer.
pub struct SeqWriter<'o> {
    out: &'o mut [u8],
    used: usize,
}

impl<'o> SeqWriter<'o> {
    /// An empty list in `out`.
    #[must_use]
    pub const fn new(out: &'o mut [u8]) -> Self {
        Self { out, used: 0 }
    }

    /// Appends one item.
    ///
    /// # Errors
    /// [`WireError::BufferTooSmall`]; the list is as before.
    pub fn push<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), WireError> {
        let free = self.out.get_mut(self.used..).ok_or(WireError::BufferTooSmall)?;
        self.used += encode(item, free)?.len();
        Ok(())
    }

    /// The list written so far, borrowed for as long as the buffer.
    #[must_use]
    pub fn finish<T>(self) -> Seq<'o, T> {
        let Self { out, used } = self;
        Seq::from_bytes(out.get(..used).unwrap_or(&[]))
    }
}

/// Raw bytes of fixed length N above what serde's arrays hold (points 33, signatures 64): encoded without length.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes<const N: usize>(pub [u8; N]);

impl<const N: usize> fmt::Debug for Bytes<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0 {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl<const N: usize> From<[u8; N]> for Bytes<N> {
    fn from(bytes: [u8; N]) -> Self {
        Self(bytes)
    }
}

impl<const N: usize> AsRef<[u8]> for Bytes<N> {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl<const N: usize> Serialize for Bytes<N> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeTuple as _;
        let mut tuple = serializer.serialize_tuple(N)?;
        for byte in &self.0 {
            tuple.serialize_element(byte)?;
        }
        tuple.end()
    }
}

impl<'de, const N: usize> Deserialize<'de> for Bytes<N> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<const N: usize>;
        impl<'de, const N: usize> serde::de::Visitor<'de> for Visitor<N> {
            type Value = Bytes<N>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{N} bytes")
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut bytes = [0; N];
                for (index, byte) in bytes.iter_mut().enumerate() {
                    *byte = seq
                        .next_element()?
                        .ok_or_else(|| serde::de::Error::invalid_length(index, &self))?;
                }
                Ok(Bytes(bytes))
            }
        }
        deserializer.deserialize_tuple(N, Visitor::<N>)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize, Debug, PartialEq)]
    struct Item<'a> {
        number: u32,
        name: &'a str,
        raw: Bytes<33>,
    }

    #[derive(Serialize, Deserialize, Debug, PartialEq)]
    struct Outer<'a> {
        #[serde(borrow)]
        items: Seq<'a, Item<'a>>,
        flag: Option<u8>,
    }

    #[test]
    fn a_list_is_read_as_it_was_written() {
        let mut list = [0; 512];
        let mut writer = SeqWriter::new(&mut list);
        for number in [1, 200, 70_000] {
            writer
                .push(&Item {
                    number,
                    name: "名前",
                    raw: Bytes([9; 33]),
                })
                .unwrap();
        }
        let outer = Outer {
            items: writer.finish(),
            flag: Some(3),
        };
        let mut out = [0; 600];
        let bytes = encode(&outer, &mut out).unwrap();
        let back: Outer<'_> = decode(bytes).unwrap();
        assert_eq!(back, outer);
        assert_eq!(back.items.check(), Ok(3));
        assert_eq!(back.items.get(1).unwrap().unwrap().number, 200);
    }

    #[test]
    fn p08_a_longer_varint_is_refused() {
        assert_eq!(decode::<u32>(&[0x01]), Ok(1));
        assert_eq!(decode::<u32>(&[0x81, 0x00]), Err(WireError::NotCanonical));
        assert_eq!(decode::<u32>(&[0x01, 0x00]), Err(WireError::Trailing));
        assert_eq!(decode::<Option<u8>>(&[2, 0]), Err(WireError::Malformed));
    }

    proptest! {
        #[test]
        fn hostile_bytes_are_refused_or_canonical(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(outer) = decode::<Outer<'_>>(&bytes) {
                let mut out = [0; 300];
                prop_assert_eq!(&*encode(&outer, &mut out).unwrap(), &bytes[..]);
                let _ = outer.items.check();
            }
        }
    }
}
