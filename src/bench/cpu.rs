//! Processor time of a process by the operating system's accounting, split by what its threads do.

use std::path::Path;
use std::time::Duration;

/// Linux tells processor time in hundredths of a second.
const TICK: Duration = Duration::from_millis(10);

/// What a process has used, user and system together.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Cpu {
    /// By all threads, ended ones too.
    pub(super) total: Duration,
    /// By the journal's threads.
    pub(super) journal: Duration,
    /// By what works behind the answers: the flusher and the ledger.
    pub(super) flusher: Duration,
}

impl Cpu {
    /// Of a process; `None` where the system does not tell.
    pub(super) fn of(process: u32) -> Option<Cpu> {
        let folder = Path::new("/proc").join(process.to_string());
        let (_, total) = parse(&std::fs::read_to_string(folder.join("stat")).ok()?)?;
        let mut cpu = Cpu { total, ..Cpu::default() };
        for entry in std::fs::read_dir(folder.join("task")).ok()? {
            // A thread may end while the list is read.
            let Ok(text) = std::fs::read_to_string(entry.ok()?.path().join("stat")) else { continue };
            let (name, time) = parse(&text)?;
            match Work::of(&name) {
                Work::Answers => {}
                Work::Journal => cpu.journal += time,
                Work::Flusher => cpu.flusher += time,
            }
        }
        Some(cpu)
    }

    /// Of several together; `None` for none, or where the system does not tell.
    pub(super) fn of_all(processes: &[u32]) -> Option<Cpu> {
        let all = processes.iter().map(|process| Cpu::of(*process));
        all.reduce(|sum, one| {
            let (sum, one) = (sum?, one?);
            Some(Cpu {
                total: sum.total + one.total,
                journal: sum.journal + one.journal,
                flusher: sum.flusher + one.flusher,
            })
        })?
    }

    /// What was used since `earlier`.
    pub(super) fn since(self, earlier: Cpu) -> Cpu {
        Cpu {
            total: self.total.saturating_sub(earlier.total),
            journal: self.journal.saturating_sub(earlier.journal),
            flusher: self.flusher.saturating_sub(earlier.flusher),
        }
    }

    /// All but the flusher: what an answer costs.
    pub(super) fn answers(self) -> Duration {
        self.total.saturating_sub(self.flusher)
    }
}

/// What a thread works for.
#[derive(PartialEq, Eq, Debug)]
enum Work {
    Answers,
    Journal,
    Flusher,
}

impl Work {
    /// By the thread's name, of which the system keeps 15 letters.
    fn of(name: &str) -> Work {
        if name.starts_with("journal") {
            Work::Journal
        } else if name.starts_with("quotad-back") || name.starts_with("ledger") {
            Work::Flusher
        } else {
            Work::Answers
        }
    }
}

/// Name and time from a line of `/proc/PID/stat`; the name is in brackets and may have spaces and brackets itself.
fn parse(line: &str) -> Option<(String, Duration)> {
    let (start, end) = (line.find('(')?, line.rfind(')')?);
    let fields: Vec<&str> = line.get(end + 1..)?.split_whitespace().collect();
    let ticks: u32 = fields.get(11)?.parse::<u32>().ok()?.checked_add(fields.get(12)?.parse().ok()?)?;
    Some((line.get(start + 1..end)?.to_owned(), TICK * ticks))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_system_is_read() {
        let line = "42 (quotad-back) x) S 1 42 42 0 -1 4194304 1 0 0 0 123 45 0 0 20 0 9 0 1 1 1";
        let (name, time) = parse(line).unwrap();
        assert_eq!((name.as_str(), time), ("quotad-back) x", Duration::from_millis(1680)));
        assert_eq!(parse("42 (short) S 1"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn threads_are_told_apart_by_name() {
        assert_eq!(Work::of("quotad-core-0"), Work::Answers);
        assert_eq!(Work::of("journal-sql-1"), Work::Journal);
        assert_eq!(Work::of("quotad-backgrou"), Work::Flusher);
        assert_eq!(Work::of("ledger-sql-0"), Work::Flusher);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_uses_time() {
        let before = Cpu::of(std::process::id()).unwrap();
        let spent = (0..u64::from(u32::MAX >> 6)).fold(0, |sum, n| std::hint::black_box(sum ^ n));
        std::hint::black_box(spent);
        assert!(Cpu::of(std::process::id()).unwrap().total >= before.total);
    }
}
