//! Imports: a file of clicks, conversions, transactions or journeys is announced, sent, and read in the background into
//! the event lake; what came of it is told, row by row where one was rejected.

use std::{collections::BTreeMap, path::Path};

use axum::{
    Json,
    body::Body,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::ImportId;
use features::import::{Format, Rows};
use futures_util::{StreamExt, stream};
use serde::Deserialize;
use tempfile::{NamedTempFile, TempPath};
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncWriteExt},
};
use tracking::problem::Problem;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    body::Id,
    failure::Failure,
    listing::{Listing, Page, Paging, Unfiltered},
    once::Once,
    text::Name,
};
use crate::{
    app::App,
    jobs::imports::{place, report},
    store::{
        self,
        imports::{Import, ImportStatus},
    },
};

/// How many bytes a file may have.
const LARGEST_FILE: i64 = 4 << 30;
/// How much of a report is read at once.
const PART: usize = 64 * 1024;

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create, list)).routes(routes!(one)).routes(routes!(rejected))
}

/// The route that files are sent to, which may take long.
pub fn file_routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(send))
}

/// A file that is to be imported; docs/lake.md lists the fields.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewImport {
    /// What its rows are: `clicks`, `conversions`, `transactions` or `journeys`.
    #[schema(pattern = "^(clicks|conversions|transactions|journeys)$")]
    rows: String,
    /// How it is written: `csv`, `ndjson` or `parquet`.
    #[schema(pattern = "^(csv|ndjson|parquet)$")]
    format: String,
    /// Whose names it uses: the same name is the same thing in all files of one source. `import` when absent.
    source: Option<Name>,
    /// Columns that are called otherwise than the fields that they are; of an empty field, columns that are none.
    #[serde(default)]
    columns: BTreeMap<String, String>,
    /// Values that all rows have, by field.
    #[serde(default)]
    constants: BTreeMap<String, String>,
    /// Whether to read and check it only.
    #[serde(default)]
    dry_run: bool,
}

impl NewImport {
    /// Whether it speaks of rows, formats and fields that there are; what a column is called is up to the file.
    fn check(&self) -> Result<(), Failure> {
        let rows: Rows = self.rows.parse().map_err(|error| Failure::unprocessable("/rows", error))?;
        let _: Format = self.format.parse().map_err(|error| Failure::unprocessable("/format", error))?;
        let known = |field: &str| rows.field(field).is_some();
        let names = rows.fields().map(|field| field.name).collect::<Vec<_>>().join(", ");
        let wrong = |part: &str, field: &str| {
            let field: String = field.chars().take(64).collect();
            Failure::unprocessable(part, format!("{rows} have no field {field:?}, they have {names}"))
        };
        if let Some(field) = self.columns.values().find(|field| !field.is_empty() && !known(field)) {
            return Err(wrong("/columns", field));
        }
        self.constants
            .keys()
            .find(|field| !known(field))
            .map_or(Ok(()), |field| Err(wrong("/constants", field)))
    }
}

/// Announce a file. It is sent to `/imports/{id}/file` then.
#[utoipa::path(post, path = "/imports", tag = "imports", request_body = NewImport,
    responses((status = 201, description = "The import, which waits for its file.", body = Import)),
    security(("key" = ["imports:write"])))]
async fn create(app: State<App>, once: Once<NewImport>) -> Result<Response, Failure> {
    let Once { body: new, mut effect, .. } = once;
    folder(&app)?;
    new.check()?;
    let import = Import {
        id: ImportId::new(&app.clock, &app.chance),
        rows: new.rows,
        format: new.format,
        source: new.source.map_or_else(|| "import".to_owned(), String::from),
        columns: new.columns,
        constants: new.constants,
        dry_run: new.dry_run,
        status: ImportStatus::Waiting,
        bytes: None,
        rows_read: 0,
        rows_rejected: 0,
        unused_columns: Vec::new(),
        failure: None,
        created_at: app.clock.now(),
        finished_at: None,
    };
    store::imports::insert(&mut effect, &import).await?;
    effect.answer(StatusCode::CREATED, &import).await
}

/// Send the file of an import, of at most 4 GiB: `curl -T FILE`. It is read in the background.
#[utoipa::path(put, path = "/imports/{id}/file", tag = "imports", params(("id" = ImportId, Path)),
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "The file as it is."),
    responses((status = 202, description = "The import, whose file will be read.", body = Import)),
    security(("key" = ["imports:write"])))]
