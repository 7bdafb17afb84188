//! Thousands of connections from two processes, half of them silent, slow or cut: the other half is served.
//!
//! Some hundreds in every run, or as many as `KLAMM_TEST_CONNECTIONS` says. The second process is this test's program once
//! more: it runs [`a_second_process_opens_connections`], which does nothing otherwise.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::net::sockopt::set_socket_linger;

use crate::pipelining::API_VERSIONS;
use crate::support::batch::Batch;
use crate::support::broker::Broker;
use crate::support::raw::Client;
use crate::support::requests::{Topic, produce_at};
use crate::support::vitals::{descriptors, memory, observe};
use crate::{call, connect, take_all_descriptors};

/// For the second process: where the broker is and how many connections to open.
const TASK: &str = "KLAMM_TEST_SECOND_PROCESS";
/// How often all that are served ask something.
const ROUNDS: usize = 5;

/// The connections of one process.
struct Crowd {
    served: Vec<TcpStream>,
    /// Said nothing yet.
    silent: Vec<TcpStream>,
    /// Say one byte of a question in each round.
    slow: Vec<TcpStream>,
    /// Said half of a question, and are gone in the next round, when others come.
    cut: Vec<TcpStream>,
    address: String,
}

impl Crowd {
    /// So many connections, half of which are served.
    fn open(address: &str, count: usize) -> Crowd {
        let some = |count: usize| (0..count).map(|_| connect(address)).collect::<Vec<_>>();
        let third = count / 6;
        let (served, silent, slow) = (some(count - 3 * third), some(third), some(third));
        let mut crowd = Crowd { served, silent, slow, cut: Vec::new(), address: address.to_owned() };
        crowd.cut = crowd.half_said(third);
        crowd.ask();
        crowd
    }

    fn count(&self) -> usize {
        self.served.len() + self.silent.len() + self.slow.len() + self.cut.len()
    }

    fn half_said(&self, count: usize) -> Vec<TcpStream> {
        let one = || {
            let mut stream = connect(&self.address);
            set_socket_linger(&stream, Some(Duration::ZERO)).expect("a socket takes a linger time");
            stream.write_all(&API_VERSIONS[..9]).expect("a part is taken");
            stream
        };
        (0..count).map(|_| one()).collect()
    }

    /// All that are served ask once; the longest that one answer took.
    fn ask(&mut self) -> Duration {
        let mut asked = Vec::with_capacity(self.served.len());
        for stream in &mut self.served {
            asked.push(Instant::now());
            stream.write_all(API_VERSIONS).expect("a question is taken");
        }
        let mut longest = Duration::ZERO;
        for (stream, asked) in self.served.iter_mut().zip(asked) {
            read_answer(stream);
            longest = longest.max(asked.elapsed());
        }
        longest
    }

    /// All do what they do; the longest that an answer took.
    fn round(&mut self, round: usize) -> Duration {
        let at = round % API_VERSIONS.len();
        for stream in &mut self.slow {
            stream.write_all(&API_VERSIONS[at..=at]).expect("a byte is taken");
        }
        let count = self.cut.len();
        self.cut.clear();
        let longest = self.ask();
        self.cut = self.half_said(count);
        longest
    }
}

/// Reads the answer to [`API_VERSIONS`].
pub fn read_answer(stream: &mut TcpStream) {
    let mut length = [0; 4];
    stream.read_exact(&mut length).expect("there is an answer");
    let mut answer = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut answer).expect("there is an answer");
    assert_eq!(answer[..4], [0, 0, 0, 9], "it is the answer to this question");
}

/// The process that opens the other half: it begins a round when it reads a line, and says a line when it did it.
struct Second(Child, BufReader<std::process::ChildStdout>);

