//! Names of accounts, patterns and meters, and the identities behind them.
//!
//! An account's name is a path of collection/id pairs, `tenants/acme/users/u1`; its first pair is the tenant. Behind it
//! stands a [`Uid`] that never changes.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::Arc;
use thiserror::Error;

/// Longest account name in bytes.
pub const MAX_NAME: usize = 256;
/// Most pairs in an account name.
pub const MAX_DEPTH: usize = 8;
const MAX_COLLECTION: usize = 63;
const MAX_ID: usize = 128;

/// Why a text is not a name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum NameError {
    /// Nothing there.
    #[error("must not be empty")]
    Empty,
    /// Over [`MAX_NAME`] bytes.
    #[error("must be at most 256 bytes")]
    TooLong,
    /// Not pairs of collection and id.
    #[error("must be pairs of collection and id, like tenants/acme/users/u1")]
    NotPairs,
    /// Over [`MAX_DEPTH`] pairs.
    #[error("must have at most 8 levels")]
    TooDeep,
    /// A collection that is not one.
    #[error("a collection is a lower-case letter, then lower-case letters, digits, - or _, at most 63")]
    BadCollection,
    /// An id that is not one.
    #[error("an id begins with a letter, a digit or _, then letters, digits and . _ ~ @ + -, at most 128")]
    BadId,
    /// A tenant that is more or less than one pair.
    #[error("must be one pair, like tenants/acme")]
    NotTenant,
    /// A meter that is not one.
    #[error("a meter is lower-case words joined by dots, like training.runs, at most 128 bytes")]
    BadMeter,
    /// Another tenant's account.
    #[error("must begin with the tenant")]
    OtherTenant,
}

/// A validated account name.
///
/// ```
/// use quotad::domain::name::AccountName;
/// let user: AccountName = "tenants/acme/users/u1".parse().unwrap();
/// assert_eq!(user.tenant(), "tenants/acme");
/// assert_eq!(user.chain().collect::<Vec<_>>(), ["tenants/acme", "tenants/acme/users/u1"]);
/// assert!("../../etc/passwd".parse::<AccountName>().is_err());
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountName(Arc<str>);

impl std::str::FromStr for AccountName {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        check_path(text, false)?;
        Ok(AccountName(text.into()))
    }
}

impl AccountName {
    /// A tenant's name: exactly one pair.
    ///
    /// # Errors
    /// [`NameError`] if it is not one valid pair.
    pub fn tenant_from(text: &str) -> Result<AccountName, NameError> {
        let name: AccountName = text.parse()?;
        if name.depth() == 1 { Ok(name) } else { Err(NameError::NotTenant) }
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The whole name, shared.
    pub fn shared(&self) -> Arc<str> {
        self.0.clone()
    }

    /// The first pair.
    pub fn tenant(&self) -> &str {
        self.chain().next().unwrap_or(&self.0)
    }

    /// Number of pairs, 1 to 8.
    pub fn depth(&self) -> usize {
        self.0.split('/').count() / 2
    }

    /// The account and its ancestors, the tenant first: the prefixes of the path.
    pub fn chain(&self) -> impl Iterator<Item = &str> {
        let text: &str = &self.0;
        text.bytes()
            .enumerate()
            .filter(|(_, byte)| *byte == b'/')
            .map(|(at, _)| at)
            .skip(1)
            .step_by(2)
            .chain([text.len()])
            .map(move |end| &text[..end])
    }

    /// Collection and id of each level, the tenant first.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        pairs(&self.0)
    }

    /// Whether this is `ancestor` itself or below it.
    pub fn is_within(&self, ancestor: &str) -> bool {
        self.0.strip_prefix(ancestor).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An account name in which an id may be `-`, which stands for every id (AIP-159): `tenants/acme/users/-`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Pattern(Arc<str>);

impl std::str::FromStr for Pattern {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        check_path(text, true)?;
        Ok(Pattern(text.into()))
    }
}

impl Pattern {
    /// A pattern of one pair.
    ///
    /// # Errors
    /// [`NameError`] if either part is not valid.
    pub fn from_parts(collection: &str, id: &str) -> Result<Pattern, NameError> {
        format!("{collection}/{id}").parse()
    }

    /// The whole pattern.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The whole pattern, shared.
    pub fn shared(&self) -> Arc<str> {
        self.0.clone()
    }

    /// Whether it has a wildcard at all; without one it names a single account.
    pub fn is_wild(&self) -> bool {
        pairs(&self.0).any(|(_, id)| id == "-")
    }

    /// Whether it begins with `tenants/-`, or another wild first pair, and so belongs to the installation.
    pub fn is_installation(&self) -> bool {
        pairs(&self.0).next().is_some_and(|(_, id)| id == "-")
    }

    /// Whether the account matches, pair by pair.
    pub fn matches(&self, account: &str) -> bool {
        let mut theirs = pairs(account);
        for (collection, id) in pairs(&self.0) {
            match theirs.next() {
                Some((c, i)) if c == collection && (id == "-" || id == i) => {}
                _ => return false,
            }
        }
        theirs.next().is_none()
    }

