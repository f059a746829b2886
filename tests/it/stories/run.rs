//! Plays the stories of one file: step by step, one server for all of them.

use super::answer;
use super::expect::{Answer, Facts, compare};
use super::names::Names;
use super::operation::Call;
use super::parse::{Step, Story, read};
use super::quotas;
use super::world::{Place, World};
use quotad::proto::v1::{
    ApplyRequest, CheckRequest, CommitRequest, ConsumeRequest, ExtendRequest, FreeRequest, GetReservationRequest,
    GetUsageRequest, ListReservationsRequest, MoveAccountRequest, MoveAccountResponse, MovedQuotas, ReleaseRequest,
    Reservation, ReservationState, ReserveRequest, SetActivePoolRequest, check_response, consume_response,
    move_account_response, quota_service_client::QuotaServiceClient, reserve_response,
};
use std::path::Path;
use std::time::{Duration, Instant};
use tonic::transport::Channel;
use tonic::{Response, Status};

/// Plays every story of the file; fails with all that went otherwise than expected.
pub(super) fn play(file: &str, place: Place) {
    // The connections live on a thread of their own: they must hear a server say goodbye while the story waits for its end.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let failures = runtime.block_on(async {
        let mut world = World::new(place).await;
        let mut failures = Vec::new();
        for (number, story) in read(file).iter().enumerate() {
            let mut teller = Teller { file, names: Names::new(file, number + 1), world: &mut world };
            failures.extend(teller.tell(story).await.err());
        }
        failures.extend(world.verify().err());
        failures
    });
    assert!(failures.is_empty(), "{} stories go otherwise:\n\n{}", failures.len(), failures.join("\n\n"));
}

/// One story being played.
struct Teller<'a> {
    file: &'a str,
    names: Names,
    world: &'a mut World,
}

