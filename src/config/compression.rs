//! What `compression.type` and the levels beside it ask for.
//!
//! Source: `BrokerCompressionType`, `LogConfig.getCompression`, KIP-390.

/// How batches are compressed in the log whatever their producer chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetCompression {
    /// `uncompressed`.
    None,
    /// `gzip`.
    Gzip {
        /// `compression.gzip.level`: 1 to 9, or −1 for zlib's own default.
        level: i32,
    },
    /// `snappy`, which has no levels.
    Snappy,
    /// `lz4`.
    Lz4 {
        /// `compression.lz4.level`: 1 to 17.
        level: i32,
    },
    /// `zstd`.
    Zstd {
        /// `compression.zstd.level`: −131072 to 22.
        level: i32,
    },
}