async fn send(app: State<App>, Id(id): Id<ImportId>, body: Body) -> Result<Response, Failure> {
    let folder = folder(&app)?;
    let import = find(&app, id).await?;
    let has_its_file = || {
        Failure::conflict(
            "has_its_file",
            format!("the file of {id} has come already; announce another import"),
        )
    };
    if import.status != ImportStatus::Waiting {
        return Err(has_its_file());
    }
    let place = place(folder, &import);
    let (file, bytes) = take_in(body, &place).await?;
    // The file is in its place before anybody is told so; should that fail, it may be sent again.
    let mut tx = app.begin().await?;
    if !store::imports::receive(&mut tx, id, bytes).await? {
        return Err(has_its_file());
    }
    file.persist(&place).map_err(|error| failed(error.error))?;
    File::open(parent(&place)).await.map_err(failed)?.sync_all().await.map_err(failed)?;
    tx.commit().await?;
    Ok((StatusCode::ACCEPTED, Json(find(&app, id).await?)).into_response())
}

/// List imports of the last thirty days.
#[utoipa::path(get, path = "/imports", tag = "imports", params(Paging),
    responses((status = 200, description = "One page.", body = Page<Import>)),
    security(("key" = ["imports:read"])))]
async fn list(
    app: State<App>,
    listing: Listing<Unfiltered, ImportId>,
) -> Result<Json<Page<Import>>, Failure> {
    let mut db = app.db.acquire().await?;
    let imports = store::imports::list(&mut db, listing.after, listing.reach()).await?;
    Ok(Json(listing.page(imports, |import| import.id)))
}

/// Show an import: how far it is, and what came of it.
#[utoipa::path(get, path = "/imports/{id}", tag = "imports", params(("id" = ImportId, Path)),
    responses((status = 200, description = "The import.", body = Import)),
    security(("key" = ["imports:read"])))]
async fn one(app: State<App>, Id(id): Id<ImportId>) -> Result<Json<Import>, Failure> {
    find(&app, id).await.map(Json)
}

/// Download which rows of an import were rejected: line, field and reason, as CSV.
#[utoipa::path(get, path = "/imports/{id}/rejected", tag = "imports", params(("id" = ImportId, Path)),
    responses((status = 200, description = "A row for each that was rejected.", body = String, content_type = "text/csv")),
    security(("key" = ["imports:read"])))]
async fn rejected(app: State<App>, Id(id): Id<ImportId>) -> Result<Response, Failure> {
    let import = find(&app, id).await?;
    let head = [(header::CONTENT_TYPE, "text/csv; charset=utf-8")];
    if import.rows_rejected == 0 {
        return Ok((head, "line,field,reason\n").into_response());
    }
    let report = File::open(report(folder(&app)?, &import)).await.map_err(failed)?;
    let parts = stream::try_unfold(report, |mut report| async move {
        let mut part = vec![0; PART];
        let read = report.read(&mut part).await?;
        part.truncate(read);
        Ok::<_, std::io::Error>((read != 0).then_some((part, report)))
    });
    Ok((head, Body::from_stream(parts)).into_response())
}

async fn find(app: &App, id: ImportId) -> Result<Import, Failure> {
    let found = store::imports::find(&mut *app.db.acquire().await?, id).await?;
    found.ok_or_else(|| Failure::not_found(id))
}

/// Where files wait to be read into the lake, if there is one.
fn folder(app: &App) -> Result<&Path, Failure> {
    let none = "this installation has no event lake that files can be read into: name it with --lake (TRIBUTARY_LAKE), \
                and where it is in a bucket a folder for files with --uploads (TRIBUTARY_UPLOADS)";
    app.uploads.as_deref().ok_or_else(|| Failure::conflict("no_lake", none))
}

/// Takes in a body as a file beside its place, for good; says how many bytes it has.
async fn take_in(body: Body, place: &Path) -> Result<(TempPath, i64), Failure> {
    let folder = parent(place);
    tokio::fs::create_dir_all(folder).await.map_err(failed)?;
    let (file, unfinished) = NamedTempFile::new_in(folder).map_err(failed)?.into_parts();
    let mut file = File::from_std(file);
    let mut parts = body.into_data_stream();
    let mut bytes: i64 = 0;
    while let Some(part) = parts.next().await {
        let cut_off = |_| Problem::new(StatusCode::BAD_REQUEST, "bad_request", "The body could not be read");
        let part = part.map_err(cut_off)?;
        bytes += part.len() as i64;
        if LARGEST_FILE < bytes {
            return Err(
                Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "The body is too large").into()
            );
        }
        file.write_all(&part).await.map_err(failed)?;
    }
    file.flush().await.map_err(failed)?;
    file.sync_all().await.map_err(failed)?;
    Ok((unfinished, bytes))
}

fn parent(place: &Path) -> &Path {
    place.parent().unwrap_or(Path::new("."))
}

