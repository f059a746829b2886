//! Reservations: in a sentence after a call, in full for one, in a table for many.

use super::table::{Column, View, instant_or_dash, words};
use crate::cli::output::Fault;
use crate::proto::v1::{ChargeCost, ChargeState, Durability, ListReservationsResponse, Reservation, ReservationState};

/// What a response says beside the reservation.
pub struct Aside {
    durability: Durability,
    replayed: bool,
}

impl Aside {
    /// From a response's fields.
    pub fn new(durability: Durability, replayed: bool) -> Aside {
        Aside { durability, replayed }
    }

    /// In words, none for what is not set.
    pub fn words(&self) -> Vec<String> {
        let mut words_said = Vec::new();
        if self.durability != Durability::Unspecified {
            words_said.push(words(self.durability.as_str_name(), "DURABILITY_"));
        }
        if self.replayed {
            words_said.push("replayed".to_owned());
        }
        words_said
    }
}

/// One sentence on what a call made of a reservation; a table too if it has several charges.
pub fn outcome(view: &View, reservation: &Reservation, aside: &Aside) -> String {
    let mut notes = vec![format!("reservation {}", reservation.reservation_id)];
    notes.extend(reservation.expire_time.as_ref().map(|time| format!("expires {}", view.deadline(time))));
    notes.extend(aside.words());
    notes.extend(flags(reservation));
    let notes = notes.join(", ");
    match lines(reservation).as_slice() {
        [line] => format!("{} ({notes})", line.sentence(reservation.state())),
        lines => {
            let word = words(reservation.state().as_str_name(), "RESERVATION_STATE_");
            format!("{word} {} charges ({notes})\n{}", lines.len(), charge_table(view, lines))
        }
    }
}

/// [`outcome`] of a response whose reservation must be there.
pub fn outcome_of(view: &View, reservation: Option<&Reservation>, aside: &Aside) -> Result<String, Fault> {
    let reservation = reservation.ok_or_else(|| Fault::Usage("the server's answer has no reservation".to_owned()))?;
    Ok(outcome(view, reservation, aside))
}

/// One reservation with all that is known of it.
pub fn reservation(view: &View, reservation: &Reservation) -> String {
    let state = words(reservation.state().as_str_name(), "RESERVATION_STATE_");
    let mut text = format!("reservation {} of {}: {state}", reservation.reservation_id, reservation.tenant);
    text.push_str(&format!("\n  created  {}", instant_or_dash(reservation.create_time.as_ref())));
    if let Some(time) = &reservation.expire_time {
        text.push_str(&format!("\n  expires  {}", view.deadline(time)));
    }
    let mut labels: Vec<String> = reservation.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    labels.sort();
    for (title, values) in [("labels", labels), ("flags", flags(reservation))] {
        if !values.is_empty() {
            text.push_str(&format!("\n  {title:<7}  {}", values.join(", ")));
        }
    }
    format!("{text}\n{}", charge_table(view, &lines(reservation)))
}

/// Many reservations, a line for each charge.
pub fn reservations(view: &View, page: &ListReservationsResponse) -> String {
    if page.reservations.is_empty() {
        return "no reservations".to_owned();
    }
    use Column::{Number, Text};
    let columns = [
        Text("reservation"),
        Text("state"),
        Text("created"),
        Text("expires"),
        Text("account"),
        Text("meter"),
        Text("item"),
        Number("reserved"),
        Number("held"),
        Number("committed"),
    ];
    let mut rows = Vec::new();
    for reservation in &page.reservations {
        for line in lines(reservation) {
            rows.push(vec![
                reservation.reservation_id.clone(),
                words(reservation.state().as_str_name(), "RESERVATION_STATE_"),
                instant_or_dash(reservation.create_time.as_ref()),
                instant_or_dash(reservation.expire_time.as_ref()),
                line.state.account,
                line.state.meter,
                line.state.item,
                line.reserved.to_string(),
                line.state.held.to_string(),
                line.state.committed.to_string(),
            ]);
        }
    }
    let mut text = view.table(&columns, rows);
    if !page.next_page_token.is_empty() {
        text.push_str("\nthere are more: raise --limit");
    }
    text
}