impl Second {
    fn start(address: &str, count: usize) -> Second {
        let program = std::env::current_exe().expect("this program has a path");
        let mut command = Command::new(program);
        command.args(["--exact", "many::a_second_process_opens_connections", "--nocapture"]);
        command.env(TASK, format!("{address} {count}")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("this program can be started");
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut second = Second(child, output);
        second.hear("open");
        second
    }

    fn begin(&mut self) {
        writeln!(self.0.stdin.as_mut().expect("it is piped"), "round").expect("it listens");
    }

    /// Waits for a line that begins like this, and returns its number.
    fn hear(&mut self, word: &str) -> u64 {
        loop {
            let mut line = String::new();
            assert!(self.1.read_line(&mut line).expect("it says lines") > 0, "it ended before it said '{word}'");
            if let Some(number) = line.trim().strip_prefix(word) {
                return number.trim().parse().expect("a number");
            }
        }
    }
}

impl Drop for Second {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

#[test]
fn a_second_process_opens_connections() {
    let Ok(task) = std::env::var(TASK) else { return };
    let (address, count) = task.split_once(' ').expect("address and number");
    take_all_descriptors();
    let mut crowd = Crowd::open(address, count.parse().expect("a number"));
    println!("\nopen {}", crowd.count());
    for (round, line) in std::io::stdin().lines().enumerate() {
        line.expect("the first process says lines");
        println!("done {}", crowd.round(round).as_millis());
    }
}

#[test]
fn thousands_of_connections_half_of_them_silent_slow_or_cut_leave_the_others_served() {
    /// A connection that says nothing, or has half a frame: less than an idle one that was served once.
    const BYTES_EACH_MAX: i64 = 16 << 10;
    let count: usize =
        std::env::var("KLAMM_TEST_CONNECTIONS").map_or(600, |n| n.parse().expect("KLAMM_TEST_CONNECTIONS"));
    take_all_descriptors();
    let broker = Broker::start_ours(&["socket.listen.backlog.size=4096"]);
    let process_id = broker.process_id();
    let mut client = Client::connect(broker.address());
    let topic = Topic::create(&mut client, 1, &[]);
    produce_at(&mut client, &topic, 0, Batch::of(&["x"]).build(), 0);
    let (before, open_before) = (memory(process_id), descriptors(process_id));
    let began = Instant::now();
    let mut second = Second::start(broker.address(), count / 2);
    let mut first = Crowd::open(broker.address(), count - count / 2);
    let opened = began.elapsed();
    let open = observe(|| descriptors(process_id), |open| *open >= open_before + count) - open_before;
    assert!(open >= count, "{open} of {count} are open at once");
    let at_rest = memory(process_id);
    let (mut longest, mut slowest_produce, mut produced) = (Duration::ZERO, Duration::ZERO, 1);
    for round in 0..ROUNDS {
        second.begin();
        longest = longest.max(first.round(round));
        longest = longest.max(Duration::from_millis(second.hear("done")));
        for _ in 0..20 {
            let asked = Instant::now();
            produce_at(&mut client, &topic, 0, Batch::of(&["x"]).build(), produced);
            (produced, slowest_produce) = (produced + 1, slowest_produce.max(asked.elapsed()));
        }
    }
    let after = memory(process_id);
    let each = |m: &crate::support::vitals::Memory| (m.anonymous - before.anonymous) / count as i64;
    println!(
        "{open} connections of two processes, opened and half of them answered in {opened:?}; {} bytes each at rest, {} after {ROUNDS} \
         rounds, peak {} MiB resident; longest answer to {} at once {longest:?}, slowest of {} produces {slowest_produce:?}",
        each(&at_rest),
        each(&after),
        after.resident_peak >> 20,
        first.served.len() * 2,
        produced - 1,
    );
    assert!(each(&after) < BYTES_EACH_MAX, "{before:?} {after:?}");
    assert!(
        longest < Duration::from_secs(5) && slowest_produce < Duration::from_secs(2),
        "{longest:?} {slowest_produce:?}"
    );
    // A slow one whose question is whole at last is answered too.
    for stream in &mut first.slow {
        stream.write_all(&API_VERSIONS[ROUNDS..]).expect("the rest is taken");
        read_answer(stream);
    }
    drop((first, second));
    let left = observe(|| descriptors(process_id), |open| *open <= open_before);
    assert!(left <= open_before, "{left} descriptors, {open_before} before");
    call(&mut client);
}
