//! The models that decide: which serve, how good they were, and moving them.

use askama::Template;
use axum::{
    extract::{Path, State},
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;

use crate::{
    api::{
        models::{self, Model, NewMove, NewPromotion, Served, Which},
        text::Note,
    },
    pages::{
        Pages,
        fault::Fault,
        frame::{Frame, Place, rendered},
        role::Role,
        session::{Posted, Visitor},
        words::{say, tell},
    },
    store,
};

/// No registry has more models.
const MOST: i64 = 500;

struct Line {
    name: String,
    champion: String,
    challenger: String,
    faults: Vec<String>,
}

#[derive(Template)]
#[template(path = "models.html")]
struct ListPage {
    frame: Frame,
    has_registry: bool,
    faults: Vec<String>,
    lines: Vec<Line>,
}

struct Version {
    number: u32,
    family: String,
    made: String,
    measures: String,
    role: String,
    damaged: Option<String>,
}

struct Step {
    at: String,
    what: String,
    by: String,
    why: String,
    overridden: Vec<String>,
}

#[derive(Template)]
#[template(path = "model.html")]
struct OnePage {
    frame: Frame,
    line: Line,
    versions: Vec<Version>,
    steps: Vec<Step>,
    may_move: bool,
}

fn served(served: &Served) -> String {
    match (served.named, served.serves) {
        (None, None) => say("model-nobody"),
        (Some(named), Some(serves)) if named == serves => {
            tell("model-serves", &[("version", &named.to_string())])
        }
        (named, serves) => {
            let number = |version: Option<u32>| version.map_or_else(|| "–".to_owned(), |it| it.to_string());
            tell("model-differs", &[("named", &number(named)), ("serves", &number(serves))])
        }
    }
}

fn line(model: &Model) -> Line {
    let faults = [&model.champion, &model.challenger].into_iter().filter_map(|it| it.refused.clone());
    Line {
        name: model.name.to_string(),
        champion: served(&model.champion),
        challenger: served(&model.challenger),
        faults: faults.collect(),
    }
}

/// The models.
pub async fn list(State(pages): State<Pages>, by: Visitor) -> Result<Response, Fault> {
    by.must_be_team()?;
    let all = models::all(&pages.app, None, MOST).await?;
    let page = ListPage {
        frame: by.frame(Place::Models),
        has_registry: pages.app.models.registry().is_some(),
        faults: pages.app.models.faults(),
        lines: all.iter().map(line).collect(),
    };
    Ok(rendered(&page))
}

/// One model with its versions and every move.
pub async fn one(
    State(pages): State<Pages>,
    by: Visitor,
    Path(name): Path<String>,
) -> Result<Response, Fault> {
    by.must_be_team()?;
    let whole = models::whole(&pages.app, &name).await?;
    let role = |version: u32| {
        let champion = (whole.model.champion.named == Some(version)).then(|| say("model-champion"));
        let challenger = (whole.model.challenger.named == Some(version)).then(|| say("model-challenger"));
        champion.into_iter().chain(challenger).collect::<Vec<_>>().join(", ")
    };
    let versions = whole.versions.iter().map(|one| Version {
        number: one.version,
        family: one.family.clone().unwrap_or_default(),
        made: one.created_at.map(|at| by.reader.time(&at)).unwrap_or_default(),
        measures: one
            .metrics
            .iter()
            .take(4)
            .map(|it| format!("{} {:.4}", it.name, it.value))
            .collect::<Vec<_>>()
            .join(", "),
        role: role(one.version),
        damaged: one.damaged.clone(),
    });
    let steps = whole.history.iter().map(|step| {
        let number = |version: Option<u32>| version.map_or_else(|| "–".to_owned(), |it| it.to_string());
        let moved = [("alias", step.alias.as_str()), ("from", &number(step.from)), ("to", &number(step.to))];
        Step {
            at: by.reader.time(&step.at),
            what: tell("model-moved", &moved),
            by: step.by.clone(),
            why: step.why.clone(),
            overridden: step.overridden.clone(),
        }
    });
    let page = OnePage {
        frame: by.frame(Place::Models),
        line: line(&whole.model),
        versions: versions.collect(),
        steps: steps.collect(),
        may_move: by.user.role.moves_models(),
    };
    Ok(rendered(&page))
}

/// A version to be champion, and why.
#[derive(Debug, Deserialize)]
pub struct Promoted {
    version: u32,
    why: Option<String>,
}

/// An alias to be brought back, and why.
#[derive(Debug, Deserialize)]
pub struct RolledBack {
    why: Option<String>,
}

fn note(why: Option<&str>) -> Result<Note, Fault> {
    why.unwrap_or_default()
        .parse()
        .map_err(|error| Fault::Form(tell("model-why", &[("detail", &format!("{error}"))])))
}

/// Makes a version champion, when it proves itself and nothing speaks against it.
pub async fn promote(
    State(pages): State<Pages>,
    Path(name): Path<String>,
    posted: Posted<Promoted>,
) -> Result<Response, Fault> {
    let Posted { by, form } = posted;
    by.must(Role::moves_models)?;
    let why = note(form.why.as_deref())?;
    let promotion = NewPromotion { version: form.version, alias: Which::Champion, why, force: false };
    models::promoted(&pages.app, &name, promotion, by.actor()).await?;
    moved(&pages, &by, ("model.promoted", &name), &form.version.to_string()).await
}

/// Brings the champion back to the version before.
pub async fn roll_back(
    State(pages): State<Pages>,
    Path(name): Path<String>,
    posted: Posted<RolledBack>,
) -> Result<Response, Fault> {
    let Posted { by, form } = posted;
    by.must(Role::moves_models)?;
    let to_move = NewMove { alias: Which::Champion, why: note(form.why.as_deref())? };
    models::rolled_back(&pages.app, &name, to_move, by.actor()).await?;
    moved(&pages, &by, ("model.rolled_back", &name), "").await
}

async fn moved(
    pages: &Pages,
    by: &Visitor,
    (action, name): (&'static str, &str),
    detail: &str,
) -> Result<Response, Fault> {
    let mut db = pages.app.db.acquire().await?;
    store::audit::note(&mut db, &by.deed(pages, action, (name, detail))).await?;
    Ok(Redirect::to(&format!("/team/models/{name}")).into_response())
}
