//! The codecs' other direction: bytes in, compressed bytes out as Kafka's broker frames them, as they come.
//!
//! Invariants: an encoder holds no more than a block of its codec, or for zstd 1 MiB and its window; what it has compressed is
//! written out at once. Each frame is one that every client reads.
//!
//! * gzip: one member;
//! * snappy: Java's framing, blocks of 32 KiB;
//! * lz4: blocks of 64 KiB, independent, without checksums; level 9 is the fast compressor and every other the dense one, as
//!   in `Lz4BlockOutputStream` (KIP-390);
//! * zstd: one frame, with its size where that is known before it begins.

use super::compression::{XERIAL_BLOCK_BYTES, XERIAL_MAGIC};
use crate::config::TargetCompression;
use lz4::block::CompressionMode;
use std::io::{self, Write};

/// Compresses into `W`, or writes through.
pub(super) enum Encoder<W: Write> {
    None(W),
    Gzip(flate2::write::GzEncoder<W>),
    Snappy(Blocks<W, SnappyBlock>),
    Lz4(Blocks<W, Lz4Block>),
    Zstd(Zstd<W>),
}

impl<W: Write> Encoder<W> {
    pub(super) fn new(target: TargetCompression, mut out: W) -> io::Result<Encoder<W>> {
        Ok(match target {
            TargetCompression::None => Encoder::None(out),
            TargetCompression::Gzip { level } => Encoder::Gzip(flate2::write::GzEncoder::new(out, gzip_level(level))),
            TargetCompression::Snappy => {
                out.write_all(XERIAL_MAGIC)?;
                out.write_all(&1_i32.to_be_bytes())?; // version
                out.write_all(&1_i32.to_be_bytes())?; // oldest version that reads it
                let codec = SnappyBlock(Box::new(snap::raw::Encoder::new()));
                Encoder::Snappy(Blocks::new(out, codec, XERIAL_BLOCK_BYTES))
            }
            TargetCompression::Lz4 { level } => {
                out.write_all(LZ4_FRAME_HEADER)?;
                Encoder::Lz4(Blocks::new(out, Lz4Block(lz4_mode(level)), LZ4_BLOCK_BYTES))
            }
            TargetCompression::Zstd { level } => Encoder::Zstd(Zstd::Held { level, plain: Vec::new(), out }),
        })
    }

    pub(super) fn write(&mut self, plain: &[u8]) -> io::Result<()> {
        match self {
            Encoder::None(out) => out.write_all(plain),
            Encoder::Gzip(encoder) => encoder.write_all(plain),
            Encoder::Snappy(blocks) => blocks.write(plain),
            Encoder::Lz4(blocks) => blocks.write(plain),
            Encoder::Zstd(zstd) => zstd.write(plain),
        }
    }

    /// Ends the stream.
    pub(super) fn finish(self) -> io::Result<W> {
        match self {
            Encoder::None(out) => Ok(out),
            Encoder::Gzip(encoder) => encoder.finish(),
            Encoder::Snappy(blocks) => blocks.finish(),
            Encoder::Lz4(blocks) => {
                let mut out = blocks.finish()?;
                out.write_all(&0_u32.to_le_bytes())?; // the end mark
                Ok(out)
            }
            Encoder::Zstd(zstd) => zstd.finish(),
        }
    }
}

fn gzip_level(level: i32) -> flate2::Compression {
    u32::try_from(level).map_or_else(|_| flate2::Compression::default(), flate2::Compression::new)
}

/// Plain bytes, cut into blocks that are compressed one by one.
pub(super) struct Blocks<W, C> {
    out: W,
    codec: C,
    block: Vec<u8>,
    block_bytes: usize,
    compressed: Vec<u8>,
}

/// How one block is compressed and framed.
pub(super) trait BlockCodec {
    /// The most that a block of `plain_bytes` takes.
    fn bytes_max(plain_bytes: usize) -> usize;
    /// Compresses into `compressed`, which has room, and writes the block with its length.
    fn put(&mut self, plain: &[u8], compressed: &mut [u8], out: &mut impl Write) -> io::Result<()>;
}

impl<W: Write, C: BlockCodec> Blocks<W, C> {
    fn new(out: W, codec: C, block_bytes: usize) -> Blocks<W, C> {
        Blocks { out, codec, block: Vec::new(), block_bytes, compressed: Vec::new() }
    }

    fn write(&mut self, mut plain: &[u8]) -> io::Result<()> {
        while !plain.is_empty() {
            let (taken, rest) = plain.split_at(plain.len().min(self.block_bytes - self.block.len()));
            self.block.extend_from_slice(taken);
            plain = rest;
            if self.block.len() == self.block_bytes {
                self.put_block()?;
            }
        }
        Ok(())
    }

