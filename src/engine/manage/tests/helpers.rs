//! Documents in, contents or messages out, against an empty catalog or one made of another document.

use crate::domain::name::AccountName;
use crate::engine::manage::document::{Problems, read_draft};
use crate::engine::manage::{Current, ScopeContent, validate};
use crate::engine::ports::CatalogData;

/// What a good document of the installation says, against an empty catalog.
pub(super) fn contents(yaml: &str) -> Vec<ScopeContent> {
    judge(yaml, None, &Current::default(), false).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

/// The messages of a faulty document of the installation, against an empty catalog.
pub(super) fn faults(yaml: &str) -> Vec<String> {
    judge(yaml, None, &Current::default(), false).expect_err("the document is faulty")
}

/// A document against a catalog.
pub(super) fn judge(
    yaml: &str,
    tenant: Option<&str>,
    current: &Current,
    prune: bool,
) -> Result<Vec<ScopeContent>, Vec<String>> {
    let mut problems = Problems::default();
    let tenant = tenant.map(|name| AccountName::tenant_from(name).unwrap());
    let draft = read_draft(yaml.as_bytes(), tenant.as_ref(), &mut problems);
    let contents = validate(&draft, current, prune, &mut problems);
    match problems.into_result() {
        Ok(()) => Ok(contents),
        Err(problems) => Err(problems.to_string().lines().map(str::to_owned).collect()),
    }
}

/// The catalog that contents make.
pub(super) fn catalog(contents: &[ScopeContent]) -> Current {
    let mut current = Current::default();
    for content in contents {
        match &content.tenant {
            None => current.installation = view(&CatalogData::default(), content),
            Some(tenant) => {
                let data = view(&current.installation, content);
                current.tenants.insert(tenant.clone(), data);
            }
        }
    }
    current
}

fn view(below: &CatalogData, content: &ScopeContent) -> CatalogData {
    let mut data = below.clone();
    data.meters.retain(|meter| content.meters.iter().all(|own| own.name != meter.name));
    data.meters.extend(content.meters.iter().cloned());
    data.plans.retain(|plan| content.plans.iter().all(|own| own.name != plan.name));
    data.plans.extend(content.plans.iter().cloned());
    data.accounts.extend(content.accounts.iter().cloned());
    data.pools.extend(content.pools.iter().cloned());
    data.quotas.extend(content.quotas.iter().cloned());
    data.rate_cards.extend(content.rate_cards.iter().cloned());
    data
}
