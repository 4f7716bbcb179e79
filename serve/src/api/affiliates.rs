//! Affiliates: they apply, are approved, suspended, rejected and reinstated, and change what is known of them.

use axum::{Json, extract::State, http::StatusCode, response::Response};
use domain::{
    AffiliateId,
    affiliate::{AffiliateStatus, PayoutMethod},
    fraud::evidence::KeyedHash,
    state::StateError,
};
use serde::Deserialize;
use tracking::customer::Customers;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    body::{Body, Id, Nothing},
    failure::Failure,
    gate::Caller,
    listing::{Listing, Page, Paging},
    once::Once,
    text::{self, AccountName, Country, Email, Label, Name},
};
use crate::{
    app::App,
    store::{
        self,
        affiliates::{Affiliate, Wanted},
        outbox::announce,
    },
};

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create, list))
        .routes(routes!(one, change))
        .routes(routes!(approve))
        .routes(routes!(suspend))
        .routes(routes!(reject))
        .routes(routes!(reinstate))
}

/// Somebody who applies to the program.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAffiliate {
    name: Name,
    /// No two affiliates have the same, whatever its case.
    email: Email,
    /// Who recruited it.
    parent_id: Option<AffiliateId>,
    website: Option<text::Page>,
    /// Where its visitors come from.
    traffic_source: Option<Label>,
    /// What it publishes.
    content_type: Option<Label>,
    country: Option<Country>,
    payout_method: Option<PayoutMethod>,
    /// What it is paid to; only a keyed hash and the last characters are kept.
    payout_account: Option<AccountName>,
    /// Whether it may advertise in search engines under the advertiser's name. Where nobody says, who sends `search` or
    /// `ppc` traffic may, and nobody else who says what it sends.
    search_licence: Option<bool>,
}

/// What is to be known of an affiliate from now on; absent fields stay, null clears.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AffiliateChange {
    name: Option<Name>,
    email: Option<Email>,
    #[serde(default, deserialize_with = "text::given")]
    #[schema(value_type = Option<text::Page>)]
    website: Option<Option<text::Page>>,
    #[serde(default, deserialize_with = "text::given")]
    #[schema(value_type = Option<Label>)]
    traffic_source: Option<Option<Label>>,
    #[serde(default, deserialize_with = "text::given")]
    #[schema(value_type = Option<Label>)]
    content_type: Option<Option<Label>>,
    #[serde(default, deserialize_with = "text::given")]
    #[schema(value_type = Option<Country>)]
    country: Option<Option<Country>>,
    #[serde(default, deserialize_with = "text::given")]
    #[schema(value_type = Option<PayoutMethod>)]
    payout_method: Option<Option<PayoutMethod>>,
    #[serde(default, deserialize_with = "text::given")]
    #[schema(value_type = Option<AccountName>)]
    payout_account: Option<Option<AccountName>>,
    #[serde(default, deserialize_with = "text::given")]
    #[schema(value_type = Option<bool>)]
    search_licence: Option<Option<bool>>,
}

impl AffiliateChange {
    fn apply(self, affiliate: &mut Affiliate, customers: &Customers) -> Result<(), Failure> {
        let text = |text: Option<text::Page>| text.map(String::from);
        let label = |label: Option<Label>| label.map(String::from);
        set(&mut affiliate.name, self.name.map(Into::into));
        set(&mut affiliate.email, self.email.map(Into::into));
        set(&mut affiliate.website, self.website.map(text));
        set(&mut affiliate.traffic_source, self.traffic_source.map(label));
        set(&mut affiliate.content_type, self.content_type.map(label));
        set(&mut affiliate.country, self.country.map(|country| country.map(Into::into)));
        set(&mut affiliate.payout_method, self.payout_method);
        set(&mut affiliate.search_licence, self.search_licence);
        if let Some(account) = self.payout_account {
            let account = account.map(|account| hidden(&account, customers)).transpose()?;
            (affiliate.payout_account_hash, affiliate.payout_account_end) = account.unzip();
        }
        Ok(())
    }
}

