//! Damage: to bytes anywhere, to numbers, lengths and counts, to the order of parts, and to batches whose checksum is
//! then made right again, so that what lies behind the checksum is reached.

use crate::support::random::Random;

/// Numbers that lengths, counts and ids break on, as they stand on the wire.
const NUMBERS: &[&[u8]] = &[
    &[0, 0],
    &[0x7f, 0xff],
    &[0x80, 0],
    &[0xff, 0xff],
    &[0, 0, 0, 0],
    &[0, 0, 0, 1],
    &[0x7f, 0xff, 0xff, 0xff],
    &[0x80, 0, 0, 0],
    &[0xff, 0xff, 0xff, 0xff],
    &[0xff, 0xff, 0xff, 0xfe],
    &[0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    &[0x80, 0, 0, 0, 0, 0, 0, 0],
    // Varints: the largest, one that is too long, one that never ends, the largest of ten bytes.
    &[0xff, 0xff, 0xff, 0xff, 0x0f],
    &[0xff, 0xff, 0xff, 0xff, 0x7f],
    &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80],
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
    // Not UTF-8.
    &[0xc3, 0x28],
    &[0xed, 0xa0, 0x80],
];

/// The frame with some damage. Its length field fits again, more often than not.
pub fn mutate(random: &mut Random, frame: &[u8], other: &[u8]) -> Vec<u8> {
    let mut body = frame[4..].to_vec();
    if random.one_in(3) {
        damage_batch(random, &mut body);
    }
    for _ in 0..random.below(4) {
        damage(random, &mut body, &other[4..]);
    }
    let mut mutated = match random.below(30) {
        0 => random.next().to_be_bytes()[..4].to_vec(),
        1 => (body.len() as u32).wrapping_add(random.below(9) as u32).wrapping_sub(4).to_be_bytes().to_vec(),
        2 => 0u32.to_be_bytes().to_vec(),
        _ => (body.len() as u32).to_be_bytes().to_vec(),
    };
    mutated.extend(body);
    if random.one_in(40) {
        let count = random.below(600);
        mutated = random.bytes(count);
    }
    mutated
}

fn damage(random: &mut Random, body: &mut Vec<u8>, other: &[u8]) {
    // Key and version decide which code is reached: they are damaged more rarely than the rest.
    let from = if random.one_in(8) { 0 } else { 8.min(body.len()) };
    let at = from + random.below(body.len() - from + 1);
    let end = (at + random.below(12)).min(body.len());
    match random.below(10) {
        0 => body.truncate(at),
        1 if at < body.len() => body[at] ^= 1 << random.below(8),
        2 if at < body.len() => body[at] = random.next() as u8,
        3 => drop(body.splice(at..end, [])),
        4 => {
            let count = random.below(9);
            body.splice(at..at, random.bytes(count));
        }
        5 => {
            // A part of another request, wherever it fits.
            let part = random.below(other.len() + 1);
            let part_end = (part + random.below(40)).min(other.len());
            body.splice(at..end, other[part..part_end].iter().copied());
        }
        6 => {
            let part = body[at..end].to_vec();
            body.splice(at..at, part.iter().copied().cycle().take(part.len() * random.below(60)));
        }
        7 => drop(body.splice(at..at, random.pick(NUMBERS).iter().copied())),
        _ => {
            let number = random.pick(NUMBERS);
            let end = (at + number.len()).min(body.len());
            body[at..end].copy_from_slice(&number[..end - at]);
        }
    }
}

/// Damages what a checksum covers in the first batch that is found, and makes the checksum right again.
fn damage_batch(random: &mut Random, body: &mut [u8]) {
    const CRC_AT: usize = 17;
    const COVERED_FROM: usize = 21;
    const HEADER_BYTES: usize = 61;
    // Base offset 0, whatever length, leader epoch −1, magic 2.
    let is_batch = |bytes: &[u8]| bytes[..8] == [0; 8] && bytes[12..CRC_AT] == [0xff, 0xff, 0xff, 0xff, 2];
    let Some(start) = body.windows(HEADER_BYTES).position(is_batch) else { return };
    let length = u32::from_be_bytes(body[start + 8..start + 12].try_into().expect("four bytes")) as usize;
    let Some(batch) = body.get_mut(start..start + 12 + length) else { return };
    for _ in 0..1 + random.below(3) {
        let number = random.pick(NUMBERS);
        let from = *random.pick(&[COVERED_FROM, HEADER_BYTES.min(batch.len() - 1)]);
        let at = from + random.below(batch.len() - from);
        let end = (at + number.len()).min(batch.len());
        match random.below(3) {
            0 => batch[at] = random.next() as u8,
            1 => batch[at] ^= 1 << random.below(8),
            _ => batch[at..end].copy_from_slice(&number[..end - at]),
        }
    }
    if !random.one_in(8) {
        let crc = crc32c::crc32c(&batch[COVERED_FROM..]);
        batch[CRC_AT..COVERED_FROM].copy_from_slice(&crc.to_be_bytes());
    }
}
