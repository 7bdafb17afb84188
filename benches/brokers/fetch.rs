//! Consumers that read what was produced just before, and look at every batch: offsets without a gap, checksums.

use crate::Result;
use crate::cold::Admin;
use crate::frames::{FetchFrame, FetchLimits, Session, fetch_answer, verify_batches};
use crate::link::{self, Link};
use crate::peer::{Peer, Served};
use std::time::Instant;

/// As a Java consumer asks.
const WHOLE: FetchLimits =
    FetchLimits { wait_ms: 500, bytes_min: 1, bytes_max: 50 << 20, partition_bytes_max: 1 << 20 };
/// So that a request is about a part of the partitions only.
const SPREAD: FetchLimits =
    FetchLimits { wait_ms: 500, bytes_min: 1, bytes_max: 64 << 10, partition_bytes_max: 4 << 10 };

/// `consumers` read all of partition 0, each for itself, at the same time. What all of them got.
pub fn whole(peer: &Peer, topic: &str, consumers: usize) -> Result<Served> {
    let end = Admin::connect(peer.address)?.log_ends(topic, 1)? as i64;
    let frame = FetchFrame::new(topic, &[(0, 0)], WHOLE, Session::NONE);
    let links = (0..consumers).map(|_| Link::connect(peer.address)).collect::<Result<Vec<Link>>>()?;
    let mut readers: Vec<Reader> =
        links.into_iter().map(|link| Reader { link, frame: frame.clone(), next: 0 }).collect();
    let (begun, processor_time) = (Instant::now(), peer.processor_time()?);
    for reader in &mut readers {
        reader.link.send(&reader.frame.bytes)?;
    }
    let (mut bytes, mut requests, mut ready) = (0, 0, Vec::new());
    while readers.iter().any(|reader| reader.next < end) {
        link::wait_for_answers(readers.iter().map(|reader| &reader.link), &mut ready)?;
        for at in &ready {
            let (answers, answered_bytes) = readers[*at].receive(end)?;
            requests += answers;
            bytes += answered_bytes;
        }
    }
    Ok(Served { bytes, requests, time: begun.elapsed(), processor_time: peer.processor_time()? - processor_time })
}

struct Reader {
    link: Link,
    frame: FetchFrame,
    next: i64,
}

impl Reader {
    fn receive(&mut self, end: i64) -> Result<(u64, u64)> {
        let (mut requests, mut bytes) = (0, 0);
        self.link.fill()?;
        while let Some(frame) = self.link.next_frame() {
            let answer = self.link.bytes(frame);
            let mut next = self.next;
            fetch_answer(answer, |partition| {
                let (behind, verified) = verify_batches(&answer[partition.records.clone()], next)?;
                next = behind;
                bytes += verified as u64;
                Ok(())
            })?;
            self.next = next;
            requests += 1;
            if self.next < end {
                self.frame.set_offset(0, next);
                self.link.send(&self.frame.bytes)?;
            }
        }
        Ok((requests, bytes))
    }
}

/// One consumer reads all partitions through a session (KIP-227), a part of them with each request.
pub fn session(peer: &Peer, topic: &str, partitions: usize) -> Result<Served> {
    let records = Admin::connect(peer.address)?.log_ends(topic, partitions)?;
    let mut link = Link::connect(peer.address)?;
    let mut next = vec![0_i64; partitions];
    let every: Vec<(i32, i64)> = (0..partitions as i32).map(|partition| (partition, 0)).collect();
    let (begun, processor_time) = (Instant::now(), peer.processor_time()?);
    link.send(&FetchFrame::new(topic, &every, SPREAD, Session { id: 0, epoch: 0 }).bytes)?;
    let (mut bytes, mut requests, mut epoch, mut ready) = (0, 0, 0, Vec::new());
    while next.iter().sum::<i64>() < records as i64 {
        link::wait_for_answers(std::iter::once(&link), &mut ready)?;
        link.fill()?;
        while let Some(frame) = link.next_frame() {
            let answer = link.bytes(frame);
            let mut moved = Vec::new();
            let id = fetch_answer(answer, |partition| {
                let at = usize::try_from(partition.partition)?;
                let (behind, verified) = verify_batches(&answer[partition.records.clone()], next[at])?;
                bytes += verified as u64;
                if behind > next[at] {
                    next[at] = behind;
                    moved.push((partition.partition, behind));
                }
                Ok(())
            })?;
            if id == 0 {
                return Err("no session was given".into());
            }
            requests += 1;
            epoch += 1;
            link.send(&FetchFrame::new(topic, &moved, SPREAD, Session { id, epoch }).bytes)?;
        }
    }
    let processor_time = peer.processor_time()? - processor_time;
    Ok(Served { bytes, requests, time: begun.elapsed(), processor_time })
}
