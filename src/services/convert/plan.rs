//! Plans, both ways.

use crate::domain::account::Plan;
use crate::engine::manage::document::account::{MAX_DISPLAY_NAME, feature, plan_name};
use crate::engine::manage::document::{Found, Place, Problems};
use crate::proto::v1;

/// Most features.
const MAX_FEATURES: usize = 1_000;

/// A plan as the protocol shows it.
pub fn plan(plan: &Plan) -> v1::Plan {
    v1::Plan {
        name: plan.name.clone(),
        tenant: plan.tenant.clone().unwrap_or_default(),
        display_name: plan.display_name.clone(),
        features: plan.features.iter().cloned().collect(),
    }
}

/// A plan that an administrator sends, at `at`. What is faulty is reported.
pub fn draft(plan: v1::Plan, tenant: Option<&str>, at: &Place, problems: &mut Problems) -> Option<Found<Plan>> {
    let field = |name: &str| at.key(name, 0);
    let name = plan_name(&plan.name).map_err(|error| problems.add(&field("name"), error)).ok();
    if plan.display_name.len() > MAX_DISPLAY_NAME {
        problems.add(&field("display_name"), format!("must be at most {MAX_DISPLAY_NAME} bytes"));
    }
    if plan.features.len() > MAX_FEATURES {
        problems.add(&field("features"), format!("must be at most {MAX_FEATURES}"));
    }
    let mut read = |(index, text): (usize, &String)| {
        feature(text).map_err(|error| problems.add(&field("features").item(index, 0), error)).ok()
    };
    let features = plan.features.iter().take(MAX_FEATURES).enumerate().filter_map(&mut read).collect();
    let tenant = tenant.map(str::to_owned);
    Some(Found { at: at.clone(), value: Plan { name: name?, tenant, display_name: plan.display_name, features } })
}
