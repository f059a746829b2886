//! Reads a whole document into a draft: every scope with what stands in it, and where. What needs the catalog to be
//! judged is left for `validate`.

use super::account::{read_account, read_plan, read_record};
use super::errors::{Place, Problems, quoted};
use super::fields::Fields;
use super::meter::read_meter;
use super::pool::{DraftPool, read_pool};
use super::quota::{DraftQuota, read_quota};
use super::rate_card::read_rate_card;
use super::yaml::{self, Node, Value};
use crate::domain::account::{Account, Plan};
use crate::domain::meter::Meter;
use crate::domain::name::AccountName;
use crate::domain::rate_card::RateCard;
use std::collections::BTreeSet;

/// The largest document, in bytes.
pub const MAX_DOCUMENT: usize = 64 << 20;

const INSTALLATION_KEYS: [&str; 5] = ["meters", "plans", "quotas", "rate_cards", "tenants"];
const TENANT_KEYS: [&str; 14] = [
    "name",
    "display_name",
    "plan",
    "time_zone",
    "labels",
    "state",
    "currency",
    "account_policy",
    "meters",
    "plans",
    "accounts",
    "pools",
    "quotas",
    "rate_cards",
];
const RECORD_KEYS: [&str; 7] = ["display_name", "plan", "time_zone", "labels", "state", "currency", "account_policy"];

/// Something read, and where it stood.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found<T> {
    /// Where.
    pub at: Place,
    /// What.
    pub value: T,
}

/// What a document says of one scope.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DraftScope {
    /// The tenant; `None`: the installation.
    pub tenant: Option<String>,
    /// The meters.
    pub meters: Vec<Found<Meter>>,
    /// The plans.
    pub plans: Vec<Found<Plan>>,
    /// The accounts, that of the tenant itself among them if something is said of it.
    pub accounts: Vec<Found<Account>>,
    /// The pools.
    pub pools: Vec<DraftPool>,
    /// The quotas, those of plans among them.
    pub quotas: Vec<DraftQuota>,
    /// The rate cards.
    pub rate_cards: Vec<Found<RateCard>>,
}

/// Reads a document of the installation (`tenant` is `None`), or of one tenant. The scopes come in the order in which
/// they are to be written: the installation first. What is faulty is left out and reported.
pub fn read_draft(yaml: &[u8], tenant: Option<&AccountName>, problems: &mut Problems) -> Vec<DraftScope> {
    let Some(root) = read_root(yaml, problems) else { return Vec::new() };
    if let Some(hint) = whose(&root, tenant) {
        problems.add(&Place::root(), hint);
        return Vec::new();
    }
    match tenant {
        None => read_installation(&root, problems),
        Some(tenant) => read_one_tenant(&root, tenant, problems).into_iter().collect(),
    }
}

/// The one value that a text is; an empty text is an empty map.
pub(super) fn read_root<'a>(yaml: &'a [u8], problems: &mut Problems) -> Option<Node<'a>> {
    if yaml.len() > MAX_DOCUMENT {
        problems.add(&Place::root(), "must be at most 64 MiB");
        return None;
    }
    match yaml::read(utf8(yaml, problems)?) {
        Ok(Some(root)) if !root.is_null() => Some(root),
        Ok(_) => Some(Node { line: 1, value: Value::Map(Vec::new()) }),
        Err(problem) => {
            problems.add(&problem.at, problem.message);
            None
        }
    }
}

/// What to say of a document that was given as another kind than it is: told once, in place of a fault for each key.
fn whose(root: &Node<'_>, tenant: Option<&AccountName>) -> Option<&'static str> {
    let Value::Map(entries) = &root.value else { return None };
    let has = |keys: &[&str]| entries.iter().any(|(key, _)| keys.contains(&&*key.text));
    let blocks = entries.iter().find(|(key, _)| key.text == "tenants").map(|(_, blocks)| &blocks.value);
    match (tenant, blocks) {
        // The single block of one tenant is a document of that tenant, too.
        (Some(_), Some(Value::List(blocks)))
            if blocks.len() > 1 || has(&["meters", "plans", "quotas", "rate_cards"]) =>
        {
            Some("this is a document of the installation (it has `tenants`): leave --tenant out")
        }
        (None, None) if has(&["name", "accounts", "pools", "plan", "time_zone"]) => {
            Some("this looks like the document of one tenant: add --tenant NAME")
        }
        _ => None,
    }
}

fn utf8<'a>(yaml: &'a [u8], problems: &mut Problems) -> Option<&'a str> {
    let yaml = yaml.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(yaml);
    match std::str::from_utf8(yaml) {
        Ok(text) => Some(text),
        Err(error) => {
            let line = 1 + yaml[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
            problems.add(&Place { line, path: String::new() }, "must be UTF-8");
            None
        }
    }
}

