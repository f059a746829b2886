//! What goes wrong in a round.

use super::world::World;
use rand::{RngExt, rngs::StdRng};
use std::thread::sleep;
use std::time::Duration;

/// One fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    /// `kill -9` of a replica, which stays away for so many milliseconds.
    KillReplica(usize, u64),
    /// `kill -9` of both.
    KillBoth,
    /// `kill -9` of Redis, which comes back with all that it was told.
    RestartRedis,
    /// The same, but it has forgotten everything.
    EmptyRedis,
    /// FLUSHALL.
    FlushAll,
    /// Redis answers nothing for so many milliseconds.
    FreezeRedis(u64),
    /// PostgreSQL ends in order and stays away for so many milliseconds.
    StopPostgres(u64),
    /// PostgreSQL ends at once.
    EndPostgres,
    /// `kill -9` of PostgreSQL.
    KillPostgres,
    /// The connection to Redis is cut after so many bytes of answers, several times.
    CutRedis(usize),
    /// The same on the way to PostgreSQL.
    CutPostgres(usize),
}

/// So many rounds are a long run.
const LONG_RUN: usize = 200;
/// How often a connection is cut in one round.
const CUTS: usize = 3;

impl Fault {
    /// Number `round` of a sequence of `rounds` in which every kind comes as often.
    pub(super) fn choose(round: usize, rounds: usize, rng: &mut StdRng) -> Fault {
        match round % 11 {
            0 => Fault::KillReplica(rng.random_range(0..2), rng.random_range(0..300)),
            1 => Fault::CutRedis(rng.random_range(0..600)),
            2 => Fault::RestartRedis,
            3 => Fault::EmptyRedis,
            4 => Fault::KillPostgres,
            5 => Fault::CutPostgres(rng.random_range(0..2000)),
            6 => Fault::FlushAll,
            7 => Fault::FreezeRedis(1000),
            8 => Fault::EndPostgres,
            9 => Fault::KillBoth,
            // In a long run a minute now and then; else three seconds every other time, so that many rounds fit into a run.
            _ if rounds >= LONG_RUN && round % 88 == 10 => Fault::StopPostgres(60_000),
            _ => Fault::StopPostgres(if round.is_multiple_of(2) { 3000 } else { 500 }),
        }
    }

    /// Whether Redis forgets what the ledger may not have yet.
    pub(super) fn is_lossy(self) -> bool {
        matches!(self, Fault::EmptyRedis | Fault::FlushAll)
    }

    /// Makes it happen, and ends it. Answers how often connections were cut.
    pub(super) fn strike(self, world: &mut World) -> u32 {
        match self {
            Fault::KillReplica(replica, away) => {
                world.replicas.kill(replica);
                sleep(Duration::from_millis(away));
                world.replicas.revive(replica);
            }
            Fault::KillBoth => {
                (0..2).for_each(|replica| world.replicas.kill(replica));
                (0..2).for_each(|replica| world.replicas.revive(replica));
            }
            Fault::RestartRedis => world.redis.restart(),
            Fault::EmptyRedis => world.redis.restart_empty(),
            Fault::FlushAll => world.redis.ask(&["FLUSHALL"]),
            Fault::FreezeRedis(time) => {
                world.redis.freeze();
                sleep(Duration::from_millis(time));
                world.redis.thaw();
            }
            Fault::StopPostgres(time) => {
                world.replicas.postgres.stop();
                sleep(Duration::from_millis(time));
                world.replicas.postgres.start_again();
            }
            Fault::EndPostgres => {
                world.replicas.postgres.stop_immediately();
                world.replicas.postgres.start_again();
            }
            Fault::KillPostgres => {
                world.replicas.postgres.kill_hard();
                world.replicas.postgres.start_again();
            }
            Fault::CutRedis(bytes) | Fault::CutPostgres(bytes) => {
                let way =
                    if matches!(self, Fault::CutRedis(_)) { &world.redis_way } else { &world.replicas.postgres_way };
                let before = way.cuts();
                for cut in 0..CUTS {
                    way.cut_after(bytes + cut * 7);
                    sleep(Duration::from_millis(60));
                }
                return way.cuts() - before;
            }
        }
        0
    }
}
