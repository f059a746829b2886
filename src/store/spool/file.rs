//! The file: appended to, never changed in place, and emptied as a whole once nothing stands in it.

use super::frame::{self, Frame, HEADER};
use crate::engine::ports::{Spool, SpoolError, StoreError};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Entries with their numbers, in order.
pub type Found = Vec<(u64, Vec<u8>)>;

/// A spool in a file of this process alone.
pub struct FileSpool {
    state: Mutex<State>,
    most: u64,
}

struct State {
    file: File,
    /// The file's length.
    length: u64,
    /// The number of the next entry.
    next: u64,
    /// Entries that stand in it.
    standing: usize,
    /// A frame that was begun could not be cut off again: nothing may follow it.
    broken: bool,
}

impl FileSpool {
    /// Opens the file, or makes it; what stands in it. A last frame that was torn off is cut off. `most`: its bound in bytes.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if it can't be read or written, [`StoreError::Corrupt`] if it is not what was written.
    pub fn open(path: &Path, most: u64) -> Result<(FileSpool, Found), StoreError> {
        let unavailable = |error: io::Error| StoreError::Unavailable(format!("{}: {error}", path.display()));
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let mut file = options.map_err(unavailable)?;
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(unavailable)?;
        let (frames, whole) = frame::read(&text).map_err(|error| match error {
            StoreError::Corrupt(why) => StoreError::Corrupt(format!("{}: {why}", path.display())),
            other => other,
        })?;
        let (mut standing, mut next) = (BTreeMap::new(), 1);
        for frame in &frames {
            match frame {
                Frame::Put(number, entry) => {
                    standing.insert(*number, entry.to_vec());
                    next = number + 1;
                }
                Frame::Gone(number) => {
                    standing.remove(number);
                }
            }
        }
        if whole < text.len() {
            tracing::warn!(file = %path.display(), bytes = text.len() - whole, "a torn end of the spool is cut off");
        }
        let mut state = State { file, length: whole as u64, next, standing: standing.len(), broken: false };
        let begin = if standing.is_empty() { 0 } else { state.length };
        state.cut(begin).and_then(|()| state.begin()).map_err(unavailable)?;
        Ok((FileSpool { state: Mutex::new(state), most }, standing.into_iter().collect()))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.file.set_len(length)?;
        self.file.seek(SeekFrom::Start(length))?;
        self.length = length;
        Ok(())
    }

    /// Writes the header of an empty file.
    fn begin(&mut self) -> io::Result<()> {
        if self.length == 0 { self.append(&HEADER) } else { Ok(()) }
    }

    /// Appends all of it or nothing.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.broken {
            return Err(io::Error::other("an earlier write was torn; a restart cuts it off"));
        }
        let written = self.file.write_all(bytes);
        match &written {
            Ok(()) => self.length += bytes.len() as u64,
            Err(_) => self.broken = self.cut(self.length).is_err(),
        }
        written
    }
}

impl Spool for FileSpool {
    fn put(&self, entry: &[u8]) -> Result<u64, SpoolError> {
        let mut state = self.state();
        let number = state.next;
        let bytes = Frame::Put(number, entry).encode();
        if state.length + bytes.len() as u64 > self.most {
            return Err(SpoolError::Full);
        }
        state.append(&bytes).map_err(|error| SpoolError::Unwritable(error.to_string()))?;
        state.next += 1;
        state.standing += 1;
        Ok(number)
    }

    fn remove(&self, number: u64) {
        let mut state = self.state();
        state.standing = state.standing.saturating_sub(1);
        let written = if state.standing == 0 {
            // Also a torn write goes with all of it.
            state.cut(HEADER.len() as u64).map(|()| state.broken = false)
        } else {
            state.append(&Frame::Gone(number).encode())
        };
        if let Err(error) = written {
            tracing::warn!(%error, "the spool keeps what the store has by now; the next start sends it again, without effect");
        }
    }

    fn size(&self) -> u64 {
        self.state().length
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::PathBuf;

    fn place(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("quotad-spool-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        folder.join("spool")
    }

    #[test]
    fn what_stands_in_it_is_there_again_in_order_and_numbers_go_on() {
        let path = place("order");
        let (spool, found) = FileSpool::open(&path, 1 << 20).unwrap();
        assert_eq!(found, []);
        let numbers: Vec<u64> = [b"a", b"b", b"c"].iter().map(|entry| spool.put(*entry).unwrap()).collect();
        spool.remove(numbers[1]);
        drop(spool);
        let (spool, found) = FileSpool::open(&path, 1 << 20).unwrap();
        assert_eq!(found, [(numbers[0], b"a".to_vec()), (numbers[2], b"c".to_vec())]);
        assert!(spool.put(b"d").unwrap() > numbers[2]);
        fs::remove_dir_all(path.parent().unwrap()).unwrap();
    }

    #[test]
    fn a_torn_end_is_cut_off_and_written_over() {
        let path = place("torn");
        let (spool, _) = FileSpool::open(&path, 1 << 20).unwrap();
        spool.put(b"whole").unwrap();
        spool.put(b"torn").unwrap();
        drop(spool);
        let length = fs::metadata(&path).unwrap().len();
        File::options().write(true).open(&path).unwrap().set_len(length - 2).unwrap();
        let (spool, found) = FileSpool::open(&path, 1 << 20).unwrap();
        assert_eq!(found.len(), 1);
        spool.put(b"next").unwrap();
        drop(spool);
        let (_, found) = FileSpool::open(&path, 1 << 20).unwrap();
        assert_eq!(found.iter().map(|(_, entry)| &entry[..]).collect::<Vec<_>>(), [&b"whole"[..], b"next"]);
        fs::remove_dir_all(path.parent().unwrap()).unwrap();
    }

    #[test]
    fn it_is_bounded_and_empties_as_a_whole() {
        let path = place("bound");
        let (spool, _) = FileSpool::open(&path, 200).unwrap();
        let empty = spool.size();
        let mut numbers = Vec::new();
        while let Ok(number) = spool.put(&[7; 40]) {
            numbers.push(number);
        }
        assert!(spool.size() <= 200 && numbers.len() == 3, "{numbers:?}");
        assert_eq!(spool.put(&[7; 40]), Err(SpoolError::Full));
        numbers.drain(..).for_each(|number| spool.remove(number));
        assert_eq!(spool.size(), empty);
        assert!(spool.put(&[7; 40]).is_ok());
        fs::write(&path, b"something else").unwrap();
        assert!(matches!(FileSpool::open(&path, 200), Err(StoreError::Corrupt(_))));
        fs::remove_dir_all(path.parent().unwrap()).unwrap();
    }
}
