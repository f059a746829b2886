//! The journal's files: a folder of segments, numbered in the order in which they were written.

use super::frame::{self, Frame};
use crate::domain::entry::Entry;
use crate::engine::ports::StoreError;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One file.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    /// Its number.
    pub(super) number: u64,
    /// Where it is.
    pub(super) path: PathBuf,
    /// Bytes of it that are whole.
    pub(super) whole: u64,
    /// The last entry in it of each partition.
    pub(super) last: BTreeMap<u32, u64>,
}

/// What a folder has.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// The segments, the oldest first.
    pub(super) segments: Vec<Segment>,
    /// Whether there is more in the newest than is whole.
    pub(super) torn: bool,
    /// The number of each partition's newest entry, though it may be removed.
    pub(super) newest: BTreeMap<u32, u64>,
    /// The installation that the entries are of.
    pub(super) installation: Option<String>,
}

impl Survey {
    /// Reads all segments that have anything. A folder that is not there has none.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] for a damaged segment, or one torn off that is not the newest; [`StoreError::Unavailable`] if
    /// they can't be read.
    pub(super) fn of(folder: &Path) -> Result<Survey, StoreError> {
        let mut survey = Survey::default();
        let files = files(folder).map_err(unreadable)?;
        for (number, path) in files {
            let text = match std::fs::read(&path) {
                Ok(text) => text,
                // It was removed since, by the server that is only looked at, and those before it as well.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    (survey.segments, survey.torn) = (Vec::new(), false);
                    continue;
                }
                Err(error) => return Err(unreadable(error)),
            };
            let (frames, whole) = frame::read(&text).map_err(|damage| damaged(&path, damage.at))?;
            if whole == 0 {
                // Not even its header was written. A power cut leaves such a file behind one that is torn off.
                continue;
            }
            if let Some(before) = survey.segments.last().filter(|_| survey.torn) {
                return Err(torn_off(&before.path));
            }
            let mut last = BTreeMap::new();
            for frame in frames {
                match frame {
                    Frame::Installation(id) => survey.installation = Some(id.to_owned()),
                    Frame::Newest(partition, seq) => _ = survey.newest.insert(partition, seq),
                    Frame::Entry(partition, seq, _) => {
                        last.insert(partition, seq);
                        survey.newest.insert(partition, seq);
                    }
                }
            }
            survey.torn = whole < text.len();
            survey.segments.push(Segment { number, path, whole: whole as u64, last });
        }
        Ok(survey)
    }
}

impl Segment {
    /// Its entries of a partition after `seq`, in order.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] for what is damaged, [`StoreError::Unavailable`] if it can't be read.
    pub(super) fn entries(&self, partition: u32, seq: u64) -> Result<Vec<(u64, Arc<Entry>)>, StoreError> {
        if self.last.get(&partition).is_none_or(|last| *last <= seq) {
            return Ok(Vec::new());
        }
        let mut text = std::fs::read(&self.path).map_err(unreadable)?;
        text.truncate(usize::try_from(self.whole).unwrap_or(usize::MAX));
        let (frames, _) = frame::read(&text).map_err(|damage| damaged(&self.path, damage.at))?;
        let mut entries = Vec::new();
        for frame in frames {
            if let Frame::Entry(of, number, bytes) = frame
                && of == partition
                && number > seq
            {
                let entry = Entry::decode(bytes)
                    .map_err(|error| StoreError::Corrupt(format!("partition {partition}, entry {number}: {error}")))?;
                entries.push((number, Arc::new(entry)));
            }
        }
        Ok(entries)
    }
}

/// Where the segment of a number is.
pub(super) fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:016}.log"))
}

/// The segments' numbers and files, in order. What else lies in the folder is nobody's.
fn files(folder: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    let listed = match std::fs::read_dir(folder) {
        Ok(listed) => listed,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        Err(error) => return Err(error),
    };
    for file in listed {
        let path = file?.path();
        let number = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".log")?.parse().ok());
        found.extend(number.map(|number| (number, path)));
    }
    found.sort_unstable();
    Ok(found)
}

/// A file that can't be read or written.
pub(super) fn unreadable(error: io::Error) -> StoreError {
    StoreError::Unavailable(format!("the journal can't be used: {error}"))
}

fn damaged(path: &Path, at: usize) -> StoreError {
    StoreError::Corrupt(format!(
        "the journal is damaged ({} at byte {at}): put it back from a copy; to go on with what ledger.db has and lose \
         what had not reached it, move the folder journal away",
        path.display()
    ))
}

fn torn_off(path: &Path) -> StoreError {
    StoreError::Corrupt(format!(
        "the journal lost a piece, as in a power cut ({} is torn off, and later files are not): to go on without what \
         came after it, move the files with higher numbers away",
        path.display()
    ))
}
