//! Open reservations: each that the store has open is so by ledger and journal, with the same holds, and the other way.

use super::super::link::LinkError;
use super::super::record;
use super::super::unpack::sixteen;
use super::partition::{CONFIRM, Comparison, REST};
use super::trouble::Step;
use crate::domain::name::IdKey;
use crate::domain::reservation::{Held, Reservation};
use crate::engine::audit::{Drift, Finding};
use std::collections::HashSet;

const WHAT: &str = "reservations in Redis";
/// Reservations that are compared at once.
const PAGE: usize = 500;

/// One that differs.
struct Different {
    key: IdKey,
    findings: Vec<Finding>,
}

impl Comparison<'_> {
    /// Compares all open reservations.
    pub(super) async fn reservations(&mut self) -> Step<()> {
        let mut seen = HashSet::new();
        let mut cursor = b"0".to_vec();
        loop {
            let hash = self.place.keys.reservations();
            let (next, fields) = self.place.link.scan(hash, &cursor, PAGE).await.map_err(LinkError::of_a_read)?;
            let new = fields.iter().filter_map(|(field, _)| sixteen(field).ok().map(IdKey));
            let page: Vec<IdKey> = new.filter(|key| seen.insert(*key)).collect();
            self.reservation_page(&page).await?;
            if next == b"0" {
                break;
            }
            cursor = next;
        }
        let unseen: Vec<IdKey> = self.follower.open().keys().filter(|key| !seen.contains(key)).copied().collect();
        for page in unseen.chunks(PAGE) {
            self.reservation_page(page).await?;
        }
        Ok(())
    }

    /// Compares some; what differs is compared again, and told if it differs each time.
    async fn reservation_page(&mut self, page: &[IdKey]) -> Step<()> {
        self.looked(WHAT, page.len());
        let mut different = self.differing(page).await?;
        for _ in 0..CONFIRM {
            if different.is_empty() {
                return Ok(());
            }
            tokio::time::sleep(REST).await;
            let keys: Vec<IdKey> = different.iter().map(|different| different.key).collect();
            different = self.differing(&keys).await?;
        }
        for finding in different.into_iter().flat_map(|different| different.findings) {
            self.report.found(finding, self.place.options.listed);
        }
        Ok(())
    }

    async fn differing(&mut self, page: &[IdKey]) -> Step<Vec<Different>> {
        let watermark = self.watermark().await?;
        let (_, figures) = self.figures(watermark, &[], page).await?;
        let mut different = Vec::new();
        for (key, raw) in page.iter().zip(figures.reservations) {
            let kept = if raw.is_empty() { None } else { Some(record::unpack(&raw)) };
            let expected = self.follower.open().get(key).map(|record| &**record);
            let findings = match &kept {
                None => compare(None, expected),
                Some(Ok(kept)) => compare(Some(kept), expected),
                Some(Err(_)) => {
                    let place = expected.map_or_else(|| format!("reservation {key:?}"), name);
                    vec![finding(place, "unreadable bytes", i64::try_from(raw.len()).ok(), None)]
                }
            };
            if !findings.is_empty() {
                different.push(Different { key: *key, findings });
            }
        }
        Ok(different)
    }
}

/// Where a reservation in the store is not what ledger and journal say.
fn compare(kept: Option<&Reservation>, expected: Option<&Reservation>) -> Vec<Finding> {
    let (Some(kept), Some(expected)) = (kept, expected) else {
        let Some(there) = kept.or(expected) else { return Vec::new() };
        return vec![finding(name(there), "held in all", kept.map(held), expected.map(held))];
    };
    let mut findings = Vec::new();
    let mut figure = |place: String, figure, kept: i64, expected: i64| {
        if kept != expected {
            findings.push(finding(place, figure, Some(kept), Some(expected)));
        }
    };
    figure(name(expected), "state", kept.state as i64, expected.state as i64);
    figure(name(expected), "create time", kept.create_time.millis(), expected.create_time.millis());
    figure(name(expected), "deadline", kept.expire_time.millis(), expected.expire_time.millis());
    figure(name(expected), "charges", int(kept.charges.len() as u64), int(expected.charges.len() as u64));
    for (index, (kept, expected_charge)) in kept.charges.iter().zip(&expected.charges).enumerate() {
        let place = || format!("{}, charge {index}", name(expected));
        let top_up = |charge: &Held| charge.path.iter().fold(0_u64, |sum, level| sum.saturating_add(level.held_top_up));
        figure(place(), "held", int(kept.held), int(expected_charge.held));
        figure(place(), "held in top-ups", int(top_up(kept)), int(top_up(expected_charge)));
        figure(place(), "committed", int(kept.committed), int(expected_charge.committed));
    }
    findings
}

/// What it holds over all its charges.
fn held(record: &Reservation) -> i64 {
    int(record.charges.iter().fold(0_u64, |sum, charge| sum.saturating_add(charge.held)))
}

fn int(figure: u64) -> i64 {
    i64::try_from(figure).unwrap_or(i64::MAX)
}

fn name(record: &Reservation) -> String {
    format!("{}, reservation {}", record.tenant_name, record.id)
}

fn finding(place: String, figure: &'static str, kept: Option<i64>, expected: Option<i64>) -> Finding {
    Finding { drift: Drift::LiveReservation, place, figure, kept, expected, repaired: false }
}
