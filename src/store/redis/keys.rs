//! Every key of a partition, in the order of the contract (`src/lua/README.md`): the only place where key text is made.

use super::options::OptionsError;

/// What stands before `{pN}` unless an operator says otherwise.
pub const DEFAULT_PREFIX: &str = "quotad:";

/// The keys of the contract that are the same in every incarnation, in its order.
const FIXED: [&str; 10] = [
    "meta",
    "tenants",
    "reservations",
    "requests",
    "deadlines",
    "counters:0",
    "counters:1",
    "outcomes:0",
    "outcomes:1",
    "outcomes:2",
];

/// The names of one partition's keys. All carry the partition's hash tag, so that a cluster keeps them on one node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Keys {
    partition: u32,
    /// Prefix and tag: `quotad:{p3}`.
    stem: String,
    fixed: [String; FIXED.len()],
}

impl Keys {
    /// Those of a partition under a prefix.
    ///
    /// # Errors
    /// A prefix with a brace in it: Redis would take that for the tag, and the keys would come apart in a cluster.
    pub fn new(prefix: &str, partition: u32) -> Result<Keys, OptionsError> {
        check_prefix(prefix)?;
        let stem = format!("{prefix}{{p{partition}}}");
        let fixed = FIXED.map(|name| format!("{stem}:{name}"));
        Ok(Keys { partition, stem, fixed })
    }

    /// Which partition.
    pub fn partition(&self) -> u32 {
        self.partition
    }

    /// The partition's state: a string, the first of KEYS.
    pub fn meta(&self) -> &str {
        &self.fixed[0]
    }

    /// The open reservations: a hash.
    pub fn reservations(&self) -> &str {
        &self.fixed[2]
    }

    /// The counters of one of the two generations: a hash.
    pub fn counters(&self, generation: u64) -> &str {
        if generation == 0 { &self.fixed[5] } else { &self.fixed[6] }
    }

    /// The journal of an incarnation: a stream, the last of KEYS in a call of that incarnation.
    pub fn journal(&self, incarnation: u64) -> String {
        format!("{}:journal:{incarnation}", self.stem)
    }

    /// Which installation's partition this is: a string beside the contract's keys, written at adoption.
    pub fn installation(&self) -> String {
        format!("{}:installation", self.stem)
    }

    /// KEYS of a script call in an incarnation, all of them, in the order of the contract.
    pub fn all(&self, incarnation: u64) -> Vec<String> {
        self.fixed.iter().cloned().chain([self.journal(incarnation)]).collect()
    }
}

/// Whether the keys of one call share a tag, so that a cluster takes them: what is between the first `{` and the next
/// `}`, and not empty. No key, or one key, is in order.
pub fn share_a_tag<K: AsRef<str>>(keys: &[K]) -> bool {
    let mut tags = keys.iter().map(|key| tag(key.as_ref()));
    let Some(first) = tags.next() else { return true };
    first.is_some() && tags.all(|tag| tag == first)
}

/// What Redis Cluster takes for the tag of a key.
fn tag(key: &str) -> Option<&str> {
    let (_, rest) = key.split_once('{')?;
    let (tag, _) = rest.split_once('}')?;
    (!tag.is_empty()).then_some(tag)
}

/// Whether keys can be made with this prefix.
///
/// # Errors
/// It has braces, blanks or control characters, or is longer than 64 bytes.
pub fn check_prefix(prefix: &str) -> Result<(), OptionsError> {
    let bad = |c: char| c == '{' || c == '}' || c.is_whitespace() || c.is_control();
    if let Some(found) = prefix.chars().find(|c| bad(*c)) {
        return Err(OptionsError::one(format!("the key prefix {prefix:?} may not have {found:?} in it")));
    }
    if prefix.len() > 64 {
        return Err(OptionsError::one(format!("the key prefix has {} bytes; 64 are the most", prefix.len())));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stand_in_the_order_of_the_contract_and_share_their_tag() {
        let keys = Keys::new(DEFAULT_PREFIX, 17).unwrap();
        let all = keys.all(3);
        // The table of the contract is the one truth about names and order.
        let rows =
            include_str!("../../lua/README.md").lines().filter(|line| line.starts_with("| ") && line.contains('`'));
        let mut named = Vec::new();
        for row in rows {
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            let numbers = cells[1].split(", ").all(|n| n.parse::<u32>().is_ok());
            if numbers && cells.len() == 7 {
                named.extend(cells[2].split(", ").map(|name| name.split('`').nth(1).unwrap().replace('I', "3")));
            }
        }
        // `outcomes:0` .. `:2` is one cell of the table.
        let at = named.iter().position(|name| name == "outcomes:0").unwrap();
        named.splice(at + 1..at + 1, ["outcomes:1".to_owned(), "outcomes:2".to_owned()]);
        let expected: Vec<String> = named.iter().map(|name| format!("quotad:{{p17}}:{name}")).collect();
        assert_eq!(all, expected);
        assert!(share_a_tag(&all));
        assert_eq!((keys.meta(), keys.partition()), ("quotad:{p17}:meta", 17));
        assert_eq!((keys.reservations(), keys.counters(0), keys.counters(1)), (&*all[2], &*all[5], &*all[6]));
        assert!(share_a_tag(&[keys.meta(), &keys.installation()]));
    }

    #[test]
    fn a_prefix_that_breaks_the_tag_is_refused() {
        for bad in ["a{b", "a}b", "{}", "a b", "a\n", &"x".repeat(65)] {
            assert!(Keys::new(bad, 0).is_err(), "{bad}");
        }
        assert!(Keys::new("", 0).is_ok());
        assert!(!share_a_tag(&["a{1}", "a{2}"]) && !share_a_tag(&["a{}x"]) && !share_a_tag(&["ab"]));
        assert!(share_a_tag(&["x{1}a", "y{1}{2}"]) && share_a_tag::<&str>(&[]));
    }
}
