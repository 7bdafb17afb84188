//! The brokers that are measured: started from a command, found by the port on which they listen, looked at from outside.
//!
//! Invariants: a broker runs in a process group of its own, which is ended with it; what it costs is what the operating system
//! says of the process that listens, all its threads and those that ended included.

use crate::Result;
use crate::cold::Admin;
use rustix::process::{Pid, Signal, kill_process_group};
use rustix::thread::{CpuSet, sched_setaffinity};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const STARTS_WITHIN: Duration = Duration::from_secs(120);
const STOPS_WITHIN: Duration = Duration::from_secs(60);
const DELETES_WITHIN: Duration = Duration::from_secs(60);

/// How a broker is called and started.
#[derive(Clone, Debug)]
pub struct Recipe {
    pub name: String,
    /// For a shell; `{port}` and `{data}` stand for what it is given.
    pub command: String,
}

impl std::str::FromStr for Recipe {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Recipe, String> {
        let (name, command) = text.split_once('=').ok_or("NAME=COMMAND is wanted")?;
        match command.contains("{port}") && command.contains("{data}") {
            true => Ok(Recipe { name: name.into(), command: command.into() }),
            false => Err("the command must say where {port} and {data} go".into()),
        }
    }
}

/// A broker that runs.
#[derive(Debug)]
pub struct Peer {
    pub name: String,
    pub address: SocketAddr,
    recipe: Recipe,
    data: PathBuf,
    child: Child,
    process: u32,
}

/// Memory of a process in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// What it allocated and touched.
    pub anonymous: u64,
    /// All of its pages in memory, those of mapped files among them.
    pub resident: u64,
}

/// What was done for clients in some time, and what it cost the broker.
#[derive(Clone, Copy, Debug)]
pub struct Served {
    pub requests: u64,
    /// Of batches.
    pub bytes: u64,
    pub time: Duration,
    pub processor_time: Duration,
}

impl Served {
    /// CPU seconds of the broker per 10⁹ bytes of batches.
    pub fn processor_seconds_per_gb(&self) -> f64 {
        self.processor_time.as_secs_f64() / (self.bytes as f64 / 1e9)
    }

    /// CPU microseconds of the broker per request.
    pub fn processor_micros_per_request(&self) -> f64 {
        self.processor_time.as_secs_f64() * 1e6 / self.requests as f64
    }

    pub fn requests_per_second(&self) -> f64 {
        self.requests as f64 / self.time.as_secs_f64()
    }
}

impl Peer {
    /// Starts it with its data in `data`, which it may find filled, and waits until it answers.
    pub fn start(recipe: &Recipe, data: &Path) -> Result<Peer> {
        fs::create_dir_all(data)?;
        let port = free_port()?;
        let mut peer = Peer::spawn(recipe, data, port)?;
        peer.wait_until_it_answers(Duration::from_millis(10))?;
        // A command may be a script that starts it.
        peer.process = listening_process(peer.address.port())?;
        Ok(peer)
    }

