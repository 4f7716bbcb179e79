//! A small program of one shop and three partners, and its voice: signed postbacks.

use std::sync::{Arc, LazyLock};

use axum::{
    Router,
    body::Body,
    http::{Request, Response, header},
    middleware,
};
use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    AdvertiserId, AffiliateId, CampaignId, Chance, ClickId, Clock, ConversionId, LinkId, PlanId, SessionId,
    ledger::Account,
    signature::{Profile, SigningKey, VerifyingKey, canonical, canonical::Query, standard},
};
use embedded::TestDatabase;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;
use tracking::{
    customer::Customers,
    intake::{self, Act, Intake, Judge, keys, seal::Sealer},
    problem,
    redirect::visitor::Visitors,
    secret::Secret,
    store::ledger,
};

use crate::store::{self, Seed};

/// The secret of every installation here.
pub fn secret() -> Secret {
    Secret::new(&"the installation's secret".repeat(2)).unwrap()
}

static CUSTOMERS: LazyLock<Arc<Customers>> = LazyLock::new(|| {
    let visitors = Visitors::new(Vec::new(), None, &secret());
    Arc::new(Customers::new(Arc::new(visitors), &secret()))
});

pub struct World {
    pub database: Arc<TestDatabase>,
    pub intake: Intake,
    pub router: Router,
    pub key: SigningKey,
    pub advertiser: AdvertiserId,
    pub campaign: CampaignId,
    /// Stands above Ann.
    pub boss: AffiliateId,
    pub ann: AffiliateId,
    /// Has nobody above.
    pub bob: AffiliateId,
    pub ann_link: LinkId,
    pub bob_link: LinkId,
}

/// Events and what a second report of each means.
fn events() -> Value {
    json!([
        { "name": "sale", "kind": "sale", "duplicates": "ignore" },
        { "name": "lead", "kind": "lead" },
        { "name": "booking", "kind": "sale", "duplicates": "replace" },
        { "name": "basket", "kind": "sale", "duplicates": "add" },
        { "name": "topup", "kind": "deposit", "duplicates": "new" },
        { "name": "deposit", "kind": "deposit", "min_amount": { "value": "50", "currency": "EUR" } },
    ])
}

/// A lead pays 5 EUR; everything else 10 % to the affiliate and 2 % to the one above.
fn rules() -> Value {
    json!([
        { "event": "lead", "terms": { "model": "flat", "amount": { "value": "5", "currency": "EUR" } } },
        { "terms": { "model": "two_tier", "first": { "rate": "10%" }, "second": { "rate": "2%" } } },
    ])
}

fn router(intake: &Intake) -> Router {
    intake::router(intake.clone(), CUSTOMERS.clone()).layer(middleware::from_fn(problem::complete))
}

impl World {
    pub async fn new() -> Self {
        Self::of(Profile::Standard, json!({})).await
    }

    pub async fn of(profile: Profile, aliases: Value) -> Self {
        let start = DateTime::from_timestamp(1_769_947_200, 0).unwrap();
        let database = embedded::test_database(&tracking::MIGRATOR).await;
        Self::inside(Arc::new(database), start, 1, profile, aliases).await
    }

