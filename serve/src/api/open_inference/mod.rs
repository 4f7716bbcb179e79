//! The Open Inference Protocol (version 2, REST) for every model of the registry, so that its standard clients work.
//!
//! Source: the protocol's specification (github.com/kserve/open-inference-protocol) and, for tensors as bytes, Triton's
//! `binary_tensor_data` extension. Errors are problems like everywhere else, whose member `error` is what the protocol
//! asks for.

mod asked;
#[cfg(test)]
mod reloads;
mod said;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    panic::AssertUnwindSafe,
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Path, Request, State},
    http::{HeaderValue, StatusCode, header, request::Parts},
    middleware::{from_fn_with_state, map_response},
    response::{IntoResponse, Response},
    routing::{any, get},
};
use futures_util::FutureExt;
use models::{
    registry::{Alias, ModelName, Version, manifest::Port},
    session::{Current, Run, ScoreError},
    tensor::Element,
};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::{
    sync::{Semaphore, oneshot},
    time::timeout,
};
use tower_http::timeout::TimeoutLayer;
use tracking::{observe::Observed, problem::Problem};

use self::asked::Asked;
use super::{
    failure::Failure,
    gate::{self, Gate},
    limits::room::Weight,
    panicked, protected,
};
use crate::{app::App, host::Held, scope::Scope};

/// Tensors of many rows are larger than what else the API takes.
const BODY_LIMIT: usize = 16 * 1024 * 1024;
/// After this long an inference is given up.
const TIMEOUT: Duration = Duration::from_secs(30);
/// A request or an answer of more bytes is not read or written beside others on a thread of the server.
const SMALL: usize = 64 * 1024;
/// Those of them that may be in work at once.
static LARGE: Semaphore = Semaphore::const_new(4);
/// The registry was not looked at yet.
const NOT_YET: &str = "the models are not loaded yet";
/// The bytes of JSON before the bytes of tensors.
const JSON_LENGTH: &str = "inference-header-content-length";
/// What a runtime of ONNX files is called among the protocol's platforms.
const PLATFORM: &str = "onnx_onnxv1";

/// How many inferences this process has answered.
pub static INFERENCES: AtomicU64 = AtomicU64::new(0);
/// The paths at which models are run.
const INFER: [&str; 2] = ["/v2/models/{model}/infer", "/v2/models/{model}/versions/{version}/infer"];

/// Whether what is asked at this path of a URL is mostly answered sooner than another thread is woken: it is one of those at
/// which models are run.
pub fn is_brief(path: &str) -> bool {
    let rest = path.strip_prefix("/v2/models/").and_then(|rest| rest.strip_suffix("/infer"));
    let named =
        rest.map(|rest| rest.split_once('/').map_or((rest, None), |(model, rest)| (model, Some(rest))));
    let is_name = |name: &str| !name.is_empty() && !name.contains('/');
    named.is_some_and(|(model, version)| {
        let version = version.map(|version| version.strip_prefix("versions/"));
        is_name(model) && version.is_none_or(|version| version.is_some_and(is_name))
    })
}

/// Its paths below `/v2`. Whether the server lives and is ready anybody may ask.
pub fn router(app: App) -> Router {
    let app = Arc::new(app);
    let read = [
        ("/v2/models/{model}", get(metadata)),
        ("/v2/models/{model}/versions/{version}", get(metadata)),
        ("/v2/models/{model}/ready", get(is_ready)),
        ("/v2/models/{model}/versions/{version}/ready", get(is_ready)),
    ];
    let needs = |method, scope| BTreeMap::from([(method, scope)]);
    let operations = read.iter().map(|(path, _)| ((*path).to_owned(), needs("GET", Scope::MODELS_READ)));
    let gate = Gate { app: app.clone(), operations: Arc::new(operations.collect()) };
    let routes = read.into_iter().fold(Router::new(), |all, (path, handler)| all.route(path, handler));
    let patience = TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, TIMEOUT);
    let routes = routes
        .route_layer((from_fn_with_state(gate, gate::admit), patience))
        .route("/v2", get(server))
        .route("/v2/health/live", get(|| async { Json(json!({"live": true})) }))
        .route("/v2/health/ready", get(can_infer));
    let chance = app.chance.clone();
    let state = (app.clone(), chance);
    // What is nowhere is told by the router that is merged last.
    inferences(app).merge(protected(routes, state).layer(map_response(with_error)))
}

/// What is needed to run models: the API's state, and who may.
#[derive(Clone)]
struct Desk {
    app: Arc<App>,
    methods: Arc<BTreeMap<&'static str, Scope>>,
}

