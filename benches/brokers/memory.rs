//! Guest memory that the host has backed. The first touch of a page that was never used, or was given back, costs a
//! virtual machine up to ten times what a used one costs, and would be charged to whoever came first.

use crate::Result;
use memmap2::{Advice, MmapMut};

const PAGE_BYTES: usize = 4096;

/// Touches this much memory and gives it back to the kernel, which will hand out the same pages next.
pub fn warm(bytes: usize) -> Result<()> {
    let mut map = MmapMut::map_anon(bytes)?;
    map.advise(Advice::HugePage)?;
    for page in map.chunks_mut(PAGE_BYTES) {
        page[0] = 1;
    }
    Ok(())
}