    /// Another program in a database that may already hold some; the seed keeps their ids apart.
    pub async fn inside(
        database: Arc<TestDatabase>,
        start: DateTime<Utc>,
        seed: u64,
        profile: Profile,
        aliases: Value,
    ) -> Self {
        let (clock, chance) = (Clock::standing_at(start), Chance::seeded(seed));
        let sealer = Sealer::new(&secret());
        let intake = Intake {
            pool: database.pool().clone(),
            clock: clock.clone(),
            chance: chance.clone(),
            sealer,
            judge: None,
        };
        let seeds = Seed { pool: database.pool(), at: start };
        let advertiser = AdvertiserId::new(&clock, &chance);
        seeds.advertiser(advertiser, profile, aliases).await;
        let [boss, ann, bob] = [(); 3].map(|()| AffiliateId::new(&clock, &chance));
        seeds.affiliate(boss, "approved", &[]).await;
        seeds.affiliate(ann, "approved", &[boss]).await;
        seeds.affiliate(bob, "approved", &[]).await;
        let campaign = CampaignId::new(&clock, &chance);
        seeds.campaign(campaign, advertiser, events(), 30).await;
        seeds.plan(PlanId::new(&clock, &chance), campaign, None, rules()).await;
        let [ann_link, bob_link] = [(); 2].map(|()| LinkId::new(&clock, &chance));
        seeds.link(ann_link, ann, campaign).await;
        seeds.link(bob_link, bob, campaign).await;
        let key = SigningKey::hmac_from(chance.bytes());
        let router = router(&intake);
        let world =
            Self { database, intake, router, key, advertiser, campaign, boss, ann, bob, ann_link, bob_link };
        world.add_key(&world.key.verifying_key()).await;
        world
    }

    /// The same, where somebody looks at new conversions.
    pub fn judged_by(mut self, judge: impl Judge + 'static) -> Self {
        self.intake.judge = Some(Arc::new(judge));
        self.router = router(&self.intake);
        self
    }

    pub async fn add_key(&self, key: &VerifyingKey) {
        let mut connection = self.database.acquire().await.unwrap();
        let Intake { clock, chance, sealer, .. } = &self.intake;
        keys::add_key(&mut connection, Act::now("test", clock, chance), sealer, self.advertiser, key, None)
            .await
            .unwrap();
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.intake.clock.now()
    }

    pub fn later(&self, by: TimeDelta) {
        self.intake.clock.advance(by);
    }