/// One charge: what was asked for and what became of it.
struct Line {
    reserved: i64,
    state: ChargeState,
}

/// The charges of a reservation with their states, in order.
fn lines(reservation: &Reservation) -> Vec<Line> {
    let line = |(i, charge): (usize, &crate::proto::v1::Charge)| {
        // An answer that does not say what became of the charges still names them.
        let unknown = || ChargeState {
            account: charge.account.clone(),
            meter: charge.meter.clone(),
            item: charge.item.clone(),
            ..Default::default()
        };
        Line { reserved: charge.amount(), state: reservation.committed.get(i).cloned().unwrap_or_else(unknown) }
    };
    reservation.charges.iter().enumerate().map(line).collect()
}

impl Line {
    /// What its quantities cost, once some were priced.
    fn cost(&self) -> Option<&ChargeCost> {
        self.state.cost.as_ref().filter(|cost| !cost.quantities.is_empty())
    }

    /// "held 1 training.runs on tenants/acme/users/u1".
    fn sentence(&self, state: ReservationState) -> String {
        let ChargeState { account, meter, item, held, committed, freed, .. } = &self.state;
        let item = if item.is_empty() { String::new() } else { format!(" ({item})") };
        let what = |word: &str, amount: i64| format!("{word} {amount} {meter}{item} on {account}");
        let mut text = match state {
            ReservationState::Held if *held == 0 && *committed > 0 => what("committed", *committed),
            ReservationState::Held => what("held", *held),
            ReservationState::Parked => what("parked", *held),
            ReservationState::PartiallyCommitted => format!("{}, {held} still held", what("committed", *committed)),
            ReservationState::Committed => what("committed", *committed),
            ReservationState::Released => what("released", self.reserved - committed),
            ReservationState::Expired if *committed > 0 => what("expired and charged", *committed),
            ReservationState::Expired => what("expired", self.reserved),
            ReservationState::Unspecified => what("unknown state of", self.reserved),
        };
        if *freed > 0 {
            text.push_str(&format!(", {freed} freed"));
        }
        if let Some(cost) = self.cost() {
            text.push_str(&format!(": {}", cost_words(cost)));
        }
        text
    }
}

/// "0.0021 = 0.0042 x 0.50 for input 1000, output 275".
fn cost_words(cost: &ChargeCost) -> String {
    let mut quantities: Vec<String> =
        cost.quantities.iter().map(|(name, quantity)| format!("{name} {quantity}")).collect();
    quantities.sort();
    format!("{} = {} x {} for {}", cost.r#final, cost.original, cost.discount, quantities.join(", "))
}

fn charge_table(view: &View, lines: &[Line]) -> String {
    use Column::{Number, Text};
    let mut columns = vec![
        Text("account"),
        Text("meter"),
        Text("item"),
        Number("reserved"),
        Number("held"),
        Number("committed"),
        Number("freed"),
    ];
    let costs: Vec<String> = lines.iter().map(|line| line.cost().map(cost_words).unwrap_or_default()).collect();
    let priced = costs.iter().any(|cost| !cost.is_empty());
    if priced {
        columns.push(Text("cost"));
    }
    let rows = lines.iter().zip(costs).map(|(Line { reserved, state }, cost)| {
        let mut row = vec![
            state.account.clone(),
            state.meter.clone(),
            state.item.clone(),
            reserved.to_string(),
            state.held.to_string(),
            state.committed.to_string(),
            state.freed.to_string(),
        ];
        row.extend(priced.then_some(cost));
        row
    });
    view.table(&columns, rows.collect())
}

/// The flags that are set.
fn flags(reservation: &Reservation) -> Vec<String> {
    let all = [
        ("overrun", reservation.overrun),
        ("late", reservation.late),
        ("recovered", reservation.recovered),
        ("unenforced", reservation.unenforced),
        ("saturated", reservation.saturated),
    ];
    all.iter().filter(|(_, set)| *set).map(|(word, _)| (*word).to_owned()).collect()
}
