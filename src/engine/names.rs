//! The names of one version of a tenant's catalog: which account stands behind one, also after moves. Nothing is looked up where a
//! tenant never moved an account.

use super::call::ChargeRequest;
use super::contents::{Shared, empty};
use crate::domain::moved::{Behind, MAX_REDIRECTS, Move, NameRecord};
use crate::domain::name::{AccountName, Uid};
use std::borrow::Cow;
use std::sync::Arc;

/// Former names of an account that are looked at: each level of a name multiplies them.
const MAX_FORMER: usize = 64;

/// The names behind which something else stands than they were derived from.
#[derive(Clone)]
pub(in crate::engine) struct Names {
    known: Shared<Arc<str>, Arc<Behind>>,
    /// The accounts that are being moved, and those that their new names were derived from: nobody may be charged below them.
    moving: Arc<Vec<Uid>>,
}

impl Default for Names {
    fn default() -> Names {
        Names { known: empty(), moving: Arc::default() }
    }
}

impl Names {
    /// Puts in what changed.
    pub(in crate::engine) fn change(&mut self, changes: Vec<(AccountName, Option<NameRecord>)>) {
        if changes.is_empty() {
            return;
        }
        for (name, record) in changes {
            match record {
                Some(record) => self.known.insert_mut(name.as_str().into(), Arc::new(record.behind)),
                None => drop(self.known.remove_mut(name.as_str())),
            }
        }
        let mut moving = Vec::new();
        for behind in self.known.values() {
            if let Behind::Moving(this) = &**behind {
                moving.extend([Some(this.uid), self.uids(&this.to).last().copied()].into_iter().flatten());
            }
        }
        self.moving = Arc::new(moving);
    }

    /// The name that an account has today, of whichever name it was ever given.
    pub(in crate::engine) fn today<'a>(&self, name: &'a AccountName) -> Cow<'a, AccountName> {
        let mut today = Cow::Borrowed(name);
        if self.known.is_empty() {
            return today;
        }
        for _ in 0..MAX_REDIRECTS {
            match self.redirected(&today) {
                Some(next) => today = Cow::Owned(next),
                None => break,
            }
        }
        today
    }

    fn redirected(&self, name: &AccountName) -> Option<AccountName> {
        name.chain().find_map(|part| match &**self.known.get(part)? {
            // What has no room for a name there counts on the account itself, which is limited like it.
            Behind::Moved(to) => Some(name.renamed(&part.parse().ok()?, to).unwrap_or_else(|| to.clone())),
            Behind::Account(_) | Behind::Moving(_) => None,
        })
    }

    /// The accounts on the chain of a name of today, the tenant first.
    pub(in crate::engine) fn uids(&self, today: &AccountName) -> Vec<Uid> {
        let mut uid = Uid::ROOT;
        let levels = today.chain().zip(today.pairs());
        levels
            .map(|(name, pair)| {
                uid = self.step(uid, name, pair);
                uid
            })
            .collect()
    }

    /// The last of them, where the one above it is known.
    pub(in crate::engine) fn uid_below(&self, above: Uid, today: &AccountName) -> Uid {
        today.pairs().last().map_or(above, |pair| self.step(above, today.as_str(), pair))
    }

    fn step(&self, above: Uid, name: &str, (collection, id): (&str, &str)) -> Uid {
        self.uid(name).unwrap_or_else(|| above.child(collection, id, 0))
    }

    /// The account of a name that it was not derived from.
    pub(in crate::engine) fn uid(&self, name: &str) -> Option<Uid> {
        match self.known.get(name).map(|behind| &**behind) {
            Some(Behind::Account(uid)) => Some(*uid),
            Some(Behind::Moving(moving)) => Some(moving.uid),
            Some(Behind::Moved(_)) | None => None,
        }
    }

    /// The move of an account that is under way.
    pub(in crate::engine) fn moving(&self, name: &AccountName) -> Option<&Move> {
        match &**self.known.get(name.as_str())? {
            Behind::Moving(moving) => Some(moving),
            _ => None,
        }
    }

    /// Whether anything below an account waits for the end of a move.
    pub(in crate::engine) fn is_moving(&self, account: Uid) -> bool {
        self.moving.contains(&account)
    }

    /// Whether any account was ever moved.
    pub(in crate::engine) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// The names that an account was given before the one of today, as many as are worth a look.
    pub(in crate::engine) fn former(&self, today: &AccountName) -> Vec<AccountName> {
        let mut former = Vec::new();
        let mut open = vec![today.clone()];
        while let Some(name) = open.pop().filter(|_| former.len() < MAX_FORMER) {
            for (old, behind) in self.known.iter() {
                let Behind::Moved(to) = &**behind else { continue };
                let before = old.parse().ok().and_then(|old| name.renamed(to, &old));
                if let Some(before) = before.filter(|before| *before != *today && !former.contains(before)) {
                    former.push(before.clone());
                    open.push(before);
                }
            }
        }
        former
    }

    /// Charges by the names of today.
    pub(in crate::engine) fn charges<'a>(&self, charges: &'a [ChargeRequest]) -> Cow<'a, [ChargeRequest]> {
        if self.known.is_empty() {
            return Cow::Borrowed(charges);
        }
        let today = |name: &AccountName| self.today(name).into_owned();
        let renamed = |charge: &ChargeRequest| ChargeRequest {
            account: today(&charge.account),
            also: charge.also.iter().map(today).collect(),
            ..charge.clone()
        };
        Cow::Owned(charges.iter().map(renamed).collect())
    }
}