    pub fn seed(&self) -> Seed<'_> {
        Seed { pool: self.database.pool(), at: self.now() }
    }

    pub fn path(&self) -> String {
        format!("/postback/{}", self.advertiser)
    }

    pub fn new_click_id(&self) -> ClickId {
        ClickId::new(&self.intake.clock, &self.intake.chance)
    }

    pub fn new_session(&self) -> SessionId {
        SessionId::new(&self.intake.clock, &self.intake.chance)
    }

    pub async fn click(&self, link: LinkId) -> ClickId {
        let click = self.new_click_id();
        self.arrive(click, self.new_session(), link).await;
        click
    }

    /// A click reaches the database now.
    pub async fn arrive(&self, click: ClickId, session: SessionId, link: LinkId) {
        let affiliate = if link == self.ann_link { self.ann } else { self.bob };
        self.seed().click(click, session, link, (affiliate, self.campaign, self.advertiser)).await;
    }

    fn message_id(&self) -> String {
        self.new_click_id().to_string()
    }

    /// The URI of a GET with these parameters, signed now under a message id of its own.
    pub fn signed(&self, parameters: &str) -> String {
        self.signed_as(&self.message_id(), parameters)
    }

    pub fn signed_as(&self, message_id: &str, parameters: &str) -> String {
        let (path, query) = (self.path(), Query::parse(parameters).unwrap());
        let signed = canonical::sign(&self.key, &path, &query, message_id, self.now()).unwrap();
        format!("{path}?{signed}")
    }

    /// Reports something by a signed GET.
    pub async fn report(&self, parameters: &str) -> Reply {
        self.get(&self.signed(parameters)).await
    }

    pub async fn get(&self, uri: &str) -> Reply {
        self.send(Request::get(uri).body(Body::empty()).unwrap()).await
    }

    /// Reports something by a signed POST.
    pub async fn post(&self, media_type: &str, body: &str) -> Reply {
        self.send(self.post_as(&self.message_id(), media_type, body)).await
    }

    pub fn post_as(&self, message_id: &str, media_type: &str, body: &str) -> Request<Body> {
        let signature = standard::sign(&self.key, message_id, self.now(), body.as_bytes()).unwrap();
        Request::post(self.path())
            .header(header::CONTENT_TYPE, media_type)
            .header(standard::ID_HEADER, message_id)
            .header(standard::TIMESTAMP_HEADER, self.now().timestamp())
            .header(standard::SIGNATURE_HEADER, signature)
            .body(Body::from(body.to_owned()))
            .unwrap()
    }

    pub async fn send(&self, request: Request<Body>) -> Reply {
        Reply::of(self.router.clone().oneshot(request).await.unwrap()).await
    }

    pub async fn count(&self, query: &'static str) -> i64 {
        store::count(self.database.pool(), query).await
    }

    pub async fn told(&self, reply: &Reply) -> String {
        store::told(self.database.pool(), reply.conversion()).await
    }

    /// The lines of commission of a conversion, with the partners by name.
    pub async fn lines(&self, reply: &Reply) -> String {
        let lines = store::lines(self.database.pool(), reply.conversion()).await;
        let named = lines.into_iter().map(|(affiliate, line)| format!("{} {line}", self.name(affiliate)));
        named.collect::<Vec<_>>().join(", ")
    }

    fn name(&self, affiliate: AffiliateId) -> &'static str {
        let names = [(self.boss, "boss"), (self.ann, "ann"), (self.bob, "bob")];
        names.into_iter().find(|(id, _)| *id == affiliate).map_or("somebody", |(_, name)| name)
    }

    /// What a partner has earned so far, and what of that is to be paid, in cents.
    pub async fn owed(&self, affiliate: AffiliateId) -> (i64, i64) {
        let mut connection = self.database.acquire().await.unwrap();
        let mut owed = [0, 0];
        for (owed, account) in owed.iter_mut().zip([Account::accrued(affiliate), Account::payable(affiliate)])
        {
            let balances = ledger::balances(&mut connection, account).await.unwrap();
            *owed = -balances.iter().map(|money| money.minor).sum::<i64>();
        }
        (owed[0], owed[1])
    }

    /// The books balance, and they agree with the lines of commission.
    pub async fn audit(&self) {
        let mut connection = self.database.acquire().await.unwrap();
        let trial_balance = ledger::trial_balance(&mut connection).await.unwrap();
        assert!(trial_balance.iter().all(|(_, balance)| *balance == 0), "{trial_balance:?}");
        assert_eq!(self.count(store::UNBALANCED).await, 0);
        assert_eq!(self.count(store::DISAGREEMENTS).await, 0);
        assert_eq!(self.count(store::MOVED_ELSEWHEN).await, 0);
        assert_eq!(
            self.count(store::LINK_CONVERSIONS).await,
            self.count("SELECT count(*) FROM conversions WHERE link_id IS NOT NULL").await
        );
    }
}

/// What came back.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    pub status: u16,
    pub replayed: bool,
    pub body: Value,
}

impl Reply {
    async fn of(response: Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let replayed = parts.headers.get(intake::REPLAYED).is_some_and(|value| value == "true");
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Self { status: parts.status.as_u16(), replayed, body }
    }

    pub fn conversion(&self) -> ConversionId {
        let id = self.body["conversion_id"].as_str();
        id.unwrap_or_else(|| panic!("no conversion in {self:?}")).parse().unwrap()
    }

    /// Status, whether it is a repeat, and what there is to say: a state, or a problem with its fields.
    pub fn told(&self) -> String {
        let again = if self.replayed { " again" } else { "" };
        let said = match self.body.get("code") {
            None => self.body["status"].as_str().unwrap_or("nothing").to_owned(),
            Some(code) => {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                let errors = self.body["errors"].as_array().cloned().unwrap_or_default();
                let errors =
                    errors.iter().map(|it| format!("; {} {}", text(&it["pointer"]), text(&it["detail"])));
                let detail =
                    self.body.get("detail").map(|detail| format!(": {}", text(detail))).unwrap_or_default();
                format!(
                    "{} ({}){detail}{}",
                    text(code),
                    text(&self.body["title"]),
                    errors.collect::<String>()
                )
            }
        };
        format!("{}{again} {said}", self.status)
    }
}
