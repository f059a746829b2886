//! Moving an account to another name. What it has in use of an allocation goes in one step from the accounts above it to those that
//! will be; what was consumed stays where it was. The catalog says before that step that the account is moving, and after it where it
//! is, so that whoever finds a move under way can finish it: each part of it may be done twice.

use super::authority::{Authority, unexpected};
use super::authorize::TenantCtx;
use super::call::{CallError, Denial};
use super::manage::{Begun, MoveError, MoveRequest, QuotaContext};
use super::operation::{Outcome, Plan, Verb};
use super::plan::add;
use super::ports::ReservationFilter;
use super::publish::Publisher;
use super::run::Stamp;
use super::snapshot::{Level, Snapshot};
use crate::domain::adjustment;
use crate::domain::entry::Note;
use crate::domain::meter::{Admission, Family, Meter};
use crate::domain::moved::{Behind, Move, NameRecord};
use crate::domain::name::{AccountName, IdKey, IdSpace, MeterName, Uid};
use crate::domain::reservation::{About, Held, Reservation, State};
use crate::domain::time::{Period, Timestamp};
use std::sync::Arc;
use thiserror::Error;
use tokio::sync::Mutex;

/// Reservations that are looked at at once.
const PAGE: u32 = 500;
/// Reservations whose time is over that are ended first.
const LAPSED: usize = 10_000;
/// What every journaled step of a move is known by; no caller's request id has the first character.
const STEP: &str = "\u{1}move ";

/// Moves accounts.
pub struct Mover {
    catalogs: Arc<Publisher>,
    authority: Arc<Authority>,
    /// One at a time within a process.
    turn: Mutex<()>,
}

/// What became of a move.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Moved {
    /// The account has this name now, and the catalog this etag.
    To(AccountName, String),
    /// What it has in use does not fit the accounts above its new name; nothing changed.
    Denied(Denial),
}

