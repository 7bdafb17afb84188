//! What every running part needs: the clock and slices of files that travel from `storage` to `net`.

mod clock;
mod file_slice;

pub use clock::Clock;
pub use file_slice::FileSlice;
