//! Connections: who may connect, in which order requests take effect, which answer goes where.
//!
//! Invariants:
//! * requests of one connection take effect and are answered in their order; only a run of Produce frames overlaps;
//! * malformed bytes, a panic, a client that does not read: each costs that connection, nobody else anything;
//! * an idle connection holds no buffer and one timer.
//!
//! Called by `broker`.

mod connection;
mod limits;

use crate::config::BrokerConfig;
use crate::handlers::{Client, Services};
use crate::net::{Budget, Listener};
use crate::security::Principal;
use connection::Connection;
use futures_util::FutureExt;
use limits::Limits;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, error, warn};

/// Serves clients on any number of listeners.
#[derive(Clone)]
pub struct Server {
    services: Arc<Services>,
    limits: Arc<Limits>,
    budget: Budget,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Server {
    #[cfg(test)]
    pub(crate) fn services_in_tests(&self) -> Arc<Services> {
        self.services.clone()
    }

    /// A server that answers by `services` until `stop`, with as many connections as `config` says at the time.
    pub fn new(services: Arc<Services>, config: watch::Receiver<Arc<BrokerConfig>>, stop: CancellationToken) -> Server {
        let network = &services.config.network;
        let memory = usize::try_from(network.request_memory_bytes).unwrap_or(usize::MAX);
        Server {
            limits: Arc::new(Limits::new(config)),
            budget: Budget::new(memory, network.request_bytes_max as usize),
            tasks: TaskTracker::new(),
            services,
            stop,
        }
    }

    /// Accepts connections from now on.
    pub fn serve(&self, listener: Listener, name: String) {
        let server = self.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = server.stop.cancelled() => {}
                () = server.accept(&listener, &name) => {}
            }
        });
    }

    async fn accept(&self, listener: &Listener, name: &str) {
        loop {
            let room = self.limits.room().await;
            let (stream, peer) = listener.accept().await;
            let Some(admission) = self.limits.admit(peer.ip(), room) else {
                warn!(%peer, "a connection was refused: its address has too many");
                continue;
            };
            let address = peer.ip().to_canonical();
            if let Some(pause) = self.services.quotas.record_connection(address, self.services.clock.now()) {
                debug!(%peer, "a connection is not served: its address opens too many");
                let stop = self.stop.clone();
                // Closed later, as Kafka does, so that the client does not come back at once.
                self.tasks.spawn(async move {
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = tokio::time::sleep(pause) => {}
                    }
                    drop((stream, admission));
                });
                continue;
            }
            let client = Client { listener: name.to_owned(), peer, principal: Principal::ANONYMOUS, software: None };
            let connection =
                Connection::new(stream, client, self.services.clone(), self.budget.clone(), self.stop.clone());
            self.tasks.spawn(async move {
                if AssertUnwindSafe(connection.run()).catch_unwind().await.is_err() {
                    error!(%peer, "the task of a connection panicked; the connection is closed");
                }
                drop(admission);
            });
        }
    }

    /// Waits until all connections are closed; to be called after `stop`.
    pub async fn stopped(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}
