//! All that the catalog says otherwise once an account has another name.

use super::moves::{own, stands};
use crate::domain::account::Account;
use crate::domain::moved::{Behind, Move, NameRecord};
use crate::domain::name::AccountName;
use crate::domain::pool::{Member, Pool};
use crate::domain::quota::{Quota, Subject};
use crate::engine::ports::{CatalogData, CatalogWrite};

/// All that is otherwise once an account has its new name.
pub(super) fn renamed(old: &AccountName, moving: &Move, data: &CatalogData) -> Vec<CatalogWrite> {
    let new = &moving.to;
    let renamed = |name: &AccountName| name.renamed(old, new);
    let mut writes = vec![
        CatalogWrite::PutName(NameRecord { name: old.clone(), behind: Behind::Moved(new.clone()) }),
        stands(new, moving.uid, data),
        CatalogWrite::Rename { old: old.clone(), new: new.clone() },
    ];
    for record in data.names.iter().filter(|record| record.name != *old) {
        let Some(name) = renamed(&record.name) else {
            // A name that it had before leads to that of today at once, however often it is moved.
            if let Behind::Moved(to) = &record.behind
                && let Some(to) = renamed(to)
                && record.name != *new
            {
                writes.push(CatalogWrite::PutName(NameRecord { name: record.name.clone(), behind: Behind::Moved(to) }));
            }
            continue;
        };
        let behind = match &record.behind {
            Behind::Moved(to) => Behind::Moved(renamed(to).unwrap_or_else(|| to.clone())),
            other => other.clone(),
        };
        writes.push(CatalogWrite::DeleteName(record.name.clone()));
        writes.push(CatalogWrite::PutName(NameRecord { name, behind }));
    }
    for account in &data.accounts {
        let Some(name) = renamed(&account.name) else { continue };
        writes.push(CatalogWrite::DeleteAccount(account.clone()));
        writes.push(CatalogWrite::PutAccount(Account { name, ..account.clone() }));
    }
    for (quota, name) in own(data, old) {
        writes.push(CatalogWrite::DeleteQuota(quota.clone()));
        if let Some(name) = renamed(name).filter(|_| !moving.resets_quotas) {
            writes.push(CatalogWrite::PutQuota(Quota { subject: Subject::Account(name), ..quota.clone() }));
        }
    }
    writes.extend(data.pools.iter().flat_map(|pool| moved_pool(pool, renamed)));
    for (account, pool) in &data.choices {
        let (moved, chosen) = (renamed(account), renamed(pool));
        if moved.is_some() {
            writes.push(CatalogWrite::Choose(account.clone(), None));
        }
        if moved.is_some() || chosen.is_some() {
            let (account, pool) = (moved.unwrap_or_else(|| account.clone()), chosen.unwrap_or_else(|| pool.clone()));
            writes.push(CatalogWrite::Choose(account, Some(pool)));
        }
    }
    writes
}

/// A pool that moved, or has members that did, or others in its overflow list.
fn moved_pool(pool: &Pool, renamed: impl Fn(&AccountName) -> Option<AccountName>) -> Vec<CatalogWrite> {
    let account = renamed(&pool.account);
    let member = |member: &Member| Member {
        account: renamed(&member.account).unwrap_or_else(|| member.account.clone()),
        period: member.period,
    };
    let members: Vec<Member> = pool.members.iter().map(member).collect();
    let overflow: Vec<AccountName> =
        pool.overflow.iter().map(|next| renamed(next).unwrap_or_else(|| next.clone())).collect();
    let mut writes = Vec::new();
    if account.is_some() {
        writes.push(CatalogWrite::DeletePool(pool.clone()));
    }
    if account.is_some() || members != pool.members || overflow != pool.overflow {
        let account = account.unwrap_or_else(|| pool.account.clone());
        writes.push(CatalogWrite::PutPool(Pool { account, members, overflow, ..pool.clone() }));
    }
    writes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::name::Uid;

    fn name(text: &str) -> AccountName {
        format!("tenants/t/{text}").parse().unwrap()
    }

    #[test]
    fn former_names_lead_to_that_of_today_at_once() {
        let record = |old: &str, behind| NameRecord { name: name(old), behind };
        let uid = Uid::of(name("u/a0").as_str());
        let moving = Move {
            id: String::from("m"),
            uid,
            to: name("u/a2"),
            resets_quotas: false,
            undone: false,
            actor: String::from("boss"),
        };
        let names = vec![
            record("u/a0", Behind::Moved(name("u/a1"))),
            record("u/x", Behind::Moved(name("u/a1/keys/k"))),
            record("u/a1", Behind::Moving(Box::new(moving.clone()))),
        ];
        let writes = renamed(&name("u/a1"), &moving, &CatalogData { names, ..CatalogData::default() });
        for (old, today) in [("u/a0", "u/a2"), ("u/a1", "u/a2"), ("u/x", "u/a2/keys/k")] {
            let wanted = CatalogWrite::PutName(record(old, Behind::Moved(name(today))));
            assert!(writes.contains(&wanted), "{old}: {writes:?}");
        }
        // Back to its first name: that stands for itself again.
        let back = Move { to: name("u/a0"), ..moving.clone() };
        let names =
            vec![record("u/a0", Behind::Moved(name("u/a1"))), record("u/a1", Behind::Moving(Box::new(back.clone())))];
        let writes = renamed(&name("u/a1"), &back, &CatalogData { names, ..CatalogData::default() });
        assert!(writes.contains(&CatalogWrite::DeleteName(name("u/a0"))), "{writes:?}");
        assert!(
            !writes.iter().any(|write| matches!(write, CatalogWrite::PutName(put) if put.name == name("u/a0"))),
            "{writes:?}"
        );
    }
}
