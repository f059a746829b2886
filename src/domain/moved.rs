//! What stands behind a name once an account was moved: the account that has the name now, or the name that it moved to. A name
//! denotes one account for ever, so that whoever still says an old name means the account that had it.

use super::name::{AccountName, Uid};

/// Names followed at most from a name that was moved away from: each move adds one, and a circle can't come about.
pub const MAX_REDIRECTS: usize = 64;

/// A name, and what stands behind it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NameRecord {
    /// The name.
    pub name: AccountName,
    /// What stands behind it.
    pub behind: Behind,
}

/// What stands behind a name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Behind {
    /// An account that has it now, by its uid.
    Account(Uid),
    /// An account that has another name now, or one that is below another.
    Moved(AccountName),
    /// An account that is about to have another.
    Moving(Box<Move>),
}

/// A move that is under way: written before anything is counted elsewhere, so that any server can finish it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Move {
    /// Makes the step in the counter store one that is known when it comes again.
    pub id: String,
    /// The account.
    pub uid: Uid,
    /// The name that it will have.
    pub to: AccountName,
    /// Whether the account's own quotas, and those of what is below it, are left behind.
    pub resets_quotas: bool,
    /// Whether it was refused: then it is undone, unless the step was done all the same.
    pub undone: bool,
    /// Who asked for it.
    pub actor: String,
}

impl AccountName {
    /// The account above; `None` of a tenant.
    pub fn parent(&self) -> Option<AccountName> {
        let levels = self.depth().checked_sub(2)?;
        self.chain().nth(levels)?.parse().ok()
    }

    /// The name that this one has once `old` is called `new`; `None` if it is neither that nor below it, or would be too long.
    pub fn renamed(&self, old: &AccountName, new: &AccountName) -> Option<AccountName> {
        if !self.is_within(old.as_str()) {
            return None;
        }
        format!("{new}{}", &self.as_str()[old.as_str().len()..]).parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> AccountName {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_below_moves_along() {
        let (old, new) = (name("tenants/t/users/u"), name("tenants/t/subtenants/b/users/u"));
        assert_eq!(old.renamed(&old, &new), Some(new.clone()));
        assert_eq!(name("tenants/t/users/u/keys/k").renamed(&old, &new), Some(name(&format!("{new}/keys/k"))));
        assert_eq!(name("tenants/t/users/u2").renamed(&old, &new), None);
        assert_eq!(new.parent(), Some(name("tenants/t/subtenants/b")));
        assert_eq!(name("tenants/t").parent(), None);
    }
}
