//! Files that were changed by whatever: an error or a shorter log, never a panic.

use super::*;
use proptest::prelude::*;
use std::fs;

#[derive(Clone, Debug)]
enum Damage {
    Change { file: usize, place: usize, to: u8 },
    Cut { file: usize, place: usize },
    Grow { file: usize, bytes: Vec<u8> },
    Remove { file: usize },
}

fn damages() -> impl Strategy<Value = Vec<Damage>> {
    let any_file = || any::<usize>();
    let damage = prop_oneof![
        4 => (any_file(), any::<usize>(), any::<u8>()).prop_map(|(file, place, to)| Damage::Change { file, place, to }),
        2 => (any_file(), any::<usize>()).prop_map(|(file, place)| Damage::Cut { file, place }),
        1 => (any_file(), prop::collection::vec(any::<u8>(), 1..100)).prop_map(|(file, bytes)| Damage::Grow { file, bytes }),
        1 => any_file().prop_map(|file| Damage::Remove { file }),
    ];
    prop::collection::vec(damage, 1..4)
}

fn inflict(damage: &Damage, files: &[PathBuf]) {
    let (Damage::Change { file, .. } | Damage::Cut { file, .. } | Damage::Grow { file, .. } | Damage::Remove { file }) =
        damage;
    let path = &files[file % files.len()];
    let Ok(mut bytes) = fs::read(path) else { return };
    let length = bytes.len().max(1);
    match damage {
        Damage::Change { place, to, .. } => bytes.iter_mut().skip(place % length).take(1).for_each(|b| *b = *to),
        Damage::Cut { place, .. } => bytes.truncate(place % length),
        Damage::Grow { bytes: more, .. } => bytes.extend(more),
        Damage::Remove { .. } => return fs::remove_file(path).unwrap(),
    }
    fs::write(path, bytes).unwrap();
}

/// Whatever is asked of the log, it answers.
fn use_it(log: &Log) {
    let positions = log.positions();
    let mut next = positions.log_start;
    while next < positions.log_end {
        let Ok(read) = log.read(next, 5000, Bound::LogEnd, Minimum::OneBatch) else { break };
        let Some(slice) = read.slice else { break };
        let bytes = bytes_of(&slice);
        let Ok(view) = crate::record::BatchView::parse(&bytes) else { break };
        assert!(view.info().next_offset() > next);
        next = view.info().next_offset();
    }
    let _ = log.offset_for_timestamp(TimestampMs(NOW.0 + 20), Bound::LogEnd);
    let _ = log.offset_of_max_timestamp(Bound::LogEnd);
    let _ = log.end_offset_for_epoch(epoch(1));
    let _ = try_append(log, &[produced(9, 0, 12, 1), produced(9, 0, 99, 1), batch(2, 300)]);
    let _ = log.delete_old_segments(NOW);
    let _ = log.flush();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_damage_to_any_file_makes_anything_panic(damages in damages(), stop in any::<bool>()) {
        let mut disk = Disk::mapped(3000);
        disk.config.index_interval_bytes = 200;
        let (directory, log) = disk.open();
        log.lock().assign_epoch(epoch(1)).unwrap();
        for i in 0..12 {
            append(&log, &[batch_at(NOW.0 + 3 * i64::from(i), 2, 150), produced(9, 0, i, 1)]);
        }
        directory.checkpoint(std::slice::from_ref(&log)).unwrap();
        if stop {
            directory.close(&[log]).unwrap();
        } else {
            drop((directory, log));
        }
        let mut files = disk.files("");
        let checkpoints = fs::read_dir(disk.root.path()).unwrap().map(|e| e.unwrap().path());
        files.extend(checkpoints.filter(|path| path.is_file()));
        damages.iter().for_each(|damage| inflict(damage, &files));
        for _ in 0..2 {
            let Ok(directory) = DataDirectory::open_tuned(disk.root.path(), BrokerId(1), disk.tuning) else { break };
            let Ok(log) = disk.open_log(&directory) else { break };
            use_it(&log);
            let _ = directory.close(&[Arc::new(log)]);
        }
    }
}
