//! Counts what a broker allocates: one within this process, with threads of its own.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

use klamm::broker::Broker;
use klamm::config::{BrokerConfig, Flags};
use tokio::runtime::{Builder, Runtime};

use crate::scenarios::Target;

struct Counting;

thread_local! {
    /// Where the blocks that this thread allocates are counted.
    static COUNT: Cell<Option<&'static AtomicU64>> = const { Cell::new(None) };
}

fn note() {
    let _ = COUNT.try_with(|count| {
        if let Some(count) = count.get() {
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
}

// SAFETY: every call goes to the system's allocator unchanged; the counter allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note();
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note();
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note();
        unsafe { System.realloc(block, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A broker of this process, whose threads' allocations are counted.
pub struct Counted {
    pub target: Target,
    count: &'static AtomicU64,
    broker: Option<Broker>,
    runtime: Runtime,
    _data: tempfile::TempDir,
}

impl Counted {
    pub fn start(settings: &str) -> Counted {
        let count: &'static AtomicU64 = Box::leak(Box::default());
        let runtime = runtime_of(count);
        let data = crate::support::memory_directory::make();
        let flags = Flags {
            listen: vec!["127.0.0.1:0".into()],
            data_dir: Some(data.path().display().to_string()),
            ..Flags::default()
        };
        let config = BrokerConfig::parse("klamm.toml", settings, &flags).expect("the configuration is right");
        let broker = runtime.block_on(Broker::start(config)).expect("the broker starts");
        let target = Target { address: broker.bound()[0].address.to_string(), process_id: std::process::id() };
        Counted { target, count, broker: Some(broker), runtime, _data: data }
    }

    /// How many blocks it has allocated so far.
    pub fn allocations(&self) -> u64 {
        self.count.load(Ordering::SeqCst)
    }
}

fn runtime_of(count: &'static AtomicU64) -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().on_thread_start(move || COUNT.set(Some(count)));
    builder.build().expect("a runtime can be built")
}

impl Drop for Counted {
    fn drop(&mut self) {
        if let Some(broker) = self.broker.take() {
            let _ = self.runtime.block_on(broker.shutdown());
        }
    }
}