    /// Connects again and again, with a pause, until it is answered.
    pub fn wait_until_it_answers(&mut self, pause: Duration) -> Result<Admin> {
        let deadline = Instant::now() + STARTS_WITHIN;
        loop {
            if let Ok(admin) = Admin::connect(self.address) {
                return Ok(admin);
            }
            let output = log(&self.data);
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("{} ended with {status}; its output is in {}", self.name, output.display()).into());
            }
            if Instant::now() > deadline {
                return Err(format!("{} does not answer; its output is in {}", self.name, output.display()).into());
            }
            std::thread::sleep(pause);
        }
    }

    /// Starts it and does not wait for anything.
    pub fn spawn(recipe: &Recipe, data: &Path, port: u16) -> Result<Peer> {
        let command = recipe.command.replace("{port}", &port.to_string()).replace("{data}", &data.to_string_lossy());
        let output = fs::File::options().create(true).append(true).open(log(data))?;
        let child = Command::new("sh")
            .args(["-c", &command])
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0)
            .spawn()?;
        Ok(Peer {
            name: recipe.name.clone(),
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            recipe: recipe.clone(),
            data: data.into(),
            process: child.id(),
            child,
        })
    }

    /// Stops it as its user would, and waits until it is gone.
    pub fn stop(&mut self) -> Result<()> {
        if self.child.try_wait()?.is_some() {
            return Ok(());
        }
        let group = Pid::from_child(&self.child);
        kill_process_group(group, Signal::TERM)?;
        let deadline = Instant::now() + STOPS_WITHIN;
        while Instant::now() < deadline {
            if self.child.try_wait()?.is_some() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        kill_process_group(group, Signal::KILL)?;
        self.child.wait()?;
        Err(format!("{} did not stop within {STOPS_WITHIN:?}", self.name).into())
    }

    /// Another of its kind, with data of its own.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// Its directory.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Waits until no file of a deleted topic is left: what its pages held is warm memory then, for whoever comes next.
    pub fn wait_until_gone(&self, topic: &str) -> Result<()> {
        let begins = format!("{topic}-");
        let deadline = Instant::now() + DELETES_WITHIN;
        loop {
            let is_there = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with(&begins);
            if !fs::read_dir(&self.data)?.flatten().any(|entry| is_there(&entry)) {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(format!("{}: the files of {topic} are still there", self.name).into());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The processor time that it used since its start, of ended threads too.
    pub fn processor_time(&self) -> Result<Duration> {
        // `clock_getcpuclockid(3)`: the process's clock that the scheduler keeps, in nanoseconds.
        let clock = (!(self.process as libc::clockid_t) << 3) | 2;
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: `time` is a timespec that the call may write.
        match unsafe { libc::clock_gettime(clock, &mut time) } {
            0 => Ok(Duration::new(time.tv_sec as u64, time.tv_nsec as u32)),
            _ => Err(format!("{} is gone", self.name).into()),
        }
    }

    pub fn memory(&self) -> Result<Memory> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process))?;
        let field = |name: &str| -> Result<u64> {
            let line = status.lines().find(|line| line.starts_with(name)).ok_or("the kernel names another field")?;
            Ok(line.split_whitespace().nth(1).ok_or("the field is empty")?.parse::<u64>()? << 10)
        };
        Ok(Memory { anonymous: field("RssAnon:")?, resident: field("VmRSS:")? })
    }

    /// What the kernel fetched from the disk for it, since its start.
    pub fn bytes_read_from_disk(&self) -> Result<u64> {
        let text = fs::read_to_string(format!("/proc/{}/io", self.process))?;
        let field = text.lines().find_map(|line| line.strip_prefix("read_bytes: "));
        Ok(field.ok_or("the kernel does not account for input")?.trim().parse()?)
    }

    /// Lets it run on these processors only.
    pub fn pin(&self, processors: &[usize]) -> Result<()> {
        pin(self.process, processors)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            eprintln!("{}: {error}", self.name);
        }
    }
}

/// Lets all threads of a process run on these processors only; threads that they start inherit it.
pub fn pin(process: u32, processors: &[usize]) -> Result<()> {
    let mut set = CpuSet::new();
    processors.iter().for_each(|processor| set.set(*processor));
    for task in fs::read_dir(format!("/proc/{process}/task"))? {
        let id = task?.file_name().to_string_lossy().parse::<i32>()?;
        // A thread may have ended meanwhile.
        let _ = sched_setaffinity(Pid::from_raw(id), &set);
    }
    Ok(())
}

/// A port that nobody listens on, nor on the one a thousand above, which some brokers take beside it.
pub fn free_port() -> Result<u16> {
    loop {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        if port < 60_000 && TcpListener::bind((Ipv4Addr::LOCALHOST, port + 1000)).is_ok() {
            return Ok(port);
        }
    }
}

fn log(data: &Path) -> PathBuf {
    data.with_extension("log")
}

fn listening_process(port: u16) -> Result<u32> {
    let sockets = fs::read_to_string("/proc/net/tcp")? + &fs::read_to_string("/proc/net/tcp6").unwrap_or_default();
    let is_listening =
        |fields: &[&str]| fields.len() > 9 && fields[3] == "0A" && fields[1].ends_with(&format!(":{port:04X}"));
    let inode = sockets.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        is_listening(&fields).then(|| format!("socket:[{}]", fields[9]))
    });
    let inode = inode.ok_or_else(|| format!("nobody listens on port {port}"))?;
    for process in fs::read_dir("/proc")?.flatten() {
        let Ok(id) = process.file_name().to_string_lossy().parse::<u32>() else { continue };
        let Ok(descriptors) = fs::read_dir(process.path().join("fd")) else { continue };
        if descriptors.flatten().any(|fd| fs::read_link(fd.path()).is_ok_and(|to| to.to_string_lossy() == inode)) {
            return Ok(id);
        }
    }
    Err(format!("the process that listens on port {port} cannot be seen").into())
}
