//! One connection: frames in, answers out, in order.
//!
//! Invariants:
//! * a run of consecutive Produce frames is appended together; each is checked and appended before the next, only their
//!   waits for replicas overlap. Every other request is a barrier: it begins when all before it are answered, and ends
//!   before the next begins (as Kafka's muted channel);
//! * at most 64 Produce frames, or 8 MiB of them, are unanswered; then nothing more is read;
//! * what waits (a long poll, replicas, a full socket, the memory budget, the controller) holds no lock and no worker, and ends when the broker stops;
//! * a client over its quota is muted after the answer that says so: nothing of it is read nor handled meanwhile, and it is
//!   not idle;
//! * a client that never pauses gives way to others, and what is answered to it is sent before it becomes much.

use crate::handlers::produce::Waiting;
use crate::handlers::{Call, Client, Place, Refusal, Services, answer, fetch, produce};
use crate::net::{Budget, FrameError, Input, Sent, send, send_at_once};
use crate::quota::Kind;
use crate::runtime::{Outgoing, Turn, Turns, polled};
use crate::wire::{ApiKey, HeaderError, api_versions, parse_header};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tracing::{debug, info, warn};

/// How many Produce frames, and how many bytes of them, may be unanswered.
const UNANSWERED_MAX: usize = 64;
const UNANSWERED_BYTES_MAX: usize = 8 << 20;
/// Answers that are sent before the next request is handled: a request of twenty bytes may have an answer of a megabyte.
const UNSENT_BYTES_MAX: u64 = 256 << 10;
/// What is handled before others get the worker: the bytes of requests, and for each a part of what it costs at least.
const SHARE_BYTES: usize = 1 << 20;
const REQUEST_COST_BYTES: usize = 4 << 10;
/// How often it is looked whether others wait for the memory of a frame that does not arrive.
const CONTENTION_PAUSE: Duration = Duration::from_secs(1);
/// An idle wait without a limit is looked at again after this long.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A client's connection.
pub(super) struct Connection {
    stream: TcpStream,
    client: Client,
    services: Arc<Services>,
    budget: Budget,
    input: Input,
    out: Outgoing,
    waiting: VecDeque<Waiting>,
    idle_time_max: Duration,
    last_activity: Instant,
    /// Until when nothing is read nor handled, because the client used more than its quota.
    muted_until: Option<Instant>,
    /// The client id of the last request, while there are quotas of request time: sending its answer counts.
    sending_to: Option<String>,
    /// What was handled since others had the worker.
    share_used: usize,
    idle: Pin<Box<Sleep>>,
    stop: Pin<Box<WaitForCancellationFutureOwned>>,
}

/// What became of the Produce frames at the front.
#[derive(PartialEq, Eq)]
struct Run {
    /// How many bytes of frames were handled.
    handled_bytes: usize,
    end: RunEnd,
}

#[derive(PartialEq, Eq)]
enum RunEnd {
    /// There are no more, or not now.
    Done,
    /// The next one has more to recompress than may be done on a worker.
    Exceeded,
}

/// Whether the read buffer may be waited with.
#[derive(PartialEq, Eq)]
enum Prepared {
    /// What is in it, or is to come, is charged.
    Yes,
    /// Something was to be answered before there was memory.
    NotYet,
}

/// Why a connection ends.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("the client closed it")]
    Closed,
    #[error("it was idle for too long")]
    Idle,
    #[error("its request arrives too slowly, and others wait for the memory")]
    TooSlow,
    #[error("the broker stops")]
    Stopped,
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Header(#[from] HeaderError),
    #[error("{api} version {version}: {refusal}")]
    Refused { api: ApiKey, version: i16, refusal: Refusal },
}

impl Connection {
    pub(super) fn new(
        stream: TcpStream,
        client: Client,
        services: Arc<Services>,
        budget: Budget,
        stop: CancellationToken,
    ) -> Connection {
        let network = &services.config.network;
        let idle_time_max = network.idle_time_max.unwrap_or(FOREVER);
        Connection {
            input: Input::new(network.request_bytes_max as usize),
            out: Outgoing::default(),
            waiting: VecDeque::new(),
            idle_time_max,
            last_activity: Instant::now(),
            muted_until: None,
            sending_to: None,
            share_used: 0,
            idle: Box::pin(tokio::time::sleep(idle_time_max)),
            stop: Box::pin(stop.cancelled_owned()),
            stream,
            client,
            services,
            budget,
        }
    }

