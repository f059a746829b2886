//! The journal itself: opens, appends, reads, trims.

use super::frame::{self, HEADER};
use super::segment::{self, Segment, Survey, unreadable};
use super::syncing::Syncing;
#[cfg(test)]
use super::tests::Full;
use crate::domain::entry::Entry;
use crate::domain::time::Timestamp;
use crate::engine::ports::StoreError;
use std::collections::{BTreeMap, VecDeque};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes of a segment after which another one is begun.
const SEGMENT: u64 = 16 << 20;
/// Bytes that are kept at most for the text of the next write.
const KEPT: usize = 1 << 20;

/// How safely a group commit is on disk when it ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Safety {
    /// With the operating system: survives `kill -9`.
    Process,
    /// On the disk: survives a power cut, given an honest fsync.
    Power,
}

/// An open journal. All of it blocks.
pub struct Journal {
    folder: PathBuf,
    safety: Safety,
    /// Segments that are not written any more, the oldest first.
    older: VecDeque<Segment>,
    /// The one that is; none before there is something to write.
    current: Option<Current>,
    /// The number of each partition's newest entry, though it may be removed.
    newest: BTreeMap<u32, u64>,
    installation: Option<String>,
    syncing: Option<Syncing>,
    /// The next write, kept for its memory.
    text: Vec<u8>,
    /// Bytes of a segment after which another one is begun.
    pub(super) segment: u64,
    #[cfg(test)]
    full: Full,
}

/// The segment that is written.
struct Current {
    segment: Segment,
    file: Arc<File>,
    /// Whether more may be in it than is whole.
    torn: bool,
}

/// Segments with nothing in them that anybody needs, the oldest first.
pub struct Leaving(VecDeque<Segment>);

impl Leaving {
    /// Removes the files, the oldest first, so that no entry is ever missing between two that are there.
    ///
    /// # Errors
    /// What could not be removed, and why.
    pub fn remove(mut self) -> Result<(), (Leaving, StoreError)> {
        while let Some(oldest) = self.0.front() {
            match std::fs::remove_file(&oldest.path) {
                // Somebody else removed it: those after it are to go all the same.
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err((self, unreadable(error))),
                Ok(()) | Err(_) => self.0.pop_front(),
            };
        }
        Ok(())
    }
}

/// One entry on its way to the file.
pub struct JournalRow {
    /// The partition.
    pub partition: u32,
    /// The entry's number.
    pub seq: u64,
    /// The entry.
    pub entry: Arc<Entry>,
}

impl Journal {
    /// Opens the folder; one that is not there is made with the first entry.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if it is damaged, [`StoreError::Unavailable`] if it can't be read.
    pub fn open(folder: &Path, safety: Safety) -> Result<Journal, StoreError> {
        let mut survey = Survey::of(folder)?;
        let current = match survey.segments.pop() {
            Some(segment) => {
                let file = OpenOptions::new().write(true).open(&segment.path).map_err(unreadable)?;
                Some(Current { segment, file: Arc::new(file), torn: survey.torn })
            }
            None => None,
        };
        let syncing = if safety == Safety::Process { Some(Syncing::start()?) } else { None };
        if let (Some(current), Some(syncing)) = (&current, &syncing) {
            syncing.follow(current.file.clone());
        }
        Ok(Journal {
            folder: folder.to_owned(),
            safety,
            older: survey.segments.into(),
            current,
            newest: survey.newest,
            installation: survey.installation,
            syncing,
            text: Vec::new(),
            segment: SEGMENT,
            #[cfg(test)]
            full: Full::of(folder),
        })
    }