fn read_installation(root: &Node<'_>, problems: &mut Problems) -> Vec<DraftScope> {
    let Some(fields) = Fields::open(root, &Place::root(), &INSTALLATION_KEYS, problems) else { return Vec::new() };
    let mut scopes = vec![read_scope(&fields, None, problems)];
    let mut seen = BTreeSet::new();
    for (block, at) in fields.list("tenants", problems) {
        let Some(fields) = Fields::open(block, &at, &TENANT_KEYS, problems) else { continue };
        let Some(name) = fields.needed("name", tenant_name, problems) else { continue };
        if !seen.insert(name.clone()) {
            problems.add(&fields.place("name"), format!("{name} stands here twice"));
        }
        scopes.push(read_tenant(&fields, &name, problems));
    }
    scopes
}

/// The keys of a tenant's block at top level, or the single block of that very tenant.
fn read_one_tenant(root: &Node<'_>, tenant: &AccountName, problems: &mut Problems) -> Option<DraftScope> {
    let blocks = matches!(&root.value, Value::Map(entries) if entries.iter().any(|(key, _)| key.text == "tenants"));
    if !blocks {
        let fields = Fields::open(root, &Place::root(), &TENANT_KEYS, problems)?;
        check_tenant_name(&fields, tenant, false, problems);
        return Some(read_tenant(&fields, tenant, problems));
    }
    let fields = Fields::open(root, &Place::root(), &["tenants"], problems)?;
    let list = fields.list("tenants", problems);
    if list.len() > 1 {
        problems.add(&fields.place("tenants"), format!("must hold nothing but {tenant}, whose catalog this is"));
    }
    let (block, at) = list.first()?;
    let fields = Fields::open(block, at, &TENANT_KEYS, problems)?;
    check_tenant_name(&fields, tenant, true, problems);
    Some(read_tenant(&fields, tenant, problems))
}

fn check_tenant_name(fields: &Fields<'_, '_>, tenant: &AccountName, needed: bool, problems: &mut Problems) {
    if (needed || fields.get("name").is_some())
        && let Some(name) = fields.needed("name", tenant_name, problems)
        && name != *tenant
    {
        let message = format!("must be {tenant}, whose catalog this is; it is {}", quoted(name.as_str()));
        problems.add(&fields.place("name"), message);
    }
}

fn tenant_name(text: &str) -> Result<AccountName, String> {
    let name = AccountName::tenant_from(text).map_err(|error| error.to_string())?;
    // `plans/vip` as a subject is a plan.
    if text.starts_with("plans/") { Err(String::from("must not be in the collection plans")) } else { Ok(name) }
}

fn read_tenant(fields: &Fields<'_, '_>, name: &AccountName, problems: &mut Problems) -> DraftScope {
    let mut scope = read_scope(fields, Some(name), problems);
    if RECORD_KEYS.iter().any(|key| fields.get(key).is_some()) {
        let record = read_record(fields, name.clone(), problems);
        scope.accounts.insert(0, Found { at: fields.at.clone(), value: record });
    }
    scope
}

fn read_scope(fields: &Fields<'_, '_>, tenant: Option<&AccountName>, problems: &mut Problems) -> DraftScope {
    let tenant = tenant.map(AccountName::as_str);
    let mut scope = DraftScope { tenant: tenant.map(str::to_owned), ..DraftScope::default() };
    for (node, at) in fields.list("meters", problems) {
        scope.meters.extend(read_meter(node, &at, tenant, problems));
    }
    for (node, at) in fields.list("plans", problems) {
        let Some((plan, fields)) = read_plan(node, &at, tenant, problems) else { continue };
        for (node, at) in fields.list("quotas", problems) {
            scope.quotas.extend(read_quota(node, &at, Some(&plan.value.name), problems));
        }
        scope.plans.push(plan);
    }
    if let Some(tenant) = tenant {
        for (node, at) in fields.list("accounts", problems) {
            scope.accounts.extend(read_account(node, &at, tenant, problems));
        }
        for (node, at) in fields.list("pools", problems) {
            scope.pools.extend(read_pool(node, &at, tenant, problems));
        }
    }
    for (node, at) in fields.list("quotas", problems) {
        scope.quotas.extend(read_quota(node, &at, None, problems));
    }
    for (node, at) in fields.list("rate_cards", problems) {
        scope.rate_cards.extend(read_rate_card(node, &at, tenant, problems));
    }
    scope
}
