//! Every family of graphs, run by ONNX Runtime, says what a plain reading of its table says.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod attribution;
mod calibration;
mod composition;
mod dense;
mod factors;
mod forests;
mod histogram;
mod lifetime;
mod linear;
mod preprocess;
mod running;
mod towers;
mod trees;
