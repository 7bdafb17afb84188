//! A broker in the test's own process, on a disk of the test's, with a runtime as the binary has.

use std::path::Path;
use std::time::Duration;

use klamm::broker::{Broker, Error};
use klamm::config::{BrokerConfig, Flags};
use klamm::runtime::{Clock, Disk};
use tokio::runtime::{Builder, Runtime};

/// The settings of a broker with its data in a folder.
pub fn config(data: &Path, overrides: &[&str]) -> BrokerConfig {
    let flags = Flags {
        listen: vec!["127.0.0.1:0".into()],
        data_dir: Some(data.display().to_string()),
        overrides: overrides.iter().map(|setting| (*setting).to_owned()).collect(),
        ..Flags::default()
    };
    BrokerConfig::load(None, &flags).expect("the settings are right")
}

pub struct InProcess {
    runtime: Runtime,
    broker: Broker,
    address: String,
}

impl InProcess {
    pub fn start(config: BrokerConfig, disk: Disk) -> InProcess {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("there are threads");
        let broker = runtime.block_on(Broker::start_with(config, Clock::system(), disk)).expect("the broker starts");
        let address = broker.bound()[0].address.to_string();
        InProcess { runtime, broker, address }
    }

    pub fn address(&self) -> &str {
        &self.address
    }

    /// Stops it in order.
    pub fn stop(self) {
        self.try_stop().expect("it stops in order");
    }

    /// Stops it, in order if that can be.
    pub fn try_stop(self) -> Result<(), Error> {
        self.runtime.block_on(self.broker.shutdown())
    }

    /// Waits until it fails by itself, and says why.
    pub fn failed(&self, within: Duration) -> String {
        let failed = async { tokio::time::timeout(within, self.broker.failed()).await };
        self.runtime.block_on(failed).expect("it fails")
    }
}
