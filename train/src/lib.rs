//! Jobs for data scientists: a table goes in, and a version of a model comes out, with what there is to know about it.

pub mod anomaly;
pub mod attribution;
pub mod doctor;
pub mod gbdt;
pub mod input;
pub mod jobs;
mod lbfgs;
pub mod lifetime;
mod linear;
pub mod matching;
pub mod onnx;
pub mod partner;
pub mod policy;
mod rate;
pub mod report;
pub mod split;
pub mod watch;
