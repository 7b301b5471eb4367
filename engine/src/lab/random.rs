//! Random numbers that are the same for the same seed on every machine (SplitMix64, public domain).

/// A seeded generator.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

impl Random {
    /// From a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`; 0 for a limit of 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        if limit == 0 { 0 } else { self.bits() % limit }
    }

    /// True `per_mille` times of a thousand.
    pub fn chance(&mut self, per_mille: u32) -> bool {
        self.below(1000) < u64::from(per_mille)
    }

    /// One of the items.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        let limit = u64::try_from(items.len()).unwrap_or(u64::MAX);
        items.get(usize::try_from(self.below(limit)).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_numbers_everywhere() {
        let mut random = Random::new(1);
        assert_eq!(random.bits(), 0x910a_2dec_8902_5cc1);
        assert_eq!(random.bits(), 0xbeeb_8da1_658e_ec67);
    }

    #[test]
    fn limits_and_chances_keep_to_their_ends() {
        let mut random = Random::new(7);
        assert_eq!(random.below(0), 0);
        for _ in 0..100 {
            assert!(random.below(3) < 3);
            assert!(!random.chance(0));
            assert!(random.chance(1000));
        }
        assert_eq!(random.pick::<u8>(&[]), None);
    }
}