/// The paths at which models are run. What layers do for every other path, [`answer`] does for these: each layer would
/// cost more than a model of trees.
fn inferences(app: Arc<App>) -> Router {
    let desk = Desk { app, methods: Arc::new(BTreeMap::from([("POST", Scope::MODELS_INFER)])) };
    INFER.iter().fold(Router::new(), |all, path| all.route(path, any(answer))).with_state(desk)
}

/// Answers an inference, whatever happens.
async fn answer(State(desk): State<Desk>, mut request: Request) -> Response {
    let observed = Observed::begin(&desk.app.chance, &mut request);
    let response = observed.end(caught(attend(&desk, request)).await);
    if response.status().is_success() { response } else { with_error(response).await }
}

/// The answer, also where it ends in a panic.
async fn caught(answering: impl Future<Output = Response>) -> Response {
    AssertUnwindSafe(answering).catch_unwind().await.unwrap_or_else(panicked)
}

/// Runs the model for whoever may, in time or not at all.
async fn attend(desk: &Desk, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let admitted = match gate::admitted(&desk.app, &desk.methods, (Weight::Inference, &parts)).await {
        Ok(admitted) => admitted,
        Err(response) => return response,
    };
    let mut response = match timeout(TIMEOUT, infer(&desk.app, (parts, body))).await {
        Ok(inferred) => inferred.unwrap_or_else(|refusal| refusal),
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    };
    response.headers_mut().extend(admitted.quota);
    response
}

async fn server() -> Json<Value> {
    let version = env!("CARGO_PKG_VERSION");
    Json(json!({"name": "tributary", "version": version, "extensions": ["binary_tensor_data"]}))
}

async fn can_infer(app: State<Arc<App>>) -> Result<Json<Value>, Failure> {
    let ready = app.models.has_looked();
    ready.then(|| Json(json!({"ready": true}))).ok_or_else(|| Failure::unavailable(NOT_YET))
}

/// The model in a path, and the version if it names one.
#[derive(Debug, serde::Deserialize)]
struct Meant {
    model: String,
    version: Option<String>,
}

impl Meant {
    fn held(&self, app: &App) -> Result<Arc<Held>, Failure> {
        let name = ModelName::from_str(&self.model).ok();
        name.and_then(|name| app.models.model(&name)).ok_or_else(|| match app.models.fault() {
            Some(fault) => Failure::unavailable(fault),
            None if !app.models.has_looked() => Failure::unavailable(NOT_YET),
            None => Failure::nothing_here(format!("no model is called {:?} here", shown(&self.model))),
        })
    }

    /// The version that is meant, as far as it serves: the champion, or one that is named and is champion or challenger.
    fn version(&self, app: &App) -> Result<Current, Failure> {
        let held = self.held(app)?;
        let Some(named) = &self.version else {
            let refused = |error: ScoreError| held.champion.refusal().unwrap_or_else(|| error.to_string());
            return held.champion.current().map_err(|error| Failure::unavailable(refused(error)));
        };
        let version = shown(named).parse::<Version>().map_err(Failure::nothing_here)?;
        let both = loaded(&held);
        let loaded = both.iter().map(|(alias, it)| format!("{} as {alias}", it.manifest().version));
        let loaded = loaded.reduce(|all, one| format!("{all}, {one}")).unwrap_or_else(|| "none".to_owned());
        let found = both.into_iter().find(|(_, it)| it.manifest().version == version);
        found.map(|(_, it)| it).ok_or_else(|| {
            Failure::nothing_here(format!(
                "version {version} of {} is not loaded: loaded is {loaded}",
                self.model
            ))
        })
    }
}

/// What of a client's words is repeated to it.
fn shown(text: &str) -> String {
    text.chars().take(64).collect()
}

/// The versions that serve.
fn loaded(held: &Held) -> Vec<(Alias, Current)> {
    let both = [(Alias::Champion, &held.champion), (Alias::Challenger, &held.challenger)];
    both.into_iter().filter_map(|(alias, serving)| Some((alias, serving.current().ok()?))).collect()
}

#[derive(Serialize)]
struct Metadata {
    name: ModelName,
    versions: Vec<String>,
    platform: &'static str,
    inputs: Vec<Told>,
    outputs: Vec<Told>,
}

/// A tensor as the protocol tells of it; -1 is any number of rows.
#[derive(Serialize)]
struct Told {
    name: String,
    datatype: &'static str,
    shape: Vec<i64>,
}

