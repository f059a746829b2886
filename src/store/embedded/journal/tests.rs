//! The journal on real files.

use super::frame::HEADER;
use super::segment;
use super::*;
use crate::domain::entry::Entry;
use crate::domain::time::Timestamp;
use crate::engine::ports::StoreError;
use crate::store::embedded::tests::Folder;
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

/// A disk that may be full, as far as one journal goes: its writes stop half-way.
#[derive(Clone, Default)]
pub(in crate::store::embedded) struct Full {
    full: Arc<AtomicBool>,
    panics: Arc<AtomicBool>,
}

impl Full {
    /// That of the journal in a folder.
    pub(in crate::store::embedded) fn of(folder: &Path) -> Full {
        static ALL: LazyLock<Mutex<HashMap<PathBuf, Full>>> = LazyLock::new(Mutex::default);
        ALL.lock().unwrap().entry(folder.to_owned()).or_default().clone()
    }

    pub(in crate::store::embedded) fn set(&self, full: bool) {
        self.full.store(full, Ordering::SeqCst);
    }

    /// The next write that fails panics instead.
    pub(in crate::store::embedded) fn panic_once(&self) {
        self.panics.store(true, Ordering::SeqCst);
        self.set(true);
    }

    /// Writes a part and fails, if it is full.
    pub(super) fn check(&self, file: &File, text: &[u8], at: u64) -> io::Result<()> {
        if !self.full.load(Ordering::SeqCst) {
            return Ok(());
        }
        file.write_all_at(&text[..text.len() * 2 / 3], at)?;
        if self.panics.swap(false, Ordering::SeqCst) {
            self.set(false);
            panic!("a fault in a write");
        }
        Err(io::Error::new(io::ErrorKind::StorageFull, "disk full"))
    }
}

impl Journal {
    /// Begins a segment, as when the one that is written is full.
    pub(in crate::store::embedded) fn begin_anew(&mut self) {
        self.begin().unwrap();
    }
}

fn entry(time: i64) -> Entry {
    Entry { time: Timestamp::from_millis(time), effects: Vec::new() }
}

fn row(partition: u32, seq: u64) -> JournalRow {
    JournalRow { partition, seq, entry: entry(seq.cast_signed() * 10).into() }
}

fn open(folder: &Folder) -> Journal {
    Journal::open(&folder.0.join("journal"), Safety::Process).unwrap()
}

/// The numbers of a partition's entries after `seq`.
fn numbers(journal: &Journal, partition: u32, seq: u64) -> Vec<u64> {
    let entries = journal.read(partition, seq).unwrap();
    for (number, found) in &entries {
        assert_eq!(**found, entry(number.cast_signed() * 10));
    }
    entries.into_iter().map(|(number, _)| number).collect()
}

fn segments(folder: &Folder) -> Vec<PathBuf> {
    let listed = std::fs::read_dir(folder.0.join("journal")).unwrap();
    let mut found: Vec<_> = listed.map(|file| file.unwrap().path()).collect();
    found.sort();
    found
}

#[test]
fn what_is_appended_is_there_at_the_next_opening() {
    for safety in [Safety::Process, Safety::Power] {
        let folder = Folder::new();
        let path = folder.0.join("journal");
        let mut journal = Journal::open(&path, safety).unwrap();
        assert!(!path.exists() && !journal.has_entries(), "looking makes nothing");
        journal.set_installation("one").unwrap();
        assert!(!journal.has_entries());
        journal.append(&[row(0, 1), row(1, 1)]).unwrap();
        journal.append(&[row(1, 2)]).unwrap();
        for _ in 0..2 {
            assert_eq!((numbers(&journal, 0, 0), numbers(&journal, 1, 0)), (vec![1], vec![1, 2]));
            assert_eq!((numbers(&journal, 1, 1), numbers(&journal, 2, 0)), (vec![2], vec![]));
            assert_eq!((journal.newest(0), journal.newest(1), journal.newest(2)), (1, 2, 0));
            assert_eq!(journal.installation(), Some("one"));
            journal = Journal::open(&path, safety).unwrap();
        }
    }
}

