//! The floor under an inference over HTTP: axum, which reads the body of a request of the Open Inference Protocol and writes
//! an answer of the protocol; instead of a model it says the first number that it was given.

use std::{env, error::Error};

use axum::{Json, Router, extract::Path, routing::post, serve::ListenerExt};
use mimalloc::MiMalloc;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

// The product's own, so that a floor is not slow by its allocator.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[derive(Deserialize)]
struct Asked {
    inputs: Vec<Input>,
}

#[derive(Deserialize)]
struct Input {
    name: String,
    shape: Vec<usize>,
    datatype: String,
    data: Vec<f32>,
}

#[derive(Serialize)]
struct Answer {
    model_name: String,
    model_version: &'static str,
    outputs: Vec<Output>,
}

#[derive(Serialize)]
struct Output {
    name: String,
    datatype: String,
    shape: Vec<usize>,
    data: Vec<f32>,
}

// One thread, because it is measured on one core.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1).ok_or("say where to listen: json_echo 127.0.0.1:8081")?;
    let router = Router::new().route("/v2/models/{model}/infer", post(echo));
    let listener = TcpListener::bind(address).await?.tap_io(|stream| {
        // A connection that is gone keeps nothing waiting.
        stream.set_nodelay(true).ok();
    });
    axum::serve(listener, router).await?;
    Ok(())
}

async fn echo(Path(model_name): Path<String>, Json(asked): Json<Asked>) -> Json<Answer> {
    let outputs = asked.inputs.into_iter().map(|input| {
        let rows = input.shape.first().copied().unwrap_or_default();
        let width = input.data.len() / rows.max(1);
        let data: Vec<f32> = input.data.chunks(width.max(1)).filter_map(|row| row.first().copied()).collect();
        Output { name: input.name, datatype: input.datatype, shape: vec![rows, 1], data }
    });
    Json(Answer { model_name, model_version: "1", outputs: outputs.collect() })
}