/// An account as the accounts that customers pay from are hidden, and its end: too little of it to be told from others.
fn hidden(account: &AccountName, customers: &Customers) -> Result<(KeyedHash, String), Failure> {
    let wrong = |why: String| Failure::unprocessable("/payout_account", why);
    let hash = customers.account(account.as_str()).map_err(wrong)?;
    let hash = hash.ok_or_else(|| wrong("says that there is none: leave it out".to_owned()))?;
    // All mailboxes of a provider end alike.
    let told = account.as_str().split_once('@').map_or(account.as_str(), |(name, _)| name);
    let letters: Vec<char> = told.chars().filter(|letter| !letter.is_whitespace()).collect();
    let shown = (letters.len() / 3).clamp(1, 4).min(letters.len());
    if letters.is_empty() {
        return Err(wrong("names nobody before the @".to_owned()));
    }
    Ok((hash, letters[letters.len() - shown..].iter().collect()))
}

/// Sets what was given and leaves the rest.
pub(super) fn set<T>(field: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *field = given;
    }
}

/// Which affiliates to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AffiliateFilter {
    /// Only those.
    #[param(required = false, value_type = AffiliateStatus)]
    status: Option<AffiliateStatus>,
}

/// Add an affiliate, who then waits for approval.
#[utoipa::path(post, path = "/affiliates", tag = "affiliates", request_body = NewAffiliate,
    responses((status = 201, description = "Added.", body = Affiliate)),
    security(("key" = ["affiliates:write"])))]
async fn create(app: State<App>, once: Once<NewAffiliate>) -> Result<Response, Failure> {
    let Once { body: new, mut effect, .. } = once;
    let now = app.clock.now();
    let account = new.payout_account.map(|account| hidden(&account, &app.customers)).transpose()?;
    let (payout_account_hash, payout_account_end) = account.unzip();
    let affiliate = Affiliate {
        id: AffiliateId::new(&app.clock, &app.chance),
        name: new.name.into(),
        email: new.email.into(),
        status: AffiliateStatus::Pending,
        parent_id: new.parent_id,
        website: new.website.map(Into::into),
        traffic_source: new.traffic_source.map(Into::into),
        content_type: new.content_type.map(Into::into),
        country: new.country.map(Into::into),
        payout_method: new.payout_method,
        payout_account_hash,
        payout_account_end,
        search_licence: new.search_licence,
        created_at: now,
        updated_at: now,
    };
    store::hierarchy::lock(&mut effect).await?;
    store::affiliates::insert(&mut effect, &affiliate).await?;
    store::hierarchy::insert(&mut effect, affiliate.id, affiliate.parent_id).await?;
    announce(&mut effect, &app, "affiliate.created", affiliate.id, &affiliate).await?;
    effect.answer(StatusCode::CREATED, &affiliate).await
}

/// List affiliates.
#[utoipa::path(get, path = "/affiliates", tag = "affiliates", params(Paging, AffiliateFilter),
    responses((status = 200, description = "One page.", body = Page<Affiliate>)),
    security(("key" = ["affiliates:read"])))]
async fn list(
    app: State<App>,
    by: Caller,
    listing: Listing<AffiliateFilter, AffiliateId>,
) -> Result<Json<Page<Affiliate>>, Failure> {
    let mut db = app.db.acquire().await?;
    let wanted = Wanted {
        status: listing.filter.status,
        seen_by: by.affiliate,
        after: listing.after,
        ..Wanted::default()
    };
    let affiliates = store::affiliates::list(&mut db, &wanted, listing.reach()).await?;
    Ok(Json(listing.page(affiliates, |affiliate| affiliate.id)))
}

/// Show one affiliate.
#[utoipa::path(get, path = "/affiliates/{id}", tag = "affiliates", params(("id" = AffiliateId, Path)),
    responses((status = 200, description = "The affiliate.", body = Affiliate)),
    security(("key" = ["affiliates:read"])))]
async fn one(app: State<App>, by: Caller, Id(id): Id<AffiliateId>) -> Result<Json<Affiliate>, Failure> {
    let mut db = app.db.acquire().await?;
    let affiliate = store::affiliates::find(&mut db, id, by.affiliate).await?;
    affiliate.map(Json).ok_or_else(|| Failure::not_found(id))
}