    /// Orders patterns that match the same account: the more specific one is greater, that is the one with the literal
    /// id at the first pair from the left where they differ (rule 1).
    pub fn specificity(&self) -> impl Ord + use<> {
        pairs(&self.0).map(|(_, id)| id != "-").collect::<Vec<_>>()
    }
}

/// A validated meter name, and the number behind it, which every look-up goes by.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MeterName(Arc<str>, MeterId);

impl std::str::FromStr for MeterName {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        let word = |word: &str| {
            word.starts_with(|c: char| c.is_ascii_lowercase())
                && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-')
        };
        if text.len() <= MAX_ID && text.split('.').all(word) {
            let id = u64::from_be_bytes(first(&Sha256::digest(text.as_bytes())));
            Ok(MeterName(text.into(), MeterId(id)))
        } else {
            Err(NameError::BadMeter)
        }
    }
}

impl MeterName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name, shared.
    pub fn shared(&self) -> Arc<str> {
        self.0.clone()
    }

    /// The number behind it: the first 8 bytes of its SHA-256. The catalog refuses two meters with the same.
    pub fn id(&self) -> MeterId {
        self.1
    }
}

impl fmt::Display for MeterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for MeterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The number behind a meter's name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct MeterId(pub u64);

/// The identity behind an account's name. Counters, holds and ledger know only this.
///
/// Packed: millions of them are in memory, and the sixteen bytes of alignment that the number would have leave holes beside it.
#[repr(Rust, packed(8))]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Uid(pub u128);

impl Uid {
    /// The parent of every tenant.
    pub const ROOT: Uid = Uid(0);

    /// The uid of a child: the first 16 bytes of SHA-256(parent's uid, collection, id, generation), each text preceded
    /// by its length so that no two names share an input.
    pub fn child(self, collection: &str, id: &str, generation: u32) -> Uid {
        let mut hash = Sha256::new();
        hash.update(self.0.to_be_bytes());
        for text in [collection, id] {
            hash.update((text.len() as u32).to_be_bytes());
            hash.update(text.as_bytes());
        }
        hash.update(generation.to_be_bytes());
        Uid(u128::from_be_bytes(first(&hash.finalize())))
    }

    /// The uid of a name whose every level is of generation 0, that is, was never moved.
    pub fn of(name: &str) -> Uid {
        pairs(name).fold(Uid::ROOT, |parent, (collection, id)| parent.child(collection, id, 0))
    }

    /// As stored: 16 bytes, big endian.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// The partition of a tenant, of so many. The uid is a hash already; its low half serves as one.
    pub fn partition(self, partitions: u32) -> u32 {
        u32::try_from(self.0 as u64 % u64::from(partitions.max(1))).unwrap_or(0)
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", { self.0 })
    }
}

impl fmt::Debug for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A caller's id as the store knows it: the first 16 bytes of SHA-256(tenant's uid, namespace, text). Packed like a [`Uid`].
#[repr(Rust, packed(8))]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct IdKey(pub u128);

/// The two namespaces of ids that a tenant has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IdSpace {
    /// Reservation ids.
    Reservation = 1,
    /// Request ids, over all RPCs.
    Request = 2,
}

impl IdKey {
    /// The key of a text in a tenant's namespace.
    pub fn of(tenant: Uid, space: IdSpace, text: &str) -> IdKey {
        let mut hash = Sha256::new();
        hash.update(tenant.to_bytes());
        hash.update([space as u8]);
        hash.update(text.as_bytes());
        IdKey(u128::from_be_bytes(first(&hash.finalize())))
    }

    /// As stored: 16 bytes, big endian.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }
}

impl fmt::Display for IdKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", { self.0 })
    }
}

impl fmt::Debug for IdKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Whether a text is an id that a caller may choose: 1 to 128 visible ASCII characters.
pub fn is_caller_id(text: &str) -> bool {
    (1..=MAX_ID).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

fn first<const N: usize>(digest: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&digest[..N]);
    out
}

fn pairs(path: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut parts = path.split('/');
    std::iter::from_fn(move || Some((parts.next()?, parts.next()?)))
}

fn check_path(text: &str, wild: bool) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text.len() > MAX_NAME {
        return Err(NameError::TooLong);
    }
    let parts = text.split('/').count();
    if !parts.is_multiple_of(2) {
        return Err(NameError::NotPairs);
    }
    if parts / 2 > MAX_DEPTH {
        return Err(NameError::TooDeep);
    }
    for (collection, id) in pairs(text) {
        if !is_collection(collection) {
            return Err(NameError::BadCollection);
        }
        if !(is_id(id) || (wild && id == "-")) {
            return Err(NameError::BadId);
        }
    }
    Ok(())
}

fn is_collection(text: &str) -> bool {
    text.len() <= MAX_COLLECTION
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
}

fn is_id(text: &str) -> bool {
    text.len() <= MAX_ID
        && text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._~@+-".contains(&b))
}