impl From<&Port> for Told {
    fn from(port: &Port) -> Self {
        let size = |size: &Option<usize>| size.and_then(|size| i64::try_from(size).ok()).unwrap_or(-1);
        let shape = port.shape.iter().map(size).collect();
        Self { name: port.name.clone(), datatype: datatype(port.element), shape }
    }
}

async fn metadata(app: State<Arc<App>>, Path(meant): Path<Meant>) -> Result<Json<Metadata>, Failure> {
    let current = meant.version(&app)?;
    let manifest = current.manifest();
    let held = meant.held(&app)?;
    let versions = loaded(&held).iter().map(|(_, it)| it.manifest().version.to_string()).collect();
    let signature = &manifest.about.signature;
    Ok(Json(Metadata {
        name: manifest.model.clone(),
        versions,
        platform: PLATFORM,
        inputs: signature.inputs.iter().map(Told::from).collect(),
        outputs: signature.outputs.iter().map(Told::from).collect(),
    }))
}

async fn is_ready(app: State<Arc<App>>, Path(meant): Path<Meant>) -> Result<Json<Value>, Failure> {
    let current = meant.version(&app)?;
    let manifest = current.manifest();
    Ok(Json(json!({"name": manifest.model, "ready": true})))
}

async fn infer(app: &App, (mut parts, body): (Parts, Body)) -> Result<Response, Response> {
    let Path(meant) =
        Path::<Meant>::from_request_parts(&mut parts, &()).await.map_err(IntoResponse::into_response)?;
    let length = parts.headers.remove(JSON_LENGTH);
    let mut request = Request::from_parts(parts, body);
    DefaultBodyLimit::max(BODY_LIMIT).apply(&mut request);
    let body = Bytes::from_request(request, &()).await.map_err(IntoResponse::into_response)?;
    run(app, &meant, (length, body)).await.map_err(IntoResponse::into_response)
}

async fn run(
    app: &App,
    meant: &Meant,
    (length, body): (Option<HeaderValue>, Bytes),
) -> Result<Response, Failure> {
    let current = meant.version(app)?;
    let manifest = Arc::clone(current.manifest());
    let is_large = SMALL < body.len();
    // What is large is read and written on a thread that may be busy, and not by many at once.
    let turn = is_large.then(|| LARGE.try_acquire()).transpose();
    let _turn = turn.map_err(|_| Failure::unavailable("other large requests are in work"))?;
    let known = Arc::clone(&manifest);
    let read = move || Asked::read(length.as_ref().map(HeaderValue::as_bytes), &body)?.checked(&known);
    let (asked, inputs) = if is_large { Box::pin(aside(read)).await?? } else { read()? };
    let (tell, told) = oneshot::channel();
    let ask = move |run: Run<'_>| {
        if !tell.is_closed() {
            drop(tell.send(run()));
        }
    };
    current.infer(inputs, ask).map_err(unscored)?;
    let stopped = || ScoreError::Stopped { model: manifest.model.clone() };
    let outputs = told.await.unwrap_or_else(|_| Err(stopped())).map_err(unscored)?;
    INFERENCES.fetch_add(1, Relaxed);
    let is_large = SMALL < outputs.iter().map(|tensor| tensor.values().bytes()).sum();
    let write = move || said::answer(&asked, (&manifest, &outputs));
    if is_large { Box::pin(aside(write)).await? } else { write() }
}

async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Failure::Broken(error.into()))
}

/// What the protocol calls a kind of number.
fn datatype(element: Element) -> &'static str {
    match element {
        Element::Float32 => "FP32",
        Element::Float64 => "FP64",
        Element::Int64 => "INT64",
        Element::Text => "BYTES",
    }
}

fn unscored(error: ScoreError) -> Failure {
    match error {
        ScoreError::Inputs { .. } | ScoreError::Width { .. } | ScoreError::Failed { .. } => {
            Failure::unprocessable("/inputs", error)
        }
        ScoreError::NoModel { .. } | ScoreError::Full { .. } | ScoreError::Stopped { .. } => {
            Failure::unavailable(error)
        }
    }
}

/// Puts the sentence of a problem under the name that the protocol's clients read.
async fn with_error(response: Response) -> Response {
    let Some(problem) = response.extensions().get::<Problem>() else { return response };
    let Ok(mut told) = serde_json::to_value(problem) else { return response };
    let first = told["errors"][0]["detail"].as_str();
    let sentence = told["detail"].as_str().or(first).or(told["title"].as_str());
    told["error"] = sentence.unwrap_or_default().into();
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    (parts, Body::from(told.to_string())).into_response()
}
