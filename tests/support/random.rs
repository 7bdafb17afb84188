//! Random numbers of a seed that is printed, and taken from `KLAMM_TEST_SEED` to do the same again.

use std::time::Duration;

/// A sequence of numbers (splitmix64).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The sequence of `KLAMM_TEST_SEED`, or of a seed of its own.
    pub fn seeded() -> Random {
        let seed = match std::env::var("KLAMM_TEST_SEED") {
            Ok(seed) => seed.parse().expect("the seed is a number"),
            Err(_) => uuid::Uuid::new_v4().as_u128() as u64 >> 32,
        };
        println!("KLAMM_TEST_SEED={seed}");
        Random(seed)
    }

    /// The sequence of this seed.
    pub fn of(seed: u64) -> Random {
        Random(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// A duration up to this many milliseconds.
    pub fn milliseconds(&mut self, most: u64) -> Duration {
        Duration::from_micros(self.below(most * 1000 + 1))
    }
}
