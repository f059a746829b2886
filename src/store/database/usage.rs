//! What was used over some time, from the ledger's sums: whole quarters of an hour from the roll-ups, the edges of the
//! period from the postings themselves, the lifetime from the counter.

use super::append::watermark;
use super::errors::store_error;
use super::fold::QUARTER;
use super::rows::{self, from_parts};
use crate::domain::time::Period;
use crate::engine::ports::{CounterKey, LedgerHold, StoreError, UsageAnswer, UsageQuery, Used, Watermark};
use sqlx::{SqliteConnection, SqlitePool};
use std::collections::BTreeMap;

/// A row of `usage_sum.sql`: part, used high and low, top-up high and low, own.
type SumRow = (i64, i64, i64, i64, i64, i64);
/// A row of `usage_steps.sql`: step, used high and low, top-up high and low.
type StepRow = (i64, i64, i64, i64, i64);

/// Answers all queries from one snapshot, with its watermark.
pub(super) async fn usage(
    reader: &SqlitePool,
    partition: u32,
    queries: &[UsageQuery],
) -> Result<(Watermark, Vec<UsageAnswer>), StoreError> {
    let mut snapshot = reader.begin().await.map_err(store_error)?;
    let watermark = watermark(&mut snapshot, partition).await?;
    let mut answers = Vec::with_capacity(queries.len());
    for query in queries {
        let mut answer = sum(&mut snapshot, query).await?;
        if let Some(step) = query.step.filter(|step| *step > 0) {
            answer.steps = steps(&mut snapshot, query, step).await?;
        }
        if query.holds {
            answer.holds = holds(&mut snapshot, query.counter).await?;
        }
        answers.push(answer);
    }
    Ok((watermark, answers))
}

async fn sum(connection: &mut SqliteConnection, query: &UsageQuery) -> Result<UsageAnswer, StoreError> {
    let lifetime = query.period == Period::ALWAYS;
    // The lifetime stands in the counter: nothing needs to be summed.
    let parts = if lifetime { Parts::NONE } else { Parts::of(query.period) };
    let rows: Vec<SumRow> = sqlx::query_as(include_str!("../../sql/queries/usage_sum.sql"))
        .bind(query.counter.account.to_bytes().to_vec())
        .bind(rows::meter(query.counter.meter))
        .bind(parts.quarters.0)
        .bind(parts.quarters.1)
        .bind(parts.before.0)
        .bind(parts.before.1)
        .bind(parts.after.0)
        .bind(parts.after.1)
        .fetch_all(connection)
        .await
        .map_err(store_error)?;
    let mut sum = Sum::default();
    let mut own = 0;
    for (part, used_high, used_low, top_up_high, top_up_low, own_used) in rows {
        own += own_used;
        if (part == 0) == lifetime {
            sum.add(used_high, used_low, top_up_high, top_up_low);
        }
    }
    Ok(UsageAnswer { used: sum.used(), own, ..UsageAnswer::default() })
}

/// What open reservations hold on one counter.
async fn holds(connection: &mut SqliteConnection, counter: CounterKey) -> Result<Vec<LedgerHold>, StoreError> {
    let query = sqlx::query_as(include_str!("../../sql/queries/usage_holds.sql"));
    let query = query.bind(counter.account.to_bytes().to_vec());
    let records = rows::reservations(query.fetch_all(connection).await.map_err(store_error)?)?;
    let mut holds = Vec::new();
    for record in &records {
        for charge in record.charges.iter().filter(|charge| charge.held > 0 && charge.meter_id == counter.meter) {
            let level = charge.path.iter().find(|level| level.account == counter.account);
            holds.extend(level.map(|level| LedgerHold {
                at: record.create_time,
                held: charge.held,
                top_up: level.held_top_up,
            }));
        }
    }
    Ok(holds)
}

async fn steps(
    connection: &mut SqliteConnection,
    query: &UsageQuery,
    step: i64,
) -> Result<Vec<(i64, Used)>, StoreError> {
    let of_quarters = step % QUARTER == 0;
    let parts = if of_quarters { Parts::of(query.period) } else { Parts::postings(query.period) };
    let rows: Vec<StepRow> = sqlx::query_as(include_str!("../../sql/queries/usage_steps.sql"))
        .bind(query.counter.account.to_bytes().to_vec())
        .bind(rows::meter(query.counter.meter))
        .bind(parts.quarters.0)
        .bind(parts.quarters.1)
        .bind(parts.before.0)
        .bind(parts.before.1)
        .bind(parts.after.0)
        .bind(parts.after.1)
        .bind((step / QUARTER).max(1))
        .bind(step)
        .fetch_all(connection)
        .await
        .map_err(store_error)?;
    let mut steps: BTreeMap<i64, Sum> = BTreeMap::new();
    for (step, used_high, used_low, top_up_high, top_up_low) in rows {
        steps.entry(step).or_default().add(used_high, used_low, top_up_high, top_up_low);
    }
    let used = steps.into_iter().map(|(step, sum)| (step, sum.used()));
    Ok(used.filter(|(_, used)| *used != Used::default()).collect())
}

/// A period as the sums need it: whole quarters, and the milliseconds before and after them. Each is half-open and may be
/// empty.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Parts {
    quarters: (i64, i64),
    before: (i64, i64),
    after: (i64, i64),
}

impl Parts {
    const NONE: Parts = Parts { quarters: (0, 0), before: (0, 0), after: (0, 0) };

    fn of(period: Period) -> Parts {
        let (start, end) = (period.start.millis(), period.end.millis());
        let first = start.div_euclid(QUARTER) + i64::from(start.rem_euclid(QUARTER) != 0);
        let last = end.div_euclid(QUARTER);
        if first >= last {
            return Parts::postings(period);
        }
        Parts { quarters: (first, last), before: (start, first * QUARTER), after: (last * QUARTER, end) }
    }

    fn postings(period: Period) -> Parts {
        Parts { before: (period.start.millis(), period.end.millis()), ..Parts::NONE }
    }
}

/// A sum under way, in parts that can't overflow.
#[derive(Clone, Copy, Default)]
struct Sum {
    used: (i64, i64),
    top_up: (i64, i64),
}

impl Sum {
    fn add(&mut self, used_high: i64, used_low: i64, top_up_high: i64, top_up_low: i64) {
        let add = |sum: &mut (i64, i64), high: i64, low: i64| {
            *sum = (sum.0.saturating_add(high), sum.1.saturating_add(low));
        };
        add(&mut self.used, used_high, used_low);
        add(&mut self.top_up, top_up_high, top_up_low);
    }

    fn used(self) -> Used {
        Used { total: from_parts(self.used.0, self.used.1), top_up: from_parts(self.top_up.0, self.top_up.1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;

    fn parts(start: i64, end: i64) -> Parts {
        Parts::of(Period { start: Timestamp::from_millis(start), end: Timestamp::from_millis(end) })
    }

    #[test]
    fn a_period_is_split_at_whole_quarters() {
        let day = 96 * QUARTER;
        assert_eq!(parts(0, day), Parts { quarters: (0, 96), before: (0, 0), after: (day, day) });
        let odd = parts(-1, day + 1);
        assert_eq!(odd, Parts { quarters: (0, 96), before: (-1, 0), after: (day, day + 1) });
        assert_eq!(parts(5, 60_005), Parts { before: (5, 60_005), ..Parts::NONE });
        assert_eq!(parts(QUARTER - 1, QUARTER + 1), Parts { before: (QUARTER - 1, QUARTER + 1), ..Parts::NONE });
        assert!(Parts::of(Period::ALWAYS).before.1 <= i64::MIN + QUARTER);
    }
}
