//! Fingerprints: what makes two calls with one id the same call (rule 5). Made from validated contents, never from wire
//! bytes, without labels and request id.

use super::adjust::AdjustLine;
use super::call::ChargeRequest;
use crate::domain::adjustment::Move;
use crate::domain::time::{Span, Timestamp};
use sha2::{Digest, Sha256};
use smallvec::SmallVec;

const VERSION: u8 = 1;

/// The RPC that a fingerprint is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Rpc {
    /// Reserve.
    Reserve = 1,
    /// Commit.
    Commit = 2,
    /// Release.
    Release = 3,
    /// Extend.
    Extend = 4,
    /// Consume.
    Consume = 5,
    /// Free.
    Free = 6,
    /// Adjust.
    Adjust = 7,
}

/// The first 8 bytes of SHA-256 over format version, RPC, reservation id, the charges in sorted order, ttl and final.
pub fn fingerprint(
    rpc: Rpc,
    reservation_id: &str,
    charges: &[ChargeRequest],
    ttl: Option<Span>,
    is_final: bool,
) -> u64 {
    let mut contents = Contents::new();
    contents.update([VERSION, rpc as u8]);
    text(&mut contents, reservation_id);
    contents.update([u8::from(is_final)]);
    contents.update(ttl.map_or(-1, Span::millis).to_be_bytes());
    let mut sorted: SmallVec<[&ChargeRequest; 4]> = charges.iter().collect();
    sorted.sort_by(|a, b| {
        (a.account.as_str(), a.meter.as_str(), &a.item, a.amount).cmp(&(
            b.account.as_str(),
            b.meter.as_str(),
            &b.item,
            b.amount,
        ))
    });
    contents.update((sorted.len() as u64).to_be_bytes());
    for charge in sorted {
        text(&mut contents, charge.account.as_str());
        text(&mut contents, charge.meter.as_str());
        text(&mut contents, &charge.item);
        contents.update([u8::from(charge.amount.is_some())]);
        contents.update(charge.amount.unwrap_or(0).to_be_bytes());
        let mut also: Vec<&str> = charge.also.iter().map(|account| account.as_str()).collect();
        also.sort_unstable();
        contents.update((also.len() as u64).to_be_bytes());
        also.into_iter().for_each(|account| text(&mut contents, account));
        // Charges without either keep the fingerprints that they had before there were rate cards.
        if !charge.quantities.is_empty() || !charge.service.is_empty() {
            text(&mut contents, &charge.service);
            contents.update((charge.quantities.iter().count() as u64).to_be_bytes());
            for (component, quantity) in charge.quantities.iter() {
                text(&mut contents, component);
                contents.update(quantity.to_be_bytes());
            }
        }
    }
    contents.fingerprint()
}

/// The same of an adjustment: its lines in their order, in which they count, and the reason.
pub fn of_adjustment(lines: &[AdjustLine], reason: &str) -> u64 {
    let mut contents = Contents::new();
    contents.update([VERSION, Rpc::Adjust as u8]);
    text(&mut contents, reason);
    for line in lines {
        let charge = std::slice::from_ref(&line.charge);
        contents.update(fingerprint(Rpc::Adjust, "", charge, None, true).to_be_bytes());
        let (kind, figure, expected) = match line.change {
            Move::By(amount) => (0, amount, -1),
            Move::To { measured, expected } => (1, signed(measured), expected.map_or(-1, signed)),
        };
        contents.update([kind]);
        contents.update(figure.to_be_bytes());
        contents.update(expected.to_be_bytes());
        contents.update(line.effective.map_or(i64::MIN, Timestamp::millis).to_be_bytes());
    }
    contents.fingerprint()
}

fn signed(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}

/// What is hashed, all of it before it is: a hash that gets it in twenty pieces takes longer than for all of it.
struct Contents(SmallVec<[u8; 256]>);

impl Contents {
    fn new() -> Contents {
        Contents(SmallVec::new())
    }

    fn update(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.extend_from_slice(bytes.as_ref());
    }

    fn fingerprint(self) -> u64 {
        let mut first = [0; 8];
        first.copy_from_slice(&Sha256::digest(&self.0)[..8]);
        u64::from_be_bytes(first)
    }
}

fn text(contents: &mut Contents, text: &str) {
    contents.update((text.len() as u64).to_be_bytes());
    contents.update(text);
}

/// SHA-256 of a document, in hex.
pub fn digest(document: &[u8]) -> String {
    Sha256::digest(document).iter().map(|byte| format!("{byte:02x}")).collect()
}