    /// Writes the rows of one group commit, and answers each entry as it is written. Each is there whole or not at all, and none if
    /// it fails.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if they can't be written (a full disk); what is left of them is removed before anything else
    /// is written.
    pub fn append(&mut self, rows: &[JournalRow]) -> Result<Vec<Arc<[u8]>>, StoreError> {
        let mut text = self.cleared();
        let mut places = Vec::with_capacity(rows.len());
        for row in rows {
            let place;
            (text, place) = frame::write_entry(text, row.partition, row.seq, &row.entry);
            places.push(place);
        }
        self.text = text;
        self.write().map_err(unreadable)?;
        for row in rows {
            self.newest.insert(row.partition, row.seq);
            if let Some(current) = &mut self.current {
                current.segment.last.insert(row.partition, row.seq);
            }
        }
        Ok(places.into_iter().map(|place| self.text[place].into()).collect())
    }

    /// All entries of a partition after `seq`, in order.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] for a gap or a damaged entry, [`StoreError::Unavailable`] if a file can't be read.
    pub fn read(&self, partition: u32, seq: u64) -> Result<Vec<(u64, Arc<Entry>)>, StoreError> {
        let mut entries = Vec::new();
        for segment in self.segments() {
            entries.extend(segment.entries(partition, seq)?);
        }
        let numbers = entries.iter().map(|(number, _)| *number);
        let gap = numbers.zip(seq + 1..).find(|(number, expected)| number != expected);
        // The newest of all may be in no segment any more.
        let none_left = entries.is_empty() && self.newest(partition) > seq;
        match gap.or(none_left.then(|| (self.newest(partition) + 1, seq + 1))) {
            None => Ok(entries),
            Some((number, expected)) => Err(StoreError::Corrupt(format!(
                "ledger.db goes up to entry {} of partition {partition}, the journal goes on only from entry {number}: \
                 ledger.db is older than the journal, or not the one that belongs to it. Put the newest ledger.db back; \
                 to go on with what is here and forget the entries between, move the folder journal away",
                expected - 1
            ))),
        }
    }

    /// The number of a partition's newest entry; 0 if it never had one.
    pub fn newest(&self, partition: u32) -> u64 {
        self.newest.get(&partition).copied().unwrap_or(0)
    }

    /// Whether any partition ever wrote an entry.
    pub fn has_entries(&self) -> bool {
        self.newest.values().any(|seq| *seq > 0)
    }

    /// Which installation the entries are of; `None` as long as that was never said.
    pub fn installation(&self) -> Option<&str> {
        self.installation.as_deref()
    }

    /// Notes which installation the entries are of.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if it can't be written.
    pub fn set_installation(&mut self, id: &str) -> Result<(), StoreError> {
        if self.installation() == Some(id) && self.current.is_some() {
            return Ok(());
        }
        self.text = frame::write_installation(self.cleared(), id);
        self.write().map_err(unreadable)?;
        self.installation = Some(id.to_owned());
        Ok(())
    }

