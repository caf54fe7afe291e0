//! Reads what is written of a session, by hand: it is read with every request, and a reader that knows the form beforehand
//! needs half of what a general one does. What it reads is what postcard writes; a test holds the two together.

use crate::base::UnixTime;

/// What is left to read.
pub(super) struct Wire<'b>(&'b [u8]);

/// A number of 64 bits takes ten bytes of seven bits each at the most.
const LONGEST: usize = 10;

impl<'b> Wire<'b> {
    pub(super) const fn new(bytes: &'b [u8]) -> Self {
        Self(bytes)
    }

    /// The rest, unread.
    pub(super) const fn rest(&self) -> &'b [u8] {
        self.0
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    /// Seven bits in each byte, the lowest first; the eighth says that there is more.
    pub(super) fn number(&mut self) -> Option<u64> {
        let (first, rest) = self.0.split_first()?;
        if *first < 0x80 {
            self.0 = rest;
            return Some((*first).into());
        }
        let mut number = 0_u64;
        for (place, byte) in self.0.iter().take(LONGEST).enumerate() {
            let bits = u64::from(byte & 0x7f);
            // Of the tenth byte one bit is left.
            if place == LONGEST - 1 && *byte > 1 {
                return None;
            }
            number |= bits << (7 * place);
            if *byte < 0x80 {
                self.0 = self.0.get(place + 1..)?;
                return Some(number);
            }
        }
        None
    }

    /// Signed: the lowest bit says which way the others count.
    pub(super) fn instant(&mut self) -> Option<UnixTime> {
        let number = self.number()?;
        Some(UnixTime::from_millis((number >> 1) as i64 ^ -((number & 1) as i64)))
    }

    /// Bytes behind their number.
    pub(super) fn bytes(&mut self) -> Option<&'b [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    pub(super) fn text(&mut self) -> Option<&'b str> {
        std::str::from_utf8(self.bytes()?).ok()
    }
}

/// Writes a number as [`Wire::number`] reads it.
pub(super) fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_reads_what_postcard_writes(number: u64, millis: i64, text in ".{0,300}") {
            let written = postcard::to_stdvec(&(number, UnixTime::from_millis(millis), &text)).unwrap();
            let mut wire = Wire::new(&written);
            prop_assert_eq!(wire.number(), Some(number));
            prop_assert_eq!(wire.instant(), Some(UnixTime::from_millis(millis)));
            prop_assert_eq!(wire.text(), Some(text.as_str()));
            prop_assert!(wire.rest().is_empty());
            let mut own = Vec::new();
            put_number(&mut own, number);
            prop_assert!(written.starts_with(&own));
        }

        /// Where it reads a number at all, postcard reads the same; and neither reads what another takes for more.
        #[test]
        fn a_number_is_one_number(bytes in proptest::collection::vec(any::<u8>(), 0..12)) {
            let mut wire = Wire::new(&bytes);
            let other = postcard::take_from_bytes::<u64>(&bytes).ok();
            prop_assert_eq!(wire.number().map(|number| (number, wire.rest())), other);
        }
    }
}
