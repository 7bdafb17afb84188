//! Random numbers that can be had again: SplitMix64 from a seed that is printed, or that `KLAMM_TEST_SEED` names.

use std::fmt::Debug;
use std::time::Duration;

/// A sequence of numbers.
#[derive(Clone, Debug)]
pub struct Random(u64);

/// The seed of `KLAMM_TEST_SEED`, or of the clock; printed.
pub fn seed() -> u64 {
    let now = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(1, |t| t.as_millis() as u64);
    let seed = std::env::var("KLAMM_TEST_SEED").map_or_else(|_| now(), |s| s.parse().expect("the seed is a number"));
    println!("KLAMM_TEST_SEED={seed}");
    seed
}

impl Random {
    /// The sequence of [`seed`].
    pub fn seeded() -> Random {
        Random::new(seed(), 0)
    }

    /// The sequence of `seed`; each `stream` of it is another.
    pub fn new(seed: u64, stream: u64) -> Random {
        Random(seed.wrapping_add(stream.wrapping_mul(0xd1b5_4a32_d192_ed03)))
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to `end`, without `end`.
    pub fn below<N>(&mut self, end: N) -> N
    where
        N: TryInto<u64> + TryFrom<u64>,
        <N as TryInto<u64>>::Error: Debug,
        <N as TryFrom<u64>>::Error: Debug,
    {
        let end: u64 = end.try_into().expect("the end is not negative");
        N::try_from(self.next() % end).expect("it is below one of these")
    }

    /// A duration up to this many milliseconds.
    pub fn milliseconds(&mut self, most: u64) -> Duration {
        Duration::from_micros(self.below(most * 1000 + 1))
    }

    pub fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }

    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }
}