    /// Serves the connection to its end.
    pub(super) async fn run(mut self) {
        let end = loop {
            if let Err(end) = self.turn().await {
                break end;
            }
        };
        // What was answered before goes out, if the client still reads.
        let cold_reads = &self.services.cold_reads;
        let _ = tokio::time::timeout(Duration::from_secs(1), send(&self.stream, &mut self.out, None, cold_reads)).await;
        let (peer, software) =
            (self.client.peer, self.client.software.as_ref().map(|s| format!("{} {}", s.name, s.version)));
        match end {
            End::Closed | End::Idle | End::Stopped => debug!(%peer, reason = %end, "a connection ended"),
            End::Io(error) => debug!(%peer, %error, "a connection broke"),
            End::Header(HeaderError::UnknownApi { .. } | HeaderError::UnsupportedVersion { .. }) => {
                info!(%peer, software, reason = %end, "a connection was closed");
            }
            End::Refused { refusal: Refusal::UnansweredError(_), .. } => {
                debug!(%peer, software, reason = %end, "a connection was closed");
            }
            End::TooSlow | End::Frame(_) | End::Header(_) | End::Refused { .. } => {
                warn!(%peer, software, reason = %end, "a connection was closed");
            }
        }
    }

    /// Handles what has arrived, sends the answers, waits for more.
    async fn turn(&mut self) -> Result<(), End> {
        while self.may_take_more() && self.muted_until.is_none() && self.handle_next().await? {
            if self.out.waiting_bytes() >= UNSENT_BYTES_MAX {
                self.flush().await?;
            }
            self.give_way().await?;
        }
        self.flush().await?;
        if !self.may_take_more() || self.muted_until.is_some() {
            return self.wait().await;
        }
        if self.input.must_settle() && self.settle().await? == Prepared::NotYet {
            return Ok(());
        }
        match self.input.fill(&self.stream, &self.budget) {
            Ok(0) => {
                // Perhaps it only has nothing more to say. Kafka does not look before it has answered.
                let patience = self.last_activity + self.idle_time_max;
                let answered = tokio::time::timeout_at(patience, self.answer_waiting()).await;
                answered.unwrap_or(Err(End::Idle))?;
                Err(End::Closed)
            }
            Ok(_) => {
                self.last_activity = Instant::now();
                self.use_share(0);
                self.give_way().await
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => self.wait().await,
            Err(e) => Err(e.into()),
        }
    }

    fn use_share(&mut self, bytes: usize) {
        self.share_used += bytes + REQUEST_COST_BYTES;
    }

    /// Lets others have the worker when this connection had its share: sockets that are always ready never suspend.
    async fn give_way(&mut self) -> Result<(), End> {
        if self.share_used < SHARE_BYTES {
            return Ok(());
        }
        self.share_used = 0;
        tokio::select! {
            biased;
            () = &mut self.stop => Err(End::Stopped),
            () = tokio::task::yield_now() => Ok(()),
        }
    }

    fn may_take_more(&self) -> bool {
        self.waiting.len() < UNANSWERED_MAX
            && self.waiting.iter().map(|w| w.request_bytes).sum::<usize>() < UNANSWERED_BYTES_MAX
    }

    /// Waits until there is something to read, a Produce can be answered, or the connection must end.
    async fn wait(&mut self) -> Result<(), End> {
        self.share_used = 0;
        let may_read = self.may_take_more() && self.muted_until.is_none();
        let muted_until = self.muted_until;
        let may_hang_up = muted_until.is_some() && self.input.bytes().is_empty();
        let unmuted = async {
            match muted_until {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let prepared = if may_read { self.settle().await? } else { self.set_aside().await? };
        if prepared == Prepared::NotYet {
            return Ok(());
        }
        // At least a moment from now: looked at again and again only while nobody else waits.
        let more_due_at = self.input.more_due_at().map(|at| at.max(Instant::now() + CONTENTION_PAUSE));
        let more_due = async {
            match more_due_at.filter(|_| may_read) {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        // Of a client that is gone nothing is kept until the end of its pause, unless it left requests.
        let gone = async {
            match may_hang_up {
                true => hung_up(&self.stream, Instant::now() + FOREVER).await,
                false => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            answer = front_answer(&mut self.waiting) => {
                self.out.bytes.extend_from_slice(&answer);
                Ok(())
            }
            ready = self.stream.readable(), if may_read => Ok(ready?),
            () = &mut self.stop => Err(End::Stopped),
            () = gone => Err(End::Closed),
            () = unmuted => {
                self.muted_until = None;
                // A client that was not listened to was not idle.
                self.last_activity = Instant::now();
                Ok(())
            }
            () = more_due => if self.budget.is_contended() { Err(End::TooSlow) } else { Ok(()) },
            () = &mut self.idle => {
                let ends_at = self.muted_until.unwrap_or(self.last_activity) + self.idle_time_max;
                if ends_at <= Instant::now() {
                    return Err(End::Idle);
                }
                self.idle.as_mut().reset(ends_at);
                Ok(())
            }
        }
    }

    /// Prepares the read buffer for a wait in which nothing is read.
    async fn set_aside(&mut self) -> Result<Prepared, End> {
        tokio::select! {
            biased;
            () = self.input.set_aside(&self.budget) => Ok(Prepared::Yes),
            answer = front_answer(&mut self.waiting) => {
                self.out.bytes.extend_from_slice(&answer);
                Ok(Prepared::NotYet)
            }
            () = &mut self.stop => Err(End::Stopped),
        }
    }

    /// Prepares the read buffer for a wait for more; the memory budget may have to be waited for.
    async fn settle(&mut self) -> Result<Prepared, End> {
        tokio::select! {
            biased;
            () = self.input.settle(&self.budget) => Ok(Prepared::Yes),
            answer = front_answer(&mut self.waiting) => {
                self.out.bytes.extend_from_slice(&answer);
                Ok(Prepared::NotYet)
            }
            () = &mut self.stop => Err(End::Stopped),
            () = tokio::time::sleep_until(self.last_activity + self.idle_time_max) => Err(End::Idle),
        }
    }

    async fn flush(&mut self) -> Result<(), End> {
        if self.out.is_empty() {
            return Ok(());
        }
        let Some(client_id) = self.sending_to.take() else { return self.send().await };
        let (sent, spent) = polled(self.send()).await;
        self.services.quotas.record_sending(self.client.who(&client_id), spent, self.services.clock.now());
        sent
    }

    async fn send(&mut self) -> Result<(), End> {
        if send_at_once(&self.stream, &mut self.out)? != Sent::All {
            tokio::select! {
                biased;
                sent = send(&self.stream, &mut self.out, Some(self.idle_time_max), &self.services.cold_reads) => sent?,
                () = &mut self.stop => return Err(End::Stopped),
                never = set_aside_for_good(&mut self.input, &self.budget) => match never {},
            }
        }
        // As Kafka's selector counts it: a client that waited for its answer was not idle.
        self.last_activity = Instant::now();
        Ok(())
    }

    /// Handles a run of Produce frames or one other request. `false`: no whole frame is there.
    async fn handle_next(&mut self) -> Result<bool, End> {
        let mut run = match self.services.pace.is_slow() && self.is_produce_next() {
            false => self.handle_produce_run(Place::Worker)?,
            true => {
                let services = self.services.clone();
                self.handle_produce_run_aside(services.pace.turns(), Place::Worker).await?
            }
        };
        if run == (Run { handled_bytes: 0, end: RunEnd::Exceeded }) {
            let services = self.services.clone();
            run = self.handle_produce_run_aside(&services.recompression, Place::Aside).await?;
        }
        if run.handled_bytes > 0 {
            self.input.consume(run.handled_bytes);
            self.use_share(run.handled_bytes);
            return Ok(true);
        }
        let Some(range) = self.input.frame(0)? else { return Ok(false) };
        self.answer_waiting().await?;
        let consumed = Input::size_bytes(&range);
        self.use_share(consumed);
        let (header, body) = match parse_header(&self.input.bytes()[range]) {
            Ok(parsed) => parsed,
            Err(HeaderError::UnsupportedApiVersions { correlation_id, .. }) => {
                api_versions::encode_unsupported(&mut self.out.bytes, correlation_id);
                self.input.consume(consumed);
                return Ok(true);
            }
            Err(e) => return Err(e.into()),
        };
        let (api, version, correlation_id) = (header.api_key, header.api_version, header.correlation_id);
        let refused = |refusal| End::Refused { api, version, refusal };
        let quotas = &self.services.quotas;
        self.sending_to = quotas.has(Kind::Request).then(|| header.client_id.unwrap_or_default().to_owned());
        if api == ApiKey::Fetch {
            let request = fetch::parse(version, body).map_err(refused)?;
            let is_limited = quotas.has(Kind::Fetch) || quotas.has(Kind::Request);
            let limited = is_limited.then(|| header.client_id.unwrap_or_default().to_owned());
            self.input.consume(consumed);
            self.fetch(correlation_id, limited, request).await?;
        } else {
            let call = Call { api, version, correlation_id, client_id: header.client_id };
            let handled = tokio::select! {
                biased;
                handled = answer(&self.services, &mut self.client, &call, body, &mut self.out) => handled,
                // What the controller has begun is finished without us.
                () = &mut self.stop => return Err(End::Stopped),
            };
            let pause = handled.map_err(refused)?;
            self.input.consume(consumed);
            self.mute(pause);
        }
        Ok(true)
    }

    /// A fetch may wait: what was answered before is sent, and the read buffer given back.
    /// `limited` is the client id, when there are quotas.
    async fn fetch(
        &mut self,
        correlation_id: i32,
        limited: Option<String>,
        request: fetch::Request,
    ) -> Result<(), End> {
        self.flush().await?;
        let patience = self.last_activity + self.idle_time_max;
        let limited = limited.as_deref().map(|client_id| self.client.who(client_id));
        let pause = tokio::select! {
            biased;
            pause = fetch::handle(&self.services, &self.client, correlation_id, limited, request, &mut self.out) => pause,
            () = hung_up(&self.stream, patience) => return Err(End::Closed),
            () = &mut self.stop => return Err(End::Stopped),
            never = set_aside_for_good(&mut self.input, &self.budget) => match never {},
        };
        self.mute(pause);
        self.flush().await
    }

    /// Neither reads nor handles anything for so long.
    fn mute(&mut self, pause: Option<Duration>) {
        if let Some(pause) = pause {
            self.muted_until = Some(Instant::now() + pause);
        }
    }

    /// Appends the Produce frames that stand at the front, as far as they can be handled at this place. That of a client with a
    /// quota is a run by itself: for how long its client pauses is known when it is appended.
    fn handle_produce_run(&mut self, place: Place) -> Result<Run, End> {
        let quotas = &self.services.quotas;
        let mut bytes = 0;
        let mut frames = Vec::new();
        let mut limited = None;
        while limited.is_none() && frames.len() + self.waiting.len() < UNANSWERED_MAX && bytes < UNANSWERED_BYTES_MAX {
            // A bad length behind good frames ends the connection when they are handled.
            let Ok(Some(range)) = self.input.frame(bytes) else { break };
            let (size, request_bytes) = (Input::size_bytes(&range), range.len() as u64);
            match parse_header(&self.input.bytes()[range]) {
                Ok((header, body)) if header.api_key == ApiKey::Produce => {
                    let (api, version) = (header.api_key, header.api_version);
                    let (correlation_id, client_id) = (header.correlation_id, header.client_id);
                    let who = self.client.who(client_id.unwrap_or_default());
                    let is_limited = |kind| quotas.has(kind) && quotas.limits(kind, who);
                    if is_limited(Kind::Produce) || is_limited(Kind::Request) {
                        if !frames.is_empty() {
                            break;
                        }
                        limited = Some((std::time::Instant::now(), request_bytes));
                        self.sending_to = is_limited(Kind::Request).then(|| who.client_id.to_owned());
                    }
                    if frames.is_empty() {
                        // Room for all, should they be as large as the first.
                        frames.reserve((self.input.unread_bytes() / size).min(UNANSWERED_MAX));
                    }
                    frames.push((Call { api, version, correlation_id, client_id }, body));
                }
                _ => break,
            }
            bytes += size;
        }
        let Some((first, _)) = frames.first() else { return Ok(Run { handled_bytes: 0, end: RunEnd::Done }) };
        let (api, version) = (first.api, first.version);
        let appended = produce::append(&self.services, &self.client, &frames, place);
        let handled = appended.count();
        let pause = limited.filter(|_| handled > 0).and_then(|(since, request_bytes)| {
            let who = self.client.who(first.client_id.unwrap_or_default());
            let now = self.services.clock.now();
            let produced = quotas.record(Kind::Produce, who, request_bytes, now);
            if appended.is_answered() {
                return produced.max(quotas.record_time(who, since.elapsed(), now));
            }
            quotas.record_exempt(since.elapsed());
            produced
        });
        appended
            .answer(&self.services, &self.client, pause, &mut self.out.bytes, &mut self.waiting)
            .map_err(|refusal| End::Refused { api, version, refusal })?;
        let count = frames.len();
        self.mute(pause);
        if handled == count {
            return Ok(Run { handled_bytes: bytes, end: RunEnd::Done });
        }
        let handled_bytes = (0..handled).try_fold(0, |bytes, _| {
            let range = self.input.frame(bytes)?.expect("it was there before");
            Ok::<_, FrameError>(bytes + Input::size_bytes(&range))
        })?;
        Ok(Run { handled_bytes, end: RunEnd::Exceeded })
    }

    /// Whether a whole Produce frame stands at the front.
    fn is_produce_next(&self) -> bool {
        let Ok(Some(range)) = self.input.frame(0) else { return false };
        parse_header(&self.input.bytes()[range]).is_ok_and(|(header, _)| header.api_key == ApiKey::Produce)
    }

    /// Appends the Produce frames at the front, as far as they can be handled at `place`, while others have the worker: when
    /// it is this connection's turn.
    async fn handle_produce_run_aside(&mut self, turns: &Turns, place: Place) -> Result<Run, End> {
        let turn = match turns.try_take() {
            Some(turn) => turn,
            None => self.wait_for_turn(turns).await?,
        };
        turn.aside(|| self.handle_produce_run(place))
    }

    /// Waits for a turn, and answers the Produce frames that wait meanwhile.
    async fn wait_for_turn<'t>(&mut self, turns: &'t Turns) -> Result<Turn<'t>, End> {
        loop {
            // Not with a place in the queue: a client that does not read would keep the turn that came to it.
            self.flush().await?;
            tokio::select! {
                biased;
                () = &mut self.stop => return Err(End::Stopped),
                turn = turns.take() => return Ok(turn),
                answer = front_answer(&mut self.waiting) => self.out.bytes.extend_from_slice(&answer),
                never = set_aside_for_good(&mut self.input, &self.budget) => match never {},
            }
        }
    }

    /// A barrier: all Produce frames before it are answered.
    async fn answer_waiting(&mut self) -> Result<(), End> {
        if !self.waiting.is_empty() {
            // Those before them may have been answered long before these are.
            self.flush().await?;
        }
        while !self.waiting.is_empty() {
            let answer = tokio::select! {
                biased;
                answer = front_answer(&mut self.waiting) => answer,
                () = &mut self.stop => return Err(End::Stopped),
            };
            self.out.bytes.extend_from_slice(&answer);
        }
        Ok(())
    }
}

/// The answer of the Produce frame that waits in front, when it can be given; never, when none waits.
async fn front_answer(waiting: &mut VecDeque<Waiting>) -> Vec<u8> {
    let Some(front) = waiting.front_mut() else { return std::future::pending().await };
    let answer = front.complete().await;
    waiting.pop_front();
    answer
}

/// Gives the read buffer back, or charges what is in it, for as long as something else is waited for: what stands behind a
/// request may wait for the budget, the request and its answer do not.
async fn set_aside_for_good(input: &mut Input, budget: &Budget) -> Infallible {
    input.set_aside(budget).await;
    std::future::pending().await
}

/// Ends when the client closed its side. With more of its requests waiting to be read that cannot be seen, and it is given
/// up after `patience`, as Kafka closes a connection that is idle with a request under way.
async fn hung_up(stream: &TcpStream, patience: Instant) {
    use rustix::net::{RecvFlags, recv};
    loop {
        if stream.readable().await.is_err() {
            return;
        }
        let peeked = stream.try_io(Interest::READABLE, || {
            let (_, count) = recv(stream, &mut [0u8; 1], RecvFlags::PEEK | RecvFlags::DONTWAIT)?;
            Ok(count)
        });
        match peeked {
            Ok(0) => return,
            // The next request is here: it is read after this one is answered.
            Ok(_) => return tokio::time::sleep_until(patience).await,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}