impl Teller<'_> {
    /// Plays it up to the first step that goes otherwise.
    async fn tell(&mut self, story: &Story) -> Result<(), String> {
        if let Some(start) = story.steps.iter().find_map(Step::clock) {
            self.world.fresh_if_after(start).await?;
        }
        for step in &story.steps {
            let place = format!("tests/it/stories/{}.story:{}: {}", self.file, step.line, step.words.join(" "));
            let (step, patience) = step.patience();
            let deadline = Instant::now() + patience;
            let (answer, verdict) = loop {
                let answer = self.step(&step).await.map_err(|why| format!("{place}\n  can't be played: {why}"))?;
                let verdict = judge(step.expected.as_deref(), answer.as_ref());
                if verdict.is_ok() || Instant::now() >= deadline {
                    break (answer, verdict);
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            };
            verdict.map_err(|why| {
                let actual = answer.map_or_else(String::new, |answer| shown(&answer));
                format!(
                    "{place}\n  story:    {} (line {})\n  expected: {}\n  actual:   {actual}\n  because {why}",
                    story.heading,
                    story.line,
                    step.expected.as_deref().unwrap_or("nothing"),
                )
            })?;
        }
        Ok(())
    }

    /// Does one step; what it answered, if it is a call.
    async fn step(&mut self, step: &Step) -> Result<Option<Answer>, String> {
        let (verb, arguments) = step.words.split_first().ok_or("an empty line")?;
        let first = || arguments.first().map(String::as_str).ok_or_else(|| format!("{verb} needs an argument"));
        match verb.as_str() {
            "tenant" => self.names.choose(first()?),
            "clock" => self.world.set_clock(first()?).await?,
            "restart" | "kill" => self.world.restart(verb == "kill").await?,
            "catalog" => return self.catalog(arguments).await.map(Some),
            "apply" => return self.apply(&step.block, arguments).await.map(Some),
            "quota" => return self.quota(arguments).await.map(Some),
            "set" => return quotas::set(&mut self.world.catalog, arguments, &self.names).await.map(Some),
            "unset" => return quotas::unset(&mut self.world.catalog, arguments, &self.names).await.map(Some),
            "switch" => return self.switch(arguments).await.map(Some),
            "move" => return self.move_account(arguments).await.map(Some),
            "usage" => return self.usage(arguments).await.map(Some),
            "race" => return self.race(arguments).await.map(Some),
            _ => {
                let call = Call::read(arguments, !matches!(verb.as_str(), "check" | "list"), &self.names)?;
                let mut answer = call_on(&mut self.world.quota, verb, &call, &self.names).await?;
                if step.expected.as_deref().is_some_and(|expected| expected.contains("available ")) {
                    answer.head.values.push(("available", self.available(&call).await?));
                }
                return Ok(Some(answer));
            }
        }
        Ok(None)
    }

    /// `catalog FILE [TENANT]`: an example, its tenants renamed; goes on with that tenant, or with its first.
    async fn catalog(&mut self, arguments: &[String]) -> Result<Answer, String> {
        let name = arguments.first().ok_or("catalog needs a name")?;
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("deploy/catalogs/{name}.yaml"));
        let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let first = text.lines().find_map(|line| line.trim().strip_prefix("- name: tenants/"));
        let tenant = arguments.get(1).map(String::as_str).or(first).ok_or("the catalog has no tenant")?;
        self.names.choose(tenant);
        self.apply(&text, &[String::from("installation")]).await
    }

    /// `apply [installation] [prune] [dry_run]` with a document below.
    async fn apply(&mut self, document: &str, options: &[String]) -> Result<Answer, String> {
        if let Some(other) = options.iter().find(|word| !matches!(word.as_str(), "installation" | "prune" | "dry_run"))
        {
            return Err(format!("{other:?} is no way to apply"));
        }
        let has = |option: &str| options.iter().any(|word| word == option);
        let request = ApplyRequest {
            tenant: if has("installation") { String::new() } else { self.names.tenant() },
            yaml: self.names.document(document).into_bytes(),
            dry_run: has("dry_run"),
            prune: has("prune"),
            etag: String::new(),
        };
        Ok(match self.world.catalog.apply(request).await {
            Ok(response) => answer::applied(response.get_ref(), &self.names),
            Err(status) => answer::error(&status, &self.names),
        })
    }

    /// `quota SUBJECT METER WINDOW=AMOUNT...`: one quota, all of it.
    async fn quota(&mut self, arguments: &[String]) -> Result<Answer, String> {
        let [subject, meter, limits @ ..] = arguments else {
            return Err("quota SUBJECT METER WINDOW=AMOUNT...".into());
        };
        let limits: Vec<String> = limits.iter().map(|limit| limit.replacen('=', ": ", 1)).collect();
        let subject = self.names.account(subject);
        let document = format!("quotas: [{{subject: {subject}, meter: {meter}, limits: {{{}}}}}]", limits.join(", "));
        // The subject is renamed already, and the document must not be once more.
        let shown = self.names.shown(&document);
        self.apply(&shown, &[]).await
    }

    /// `switch ACCOUNT POOL`; `-` for no pool.
    async fn switch(&mut self, arguments: &[String]) -> Result<Answer, String> {
        let [account, pool] = arguments else { return Err("switch ACCOUNT POOL".into()) };
        let account = self.names.account(account);
        let pool = if pool == "-" { String::new() } else { self.names.account(pool) };
        let request = SetActivePoolRequest { tenant: self.names.tenant(), account, pool };
        Ok(match self.world.catalog.set_active_pool(request).await {
            Ok(response) => answer::active(response.get_ref(), &self.names),
            Err(status) => answer::error(&status, &self.names),
        })
    }

    /// `move ACCOUNT NEW_NAME [reset]`.
    async fn move_account(&mut self, arguments: &[String]) -> Result<Answer, String> {
        let [account, new_name, rest @ ..] = arguments else { return Err("move ACCOUNT NEW_NAME [reset]".into()) };
        let quotas = if rest.is_empty() { MovedQuotas::Keep } else { MovedQuotas::Reset };
        let request = MoveAccountRequest {
            tenant: self.names.tenant(),
            account: self.names.account(account),
            new_name: self.names.account(new_name),
            quotas: quotas.into(),
            etag: String::new(),
        };
        Ok(match self.world.catalog.move_account(request).await.map(Response::into_inner) {
            Ok(MoveAccountResponse { outcome: Some(move_account_response::Outcome::Moved(moved)) }) => {
                answer::moved(&moved, &self.names)
            }
            Ok(MoveAccountResponse { outcome: Some(move_account_response::Outcome::Denied(denial)) }) => {
                answer::denied(&denial, false, &self.names)
            }
            Ok(MoveAccountResponse { outcome: None }) => Answer::default(),
            Err(status) => answer::error(&status, &self.names),
        })
    }

    /// `usage ACCOUNT METER [WINDOW]`.
    async fn usage(&mut self, arguments: &[String]) -> Result<Answer, String> {
        let [account, meter, window @ ..] = arguments else { return Err("usage ACCOUNT METER [WINDOW]".into()) };
        let request =
            GetUsageRequest { tenant: self.names.tenant(), account: self.names.account(account), meter: meter.clone() };
        let report = match self.world.usage.get_usage(request).await {
            Ok(report) => report.into_inner(),
            Err(status) => return Ok(answer::error(&status, &self.names)),
        };
        let meter = report.meters.first().ok_or("the report is empty")?;
        Ok(answer::usage(meter, window.first().map(String::as_str), &self.names))
    }

    /// The least that is available to the first charge's account over its windows; `none`: not limited.
    async fn available(&mut self, call: &Call) -> Result<String, String> {
        let charge = call.charges.first().ok_or("available needs a charge in the same line")?;
        let (tenant, account, meter) = (self.names.tenant(), charge.account.clone(), charge.meter.clone());
        let report = self.world.usage.get_usage(GetUsageRequest { tenant, account, meter }).await;
        let meters = report.map_err(|status| status.to_string())?.into_inner().meters;
        let least = meters.iter().flat_map(|meter| &meter.windows).filter_map(|window| window.available).min();
        Ok(least.map_or_else(|| String::from("none"), |least| least.to_string()))
    }

    /// `race N VERB ...`: the same call N times at once over connections of their own.
    async fn race(&mut self, arguments: &[String]) -> Result<Answer, String> {
        let [times, verb, rest @ ..] = arguments else { return Err("race N VERB ...".into()) };
        let times: usize = times.parse().map_err(|e| format!("{times:?}: {e}"))?;
        let call = Call::read(rest, true, &self.names)?;
        let clients: Vec<_> = (0..times.min(8)).map(|_| self.world.connection()).collect();
        let mut runs = tokio::task::JoinSet::new();
        for n in 0..times {
            let (mut client, verb, call, names) =
                (clients[n % clients.len()].clone(), verb.clone(), call.clone(), self.names.clone());
            runs.spawn(async move { call_on(&mut client, &verb, &call, &names).await });
        }
        let (mut denied, mut granted) = (0, 0);
        while let Some(run) = runs.join_next().await {
            match run.map_err(|e| e.to_string())?? {
                answer if answer.outcome == "denied" => denied += 1,
                answer if answer.outcome == "error" => return Ok(answer),
                _ => granted += 1,
            }
        }
        let head = Facts { words: Vec::new(), values: vec![("denied", denied.to_string())] };
        Ok(Answer { outcome: "granted", amounts: vec![granted], head, ..Answer::default() })
    }
}

