//! The OpenAPI document: what the handlers say of themselves, completed with what holds for all of them.

use std::collections::BTreeMap;

use tracking::problem::{CONTENT_TYPE, FieldError, Problem};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Components, Content, Header, HeaderBuilder, InfoBuilder, License, ObjectBuilder, OpenApi,
        OpenApiBuilder, Ref, RefOr, Required, Response, ResponseBuilder,
        path::{Operation, ParameterBuilder, ParameterIn, PathItem},
        schema::Type,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use super::{gate::Operations, text::Day};

/// The name of the one security scheme.
const KEY: &str = "key";

/// An answer that says no: its status, the name of its component, and when it is given.
struct No {
    status: &'static str,
    name: &'static str,
    when: &'static str,
}

const fn no(status: &'static str, name: &'static str, when: &'static str) -> No {
    No { status, name, when }
}

const NOS: &[No] = &[
    no("400", "BadRequest", "The request cannot be read: an id, a query parameter, a header or the JSON."),
    no("401", "Unauthorized", "There is no key, or it is not valid, has expired or was revoked."),
    no("403", "Forbidden", "The key's scopes do not cover this."),
    no("404", "NotFound", "There is nothing here, or nothing that this key may see."),
    no("409", "Conflict", "It does not fit the present state, or the same request is being worked on."),
    no("413", "TooLarge", "The body is too large."),
    no("415", "UnsupportedMediaType", "The body is not application/json."),
    no("422", "Unprocessable", "The JSON does not fit; `errors` points at each part."),
    no("429", "TooManyRequests", "Too many requests; `Retry-After` says when to come back."),
    no("503", "Unavailable", "Not able to serve right now; `Retry-After` says when to come back."),
];

/// The document before any operation was added.
pub fn begin() -> OpenApi {
    let description = "Partners, campaigns, conversions and money. Every error is an RFC 9457 problem; every list is \
                       read page by page with `limit` and `after`; every POST takes an `Idempotency-Key`.";
    let mut license = License::new("Apache-2.0");
    license.identifier = Some("Apache-2.0".to_owned());
    let info = InfoBuilder::new().title("Tributary").version(env!("CARGO_PKG_VERSION"));
    let info = info.description(Some(description)).license(Some(license)).build();
    let key = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("tbk_…");
    let key = key.description(Some("An API key; it is shown once when it is made.")).build();
    let mut components = Components::new();
    components.security_schemes.insert(KEY.to_owned(), SecurityScheme::Http(key).into());
    components.schemas.insert(Problem::name().into_owned(), Problem::schema());
    components.schemas.insert(FieldError::name().into_owned(), FieldError::schema());
    // Query parameters refer to it, and only what bodies refer to is collected by itself.
    components.schemas.insert(Day::name().into_owned(), Day::schema());
    components.headers.extend(all_headers());
    for no in NOS {
        components.responses.insert(no.name.to_owned(), refusal(no).into());
    }
    OpenApiBuilder::new().info(info).components(Some(components)).build()
}

/// Adds to every operation what holds for all, and reads off which scope each one needs.
pub fn finish(document: &mut OpenApi) -> Operations {
    let mut operations = Operations::new();
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in methods(item) {
            complete(path, method, operation);
            if let Some(scope) = scope(operation).and_then(|scope| scope.parse().ok()) {
                operations.entry(path.clone()).or_default().insert(method, scope);
            }
        }
    }
    operations
}

/// The operations of a path by their methods.
pub fn methods(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    let all = [("GET", get), ("PUT", put), ("POST", post), ("DELETE", delete), ("PATCH", patch)];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// The scope that an operation asks for; its type keeps what it holds to itself, but not from JSON.
fn scope(operation: &Operation) -> Option<String> {
    let security = serde_json::to_value(&operation.security).ok()?;
    security.get(0)?.get(KEY)?.get(0)?.as_str().map(str::to_owned)
}

fn complete(path: &str, method: &str, operation: &mut Operation) {
    // Handlers are called `list` or `create` in every file; with the file's name in front they are unique.
    if let (Some(name), Some(tags)) = (&operation.operation_id, &operation.tags) {
        operation.operation_id = Some(format!("{}_{name}", tags.join("_")));
    }
    if method == "POST" {
        operation.parameters.get_or_insert_default().push(idempotency_key().into());
    }
    let responses = &mut operation.responses.responses;
    for response in responses.values_mut() {
        let RefOr::T(response) = response else { continue };
        response.headers.extend(headers(&["X-Request-Id", "RateLimit", "RateLimit-Policy"]));
        if method == "POST" {
            response.headers.extend(headers(&["Idempotent-Replayed"]));
        }
    }
    let takes_input = operation.parameters.is_some() || operation.request_body.is_some();
    let changes = matches!(method, "POST" | "PUT" | "PATCH");
    let applies = |status| match status {
        "400" => takes_input,
        "404" => path.contains('{'),
        "409" | "413" | "415" | "422" => changes,
        _ => true,
    };
    for no in NOS.iter().filter(|no| applies(no.status)) {
        responses.insert(no.status.to_owned(), Ref::from_response_name(no.name).into());
    }
}

fn idempotency_key() -> utoipa::openapi::path::Parameter {
    let schema = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(255));
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "Names the request: a repeat with the same key has no effect and gets the same answer.",
        ))
        .schema(Some(schema.pattern(Some("^[!-~]{1,255}$"))))
        .build()
}

fn refusal(no: &No) -> Response {
    let names: &[&str] = match no.status {
        "401" => &["X-Request-Id", "WWW-Authenticate", "RateLimit", "RateLimit-Policy"],
        "429" => &["X-Request-Id", "Retry-After", "RateLimit", "RateLimit-Policy"],
        "503" => &["X-Request-Id", "Retry-After"],
        _ => &["X-Request-Id", "RateLimit", "RateLimit-Policy"],
    };
    let problem = Content::new(Some(Ref::from_schema_name(Problem::name())));
    let mut response = ResponseBuilder::new().description(no.when).content(CONTENT_TYPE, problem).build();
    response.headers = headers(names);
    response
}

/// The headers of these names, each described once for the whole document.
fn headers(names: &[&'static str]) -> BTreeMap<String, RefOr<Header>> {
    let referred = |name: &&'static str| {
        let place = format!("#/components/headers/{name}");
        ((*name).to_owned(), RefOr::Ref(Ref::new(place)))
    };
    names.iter().map(referred).collect()
}

/// Every header that an answer may have beside the usual ones.
fn all_headers() -> impl Iterator<Item = (String, RefOr<Header>)> {
    let told = [
        ("X-Request-Id", Type::String, "The request's id; quote it when you ask for help."),
        ("RateLimit", Type::String, "What is left of the quota, and in how many seconds it is whole again."),
        ("RateLimit-Policy", Type::String, "How many requests may be made in how many seconds."),
        ("Retry-After", Type::Integer, "After how many seconds to try again."),
        ("Idempotent-Replayed", Type::String, "`true` when this repeats the answer of an earlier request."),
        ("WWW-Authenticate", Type::String, "How to authenticate."),
    ];
    told.into_iter().map(|(name, kind, description)| {
        let schema = ObjectBuilder::new().schema_type(kind);
        let header = HeaderBuilder::new().schema(Some(schema)).description(Some(description)).build();
        (name.to_owned(), header.into())
    })
}
