//! A program whose partner's rate may move, as tests of rates see it.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    AffiliateId, Money,
    commission::dynamic::{
        Churn, ChurnAction, Contract, Evidence, Exploring, Policy, RateDecision, RateMode, Standing,
    },
};
use serde_json::{Value, json};

use crate::{
    api::testing::{Answer, Api},
    jobs::{customer_stays, once},
};

pub const DECISIONS: &str = "/api/v1/rate-decisions";

pub fn eur(value: &str) -> Money {
    Money::parse(value, "EUR".parse().unwrap()).unwrap()
}

/// Ana, who is paid the campaign's 5 % between 3 % and 15 %, at most 5 points a month with 14 days of notice.
pub struct Program {
    pub api: Api,
    pub ana: AffiliateId,
    pub campaign: String,
}

impl Program {
    pub async fn new() -> Self {
        let api = Api::start().await;
        let (ana, campaign) = (api.affiliate("Ana").await, api.campaign().await);
        let program = Self { api, ana, campaign };
        program.agree(program.ana).await;
        program
    }

    pub async fn agree(&self, affiliate: AffiliateId) {
        let contract = json!({"affiliate_id": affiliate, "floor": "3%", "cap": "15%", "step": "5%", "period_days": 30,
                              "notice_days": 14, "exploring": "1%"});
        self.api.made(&format!("/api/v1/campaigns/{}/rate-contracts", self.campaign), contract).await;
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.api.app.clock.now()
    }

    pub fn later(&self, days: i64) {
        self.api.app.clock.advance(TimeDelta::days(days));
    }

    /// What a policy decides now for who is paid so much, when a customer is worth so much for sure.
    pub fn decide(
        &self,
        rate: &str,
        worth: &str,
        change: impl Fn(&mut Policy, &mut Evidence),
    ) -> RateDecision {
        let percent = |text: &str| text.parse().unwrap();
        let contract = Contract {
            floor: percent("3"),
            cap: percent("15"),
            step: percent("5"),
            period_days: 30,
            notice_days: 14,
            exploring: percent("1"),
        };
        let mut policy = Policy {
            version: "third-1".to_owned(),
            target: percent("33.3333"),
            best_share: percent("100"),
            grain: percent("0.1"),
            dead_band: percent("0.5"),
            reversal_band: percent("1"),
            calm_days: 90,
            quality_weight: percent("20"),
            churn: Churn { from_ppm: 2_000_000, then: ChurnAction::Verify(30) },
            exploring: Exploring::NEVER,
            mode: RateMode::Live,
        };
        let mut evidence = Evidence {
            model_version: "ltv-7".to_owned(),
            value: eur("40"),
            value_lower: eur(worth),
            base: eur("100"),
            conversions: 50.0,
            churn_ratio: 1.0,
            fraud_risk: 0.0,
            quality: 0.5,
            elasticity: None,
        };
        change(&mut policy, &mut evidence);
        policy.decide(&Standing::new(contract, percent(rate)), &evidence, 0, self.now()).unwrap()
    }

    /// The decision as a row of decisions.jsonl.
    pub fn row(&self, affiliate: AffiliateId, decision: &RateDecision) -> Value {
        let mut row = serde_json::to_value(decision).unwrap();
        row["affiliate_id"] = json!(affiliate);
        row["campaign_id"] = json!(self.campaign);
        row
    }

    pub async fn send(&self, rows: &[Value]) -> Answer {
        self.api.post(DECISIONS, json!({"decisions": rows})).await
    }

    pub async fn take_up(&self, decision: &RateDecision) -> Value {
        let answer = self.send(&[self.row(self.ana, decision)]).await;
        assert_eq!(answer.status, 201, "{answer}");
        answer.body
    }

    /// What a shadow decides now about somebody who is paid so much, recorded; its id.
    pub async fn in_shadow(&self, affiliate: AffiliateId, (rate, worth): (&str, &str)) -> String {
        let shadow = self.decide(rate, worth, |policy, _| policy.mode = RateMode::Shadow);
        let answer = self.send(&[self.row(affiliate, &shadow)]).await;
        assert_eq!(answer.status, 201, "{answer}");
        answer.body["ids"][0].as_str().unwrap().to_owned()
    }

    /// The same affiliate with terms of its own, which pay so much from now on.
    pub async fn pay(&self, affiliate: AffiliateId, rate: &str) {
        let rules = json!([{"terms": {"model": "percentage", "rate": rate}}]);
        let plan = json!({"rules": rules, "affiliate_id": affiliate});
        self.api.made(&format!("/api/v1/campaigns/{}/plans", self.campaign), plan).await;
    }

    pub async fn rates(&self) -> Answer {
        self.rates_of(self.ana).await
    }

    pub async fn rates_of(&self, affiliate: AffiliateId) -> Answer {
        self.api.get(&format!("/api/v1/affiliates/{affiliate}/rates?campaign_id={}", self.campaign)).await
    }

    /// The lines of a conversion: amount, state, and what each waits for.
    pub async fn lines(&self, sale: &str) -> String {
        let listed = self.api.get(&format!("/api/v1/commissions?conversion_id={sale}")).await;
        let line = |line: &Value| {
            let text = |field: &str| line[field].as_str().unwrap_or("nothing").to_owned();
            let amount = line["amount"]["value"].as_str().unwrap();
            format!("{amount} {}, waits for {} until {}", text("status"), text("waits_for"), text("final_at"))
        };
        let lines = listed.body["data"].as_array().unwrap().iter().map(line);
        lines.collect::<Vec<_>>().join("; ")
    }

    pub async fn move_to(&self, sale: &str, verb: &str, body: Value) {
        self.api.made(&format!("/api/v1/conversions/{sale}/{verb}"), body).await;
    }

    pub async fn verified(&self) -> u64 {
        once(&customer_stays::Verify, &self.api.workbench()).await.unwrap()
    }

    pub async fn announced(&self, kind: &str) -> usize {
        self.api.announced().await.iter().filter(|announced| *announced == kind).count()
    }

    pub async fn assert_balanced(&self) {
        let balance = self.api.get("/api/v1/ledger/trial-balance").await;
        let lines = balance.body["currencies"].as_array().unwrap();
        assert!(!lines.is_empty());
        assert!(lines.iter().all(|line| line["difference"]["value"] == "0.00"), "{balance}");
    }
}
