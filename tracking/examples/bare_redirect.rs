//! The floor under every redirect: a server that does nothing but answer 302, on the HTTP library that we use.

use std::{convert::Infallible, env, error::Error};

use http_body_util::Empty;
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    header,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use mimalloc::MiMalloc;
use tokio::net::TcpListener;

// The tracker's own, so that a floor is not slow by its allocator.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

// One thread, because it is measured on one core.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1).ok_or("say where to listen: bare_redirect 127.0.0.1:8081")?;
    let listener = TcpListener::bind(address).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(async move {
            let connection =
                http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(redirect));
            // A client that goes away is no news to a floor.
            connection.await.ok();
        });
    }
}

async fn redirect(_: Request<Incoming>) -> Result<Response<Empty<Bytes>>, Infallible> {
    let answer = Response::builder().status(302).header(header::LOCATION, "https://shop.example/?clickid=0");
    Ok(answer.body(Empty::new()).expect("a fixed answer is well formed"))
}