/// Change what is known of an affiliate.
#[utoipa::path(patch, path = "/affiliates/{id}", tag = "affiliates", params(("id" = AffiliateId, Path)),
    request_body = AffiliateChange,
    responses((status = 200, description = "The affiliate as it is now.", body = Affiliate)),
    security(("key" = ["affiliates:write"])))]
async fn change(
    app: State<App>,
    Id(id): Id<AffiliateId>,
    Body(change): Body<AffiliateChange>,
) -> Result<Json<Affiliate>, Failure> {
    let mut tx = app.begin().await?;
    let mut affiliate = store::affiliates::lock(&mut tx, id).await?.ok_or_else(|| Failure::not_found(id))?;
    change.apply(&mut affiliate, &app.customers)?;
    affiliate.updated_at = app.clock.now();
    store::affiliates::update(&mut tx, &affiliate).await?;
    announce(&mut tx, &app, "affiliate.changed", id, &affiliate).await?;
    tx.commit().await?;
    Ok(Json(affiliate))
}

/// Approve an affiliate: its links count and commissions accrue.
#[utoipa::path(post, path = "/affiliates/{id}/approve", tag = "affiliates", params(("id" = AffiliateId, Path)),
    responses((status = 200, description = "The affiliate as it is now.", body = Affiliate)),
    security(("key" = ["affiliates:write"])))]
async fn approve(app: State<App>, Id(id): Id<AffiliateId>, once: Once<Nothing>) -> Result<Response, Failure> {
    move_to(&app, id, once, "affiliate.approved", |from| from.to(AffiliateStatus::Approved)).await
}

/// Suspend an affiliate: its links lead to the fallback and nothing accrues.
#[utoipa::path(post, path = "/affiliates/{id}/suspend", tag = "affiliates", params(("id" = AffiliateId, Path)),
    responses((status = 200, description = "The affiliate as it is now.", body = Affiliate)),
    security(("key" = ["affiliates:write"])))]
async fn suspend(app: State<App>, Id(id): Id<AffiliateId>, once: Once<Nothing>) -> Result<Response, Failure> {
    move_to(&app, id, once, "affiliate.suspended", |from| from.to(AffiliateStatus::Suspended)).await
}

/// Turn an affiliate down.
#[utoipa::path(post, path = "/affiliates/{id}/reject", tag = "affiliates", params(("id" = AffiliateId, Path)),
    responses((status = 200, description = "The affiliate as it is now.", body = Affiliate)),
    security(("key" = ["affiliates:write"])))]
async fn reject(app: State<App>, Id(id): Id<AffiliateId>, once: Once<Nothing>) -> Result<Response, Failure> {
    move_to(&app, id, once, "affiliate.rejected", |from| from.to(AffiliateStatus::Rejected)).await
}

/// Take a suspended affiliate back.
#[utoipa::path(post, path = "/affiliates/{id}/reinstate", tag = "affiliates", params(("id" = AffiliateId, Path)),
    responses((status = 200, description = "The affiliate as it is now.", body = Affiliate)),
    security(("key" = ["affiliates:write"])))]
async fn reinstate(
    app: State<App>,
    Id(id): Id<AffiliateId>,
    once: Once<Nothing>,
) -> Result<Response, Failure> {
    move_to(&app, id, once, "affiliate.reinstated", AffiliateStatus::reinstated).await
}