/// The account behind a name of today, by what is known of the names on its path.
pub fn uid_of(names: &[NameRecord], name: &AccountName) -> Option<Uid> {
    let mut known = Names::default();
    known.change(names.iter().map(|record| (record.name.clone(), Some(record.clone()))).collect());
    known.uids(name).last().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> AccountName {
        format!("tenants/t/{text}").parse().unwrap()
    }

    fn moved(old: &str, new: &str) -> Vec<(AccountName, Option<NameRecord>)> {
        let account = Behind::Account(Uid::of(name(old).as_str()));
        let behind = [(name(old), Behind::Moved(name(new))), (name(new), account)];
        behind.map(|(name, behind)| (name.clone(), Some(NameRecord { name, behind }))).into()
    }

    #[test]
    fn old_names_and_those_below_act_on_the_new_one_and_children_keep_their_uids() {
        let mut names = Names::default();
        let key = Uid::of("tenants/t/subs/a/users/u/keys/k");
        names.change(moved("subs/a/users/u", "subs/b/users/u"));
        let today = names.today(&name("subs/a/users/u/keys/k")).into_owned();
        assert_eq!(today, name("subs/b/users/u/keys/k"));
        assert_eq!(names.uids(&today).last(), Some(&key));
        // The account that it was moved to moves as well.
        names.change(moved("subs/b", "subs/c"));
        let today = names.today(&name("subs/a/users/u/keys/k")).into_owned();
        assert_eq!(today, name("subs/c/users/u/keys/k"));
        assert_eq!(*names.today(&name("subs/a")), name("subs/a"));
        let mut former = names.former(&name("subs/c/users/u"));
        former.sort();
        assert_eq!(former, [name("subs/a/users/u"), name("subs/b/users/u")]);
    }

    #[test]
    fn the_last_account_is_the_same_step_by_step() {
        let mut names = Names::default();
        names.change(moved("subs/a/users/u", "subs/b/users/u"));
        names.change(moved("subs/b", "subs/c"));
        names.change(moved("subs/d", "subs/e"));
        names.change(moved("subs/e", "subs/d"));
        let this = Move {
            id: "m".into(),
            uid: Uid(7),
            to: name("subs/y"),
            resets_quotas: false,
            undone: false,
            actor: String::new(),
        };
        names.change(vec![(
            name("subs/x"),
            Some(NameRecord { name: name("subs/x"), behind: Behind::Moving(Box::new(this)) }),
        )]);
        for text in ["subs/a", "subs/a/users/u", "subs/c/users/u/keys/k", "subs/d/users/v", "subs/x", "subs/x/users/w"]
        {
            let today = names.today(&name(text)).into_owned();
            let mut above = Uid::ROOT;
            for (part, uid) in today.chain().zip(names.uids(&today)) {
                assert_eq!(names.uid_below(above, &part.parse().unwrap()), uid, "{part} of {text}");
                above = uid;
            }
        }
        assert_eq!(names.uid_below(Uid::ROOT, &name("subs/x")), Uid(7));
    }
}