#[test]
fn a_torn_end_is_forgotten_and_never_read_again() {
    let folder = Folder::new();
    let mut journal = open(&folder);
    journal.append(&[row(0, 1)]).unwrap();
    let whole = std::fs::metadata(&segments(&folder)[0]).unwrap().len();
    journal.append(&[row(0, 2), row(0, 3)]).unwrap();
    drop(journal);
    let file = &segments(&folder)[0];
    let text = std::fs::read(file).unwrap();
    for length in whole..text.len() as u64 {
        std::fs::write(file, &text[..usize::try_from(length).unwrap()]).unwrap();
        let mut journal = open(&folder);
        let left = numbers(&journal, 0, 0);
        assert!(left == [1] || left == [1, 2], "{length}: {left:?}");
        let next = journal.newest(0) + 1;
        journal.append(&[row(0, next)]).unwrap();
        drop(journal);
        assert_eq!(numbers(&open(&folder), 0, 0), (1..=next).collect::<Vec<_>>(), "{length}");
        segments(&folder)[1..].iter().for_each(|file| std::fs::remove_file(file).unwrap());
    }
}

#[test]
fn a_write_that_fails_leaves_nothing_behind() {
    let folder = Folder::new();
    let mut journal = open(&folder);
    journal.append(&[row(0, 1)]).unwrap();
    let full = Full::of(&folder.0.join("journal"));
    for _ in 0..3 {
        full.set(true);
        let failed = journal.append(&[row(0, 2), row(1, 1)]).unwrap_err().to_string();
        assert!(failed.contains("disk full"), "{failed}");
        assert_eq!((numbers(&journal, 0, 0), journal.newest(1)), (vec![1], 0), "as it is");
        assert_eq!(numbers(&open(&folder), 0, 0), [1], "as it would be after a kill -9");
    }
    full.set(false);
    // Another entry with the number of the one that failed.
    journal.append(&[row(0, 2)]).unwrap();
    drop(journal);
    assert_eq!((numbers(&open(&folder), 0, 0), numbers(&open(&folder), 1, 0)), (vec![1, 2], vec![]));
}

#[test]
fn segments_go_away_whole_and_the_newest_numbers_stay() {
    let folder = Folder::new();
    let mut journal = open(&folder);
    journal.segment = 200;
    journal.set_installation("one").unwrap();
    for seq in 1..=40_u64 {
        journal.append(&[row(seq as u32 % 2, seq.div_ceil(2))]).unwrap();
    }
    let before = segments(&folder).len();
    assert!(before > 4, "{before}");
    assert!(journal.let_go(&[20]).remove().is_ok());
    assert_eq!(segments(&folder).len(), before, "of partition 1 nothing may go");
    std::fs::remove_file(&segments(&folder)[0]).unwrap();
    assert!(journal.let_go(&[20, 7]).remove().is_ok());
    let after = segments(&folder).len();
    assert!(after < before && after > 1, "{after}");
    assert_eq!(numbers(&journal, 1, 7), (8..=20).collect::<Vec<_>>());
    assert!(journal.let_go(&[20, 20]).remove().is_ok());
    assert_eq!(segments(&folder).len(), 1, "the one that is written stays");
    drop(journal);
    let journal = open(&folder);
    assert_eq!((journal.newest(0), journal.newest(1), journal.installation()), (20, 20, Some("one")));
    assert_eq!(numbers(&journal, 0, 20), [0; 0]);
    let older = journal.read(0, 3).unwrap_err().to_string();
    assert!(older.contains("up to entry 3") && older.contains("newest ledger.db"), "{older}");
}

