//! Quotas that are set and deleted one by one, in a story's words.

use super::answer;
use super::expect::{Answer, Facts, number};
use super::names::Names;
use quotad::proto::v1::catalog_service_client::CatalogServiceClient;
use quotad::proto::v1::{
    AfterDelete, CreateQuotasRequest, DeleteQuotaRequest, IfCurrent, Limit, Quota, Raise, Window, WindowKind, limit,
};
use tonic::transport::Channel;

/// `set SUBJECT METER [WINDOW=AMOUNT ...] [raise.WINDOW=AMOUNT ... until=TIME] [if=supersede]`: one quota, of which there must be
/// none unless said.
pub(super) async fn set(
    client: &mut CatalogServiceClient<Channel>,
    arguments: &[String],
    names: &Names,
) -> Result<Answer, String> {
    let [subject, meter, words @ ..] = arguments else {
        return Err(
            "set SUBJECT METER [WINDOW=AMOUNT ...] [raise.WINDOW=AMOUNT ... until=TIME] [if=supersede|replace]".into(),
        );
    };
    let (mut limits, mut if_current, mut raise) = (Vec::new(), IfCurrent::Fail, None::<Raise>);
    for word in words {
        match word.split_once('=').ok_or_else(|| format!("{word:?} is no KEY=VALUE"))? {
            ("if", "supersede") => if_current = IfCurrent::Supersede,
            ("if", "replace") => if_current = IfCurrent::Replace,
            ("until", time) => raise.get_or_insert_default().until = Some(instant(time)?),
            (kind, amount) => match kind.strip_prefix("raise.") {
                Some(kind) => raise.get_or_insert_default().limits.push(limit(kind, amount)?),
                None => limits.push(limit(kind, amount)?),
            },
        }
    }
    let quota = Quota { subject: names.account(subject), meter: meter.clone(), limits, raise, ..Quota::default() };
    let request = CreateQuotasRequest {
        tenant: names.tenant(),
        quotas: vec![quota],
        if_current: if_current.into(),
        etag: String::new(),
    };
    Ok(match client.create_quotas(request).await {
        Ok(response) => version("set", response.get_ref().quotas.first()),
        Err(status) => answer::error(&status, names),
    })
}

/// `unset SUBJECT METER [reopen]`: deletes the quota in force.
pub(super) async fn unset(
    client: &mut CatalogServiceClient<Channel>,
    arguments: &[String],
    names: &Names,
) -> Result<Answer, String> {
    let [subject, meter, after @ ..] = arguments else { return Err("unset SUBJECT METER [reopen]".into()) };
    let after = match after {
        [] => AfterDelete::FallBack,
        [word] if word == "reopen" => AfterDelete::ReopenPrevious,
        other => return Err(format!("{other:?} is nothing to do afterwards")),
    };
    let request = DeleteQuotaRequest {
        tenant: names.tenant(),
        subject: names.account(subject),
        meter: meter.clone(),
        after: after.into(),
        ..DeleteQuotaRequest::default()
    };
    Ok(match client.delete_quota(request).await {
        Ok(response) => version("unset", response.get_ref().reopened.as_ref()),
        Err(status) => answer::error(&status, names),
    })
}

/// What was done, and the version that is in force now.
fn version(outcome: &'static str, quota: Option<&Quota>) -> Answer {
    let amounts = quota.iter().map(|quota| quota.version).collect();
    Answer { outcome, amounts, head: Facts::default(), ..Answer::default() }
}

fn instant(text: &str) -> Result<pbjson_types::Timestamp, String> {
    let time: jiff::Timestamp = text.parse().map_err(|error| format!("{text:?} is no time: {error}"))?;
    Ok(pbjson_types::Timestamp { seconds: time.as_second(), nanos: time.subsec_nanosecond() })
}

fn limit(kind: &str, amount: &str) -> Result<Limit, String> {
    let kind = WindowKind::from_str_name(&format!("WINDOW_KIND_{}", kind.to_ascii_uppercase()));
    let kind = kind.ok_or_else(|| format!("{amount:?} is over no window that there is"))?;
    let value = match amount {
        "unlimited" => limit::Value::Unlimited(true),
        _ => limit::Value::Amount(number(amount).ok_or_else(|| format!("{amount:?} is no number"))?),
    };
    Ok(Limit { window: Some(Window { kind: kind.into(), ..Window::default() }), value: Some(value) })
}
