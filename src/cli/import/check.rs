//! What only the server can say of the lines: whether the meter exists, and in which periods the use would count.

use super::file::BadLine;
use super::row::{Since, Use};
use crate::client::{Client, Error};
use crate::domain::window::WindowKind;
use crate::proto::v1::{GetUsageRequest, ListMetersRequest, WindowUsage};
use pbjson_types::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use tokio::task::JoinSet;

/// Questions on their way at once.
const AT_ONCE: usize = 32;

/// What limits one account on one meter now.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    /// The server's time.
    pub(super) as_of: i64,
    /// Windows that have a limit.
    pub(super) windows: Vec<WindowUsage>,
}

/// The limits by account and meter.
pub(super) type AllLimits = BTreeMap<(String, String), Limits>;

/// The lines that would not be recorded as they are meant, in order; none if all is well.
///
/// # Errors
/// [`Error`] if the server can't answer.
pub(super) async fn check(client: &Client, uses: &[Use]) -> Result<Vec<BadLine>, Error> {
    let mut meters = BTreeMap::new();
    for tenant in uses.iter().map(|used| &used.tenant).collect::<BTreeSet<_>>() {
        meters.insert(tenant.clone(), meters_of(client, tenant).await?);
    }
    let known = |used: &&Use| meters.get(&used.tenant).is_some_and(|all| all.contains(&used.charge.meter));
    let unknown = uses.iter().filter(|used| !known(used));
    let mut bad: Vec<BadLine> =
        unknown.map(|used| (used.line, format!("the meter {} does not exist", used.charge.meter))).collect();
    // A meter that does not exist limits nothing that could be asked for.
    let dated: Vec<&Use> = uses.iter().filter(known).filter(|used| used.since != Since::Now).collect();
    let limits = limits_of(client, &dated).await?;
    for used in dated {
        bad.extend(misplaced(used, &limits).map(|why| (used.line, why)));
    }
    bad.sort_by_key(|(line, _)| *line);
    Ok(bad)
}

async fn meters_of(client: &Client, tenant: &str) -> Result<BTreeSet<String>, Error> {
    let mut request = ListMetersRequest { tenant: tenant.to_owned(), page_size: 1000, page_token: String::new() };
    let mut names = BTreeSet::new();
    loop {
        let page = client.list_meters(request.clone()).await?;
        names.extend(page.meters.into_iter().map(|meter| meter.name));
        if page.next_page_token.is_empty() {
            return Ok(names);
        }
        request.page_token = page.next_page_token;
    }
}

async fn limits_of(client: &Client, uses: &[&Use]) -> Result<AllLimits, Error> {
    let on = |used: &&Use| {
        let (tenant, meter) = (used.tenant.clone(), used.charge.meter.clone());
        let accounts = used.path.clone().into_iter();
        accounts.map(move |account| (tenant.clone(), account, meter.clone())).collect::<Vec<_>>()
    };
    let mut wanted = uses.iter().flat_map(on).collect::<BTreeSet<_>>().into_iter();
    let (mut running, mut limits) = (JoinSet::new(), AllLimits::new());
    loop {
        while running.len() < AT_ONCE
            && let Some((tenant, account, meter)) = wanted.next()
        {
            let client = client.clone();
            running.spawn(async move {
                let request = GetUsageRequest { tenant, account: account.clone(), meter: meter.clone() };
                client.usage(request).await.map(|usage| ((account, meter), usage))
            });
        }
        let Some(answer) = running.join_next().await else { return Ok(limits) };
        // A task of ours does not panic and nobody else ends it.
        let Ok(answer) = answer else { continue };
        let (key, usage) = answer?;
        let windows = usage.meters.into_iter().flat_map(|meter| meter.windows);
        let windows = windows.filter(|window| window.limit.is_some()).collect();
        limits.insert(key, Limits { as_of: usage.as_of.as_ref().map_or(0, millis), windows });
    }
}

/// Why what happened since a line's time can't be recorded as of now: it would count in a period to which not all of it
/// belongs.
pub(super) fn misplaced(used: &Use, limits: &AllLimits) -> Option<String> {
    let of = |account: &String| limits.get(&(account.clone(), used.charge.meter.clone()));
    let on_path: Vec<(&String, &Limits)> =
        used.path.iter().filter_map(|account| Some((account, of(account)?))).collect();
    let since = match used.since {
        Since::Now => return None,
        Since::Period(WindowKind::Lifetime) => i64::MIN,
        Since::Time(time) => match on_path.iter().find(|(_, limits)| time > limits.as_of) {
            Some(_) => return Some("its time lies in the future".to_owned()),
            None => time,
        },
        Since::Period(kind) => {
            let own = on_path.iter().filter(|(account, _)| **account == used.charge.account);
            let mut windows = own.chain(&on_path).flat_map(|(_, limits)| &limits.windows);
            match windows.find(|window| window.window == kind.as_str()).and_then(|window| window.start_time.as_ref()) {
                Some(start) => millis(start),
                None => return Some(format!("no {kind} limit counts it; say its time instead of its period")),
            }
        }
    };
    on_path.iter().find_map(|(account, limits)| {
        let counts = limits.windows.iter().find(|window| match window.window.parse::<WindowKind>() {
            Ok(WindowKind::Lifetime) => false,
            Ok(kind) if kind.uses_length() => true,
            _ => window.start_time.as_ref().is_some_and(|start| millis(start) > since),
        })?;
        let name = &counts.window;
        Some(match counts.start_time.as_ref().filter(|_| !matches!(name.as_str(), "sliding" | "rate")) {
            Some(start) => format!(
                "would count in the {name} of {account} that began at {}, but some of it is older",
                crate::cli::render::instant(start)
            ),
            None => format!("would count in the {name} limit of {account} as of now"),
        })
    })
}

fn millis(time: &Timestamp) -> i64 {
    time.seconds.saturating_mul(1000).saturating_add(i64::from(time.nanos) / 1_000_000)
}
