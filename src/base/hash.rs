//! A hash for maps whose keys are digests or random already.

use std::hash::{BuildHasherDefault, Hasher};

/// For maps whose keys hold 128 bits that nobody outside can choose: a digest under a key of ours, or random bytes. They
/// are spread well as they are; a hash that withstands chosen keys would only cost, with every request.
#[derive(Clone, Copy, Default)]
pub struct DigestHasher(u64);

/// Makes [`DigestHasher`]s.
pub type ByDigest = BuildHasherDefault<DigestHasher>;

/// 2⁶⁴ by the golden ratio: it carries every bit into the upper ones, by which maps choose their parts.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

impl Hasher for DigestHasher {
    fn write(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(size_of::<u64>()) {
            let mut word = [0; size_of::<u64>()];
            for (to, from) in word.iter_mut().zip(piece) {
                *to = *from;
            }
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(25) ^ word).wrapping_mul(SPREAD);
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }

    fn write_isize(&mut self, word: isize) {
        self.write_u64(word as u64);
    }

    fn write_u8(&mut self, byte: u8) {
        self.write_u64(byte.into());
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::hash::BuildHasher as _;

    use super::*;

    /// What a source of random bytes gives, from a seed.
    fn digests() -> impl Iterator<Item = [u8; 16]> {
        let mut state = 1_u64;
        let mut next = move || {
            state = state.wrapping_add(SPREAD);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (mixed ^ (mixed >> 31)).to_le_bytes()
        };
        std::iter::from_fn(move || {
            let mut digest = [0; 16];
            for (to, from) in digest.iter_mut().zip(next().into_iter().chain(next())) {
                *to = from;
            }
            Some(digest)
        })
    }

    #[test]
    fn what_is_spread_stays_spread() {
        let by = ByDigest::default();
        let hashes: Vec<u64> = digests().take(100_000).map(|digest| by.hash_one(digest)).collect();
        assert_eq!(hashes.iter().collect::<HashSet<_>>().len(), hashes.len());
        // The upper and the lower bits, by which maps choose a shard and a place: a thousand boxes hold a hundred each.
        for shift in [0, 54] {
            let mut boxes = vec![0_u32; 1024];
            for hash in &hashes {
                let place = usize::try_from((hash >> shift) & 1023).unwrap_or_default();
                if let Some(count) = boxes.get_mut(place) {
                    *count += 1;
                }
            }
            assert!(boxes.iter().all(|count| (40..=180).contains(count)), "{boxes:?}");
        }
        assert_ne!(by.hash_one((0_isize, [1_u8; 16])), by.hash_one((1_isize, [1_u8; 16])));
    }
}