    /// Waits until all of it is on the disk.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if it can't be brought there.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        let mut all = self.segments();
        let synced = all.try_for_each(|segment| File::open(&segment.path)?.sync_data());
        synced.and_then(|()| sync_names(&self.folder)).map_err(unreadable)
    }

    /// Lets the oldest segments go, as long as they have nothing beyond the given numbers, one for each partition. Whoever gets them
    /// removes them: that takes milliseconds, and others can write meanwhile.
    pub fn let_go(&mut self, up_to: &[u64]) -> Leaving {
        let stays = |(partition, last): (&u32, &u64)| up_to.get(*partition as usize).is_none_or(|seq| last > seq);
        let first = self.older.iter().position(|segment| segment.last.iter().any(stays));
        Leaving(self.older.drain(..first.unwrap_or(self.older.len())).collect())
    }

    /// Takes back what could not be removed, so that it is tried again.
    pub fn take_back(&mut self, leaving: Leaving) {
        leaving.0.into_iter().rev().for_each(|segment| self.older.push_front(segment));
    }

    fn segments(&self) -> impl Iterator<Item = &Segment> {
        self.older.iter().chain(self.current.as_ref().map(|current| &current.segment))
    }

    /// An empty text with the memory of the last one, unless that was an unusual lot.
    fn cleared(&mut self) -> Vec<u8> {
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        text.shrink_to(KEPT);
        text
    }

    /// Writes the text at the end.
    fn write(&mut self) -> io::Result<()> {
        self.cut()?;
        if self.current.as_ref().is_none_or(|current| current.segment.whole >= self.segment) {
            match self.begin() {
                // A segment may grow while no other can be made.
                Err(error) if self.current.is_none() => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        let written = self.put();
        if written.is_err() {
            // Now, because who dies before the next write would find it; that write tries again.
            let _ = self.cut();
        }
        written
    }

    /// Puts the text at the end of the current segment.
    fn put(&mut self) -> io::Result<()> {
        let Some(current) = &mut self.current else { return Ok(()) };
        current.torn = true;
        #[cfg(test)]
        self.full.check(&current.file, &self.text, current.segment.whole)?;
        current.file.write_all_at(&self.text, current.segment.whole)?;
        if self.safety == Safety::Power {
            current.file.sync_data()?;
        }
        current.segment.whole += self.text.len() as u64;
        current.torn = false;
        Ok(())
    }

    /// Removes what a write that failed left behind, so that nobody ever takes it for an entry. After such a write another
    /// segment is begun: whether what the file had before is still on its way to the disk is not known any more.
    fn cut(&mut self) -> io::Result<()> {
        let Some(current) = self.current.as_ref().filter(|current| current.torn) else { return Ok(()) };
        current.file.set_len(current.segment.whole)?;
        current.file.sync_data()?;
        self.older.extend(self.current.take().map(|current| current.segment));
        Ok(())
    }

    /// Begins a segment, with all that is to be known when those before it are gone.
    pub(super) fn begin(&mut self) -> io::Result<()> {
        std::fs::create_dir_all(&self.folder)?;
        let number = self.segments().last().map_or(1, |segment| segment.number + 1);
        let path = segment::path(&self.folder, number);
        let mut text = HEADER.to_vec();
        if let Some(id) = &self.installation {
            text = frame::write_installation(text, id);
        }
        for (partition, seq) in &self.newest {
            text = frame::write_newest(text, *partition, *seq);
        }
        let file = self.create(&path, &text).inspect_err(|_| {
            // What there is of it holds nothing.
            let _ = std::fs::remove_file(&path);
        })?;
        let file = Arc::new(file);
        if let Some(syncing) = &self.syncing {
            syncing.follow(file.clone());
        }
        let segment = Segment { number, path, whole: text.len() as u64, last: BTreeMap::new() };
        let before = self.current.replace(Current { segment, file, torn: false });
        self.older.extend(before.map(|current| current.segment));
        Ok(())
    }

    fn create(&self, path: &Path, text: &[u8]) -> io::Result<File> {
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
        file.write_all_at(text, 0)?;
        if self.safety == Safety::Power {
            file.sync_data()?;
            sync_names(&self.folder)?;
        }
        Ok(file)
    }
}

/// For each partition of a journal that is only looked at: how many entries it has beyond a number, and the time of the first.
///
/// # Errors
/// As [`Journal::open`].
pub fn beyond(folder: &Path, seq: impl Fn(u32) -> u64) -> Result<Vec<(u32, u64, Option<Timestamp>)>, StoreError> {
    let survey = Survey::of(folder)?;
    let mut found = Vec::new();
    for (partition, newest) in &survey.newest {
        let seq = seq(*partition);
        let mut first = None;
        for segment in &survey.segments {
            let entries = match segment.entries(*partition, seq) {
                // It was removed since: the ledger has what was in it.
                Err(_) if !segment.path.exists() => continue,
                entries => entries?,
            };
            first = first.or(entries.first().map(|(_, entry)| entry.time));
        }
        found.push((*partition, newest.saturating_sub(seq), first));
    }
    Ok(found)
}

/// Brings the names of a folder's files to the disk, and its own.
fn sync_names(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()?;
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}