/// Why an account was not moved. It is where it was, unless a store could not answer: then the move is finished later.
#[derive(Clone, Debug, Error)]
pub enum MoveFailure {
    /// The catalog does not let it.
    #[error(transparent)]
    Catalog(#[from] MoveError),
    /// An open reservation, by its id, may still change what it has in use.
    #[error("the reservation {0} is open and charges an allocation of the account")]
    Held(String),
    /// What a reservation, by its id, has in use counts on other accounts as well, which may be below the same ones.
    #[error("the reservation {0} charges an allocation of the account together with other accounts: free that first")]
    Shared(String),
    /// A store can't answer.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// What the step in the counter store came to.
enum Step {
    Done,
    Denied(Denial),
    Failed(MoveFailure),
}

impl Mover {
    /// On catalogs and counters.
    pub fn new(catalogs: Arc<Publisher>, authority: Arc<Authority>) -> Mover {
        Mover { catalogs, authority, turn: Mutex::default() }
    }

    /// Moves an account.
    ///
    /// # Errors
    /// [`MoveFailure`].
    pub async fn move_account(&self, context: QuotaContext<'_>, asked: MoveRequest<'_>) -> Result<Moved, MoveFailure> {
        let _turn = self.turn.lock().await;
        let tenant = context.tenant.unwrap_or_default();
        match self.catalogs.begin_move(context, asked).await? {
            Begun::Done(name) => {
                let etag = self.catalogs.etag(Some(tenant)).await.map_err(CallError::Store)?;
                Ok(Moved::To(name, etag))
            }
            Begun::Moving(record) => self.finish(tenant, &record, context.now).await,
        }
    }

    /// Finishes the moves that were left under way, by a server that ended or could not reach a store.
    ///
    /// # Errors
    /// The first [`MoveFailure`] that lets one stay under way.
    pub async fn finish_all(&self, now: Timestamp) -> Result<(), MoveFailure> {
        let _turn = self.turn.lock().await;
        for (tenant, record) in self.catalogs.moving().await.map_err(CallError::Store)? {
            match self.finish(&tenant, &record, now).await {
                Ok(Moved::To(name, _)) => tracing::info!(%name, "a move that was under way is finished"),
                Err(failure @ (MoveFailure::Call(_) | MoveFailure::Catalog(MoveError::Apply(_)))) => {
                    return Err(failure);
                }
                Ok(Moved::Denied(_)) | Err(_) => tracing::info!(name = %record.name, "a move under way is taken back"),
            }
        }
        Ok(())
    }

    /// Takes the step, then writes down what it came to. A refusal is written down before it counts: another server may be taking
    /// the same step.
    async fn finish(&self, tenant: &str, record: &NameRecord, now: Timestamp) -> Result<Moved, MoveFailure> {
        let Behind::Moving(moving) = &record.behind else { return Err(CallError::Moving(tenant.to_owned()).into()) };
        let tenant_name = AccountName::tenant_from(tenant).map_err(|_| unexpected())?;
        let step = match moving.undone {
            false => self.authority.step_of_move(&tenant_name, &record.name, moving).await?,
            true => Step::Failed(MoveError::Moving(record.name.clone()).into()),
        };
        let is_done = match &step {
            Step::Done => true,
            Step::Denied(_) | Step::Failed(_) => {
                self.catalogs.refuse_move(tenant, record, now).await?;
                self.authority.has_moved(&tenant_name, moving).await?
            }
        };
        let etag = self.catalogs.end_move(tenant, record, is_done, now).await?;
        match step {
            _ if is_done => Ok(Moved::To(moving.to.clone(), etag)),
            Step::Denied(denial) => Ok(Moved::Denied(denial)),
            Step::Failed(failure) => Err(failure),
            Step::Done => Err(unexpected().into()),
        }
    }
}

impl Authority {
    /// Takes what an account has in use from the accounts above it to those above its new name, all or nothing, once. While the
    /// catalog says that it moves, and everything until then is in the ledger, nothing of it changes: the ledger says how much.
    async fn step_of_move(&self, tenant: &AccountName, old: &AccountName, moving: &Move) -> Result<Step, CallError> {
        let tenant = self.open(tenant);
        self.bring_up_to_date(&tenant).await?;
        let snapshot = self.runner.snapshots.get(tenant.name().as_str(), 0).await?;
        if snapshot.moving(old).is_none_or(|other| other.id != moving.id) {
            return Err(CallError::Moving(old.to_string()));
        }
        if let Some(taken) = self.taken(&snapshot, old, moving).await? {
            return Ok(Step::Failed(taken));
        }
        if let Some(failure) = self.hindrance(&tenant, &snapshot, old, moving).await? {
            return Ok(Step::Failed(failure));
        }
        let used = self.runner.ledger.charged(moving.uid).await?.unwrap_or_default();
        let used: Vec<(MeterName, u64)> = used.into_iter().filter(|(_, amount)| *amount > 0).collect();
        if crossing(&snapshot, old, moving, &used, self.runner.clock.now()).is_empty() {
            return Ok(Step::Done);
        }
        let reason = format!("{old} moved to {}", moving.to).into();
        let note = Note { actor: moving.actor.as_str().into(), reason };
        let prepare = |snapshot: &Snapshot, now: Timestamp| {
            if snapshot.moving(old).is_none_or(|other| other.id != moving.id || other.undone) {
                return Err(CallError::Moving(old.to_string()));
            }
            Ok(prepared(crossing(snapshot, old, moving, &used, now), &note, now))
        };
        let done = self.runner.run(&tenant, stamp(&tenant, moving), &prepare).await?;
        match done.outcome {
            Outcome::Freed(_) => Ok(Step::Done),
            Outcome::Denied(denial) => Ok(Step::Denied(denial)),
            Outcome::Refused(error) => Err(error.into()),
            _ => Err(unexpected()),
        }
    }

    /// Whether the step of a move was taken, once nobody takes it any more.
    async fn has_moved(&self, tenant: &AccountName, moving: &Move) -> Result<bool, CallError> {
        let tenant = self.open(tenant);
        self.bring_up_to_date(&tenant).await?;
        let key = stamp(&tenant, moving).request.into_iter().collect::<Vec<_>>();
        let known = self.runner.ledger.requests(tenant.uid(), &key).await?;
        Ok(known.into_iter().any(|known| known.is_some()))
    }

    /// Ends what is over, and waits until the ledger has everything that there is.
    async fn bring_up_to_date(&self, tenant: &TenantCtx) -> Result<(), CallError> {
        let counters = &self.runner.counters;
        let partition = counters.partition_of(tenant.uid());
        counters.expire(partition, LAPSED).await?;
        Ok(self.runner.flushers.flushed(partition, counters.head(partition).seq).await?)
    }

    /// Why the new name is not free: something was counted under it, by an account of its own.
    async fn taken(
        &self,
        snapshot: &Snapshot,
        old: &AccountName,
        moving: &Move,
    ) -> Result<Option<MoveFailure>, CallError> {
        // A name that the account had before has nobody else behind it.
        if *snapshot.today(&moving.to) == *old {
            return Ok(None);
        }
        let Some(uid) = snapshot.uids(&moving.to).last().copied() else { return Ok(None) };
        let charged = self.runner.ledger.charged(uid).await?.is_some();
        let why = || MoveError::Taken(moving.to.clone(), String::from("something was counted under it"));
        Ok(charged.then(|| why().into()))
    }

    /// The first reservation with an allocation of the account, or of what is below it, because of which it can't move. A repeat that
    /// is still to be undone is waited for.
    async fn hindrance(
        &self,
        tenant: &TenantCtx,
        snapshot: &Snapshot,
        old: &AccountName,
        moving: &Move,
    ) -> Result<Option<MoveFailure>, CallError> {
        let partition = self.runner.counters.partition_of(tenant.uid());
        let repeated = self.runner.ledger.repeated(partition).await?;
        let charges = |one: &Reservation| one.charges.iter().any(|charge| occupies(charge, moving.uid));
        if repeated.iter().any(|repeat| repeat.tenant == tenant.uid() && charges(&repeat.reservation)) {
            return Err(CallError::Moving(old.to_string()));
        }
        let mut filter =
            ReservationFilter { account: Some(old.to_string()), limit: PAGE, ..ReservationFilter::default() };
        loop {
            let page = self.runner.ledger.list_reservations(tenant.uid(), &filter).await?;
            if let Some(failure) = page.iter().find_map(|one| hinders(snapshot, one, old, moving)) {
                return Ok(Some(failure));
            }
            match page.last().filter(|_| page.len() >= PAGE as usize) {
                Some(last) => filter.after = Some((last.create_time, last.key)),
                None => return Ok(None),
            }
        }
    }
}

/// Whether a charge is of an allocation and counts on an account.
fn occupies(charge: &Held, account: Uid) -> bool {
    charge.is_allocation() && charge.path.accounts().contains(&account)
}

/// Why an account can't move as long as a reservation is as it is.
fn hinders(snapshot: &Snapshot, one: &Reservation, old: &AccountName, moving: &Move) -> Option<MoveFailure> {
    let mut charges = one.charges.iter().filter(|charge| occupies(charge, moving.uid));
    if matches!(one.state, State::Held | State::PartiallyCommitted | State::Parked) {
        return charges.next().map(|_| MoveFailure::Held(one.id.to_string()));
    }
    charges.filter(|charge| charge.committed > charge.freed).find_map(|charge| {
        // An account above both would count it once, and which way it came nobody could tell.
        if !charge.also.is_empty() {
            return Some(MoveFailure::Shared(one.id.to_string()));
        }
        let today = snapshot.today(&charge.account.parse().ok()?).into_owned();
        let has_room = !today.is_within(old.as_str()) || today.renamed(old, &moving.to).is_some();
        let why = || format!("leaves no room for the name of {today} below it");
        (!has_room).then(|| MoveError::Invalid("new_name", why()).into())
    })
}

/// What the step of a move is known by: the same whoever takes it, and when.
fn stamp(tenant: &TenantCtx, moving: &Move) -> Stamp {
    let key = IdKey::of(tenant.uid(), IdSpace::Request, &format!("{STEP}{}", moving.id));
    Stamp { request: Some(key), fingerprint: key.0 as u64 }
}

/// An amount on its way: from these accounts, or to them.
struct Crossing {
    meter: Arc<Meter>,
    amount: i64,
    levels: Vec<Arc<Level>>,
}

/// What goes from which accounts to which: on each allocation meter, those above the old name and not the new one lose what is in use,
/// those above the new one and not the old one get it.
fn crossing(
    snapshot: &Snapshot,
    old: &AccountName,
    moving: &Move,
    used: &[(MeterName, u64)],
    now: Timestamp,
) -> Vec<Crossing> {
    let (Some(from), Some(to)) = (old.parent(), moving.to.parent()) else { return Vec::new() };
    let mut all = Vec::new();
    for (name, amount) in used {
        let meter = snapshot.meter(name).filter(|meter| meter.rules.family == Family::Allocation);
        let Some(meter) = meter else { continue };
        let (from, to) = (snapshot.chain(&from, meter, now), snapshot.chain(&to, meter, now));
        let (from, to) = (&from.levels, &to.levels);
        let amount = i64::try_from(*amount).unwrap_or(i64::MAX);
        for (amount, here, there) in [(-amount, from, to), (amount, to, from)] {
            let alone = |level: &&Arc<Level>| there.iter().all(|other| other.bound.key != level.bound.key);
            let levels: Vec<Arc<Level>> = here.iter().filter(alone).cloned().collect();
            if !levels.is_empty() {
                all.push(Crossing { meter: meter.clone(), amount, levels });
            }
        }
    }
    all
}

/// The step, with its plan.
fn prepared(crossing: Vec<Crossing>, note: &Note, now: Timestamp) -> (Verb, Option<Arc<Plan>>) {
    let mut plan = Plan { valid: Some(Period::ALWAYS), ..Plan::default() };
    let (mut charges, mut moves) = (Vec::new(), Vec::new());
    for Crossing { meter, amount, levels } in &crossing {
        let path = levels.iter().map(|level| add(&mut plan, level, now)).collect();
        plan.paths.push(path);
        charges.push(charge(meter, *amount, levels));
        moves.push((adjustment::Move::By(*amount), None));
    }
    (Verb::Adjust { charges, moves, between: true, note: note.clone() }, Some(Arc::new(plan.without_shares())))
}

/// The last of the accounts stands for them; none is charged itself.
fn charge(meter: &Meter, amount: i64, levels: &[Arc<Level>]) -> Held {
    let mut rules = meter.rules;
    rules.admission = Admission::Fits;
    let account = levels.last().map(|level| level.bound.account.clone()).unwrap_or_default();
    Held {
        about: Arc::new(About::of(account, meter.name.shared(), meter.name.id())),
        asked: u64::try_from(amount).ok(),
        held: 0,
        committed: 0,
        unconfirmed: 0,
        lapsed: 0,
        freed: 0,
        final_amount: None,
        rules,
        path: levels.iter().map(|level| level.frozen()).collect(),
        price: None,
        estimate: None,
    }
}