/// What prepares a story must succeed, and what a call answers must be said.
fn judge(expected: Option<&str>, answer: Option<&Answer>) -> Result<(), String> {
    match (expected, answer) {
        (Some(expected), Some(answer)) => compare(expected, answer),
        (Some(_), None) => Err(String::from("this answers nothing")),
        (None, Some(answer)) if answer.outcome != "applied" => Err(String::from("say what is expected: -> ...")),
        (None, _) => Ok(()),
    }
}

/// One call of the hot path.
async fn call_on(
    client: &mut QuotaServiceClient<Channel>,
    verb: &str,
    call: &Call,
    names: &Names,
) -> Result<Answer, String> {
    let (tenant, reservation_id) = (names.tenant(), call.id.clone());
    let (request_id, charges, ttl) = (call.request_id.clone(), call.charges.clone(), call.ttl);
    let (labels, wait_for_durable) = (call.labels.clone(), call.durable);
    let held = |reservation: Option<&Reservation>, replayed, durability| {
        answer::reservation(reservation.unwrap_or(&Reservation::default()), replayed, durability, names)
    };
    let done = match verb {
        "check" => client.check(CheckRequest { tenant, charges }).await.map(|r| match r.into_inner().outcome {
            Some(check_response::Outcome::Granted(allowance)) => answer::granted(&allowance, names),
            Some(check_response::Outcome::Denied(denial)) => answer::denied(&denial, false, names),
            None => Answer::default(),
        }),
        "reserve" => {
            let request = ReserveRequest { tenant, reservation_id, request_id, charges, ttl, labels, wait_for_durable };
            client.reserve(request).await.map(Response::into_inner).map(|r| match &r.outcome {
                Some(reserve_response::Outcome::Denied(denial)) => answer::denied(denial, r.replayed, names),
                Some(reserve_response::Outcome::Granted(it)) => held(Some(it), r.replayed, r.durability()),
                None => Answer::default(),
            })
        }
        "consume" => {
            let request = ConsumeRequest { tenant, reservation_id, request_id, charges, labels, wait_for_durable };
            client.consume(request).await.map(Response::into_inner).map(|r| match &r.outcome {
                Some(consume_response::Outcome::Denied(denial)) => answer::denied(denial, r.replayed, names),
                Some(consume_response::Outcome::Granted(it)) => held(Some(it), r.replayed, r.durability()),
                None => Answer::default(),
            })
        }
        "commit" => {
            let r#final = call.is_final;
            let request = CommitRequest { tenant, reservation_id, request_id, charges, r#final, wait_for_durable };
            let response = client.commit(request).await.map(Response::into_inner);
            response.map(|r| held(r.reservation.as_ref(), r.replayed, r.durability()))
        }
        "release" => {
            let request = ReleaseRequest { tenant, reservation_id, request_id, charges, wait_for_durable };
            let response = client.release(request).await.map(Response::into_inner);
            response.map(|r| held(r.reservation.as_ref(), r.replayed, r.durability()))
        }
        "extend" => {
            let request = ExtendRequest { tenant, reservation_id, request_id, ttl, charges, wait_for_durable };
            client.extend(request).await.map(Response::into_inner).map(|r| match &r.denied {
                Some(denial) => answer::denied(denial, r.replayed, names),
                None => held(r.reservation.as_ref(), r.replayed, r.durability()),
            })
        }
        "free" => {
            let request = FreeRequest { tenant, request_id, reservation_id, charges, wait_for_durable };
            let response = client.free(request).await.map(Response::into_inner);
            response.map(|r| answer::freed(&r.freed, r.replayed))
        }
        "get" => {
            let response = client.get_reservation(GetReservationRequest { tenant, reservation_id }).await;
            response.map(|r| held(r.get_ref().reservation.as_ref(), false, Default::default()))
        }
        "list" => list(client, call, names).await,
        other => return Err(format!("a verb {other:?} is not known")),
    };
    Ok(done.unwrap_or_else(|status| answer::error(&status, names)))
}

/// `list [states=HELD,PARKED] [account=ACCOUNT]`: ids of the tenant's reservations.
async fn list(client: &mut QuotaServiceClient<Channel>, call: &Call, names: &Names) -> Result<Answer, Status> {
    let state = |name: &String| ReservationState::from_str_name(&format!("RESERVATION_STATE_{name}"));
    let states = call.states.iter().filter_map(state).map(i32::from).collect();
    let account = call.account.clone();
    let request =
        ListReservationsRequest { tenant: names.tenant(), account, states, ..ListReservationsRequest::default() };
    let response = client.list_reservations(request).await?.into_inner();
    Ok(answer::found(response.reservations.into_iter().map(|reservation| reservation.reservation_id).collect()))
}

/// An answer in a story's own words, as far as they go.
fn shown(answer: &Answer) -> String {
    let facts = |facts: &Facts| {
        let values = facts
            .values
            .iter()
            .map(|(key, value)| format!("{key} {value:?}").replace('"', if value.contains(' ') { "\"" } else { "" }));
        facts.words.iter().filter(|word| !word.is_empty()).cloned().chain(values).collect::<Vec<_>>().join(" ")
    };
    let amounts = answer.amounts.iter().map(i64::to_string).collect::<Vec<_>>().join(" ");
    let mut text = [answer.outcome, &amounts, &answer.flags.join(" "), &facts(&answer.head)].join(" ");
    for line in &answer.lines {
        text.push_str("\n            ; ");
        text.push_str(&facts(line));
    }
    text
}