#[test]
fn what_can_not_be_removed_is_taken_back_and_tried_again() {
    let folder = Folder::new();
    let mut journal = open(&folder);
    journal.segment = 200;
    for seq in 1..=20_u64 {
        journal.append(&[row(0, seq)]).unwrap();
    }
    let before = segments(&folder);
    let (stuck, aside) = (&before[1], before[1].with_extension("aside"));
    std::fs::rename(stuck, &aside).unwrap();
    std::fs::create_dir(stuck).unwrap();
    let leaving = journal.let_go(&[20]);
    assert_eq!(numbers(&journal, 0, 19), [20], "it is written and read on meanwhile");
    let Err((left, error)) = leaving.remove() else { panic!("a folder was removed like a file") };
    assert!(error.to_string().contains("journal"), "{error}");
    journal.take_back(left);
    std::fs::remove_dir(stuck).unwrap();
    std::fs::rename(&aside, stuck).unwrap();
    assert_eq!(segments(&folder), before[1..], "only the one before it is gone");
    assert!(journal.let_go(&[20]).remove().is_ok());
    assert_eq!(segments(&folder).len(), 1);
}

#[test]
fn damage_is_told_and_nothing_is_changed() {
    let folder = Folder::new();
    let mut journal = open(&folder);
    journal.segment = 100;
    (1..=9).for_each(|seq| journal.append(&[row(0, seq)]).map(drop).unwrap());
    drop(journal);
    let files = segments(&folder);
    let refused = |text: &[u8], file: &Path| {
        let before = std::fs::read(file).unwrap();
        std::fs::write(file, text).unwrap();
        let refused = Journal::open(&folder.0.join("journal"), Safety::Process).err().unwrap();
        assert!(matches!(refused, StoreError::Corrupt(_)), "{refused}");
        assert_eq!(std::fs::read(file).unwrap(), text);
        std::fs::write(file, before).unwrap();
        refused.to_string()
    };
    let text = std::fs::read(&files[0]).unwrap();
    let mut changed = text.clone();
    changed[HEADER.len() + 20] ^= 4;
    assert!(refused(&changed, &files[0]).contains("is damaged"));
    assert!(refused(&text[..text.len() - 3], &files[0]).contains("torn off"), "and others come after it");
    assert!(refused(b"SQLite format 3", &files[0]).contains("is damaged"));
    std::fs::remove_file(&files[1]).unwrap();
    let gap = open(&folder).read(0, 0).unwrap_err().to_string();
    assert!(gap.contains("goes on only from entry"), "{gap}");
}

#[test]
fn a_segment_that_was_only_begun_is_begun_again() {
    let folder = Folder::new();
    let mut journal = open(&folder);
    journal.append(&[row(0, 1)]).unwrap();
    drop(journal);
    std::fs::write(segment::path(&folder.0.join("journal"), 2), &HEADER[..5]).unwrap();
    let mut journal = open(&folder);
    journal.append(&[row(0, 2)]).unwrap();
    drop(journal);
    assert_eq!(numbers(&open(&folder), 0, 0), [1, 2]);
}

#[test]
fn a_power_cut_between_two_segments_takes_the_end_and_no_more() {
    let folder = Folder::new();
    let mut journal = open(&folder);
    (1..=3).for_each(|seq| journal.append(&[row(0, seq)]).map(drop).unwrap());
    drop(journal);
    let file = &segments(&folder)[0];
    let text = std::fs::read(file).unwrap();
    std::fs::write(file, &text[..text.len() - 3]).unwrap();
    // Both had been begun, and neither had reached the disk.
    std::fs::write(segment::path(&folder.0.join("journal"), 2), []).unwrap();
    std::fs::write(segment::path(&folder.0.join("journal"), 3), [0; 4096]).unwrap();
    for last in 2..=5 {
        let mut journal = open(&folder);
        assert_eq!(numbers(&journal, 0, 0), (1..=last).collect::<Vec<_>>());
        journal.append(&[row(0, last + 1)]).unwrap();
        journal.begin_anew();
    }
}

#[test]
fn who_only_looks_does_not_mind_what_is_removed_meanwhile() {
    let folder = Folder::new();
    let path = folder.0.join("journal");
    let mut journal = open(&folder);
    for seq in 1..=3 {
        journal.append(&[row(0, seq)]).unwrap();
        journal.begin_anew();
    }
    // Listed, and not there any more when it is read.
    let second = &segments(&folder)[1];
    std::fs::remove_file(second).unwrap();
    std::os::unix::fs::symlink("nowhere", second).unwrap();
    assert_eq!(beyond(&path, |_| 2).unwrap(), [(0, 1, Some(Timestamp::from_millis(30)))]);
}

