//! Ids of things that exist, so that made-up requests reach further than «there is no such thing».

use std::{collections::BTreeMap, fmt::Write};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::cluster::Cluster;

/// How often a made-up request is given an id that exists where it could have one.
const PROBABILITY: f64 = 0.7;
/// How many ids of each kind are offered.
const MOST: usize = 20;

/// The ids of each collection of the API, by the last word of its path: `affiliates`, `campaigns`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct KnownIds {
    /// For each path that has an id in it, the collection that the id is of.
    paths: BTreeMap<String, String>,
    ids: BTreeMap<String, Vec<String>>,
}

impl KnownIds {
    /// Reads the first page of every collection that has a list and of which there are single things.
    pub(super) async fn of(cluster: &Cluster) -> Result<Self> {
        let document = get(cluster, "/api/openapi.json").await?;
        let mut known = Self { paths: paths_with_ids(&document), ids: BTreeMap::new() };
        for collection in known.paths.values().cloned().collect::<std::collections::BTreeSet<_>>() {
            let path = format!("/api/v1/{collection}");
            if document["paths"][&path]["get"].is_null() {
                continue;
            }
            let page = get(cluster, &format!("{path}?limit={MOST}")).await?;
            known.add(&collection, &page);
        }
        Ok(known)
    }

    fn add(&mut self, collection: &str, page: &Value) {
        let things = page["data"].as_array().map(Vec::as_slice).unwrap_or_default();
        for (name, field) in [(collection, "id"), ("clicks", "click_id")] {
            let found: Vec<String> =
                things.iter().filter_map(|thing| thing[field].as_str().map(str::to_owned)).collect();
            if !found.is_empty() {
                self.ids.insert(name.to_owned(), found);
            }
        }
    }

    /// Settings for Schemathesis: a dictionary for each kind, and where in requests its ids belong.
    pub(super) fn settings(&self) -> Result<String> {
        let mut settings = String::new();
        for (name, ids) in &self.ids {
            writeln!(settings, "[dictionaries.{name}]\nvalues = {}", serde_json::to_string(ids)?)?;
        }
        writeln!(settings, "[parameters]")?;
        for name in self.ids.keys() {
            let field = format!("{}_id", name.trim_end_matches('s'));
            for place in ["body", "query"] {
                writeln!(settings, "\"{place}.{field}\" = {}", binding(name))?;
            }
        }
        for (path, name) in self.paths.iter().filter(|(_, name)| self.ids.contains_key(*name)) {
            let path = serde_json::to_string(path)?;
            writeln!(settings, "[[operations]]\ninclude-path = {path}\n[operations.parameters]")?;
            writeln!(settings, "\"path.id\" = {}", binding(name))?;
        }
        Ok(settings)
    }
}

fn binding(dictionary: &str) -> String {
    format!("{{ dictionary = \"{dictionary}\", probability = {PROBABILITY} }}")
}

fn paths_with_ids(document: &Value) -> BTreeMap<String, String> {
    let paths = document["paths"].as_object().into_iter().flatten();
    let with_collection = paths.filter_map(|(path, _)| {
        let (collection, _) = path.split_once("/{id}")?;
        let (_, name) = collection.rsplit_once('/')?;
        Some((path.clone(), name.to_owned()))
    });
    with_collection.collect()
}

async fn get(cluster: &Cluster, path: &str) -> Result<Value> {
    let request = reqwest::Client::new().get(format!("{}{path}", cluster.base_url()));
    let answer = request.bearer_auth(&cluster.api_key).send().await?.error_for_status()?;
    answer.json().await.with_context(|| format!("{path} was not answered with JSON"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_path_with_an_id_knows_its_collection() {
        let document = json!({ "paths": {
            "/api/v1/affiliates": {}, "/api/v1/affiliates/{id}": {}, "/api/v1/affiliates/{id}/links": {},
            "/api/v1/signing-keys/{id}": {},
        } });
        let found = paths_with_ids(&document);
        let found: Vec<(&str, &str)> =
            found.iter().map(|(path, name)| (path.as_str(), name.as_str())).collect();
        let expected = [
            ("/api/v1/affiliates/{id}", "affiliates"),
            ("/api/v1/affiliates/{id}/links", "affiliates"),
            ("/api/v1/signing-keys/{id}", "signing-keys"),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn ids_are_offered_where_they_belong() {
        let mut known = KnownIds::default();
        known.paths.insert("/api/v1/conversions/{id}".to_owned(), "conversions".to_owned());
        known.paths.insert("/api/v1/signing-keys/{id}".to_owned(), "signing-keys".to_owned());
        known.add(
            "conversions",
            &json!({ "data": [{ "id": "cnv_1", "click_id": "clk_1" }, { "id": "cnv_2" }] }),
        );
        known.add("signing-keys", &json!({ "data": [] }));
        let expected = r#"[dictionaries.clicks]
values = ["clk_1"]
[dictionaries.conversions]
values = ["cnv_1","cnv_2"]
[parameters]
"body.click_id" = { dictionary = "clicks", probability = 0.7 }
"query.click_id" = { dictionary = "clicks", probability = 0.7 }
"body.conversion_id" = { dictionary = "conversions", probability = 0.7 }
"query.conversion_id" = { dictionary = "conversions", probability = 0.7 }
[[operations]]
include-path = "/api/v1/conversions/{id}"
[operations.parameters]
"path.id" = { dictionary = "conversions", probability = 0.7 }
"#;
        assert_eq!(known.settings().expect("text"), expected);
    }
}