    fn put_block(&mut self) -> io::Result<()> {
        self.compressed.resize(C::bytes_max(self.block.len()), 0);
        self.codec.put(&self.block, &mut self.compressed, &mut self.out)?;
        self.block.clear();
        Ok(())
    }

    fn finish(mut self) -> io::Result<W> {
        if !self.block.is_empty() {
            self.put_block()?;
        }
        Ok(self.out)
    }
}

/// The encoder has a table of 2 KiB.
pub(super) struct SnappyBlock(Box<snap::raw::Encoder>);

impl BlockCodec for SnappyBlock {
    fn bytes_max(plain_bytes: usize) -> usize {
        snap::raw::max_compress_len(plain_bytes)
    }

    fn put(&mut self, plain: &[u8], compressed: &mut [u8], out: &mut impl Write) -> io::Result<()> {
        let bytes = self.0.compress(plain, compressed)?;
        out.write_all(&(bytes as u32).to_be_bytes())?;
        out.write_all(&compressed[..bytes])
    }
}

/// Magic; version 1 with independent blocks; blocks of 64 KiB; the checksum of these two bytes.
const LZ4_FRAME_HEADER: &[u8] = &[0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82];
const LZ4_BLOCK_BYTES: usize = 64 << 10;
/// A block's length with this bit says that it is not compressed.
const LZ4_PLAIN_BLOCK: u32 = 1 << 31;
/// Kafka's default level, by which it means the compressor that has none.
const LZ4_LEVEL_FAST: i32 = 9;

fn lz4_mode(level: i32) -> CompressionMode {
    if level == LZ4_LEVEL_FAST { CompressionMode::DEFAULT } else { CompressionMode::HIGHCOMPRESSION(level) }
}

pub(super) struct Lz4Block(CompressionMode);

impl BlockCodec for Lz4Block {
    fn bytes_max(plain_bytes: usize) -> usize {
        // The formula of LZ4_COMPRESSBOUND.
        plain_bytes + plain_bytes / 255 + 16
    }

    fn put(&mut self, plain: &[u8], compressed: &mut [u8], out: &mut impl Write) -> io::Result<()> {
        let bytes = lz4::block::compress_to_buffer(plain, Some(self.0), false, compressed)?;
        let (length, block) = match bytes < plain.len() {
            true => (bytes as u32, &compressed[..bytes]),
            false => (plain.len() as u32 | LZ4_PLAIN_BLOCK, plain),
        };
        out.write_all(&length.to_le_bytes())?;
        out.write_all(block)
    }
}

/// What is held back to learn the size. With it zstd takes tables that fit: for a batch of 16 KiB a tenth of the time, and at
/// the highest levels megabytes instead of a gigabyte.
const ZSTD_HELD_BYTES: usize = 1 << 20;
/// The largest window of a frame whose size is not known, which is what RFC 8878 asks every decoder to allow. Only the levels
/// from 20 on would take more.
const ZSTD_WINDOW_LOG: u32 = 23;
const ZSTD_LEVEL_LARGE_WINDOW: i32 = 20;

pub(super) enum Zstd<W: Write> {
    Held {
        level: i32,
        plain: Vec<u8>,
        out: W,
    },
    Streaming(zstd::Encoder<'static, W>),
    /// Only while one state becomes the other; stays after an error.
    Broken,
}

impl<W: Write> Zstd<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Zstd::Held { plain, .. } if plain.len() + bytes.len() <= ZSTD_HELD_BYTES => {
                plain.extend_from_slice(bytes);
                Ok(())
            }
            Zstd::Held { .. } => {
                let mut encoder = std::mem::replace(self, Zstd::Broken).stream()?;
                encoder.write_all(bytes)?;
                *self = Zstd::Streaming(encoder);
                Ok(())
            }
            Zstd::Streaming(encoder) => encoder.write_all(bytes),
            Zstd::Broken => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    /// More is to come than what is held.
    fn stream(self) -> io::Result<zstd::Encoder<'static, W>> {
        match self {
            Zstd::Held { level, plain, out } => {
                let mut encoder = zstd::Encoder::new(out, level)?;
                if level >= ZSTD_LEVEL_LARGE_WINDOW {
                    encoder.window_log(ZSTD_WINDOW_LOG)?;
                }
                encoder.write_all(&plain)?;
                Ok(encoder)
            }
            Zstd::Streaming(encoder) => Ok(encoder),
            Zstd::Broken => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn finish(self) -> io::Result<W> {
        match self {
            Zstd::Held { level, plain, out } => {
                let mut encoder = zstd::Encoder::new(out, level)?;
                encoder.set_pledged_src_size(Some(plain.len() as u64))?;
                encoder.write_all(&plain)?;
                encoder.finish()
            }
            Zstd::Streaming(encoder) => encoder.finish(),
            Zstd::Broken => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}
