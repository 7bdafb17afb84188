//! The codecs that a batch's records may be compressed with, as Kafka's clients frame them.
//!
//! Invariants: a decoder gives bytes as they are asked for and holds no more than its codec's window or, for snappy,
//! one block, whose claimed size is first compared with what its bytes could expand to and with the cap.
//!
//! * gzip: members, one or more;
//! * snappy: the framing of Java's `SnappyOutputStream` (xerial: a magic, then blocks with their lengths), or, as
//!   librdkafka and others send it, one bare block;
//! * lz4: the frame format, as Kafka writes it with blocks of 64 KiB, independent, without checksums (KIP-57);
//! * zstd: frames (KIP-110).
//!
//! What compresses stands in [`encoder`](super::encoder).

use super::Malformed;
use super::encoder::Encoder;
use crate::config::TargetCompression;
use std::io::{self, Read};

/// How much one batch may decompress to where nothing tighter is known.
///
/// A producer's batch is rarely above some MB; what is compressed a hundredfold still fits.
pub const DECOMPRESSED_BYTES_MAX: usize = 128 << 20;

/// How the records of a batch are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// zlib's deflate in gzip members.
    Gzip,
    /// Snappy, framed as Java does.
    Snappy,
    /// LZ4 frames.
    Lz4,
    /// Zstandard frames.
    Zstd,
}

/// The window that RFC 8878 asks every decoder to allow; larger ones are allowed up to the cap.
const ZSTD_WINDOW_BYTES: usize = 8 << 20;
/// zstd's own limit: 128 MiB.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;
pub(super) const XERIAL_MAGIC: &[u8] = b"\x82SNAPPY\0";
const XERIAL_HEADER_BYTES: usize = 16;
/// Java's block size. Larger blocks would compress better, but clients allocate by it.
pub(super) const XERIAL_BLOCK_BYTES: usize = 32 << 10;
/// The densest element of a snappy block spends 3 bytes on 64.
const SNAPPY_RATIO_MAX: usize = 64 / 3 + 1;

impl Compression {
    pub(super) fn from_id(id: u8) -> Option<Compression> {
        Some(match id {
            0 => Compression::None,
            1 => Compression::Gzip,
            2 => Compression::Snappy,
            3 => Compression::Lz4,
            4 => Compression::Zstd,
            _ => return None,
        })
    }

    pub(super) fn id(self) -> i16 {
        match self {
            Compression::None => 0,
            Compression::Gzip => 1,
            Compression::Snappy => 2,
            Compression::Lz4 => 3,
            Compression::Zstd => 4,
        }
    }

    /// What `payload` decompresses to, as a stream; `None` when it is not compressed.
    pub(super) fn open<'a>(
        self,
        payload: &'a [u8],
        decompressed_bytes_max: usize,
    ) -> Result<Option<Box<dyn Read + Send + 'a>>, Malformed> {
        let malformed = |_| Malformed::Compressed(self);
        Ok(match self {
            Compression::None => None,
            Compression::Gzip => Some(Box::new(flate2::bufread::MultiGzDecoder::new(payload))),
            Compression::Snappy => Some(Box::new(SnappyReader::new(payload, decompressed_bytes_max))),
            Compression::Lz4 => Some(Box::new(lz4::Decoder::new(payload).map_err(malformed)?)),
            Compression::Zstd => {
                let mut decoder = zstd::Decoder::with_buffer(payload).map_err(malformed)?;
                // The frame's header names a window, which the decoder allocates. Encoders that stream name their
                // level's, however little they compress.
                let log_max = decompressed_bytes_max.max(ZSTD_WINDOW_BYTES).ilog2().min(ZSTD_WINDOW_LOG_MAX);
                decoder.window_log_max(log_max).map_err(malformed)?;
                Some(Box::new(decoder))
            }
        })
    }

    /// The codec at Kafka's default level.
    pub(super) fn target(self) -> TargetCompression {
        match self {
            Compression::None => TargetCompression::None,
            Compression::Gzip => TargetCompression::Gzip { level: -1 },
            Compression::Snappy => TargetCompression::Snappy,
            Compression::Lz4 => TargetCompression::Lz4 { level: 9 },
            Compression::Zstd => TargetCompression::Zstd { level: zstd::DEFAULT_COMPRESSION_LEVEL },
        }
    }

    /// Compresses `plain` as Kafka's Java producer frames it.
    pub(super) fn compress(self, plain: &[u8]) -> Vec<u8> {
        let compressed = Encoder::new(self.target(), Vec::new()).and_then(|mut encoder| {
            encoder.write(plain)?;
            encoder.finish()
        });
        compressed.expect("compressing into memory does not fail")
    }
}

