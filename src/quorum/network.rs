//! The way to other voters: there is none yet, and it says so.
//!
//! A group of one voter never asks. When peers come, each message will name the cluster, the sender and its target, and be
//! refused by anyone else.

use super::engine::{Engine, Snapshot, Vote};
use openraft::error::{Fatal, RPCError, RaftError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::{RPCOption, RaftNetwork, RaftNetworkFactory};
use openraft::raft::{AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, VoteRequest, VoteResponse};
use openraft::{BasicNode, OptionalSend};
use std::future::Future;
use std::io;

/// Refuses every message.
#[derive(Clone, Debug)]
pub(super) struct NoPeers;

fn unreachable() -> Unreachable {
    Unreachable::new(&io::Error::new(io::ErrorKind::Unsupported, "this metadata quorum has no peers"))
}

impl RaftNetworkFactory<Engine> for NoPeers {
    type Network = NoPeers;

    async fn new_client(&mut self, _: u64, _: &BasicNode) -> NoPeers {
        NoPeers
    }
}

impl RaftNetwork<Engine> for NoPeers {
    async fn append_entries(
        &mut self,
        _: AppendEntriesRequest<Engine>,
        _: RPCOption,
    ) -> Result<AppendEntriesResponse<u64>, RPCError<u64, BasicNode, RaftError<u64>>> {
        Err(unreachable().into())
    }

    async fn vote(
        &mut self,
        _: VoteRequest<u64>,
        _: RPCOption,
    ) -> Result<VoteResponse<u64>, RPCError<u64, BasicNode, RaftError<u64>>> {
        Err(unreachable().into())
    }

    async fn full_snapshot(
        &mut self,
        _: Vote,
        _: Snapshot,
        _: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _: RPCOption,
    ) -> Result<SnapshotResponse<u64>, StreamingError<Engine, Fatal<u64>>> {
        Err(unreachable().into())
    }
}
