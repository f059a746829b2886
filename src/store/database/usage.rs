//! What was used over some time, from the ledger's sums: whole quarters of an hour from the roll-ups, the edges of the
//! period from the postings themselves, the lifetime from the counter.

use super::append::watermark;
use super::connection::{Connection, sql};
use super::fold::QUARTER;
use super::pool::Database;
use super::row::Row;
use super::rows::{self, from_parts};
use super::values::Values;
use crate::domain::name::Uid;
use crate::domain::time::Period;
use crate::engine::ports::{CounterKey, LedgerHold, StoreError, UsageAnswer, UsageQuery, Used, UsedByMeter, Watermark};
use std::collections::BTreeMap;

/// Answers all queries from one snapshot, with its watermark.
pub(super) async fn usage(
    database: &Database,
    partition: u32,
    queries: &[UsageQuery],
) -> Result<(Watermark, Vec<UsageAnswer>), StoreError> {
    let mut snapshot = database.snapshot().await?;
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
    snapshot.commit().await?;
    Ok((watermark, answers))
}

/// What an account has used over its lifetime, by meter; `None`: nothing was ever counted on it.
pub(super) async fn charged(database: &Database, account: Uid) -> Result<Option<UsedByMeter>, StoreError> {
    let mut connection = database.read().await?;
    let rows = connection.fetch(sql!("account_charged"), |values| {
        values.bytes(&account.to_bytes());
    });
    let rows = rows.await?;
    let mut used = Vec::new();
    for row in &rows {
        if let (Some(meter), Some(amount)) = (row.maybe_text(0)?, row.maybe_int(1)?) {
            let damaged = |_| StoreError::Corrupt(format!("the ledger has a meter {meter:?}"));
            used.push((meter.parse().map_err(damaged)?, amount.unsigned_abs()));
        }
    }
    Ok((!rows.is_empty()).then_some(used))
}

async fn sum(connection: &mut Connection, query: &UsageQuery) -> Result<UsageAnswer, StoreError> {
    let lifetime = query.period == Period::ALWAYS;
    // The lifetime stands in the counter: nothing needs to be summed.
    let parts = if lifetime { Parts::NONE } else { Parts::of(query.period) };
    let rows = connection.fetch(sql!("usage_sum"), |values| parts.bind(query.counter, values));
    let mut sum = Sum::default();
    let mut own = 0;
    for row in rows.await? {
        own += row.int(5)?;
        if (row.int(0)? == 0) == lifetime {
            sum.add(&row)?;
        }
    }
    Ok(UsageAnswer { used: sum.used(), own, ..UsageAnswer::default() })
}

/// What open reservations hold on one counter.
async fn holds(connection: &mut Connection, counter: CounterKey) -> Result<Vec<LedgerHold>, StoreError> {
    let found = connection.fetch(sql!("usage_holds"), |values| {
        values.bytes(&counter.account.to_bytes());
    });
    let records = rows::reservations(&found.await?)?;
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

async fn steps(connection: &mut Connection, query: &UsageQuery, step: i64) -> Result<Vec<(i64, Used)>, StoreError> {
    let of_quarters = step % QUARTER == 0;
    let parts = if of_quarters { Parts::of(query.period) } else { Parts::postings(query.period) };
    let rows = connection.fetch(sql!("usage_steps"), |values| {
        parts.bind(query.counter, values);
        values.int((step / QUARTER).max(1)).int(step);
    });
    let mut steps: BTreeMap<i64, Sum> = BTreeMap::new();
    for row in rows.await? {
        steps.entry(row.int(0)?).or_default().add(&row)?;
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

    /// The first eight values of `usage_sum.sql` and `usage_steps.sql`.
    fn bind(self, counter: CounterKey, values: &mut Values) {
        values.bytes(&counter.account.to_bytes()).int(rows::meter(counter.meter));
        for (start, end) in [self.quarters, self.before, self.after] {
            values.int(start).int(end);
        }
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
    /// Adds what columns 1 to 4 of a row say: used high and low, top-up high and low.
    fn add(&mut self, row: &Row) -> Result<(), StoreError> {
        for (sum, at) in [(&mut self.used, 1), (&mut self.top_up, 3)] {
            *sum = (sum.0.saturating_add(row.int(at)?), sum.1.saturating_add(row.int(at + 1)?));
        }
        Ok(())
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