impl From<TargetCompression> for Compression {
    fn from(target: TargetCompression) -> Compression {
        match target {
            TargetCompression::None => Compression::None,
            TargetCompression::Gzip { .. } => Compression::Gzip,
            TargetCompression::Snappy => Compression::Snappy,
            TargetCompression::Lz4 { .. } => Compression::Lz4,
            TargetCompression::Zstd { .. } => Compression::Zstd,
        }
    }
}

/// Snappy blocks, decompressed one at a time.
struct SnappyReader<'a> {
    blocks: Blocks<'a>,
    block: Vec<u8>,
    read: usize,
    left_bytes: usize,
}

enum Blocks<'a> {
    Xerial(&'a [u8]),
    Bare(Option<&'a [u8]>),
}

impl<'a> SnappyReader<'a> {
    fn new(payload: &'a [u8], decompressed_bytes_max: usize) -> SnappyReader<'a> {
        let framed = payload.starts_with(XERIAL_MAGIC) && payload.len() >= XERIAL_HEADER_BYTES;
        let blocks = if framed { Blocks::Xerial(&payload[XERIAL_HEADER_BYTES..]) } else { Blocks::Bare(Some(payload)) };
        SnappyReader { blocks, block: Vec::new(), read: 0, left_bytes: decompressed_bytes_max }
    }

    /// Decompresses the next block; `false` after the last.
    fn advance(&mut self) -> io::Result<bool> {
        let Some(compressed) = self.blocks.next()? else {
            return Ok(false);
        };
        let length = snap::raw::decompress_len(compressed)?;
        if length > compressed.len().saturating_mul(SNAPPY_RATIO_MAX) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if length > self.left_bytes {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.left_bytes -= length;
        self.block.resize(length, 0);
        let written = snap::raw::Decoder::new().decompress(compressed, &mut self.block)?;
        self.block.truncate(written);
        self.read = 0;
        Ok(true)
    }
}

impl<'a> Blocks<'a> {
    fn next(&mut self) -> io::Result<Option<&'a [u8]>> {
        match self {
            Blocks::Bare(block) => Ok(block.take()),
            Blocks::Xerial([]) => Ok(None),
            Blocks::Xerial(rest) => {
                let invalid = || io::Error::from(io::ErrorKind::InvalidData);
                // Concatenated streams repeat the header; Java's reader steps over it.
                if rest.starts_with(XERIAL_MAGIC) {
                    *rest = rest.get(XERIAL_HEADER_BYTES..).ok_or_else(invalid)?;
                }
                let (length, after) = rest.split_first_chunk().ok_or_else(invalid)?;
                let length = u32::from_be_bytes(*length) as usize;
                let (block, after) = after.split_at_checked(length).ok_or_else(invalid)?;
                *rest = after;
                Ok(Some(block))
            }
        }
    }
}

impl Read for SnappyReader<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.read == self.block.len() {
            if !self.advance()? {
                return Ok(0);
            }
        }
        let from = &self.block[self.read..];
        let count = from.len().min(into.len());
        into[..count].copy_from_slice(&from[..count]);
        self.read += count;
        Ok(count)
    }
}