#[test]
fn who_only_looks_sees_what_is_beyond() {
    let folder = Folder::new();
    let mut journal = open(&folder);
    (1..=3).for_each(|seq| journal.append(&[row(0, seq), row(1, seq)]).map(drop).unwrap());
    let path = folder.0.join("journal");
    let mut found = beyond(&path, |partition| if partition == 0 { 1 } else { 3 }).unwrap();
    found.sort_unstable();
    assert_eq!(found, [(0, 2, Some(Timestamp::from_millis(20))), (1, 0, None)]);
    assert_eq!(beyond(&folder.0.join("none"), |_| 0).unwrap(), []);
}

/// An earlier version's journal: entries 1 to `last` of partition 0.
async fn earlier(file: &Path, installation: &str, last: u64) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file).create_if_missing(true);
    let mut connection = sqlx::ConnectOptions::connect(&options).await.unwrap();
    let schema = "CREATE TABLE journal (partition INTEGER NOT NULL, seq INTEGER NOT NULL, entry BLOB NOT NULL, \
                  PRIMARY KEY (partition, seq)) WITHOUT ROWID; \
                  CREATE TABLE installation (one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1), id TEXT NOT NULL)";
    sqlx::raw_sql(schema).execute(&mut connection).await.unwrap();
    let id = "INSERT INTO installation (one, id) VALUES (1, $1)";
    sqlx::query(id).bind(installation).execute(&mut connection).await.unwrap();
    for seq in 1..=last {
        let insert = sqlx::query("INSERT INTO journal (partition, seq, entry) VALUES (0, $1, $2)");
        insert.bind(seq.cast_signed()).bind(row(0, seq).entry.encode()).execute(&mut connection).await.unwrap();
    }
    sqlx::Connection::close(connection).await.unwrap();
}

#[tokio::test]
async fn the_journal_of_an_earlier_version_is_taken_over() {
    let folder = Folder::new();
    let file = folder.0.join("journal.db");
    earlier(&file, "one", 600).await;
    let mut journal = open(&folder);
    let refused = import(&file, "another", &mut journal).await.unwrap_err().to_string();
    assert!(refused.contains("different installations") && file.exists(), "{refused}");
    assert!(!journal.has_entries() && journal.installation().is_none(), "{refused}");

    // Who was at it before has died half-way.
    journal.set_installation("one").unwrap();
    (1..=2).for_each(|seq| journal.append(&[row(0, seq)]).map(drop).unwrap());
    import(&file, "one", &mut journal).await.unwrap();
    assert!(!file.exists());
    import(&file, "one", &mut journal).await.unwrap();
    drop(journal);
    let journal = open(&folder);
    assert_eq!(numbers(&journal, 0, 0), (1..=600).collect::<Vec<_>>());
    assert_eq!(journal.installation(), Some("one"));
}

#[tokio::test]
async fn what_an_earlier_version_wrote_after_this_one_is_not_joined_to_other_entries() {
    // The folder has entries 1 and 2, as a start of this version left them; what the earlier one wrote then is another 2, or ends before it.
    for last in [1, 3] {
        let folder = Folder::new();
        let file = folder.0.join("journal.db");
        earlier(&file, "one", last).await;
        let mut journal = open(&folder);
        journal.set_installation("one").unwrap();
        let other = JournalRow { partition: 0, seq: 2, entry: entry(7).into() };
        journal.append(&[row(0, 1), other]).unwrap();
        let refused = import(&file, "one", &mut journal).await.unwrap_err().to_string();
        assert!(refused.contains("both have other entries") && file.exists(), "{refused}");
        assert_eq!(journal.newest(0), 2, "nothing was changed");
    }
    // It began where this one had ended in order.
    let folder = Folder::new();
    let file = folder.0.join("journal.db");
    earlier(&file, "one", 3).await;
    let mut journal = open(&folder);
    journal.set_installation("one").unwrap();
    journal.append(&[row(0, 1), row(0, 2)]).unwrap();
    import(&file, "one", &mut journal).await.unwrap();
    assert_eq!(numbers(&journal, 0, 0), [1, 2, 3]);
}
