//! Load: clients that run jobs until the server is gone, and the way back after a restart.

use super::books::Books;
use super::jobs::{CATALOG, Job, Quota};
use crate::support::{Options, Server, TempDir};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;
use tonic::{Code, Status};

/// Options of a server with the catalog of these tests, and the folder that holds that file.
pub(super) fn options(args: &[&str]) -> (Options, TempDir) {
    let folder = TempDir::new("catalog");
    let file = folder.path().join("crash.yaml");
    fs::write(&file, CATALOG).unwrap();
    (args.iter().fold(Options::new().catalog(file), |options, arg| options.arg(*arg)), folder)
}

/// Clients at work.
pub(super) struct Load {
    clients: JoinSet<(Vec<Job>, Option<Status>)>,
    stop: Arc<AtomicBool>,
}

impl Load {
    /// Starts `count` clients, each with a connection of its own; ids begin with `prefix`.
    pub(super) fn start(server: &Server, count: usize, prefix: &str, rng: &mut StdRng) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        let mut clients = JoinSet::new();
        for client in 0..count {
            let (mut quota, stop) = (server.quota(), stop.clone());
            let (mut rng, prefix) = (StdRng::seed_from_u64(rng.random()), format!("{prefix}.{client}"));
            clients.spawn(async move {
                let mut jobs = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let mut job = Job::random(format!("{prefix}.{}", jobs.len()), &mut rng);
                    let outcome = job.run(&mut quota).await;
                    jobs.push(job);
                    if let Err(status) = outcome {
                        return (jobs, Some(status));
                    }
                }
                (jobs, None)
            });
        }
        Load { clients, stop }
    }

    /// Waits for the clients to meet the end of the server, which must be an outage and nothing else.
    pub(super) async fn end(self) -> Vec<Job> {
        self.clients
            .join_all()
            .await
            .into_iter()
            .flat_map(|(jobs, status)| {
                let status = status.expect("clients go on until the server is gone");
                assert!(is_outage(&status), "{status:?}");
                jobs
            })
            .collect()
    }

    /// Lets the clients finish what they are at. Those that met an outage have ended already.
    pub(super) async fn finish(self) -> Vec<Job> {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.clients.join_all().await.into_iter();
        ended
            .flat_map(|(jobs, status)| {
                assert!(status.as_ref().is_none_or(is_outage), "{status:?}");
                jobs
            })
            .collect()
    }
}

/// Whether a call failed because the server was going, or gone.
pub(super) fn is_outage(status: &Status) -> bool {
    match status.code() {
        Code::Unavailable | Code::Cancelled => true,
        // A connection that broke in the middle of an answer.
        Code::Unknown | Code::Internal => {
            std::error::Error::source(status).is_some() || status.message().contains("h2")
        }
        _ => false,
    }
}

/// What becomes of a round's jobs after a restart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Resume {
    /// Everything answered must be there; what was not answered is sent again.
    Unanswered,
    /// Answers may be lost: everything is sent again.
    Everything,
}

/// Checks each job against the restarted server, makes its calls again with the same ids, and enters it in the books.
pub(super) async fn resume(server: &Server, jobs: Vec<Job>, how: Resume, books: &mut Books) {
    let mut clients = JoinSet::new();
    let parts: Vec<Vec<Job>> = jobs.chunks(jobs.len().div_ceil(8).max(1)).map(<[Job]>::to_vec).collect();
    for part in parts {
        let mut quota = server.quota();
        clients.spawn(async move {
            let mut done = Vec::with_capacity(part.len());
            for mut job in part {
                resume_one(&mut job, how, &mut quota).await;
                done.push(job);
            }
            done
        });
    }
    let done =
        tokio::time::timeout(Duration::from_secs(60), clients.join_all()).await.expect("resuming takes too long");
    done.iter().flatten().for_each(|job| books.enter(job));
}

async fn resume_one(job: &mut Job, how: Resume, quota: &mut Quota) {
    match how {
        Resume::Unanswered => job.check(quota).await,
        Resume::Everything => job.answered = 0,
    }
    job.run(quota).await.unwrap_or_else(|status| panic!("{status:?}\n{job:?}"));
    // Once more what was answered long ago: no repeat may have an effect.
    if job.id.ends_with('7') && how == Resume::Unanswered {
        let answered = std::mem::take(&mut job.answered);
        let view = job.view.clone();
        job.run(quota).await.unwrap_or_else(|status| panic!("the repeat: {status:?}\n{job:?}"));
        (job.answered, job.view) = (answered, job.view.take().or(view));
    }
}