async fn move_to(
    app: &App,
    id: AffiliateId,
    once: Once<Nothing>,
    event: &str,
    decide: fn(AffiliateStatus) -> Result<AffiliateStatus, StateError>,
) -> Result<Response, Failure> {
    let mut effect = once.effect;
    let mut affiliate =
        store::affiliates::lock(&mut effect, id).await?.ok_or_else(|| Failure::not_found(id))?;
    affiliate.status = decide(affiliate.status)?;
    affiliate.updated_at = app.clock.now();
    store::affiliates::update(&mut effect, &affiliate).await?;
    announce(&mut effect, app, event, id, &affiliate).await?;
    effect.answer(StatusCode::OK, &affiliate).await
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::api::testing::Api;

    #[tokio::test]
    async fn an_affiliate_applies_and_waits_for_approval() {
        let api = Api::start().await;
        let new = json!({"name": "Bright Reviews", "email": "ana@bright.example", "country": "DE", "payout_method": "wise"});
        let answer = api.post("/api/v1/affiliates", new).await;
        insta::assert_snapshot!(answer, @r#"
        201 {
          "content_type": null,
          "country": "DE",
          "created_at": "2026-02-01T12:00:00Z",
          "email": "ana@bright.example",
          "id": "aff_1",
          "name": "Bright Reviews",
          "parent_id": null,
          "payout_account_end": null,
          "payout_method": "wise",
          "search_licence": null,
          "status": "pending",
          "traffic_source": null,
          "updated_at": "2026-02-01T12:00:00Z",
          "website": null
        }
        "#);
        let id = answer.body["id"].as_str().unwrap();
        assert_eq!(api.get(&format!("/api/v1/affiliates/{id}")).await.body, answer.body);
        assert_eq!(api.announced().await, ["affiliate.created"]);
    }

    #[tokio::test]
    async fn what_cannot_be_is_refused_and_pointed_at() {
        let api = Api::start().await;
        let ana = json!({"name": "Ana", "email": "ana@bright.example"});
        api.made("/api/v1/affiliates", ana).await;
        let check = async |body| api.post("/api/v1/affiliates", body).await.problem();
        insta::assert_snapshot!(check(json!({"name": "Ana", "email": "ANA@bright.example"})).await, @"409 already_exists: another affiliate has this e-mail address [/email: another affiliate has this e-mail address]");
        insta::assert_snapshot!(check(json!({"name": "", "email": "bo@bright.example"})).await, @"422 unprocessable:  [/name: it must have 1 to 200 characters]");
        insta::assert_snapshot!(check(json!({"name": "Bo"})).await, @"422 unprocessable:  [/email: missing field `email`]");
        insta::assert_snapshot!(check(json!({"name": "Bo", "email": "bo"})).await, @"422 unprocessable:  [/email: it must be an e-mail address such as ana@bright.example]");
        insta::assert_snapshot!(check(json!({"name": "Bo\u{0}", "email": "bo@bright.example"})).await, @"422 unprocessable:  [/name: it holds the character NUL]");
        insta::assert_snapshot!(check(json!({"name": "Bo", "email": "bo@bright.example", "website": "javascript:alert(1)"})).await, @r#"422 unprocessable:  [/website: "javascript:alert(1)" is not an http or https address of at most 500 characters, with a host and without a password]"#);
        insta::assert_snapshot!(check(json!({"name": "Bo", "email": "bo@bright.example", "parent_id": "aff_01JH0000000000000000000000"})).await, @"422 unknown_reference: no such affiliate [/parent_id: no such affiliate]");
        insta::assert_snapshot!(check(json!({"name": "Bo", "email": "bo@bright.example", "parent_id": "adv_01JH0000000000000000000000"})).await, @r#"422 unprocessable:  [/parent_id: "adv_1" is no affiliate id: expected aff_ and 26 characters of Crockford base32]"#);
        assert_eq!(api.get("/api/v1/affiliates").await.column("name"), ["Ana"]);
    }

    #[tokio::test]
    async fn a_change_leaves_what_it_does_not_name() {
        let api = Api::start().await;
        let new = json!({"name": "Ana", "email": "ana@bright.example", "country": "DE", "website": "https://bright.example/"});
        let id = api.made("/api/v1/affiliates", new).await["id"].as_str().unwrap().to_owned();
        let answer =
            api.patch(&format!("/api/v1/affiliates/{id}"), json!({"website": null, "name": "Anna"})).await;
        insta::assert_snapshot!(answer, @r#"
        200 {
          "content_type": null,
          "country": "DE",
          "created_at": "2026-02-01T12:00:00Z",
          "email": "ana@bright.example",
          "id": "aff_1",
          "name": "Anna",
          "parent_id": null,
          "payout_account_end": null,
          "payout_method": null,
          "search_licence": null,
          "status": "pending",
          "traffic_source": null,
          "updated_at": "2026-02-01T12:00:00.001Z",
          "website": null
        }
        "#);
    }

    #[tokio::test]
    async fn an_account_is_known_again_and_told_to_nobody() {
        let api = Api::start().await;
        let new = json!({"name": "Ana", "email": "ana@bright.example", "payout_account": "DE89 3704 0044 0532 0130 00"});
        let made = api.made("/api/v1/affiliates", new).await;
        assert_eq!(made["payout_account_end"], "3000");
        let path = format!("/api/v1/affiliates/{}", made["id"].as_str().unwrap());
        let change = async |account| api.patch(&path, json!({ "payout_account": account })).await;
        assert_eq!(change(json!("ana.meyer@pay.example")).await.body["payout_account_end"], "yer");
        assert_eq!(api.patch(&path, json!({"name": "Anna"})).await.body["payout_account_end"], "yer");
        insta::assert_snapshot!(change(json!("{account}")).await.problem(), @"422 unprocessable:  [/payout_account: is a placeholder that was not filled in]");
        insta::assert_snapshot!(change(json!("1    2")).await.problem(), @"422 unprocessable:  [/payout_account: it must be 6 characters or more besides spaces]");
        insta::assert_snapshot!(change(json!("@pay.example")).await.problem(), @"422 unprocessable:  [/payout_account: names nobody before the @]");
        assert_eq!(change(json!(null)).await.body["payout_account_end"], json!(null));
        let told = "SELECT string_agg(payload::text, ' ') FROM outbox";
        let told: String = sqlx::query_scalar(told).fetch_one(&api.app.db).await.unwrap();
        assert!(!told.contains("hash") && !told.contains("DE89"), "{told}");
    }

    #[tokio::test]
    async fn only_legal_moves_are_made() {
        let api = Api::start().await;
        let new = json!({"name": "Ana", "email": "ana@bright.example"});
        let id = api.made("/api/v1/affiliates", new).await["id"].as_str().unwrap().to_owned();
        let status = async |verb: &str| {
            let answer = api.post(&format!("/api/v1/affiliates/{id}/{verb}"), json!({})).await;
            answer.body["status"].as_str().map_or_else(|| answer.problem(), str::to_owned)
        };
        insta::assert_snapshot!(status("suspend").await, @"409 illegal_move: this affiliate is pending and cannot become suspended");
        insta::assert_snapshot!(status("approve").await, @"approved");
        insta::assert_snapshot!(status("reinstate").await, @"409 illegal_move: this affiliate is approved and cannot become reinstated");
        insta::assert_snapshot!(status("suspend").await, @"suspended");
        insta::assert_snapshot!(status("reinstate").await, @"approved");
        assert_eq!(
            api.announced().await,
            ["affiliate.created", "affiliate.approved", "affiliate.suspended", "affiliate.reinstated"]
        );
    }

    #[tokio::test]
    async fn a_list_is_filtered_and_read_page_by_page() {
        let api = Api::start().await;
        for number in 1..=5 {
            let new = json!({"name": format!("A{number}"), "email": format!("a{number}@bright.example")});
            let made = api.made("/api/v1/affiliates", new).await;
            if number % 2 == 0 {
                let path = format!("/api/v1/affiliates/{}/approve", made["id"].as_str().unwrap());
                api.made(&path, json!({})).await;
            }
        }
        let first = api.get("/api/v1/affiliates?limit=2").await;
        assert_eq!(first.column("name"), ["A5", "A4"]);
        let next = first.body["next"].as_str().unwrap();
        let second = api.get(&format!("/api/v1/affiliates?limit=3&after={next}")).await;
        assert_eq!(second.column("name"), ["A3", "A2", "A1"]);
        assert_eq!((&second.body["has_more"], &second.body["next"]), (&json!(false), &json!(null)));
        assert_eq!(api.get("/api/v1/affiliates?status=approved").await.column("name"), ["A4", "A2"]);
        insta::assert_snapshot!(api.get("/api/v1/affiliates?state=approved").await.problem(), @"400 malformed_query:  [/state: unknown field `state`, expected `status`]");
        insta::assert_snapshot!(api.get("/api/v1/affiliates/aff_1").await.problem(), @r#"400 malformed_id:  [/id: "aff_1" is no affiliate id: expected aff_ and 26 characters of Crockford base32]"#);
        insta::assert_snapshot!(api.get("/api/v1/affiliates/aff_01JH0000000000000000000000").await.problem(), @"404 not_found: aff_1 does not exist, or this key may not see it");
    }
}