fn failed(error: std::io::Error) -> Failure {
    Failure::Broken(anyhow::Error::new(error).context("the file of an import could not be kept or read"))
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use domain::event::Kind;
    use features::lake::Lake;
    use serde_json::{Value, json};
    use tempfile::TempDir;

    use super::*;
    use crate::{
        api::testing::Api,
        jobs::{
            imports::{Forget, Read},
            once,
        },
    };

    const ORDERS: &str = "\
Time,Customer,Total,Note
2026-01-01T12:00:00Z,c-1,19.90,
2026-01-02T12:00:00Z,c-2,five,
2026-01-03T12:00:00Z,c-1,5.00,again
";

    async fn world() -> (Api, TempDir) {
        let folder = tempfile::tempdir().unwrap();
        (Api::start().await.with_lake(&folder.path().join("lake")), folder)
    }

    fn orders() -> Value {
        json!({"rows": "transactions", "format": "csv", "source": "shop",
               "columns": {"Time": "occurred_at", "Customer": "customer", "Total": "amount"},
               "constants": {"currency": "EUR", "campaign": "shop"}})
    }

    async fn send_orders(api: &Api) -> String {
        let made = api.made("/api/v1/imports", orders()).await;
        assert_eq!(made["status"], "waiting");
        let path = format!("/api/v1/imports/{}", made["id"].as_str().unwrap());
        let sent = api.put_file(&format!("{path}/file"), ORDERS).await;
        assert_eq!((sent.status, &sent.body["status"]), (StatusCode::ACCEPTED, &json!("queued")));
        path
    }

    fn conversions(folder: &TempDir) -> usize {
        let lake = Lake::at(folder.path().join("lake"));
        lake.events(&[Kind::Conversion], i64::MIN..i64::MAX).unwrap().map(Result::unwrap).count()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_file_that_was_sent_is_read_once_and_what_came_of_it_is_told() {
        let (api, folder) = world().await;
        let path = send_orders(&api).await;
        let again = api.put_file(&format!("{path}/file"), ORDERS).await;
        assert_eq!((again.status, &again.body["code"]), (StatusCode::CONFLICT, &json!("has_its_file")));

        assert_eq!(once(&Read, &api.workbench()).await.unwrap(), 1);
        let told = api.get(&path).await.body;
        assert_eq!(
            [&told["status"], &told["rows_read"], &told["rows_rejected"], &told["unused_columns"]],
            [&json!("done"), &json!(3), &json!(1), &json!(["Note"])]
        );
        let rejected = api.get(&format!("{path}/rejected")).await;
        assert!(rejected.text.contains("is not a decimal amount such as 49.99"), "{}", rejected.text);
        assert_eq!(conversions(&folder), 2);

        let again = send_orders(&api).await;
        assert_eq!(once(&Read, &api.workbench()).await.unwrap(), 1);
        assert_eq!(api.get(&again).await.body["status"], "done");
        assert_eq!(conversions(&folder), 2, "the same file is the same events");
        assert_eq!(api.get("/api/v1/imports").await.body["data"].as_array().unwrap().len(), 2);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn what_cannot_be_read_is_told_and_forgotten_after_a_month() {
        let (api, folder) = world().await;
        let mut wrong = orders();
        wrong["format"] = json!("parquet");
        let made = api.made("/api/v1/imports", wrong).await;
        let path = format!("/api/v1/imports/{}", made["id"].as_str().unwrap());
        api.put_file(&format!("{path}/file"), ORDERS).await;
        let never_sent = api.made("/api/v1/imports", orders()).await;
        once(&Read, &api.workbench()).await.unwrap();
        let told = api.get(&path).await.body;
        assert_eq!(told["status"], "failed");
        assert!(told["failure"].as_str().unwrap().contains("Parquet"), "{told}");

        let sent = send_orders(&api).await;
        once(&Read, &api.workbench()).await.unwrap();
        api.app.clock.advance(TimeDelta::days(31));
        assert_eq!(once(&Forget, &api.workbench()).await.unwrap(), 3);
        for gone in [&path, &sent, &format!("/api/v1/imports/{}", never_sent["id"].as_str().unwrap())] {
            assert_eq!(api.get(gone).await.status, StatusCode::NOT_FOUND);
        }
        let left = std::fs::read_dir(folder.path().join("lake/_uploads")).unwrap().count();
        assert_eq!((left, conversions(&folder)), (0, 2), "files and reports go, events stay");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn what_makes_no_sense_is_refused_before_a_file_is_sent() {
        let (api, _folder) = world().await;
        for (part, value, pointer) in [
            ("rows", json!("orders"), "/rows"),
            ("format", json!("xlsx"), "/format"),
            ("columns", json!({"Time": "moment"}), "/columns"),
            ("constants", json!({"colour": "red"}), "/constants"),
        ] {
            let mut wrong = orders();
            wrong[part] = value;
            let refused = api.post("/api/v1/imports", wrong).await;
            assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
            assert_eq!(refused.body["errors"][0]["pointer"], pointer, "{refused}");
        }
        let without = Api::start().await;
        let refused = without.post("/api/v1/imports", orders()).await;
        assert_eq!((refused.status, &refused.body["code"]), (StatusCode::CONFLICT, &json!("no_lake")));
    }
}
