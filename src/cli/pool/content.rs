//! What the command line says of a pool.

use crate::cli::args::value;
use crate::proto::v1::{Pool, PoolJoin, PoolMember};
use clap::{Args, ValueEnum};

/// What is said of a pool; what is not stays as it is.
#[derive(Debug, Args)]
pub struct ContentArgs {
    /// A meter on which it is a pool, may be repeated; instead of those before
    #[arg(long = "meter", value_name = "METER")]
    meters: Vec<String>,
    /// Which charges of its members count on it
    #[arg(long, value_enum)]
    join: Option<JoinArg>,
    /// Let it be used, or not
    #[arg(long, value_name = "BOOL")]
    enabled: Option<bool>,
    /// Who may use it, may be repeated: ACCOUNT[,from=TIME][,to=TIME], for example
    /// tenants/uni/users/ann,to=2027-02-01T00:00:00Z
    #[arg(long = "member", value_name = "MEMBER", value_parser = member)]
    members: Vec<PoolMember>,
    /// Who may not any more, may be repeated
    #[arg(long = "no-member", value_name = "ACCOUNT")]
    no_members: Vec<String>,
    /// A label that makes its account a member, key=value, may be repeated (all of them are asked for)
    #[arg(long = "rule", value_name = "KEY=VALUE", value_parser = value::label)]
    rule: Vec<(String, String)>,
    /// No label makes a member any more
    #[arg(long, conflicts_with = "rule")]
    no_rule: bool,
    /// An item that it is for, may be repeated; instead of those before
    #[arg(long = "allow", value_name = "ITEM")]
    allow: Vec<String>,
    /// An item that it is not for, may be repeated; instead of those before
    #[arg(long = "deny", value_name = "ITEM")]
    deny: Vec<String>,
    /// The pool to turn to when it has no room, may be repeated, in order; instead of those before
    #[arg(long = "overflow", value_name = "ACCOUNT")]
    overflow: Vec<String>,
    /// There is no pool to turn to any more
    #[arg(long, conflicts_with = "overflow")]
    no_overflow: bool,
    /// It is for all items
    #[arg(long, conflicts_with_all = ["allow", "deny"])]
    all_items: bool,
}

/// Which charges of its members count on a pool.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum JoinArg {
    /// Those made while the member has chosen it
    Chosen,
    /// All
    Always,
}

impl ContentArgs {
    /// A pool with what the command line names.
    pub(super) fn changed(self, mut pool: Pool) -> Pool {
        if self.all_items {
            (pool.allow_items, pool.deny_items) = Default::default();
        }
        if self.no_rule {
            pool.rule.clear();
        }
        if self.no_overflow {
            pool.overflow.clear();
        }
        for (field, said) in [
            (&mut pool.meters, self.meters),
            (&mut pool.allow_items, self.allow),
            (&mut pool.deny_items, self.deny),
            (&mut pool.overflow, self.overflow),
        ] {
            if !said.is_empty() {
                *field = said;
            }
        }
        match self.join {
            Some(JoinArg::Chosen) => pool.set_join(PoolJoin::Chosen),
            Some(JoinArg::Always) => pool.set_join(PoolJoin::Always),
            None => {}
        }
        pool.disabled = self.enabled.map_or(pool.disabled, |enabled| !enabled);
        pool.rule.extend(self.rule);
        // One that is named anew has its new times alone.
        let named = |account: &String| {
            self.no_members.contains(account) || self.members.iter().any(|member| member.account == *account)
        };
        pool.members.retain(|member| !named(&member.account));
        pool.members.extend(self.members);
        pool
    }
}

/// Reads `ACCOUNT[,from=TIME][,to=TIME]`.
fn member(text: &str) -> Result<PoolMember, String> {
    let mut parts = text.split(',');
    let mut member = PoolMember { account: parts.next().unwrap_or_default().to_owned(), ..Default::default() };
    for part in parts {
        match part.split_once('=') {
            Some(("from", at)) => member.from_time = Some(time(at)?),
            Some(("to", at)) => member.to_time = Some(time(at)?),
            _ => return Err(format!("{part:?} is neither from=TIME nor to=TIME")),
        }
    }
    Ok(member)
}

fn time(text: &str) -> Result<pbjson_types::Timestamp, String> {
    let time = text.parse::<jiff::Timestamp>().map_err(|_| format!("{text:?} is no time like 2027-02-01T00:00:00Z"))?;
    Ok(pbjson_types::Timestamp { seconds: time.as_second(), nanos: time.subsec_nanosecond() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Only {
        #[command(flatten)]
        content: ContentArgs,
    }

    fn changed(line: &str, pool: Pool) -> Pool {
        Only::parse_from(line.split_whitespace()).content.changed(pool)
    }

    #[test]
    fn what_is_not_named_stays() {
        let made = changed(
            "x --meter m --member tenants/a/users/u --member tenants/a/users/v,to=2027-02-01T00:00:00Z --rule k=v --allow i",
            Pool::default(),
        );
        assert_eq!(made.members[1].to_time.as_ref().map(|time| time.seconds), Some(1_801_440_000));
        assert_eq!(changed("x", made.clone()), made);
        let set =
            changed("x --no-member tenants/a/users/u --member tenants/a/users/v --enabled false --all-items", made);
        assert_eq!((set.members.len(), set.members[0].to_time, set.disabled), (1, None, true));
        assert_eq!((set.meters.len(), set.rule.len(), set.allow_items.len()), (1, 1, 0));
    }

    #[test]
    fn a_member_in_one_word() {
        assert!(member("tenants/a/users/u,until=x").unwrap_err().contains("neither from=TIME nor to=TIME"));
        assert!(member("tenants/a/users/u,from=x").unwrap_err().contains("no time"));
    }
}
