//! Ids for idempotent producers, out of blocks that the controller hands out durably.
//!
//! Invariant: an id is never given twice, across restarts too; what is left of a block is lost with the process.
//!
//! Source: `RPCProducerIdManager`.

use crate::controller::{Controller, Error};
use crate::types::{BrokerId, ProducerId};
use std::ops::Range;
use tokio::sync::Mutex;

/// The block in use.
#[derive(Debug)]
pub(super) struct ProducerIds {
    broker: BrokerId,
    block: Mutex<Range<i64>>,
}

impl ProducerIds {
    pub(super) fn new(broker: BrokerId) -> ProducerIds {
        ProducerIds { broker, block: Mutex::default() }
    }

    /// A new id; takes a new block when the present one is used up.
    ///
    /// # Errors
    /// Those of the controller.
    pub(super) async fn next(&self, controller: &Controller) -> Result<ProducerId, Error> {
        let mut block = self.block.lock().await;
        if block.is_empty() {
            *block = controller.allocate_producer_ids(self.broker).await?;
        }
        let id = block.start;
        block.start += 1;
        Ok(ProducerId(id))
    }
}
